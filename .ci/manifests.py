#!/usr/bin/env python3
"""Holds the Kubernetes manifests to the API's schemas, and to what they promise.

Each file's proxy config is checked by the proxy itself, every volume and port that is named is there, and a pod is given
longer to stop than the proxy takes to drain. A container that tells the proxy of a change is tried out on a real one.

    manifests.py PROXY-BINARY FILE…
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from contextlib import contextmanager
from pathlib import Path

import kubernetes_validate
import yaml

KUBERNETES = "1.29"
MOUNT = "/run/secrets/qix-proxy"
FOLDER = "/etc/qix-proxy"
CONFIG = "qix-proxy.toml"
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
    files = {name: text for each in of_kind["ConfigMap"] for name, text in each["data"].items()}
    config = files[CONFIG]
    (deployment,) = of_kind["Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    yield from complaints(proxy, files)
    yield from loose_ends(pod, of_kind)
    yield from unsafe(pod)
    for teller in [each for each in pod["containers"] if each["name"] == "reload"]:
        yield from deafness(proxy, files, pod, teller)
    drain = int(re.fullmatch(r"(\d+)s", tomllib.loads(config)["listen"]["drain"])[1])
    if pod["terminationGracePeriodSeconds"] < drain + 10:
        yield f"terminationGracePeriodSeconds is less than the drain of {drain} s and 10 s more"


def misfits(thing):
    name = f"{thing['kind']} {thing['metadata']['name']}"
    try:
        kubernetes_validate.validate(thing, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{name}: {'.'.join(map(str, error.path))}: {error.message}"


def complaints(proxy, files):
    """What `qix-proxy check` says of the config, with a secret of its own at each place that it names."""
    with tempfile.TemporaryDirectory() as folder:
        mount(Path(folder), "..1", files)
        said = subprocess.run([proxy, "check", "--config", Path(folder, CONFIG)], capture_output=True, text=True)
    remarks = [line for line in said.stderr.splitlines() if MEANT not in line]
    if said.returncode or remarks:
        yield f"qix-proxy check: {said.stdout}{said.stderr}"


def mount(folder, version, files):
    """Puts files, and the secrets that they name, where a pod has them, in the kubelet's way: a folder that a link leads
    to, and then links to what is new in it."""
    files = {name: text.replace(MOUNT, str(folder)) for name, text in files.items()}
    named = re.findall(rf'file = "(?:{folder}/)?([a-z-]+)"', "".join(files.values()))
    files |= {name: "0123456789abcdef0123456789abcdef\n" for name in named}
    (folder / version).mkdir()
    for name, text in files.items():
        (folder / version / name).write_text(text)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")
    for name in files:
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")


def deafness(proxy, files, pod, teller):
    """Runs the proxy and the script that is to tell it of changes, and adds a customer."""
    if not pod.get("shareProcessNamespace") or "runAsUser" in teller["securityContext"]:
        yield "what tells the proxy of changes must see its process, and be the same user"
    customer = next(text for name, text in files.items() if name.startswith("customer."))
    more = files | {"customer.zinc.toml": re.sub(r'(?m)^(name|value) = ".*"$', r'\1 = "zinc"', customer)}
    with tempfile.TemporaryDirectory() as home:
        folder, log = Path(home, "mount"), Path(home, "log")
        folder.mkdir()
        here = {name: re.sub(r'"0\.0\.0\.0:\d+"', '"127.0.0.1:0"', text) for name, text in more.items()}
        first = {name: text for name, text in here.items() if name in files}
        mount(folder, "..1", first)
        with log.open("w") as said, running([proxy, "run", "--config", folder / CONFIG], said) as process:
            awaits(log, "listening", 2)
            (script,) = [text.replace(FOLDER, str(folder)) for text in teller["args"]]
            with running([*teller["command"], script], said, stand_ins(Path(home), process.pid)):
                awaits(log, "counts", 1)
                mount(folder, "..2", here)
                awaits(log, "counts", 2)
        told = log.read_text()
    if told.count("counts") < 2 or '"ERROR"' in told:
        yield f"the proxy was not told of a customer that is added: {told}"


def stand_ins(home, process):
    """An environment in which the proxy is the only process of its name, and time is short."""
    tools = {"pidof": f"echo {process}", "sleep": "exec /bin/sleep 0.1"}
    for name, does in tools.items():
        (home / name).write_text(f"#!/bin/sh\n{does}\n")
        (home / name).chmod(0o755)
    return os.environ | {"PATH": f"{home}:{os.environ['PATH']}"}


@contextmanager
def running(command, said, environment=None):
    process = subprocess.Popen(command, stdout=said, stderr=said, env=environment)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def awaits(log, what, times):
    """Until the log says it so often, or for 20 s."""
    end = time.monotonic() + 20
    while log.read_text().count(what) < times and time.monotonic() < end:
        time.sleep(0.05)


def loose_ends(pod, of_kind):
    containers = pod.get("initContainers", []) + pod["containers"]
    named = {each["metadata"]["name"] for each in of_kind["ConfigMap"]}
    sources = [source for volume in pod["volumes"] for source in volume.get("projected", {}).get("sources", [volume])]
    wanted = {source["configMap"]["name"] for source in sources if "configMap" in source}
    if wanted != named:
        yield f"ConfigMaps that are not mounted, or mounts of none: {wanted ^ named}"
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
