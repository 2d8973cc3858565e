#!/usr/bin/env python3
"""Holds the Kubernetes manifests to the API's schemas, and to what they promise.

Each file's proxy config is checked by the proxy itself, every volume and port that is named is there, and a pod is given
longer to stop than the proxy takes to drain.

    manifests.py PROXY-BINARY FILE…
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import kubernetes_validate
import yaml

KUBERNETES = "1.29"
MOUNT = "/run/secrets/qix-proxy"
# What `check` warns of, and a pod cannot do without: the probes come from outside it.
MEANT = "the operators' door is open to other machines"


def main(proxy, *files):
    faults = [f"{file}: {fault}" for file in files for fault in faults_of(proxy, Path(file))]
    for fault in faults:
        print(f"manifests: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"manifests: {len(files)} files are good for Kubernetes {KUBERNETES}, and their configs for the proxy")


def faults_of(proxy, file):
    things = list(yaml.safe_load_all(file.read_text()))
    of_kind = {kind: [thing for thing in things if thing["kind"] == kind] for kind in {thing["kind"] for thing in things}}
    for thing in things:
        yield from misfits(thing)
    (config,) = [each["data"]["qix-proxy.toml"] for each in of_kind["ConfigMap"]]
    (deployment,) = of_kind["Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    yield from complaints(proxy, config)
    yield from loose_ends(pod, of_kind)
    yield from unsafe(pod)
    drain = int(re.fullmatch(r"(\d+)s", tomllib.loads(config)["listen"]["drain"])[1])
    if pod["terminationGracePeriodSeconds"] < drain + 10:
        yield f"terminationGracePeriodSeconds is less than the drain of {drain} s and 10 s more"


def misfits(thing):
    name = f"{thing['kind']} {thing['metadata']['name']}"
    try:
        kubernetes_validate.validate(thing, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{name}: {'.'.join(map(str, error.path))}: {error.message}"


def complaints(proxy, config):
    """What `qix-proxy check` says of the config, with a secret of its own at each place that it names."""
    with tempfile.TemporaryDirectory() as folder:
        for named in re.findall(rf'"{MOUNT}/([a-z-]+)"', config):
            Path(folder, named).write_text("0123456789abcdef0123456789abcdef\n")
        path = Path(folder, "qix-proxy.toml")
        path.write_text(config.replace(MOUNT, folder))
        said = subprocess.run([proxy, "check", "--config", path], capture_output=True, text=True)
    remarks = [line for line in said.stderr.splitlines() if MEANT not in line]
    if said.returncode or remarks:
        yield f"qix-proxy check: {said.stdout}{said.stderr}"


def loose_ends(pod, of_kind):
    containers = pod.get("initContainers", []) + pod["containers"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    mounted = {mount["name"] for container in containers for mount in container.get("volumeMounts", [])}
    ports = {port["name"] for container in containers for port in container.get("ports", [])}
    if volumes != mounted:
        yield f"volumes that are not mounted, or mounts of no volume: {volumes ^ mounted}"
    wanted = {port["targetPort"] for service in of_kind["Service"] for port in service["spec"]["ports"]}
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    wanted |= {container[probe]["httpGet"]["port"] for container in containers for probe in probes if probe in container}
    if not wanted <= ports:
        yield f"ports that no container has: {wanted - ports}"


def unsafe(pod):
    (proxy,) = [each for each in pod.get("initContainers", []) + pod["containers"] if each["name"] == "qix-proxy"]
    context = {**pod["securityContext"], **proxy["securityContext"]}
    wanted = {"runAsNonRoot": True, "runAsUser": 65532, "readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
    for key, value in wanted.items():
        if context.get(key) != value:
            yield f"the proxy's container has {key} = {context.get(key)}"
    if "lifecycle" in proxy:
        yield "the proxy's container has a hook, which it does not need"


main(*sys.argv[1:])
