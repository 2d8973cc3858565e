#!/usr/bin/env python3
"""Holds the tree of dependencies to deny.toml: its bans, duplicates, licences and sources.

It reads what cargo resolves and nothing else, so it needs no network and no tool to be built first. A rule of deny.toml
that it does not know is an error, not a rule forgotten.
"""

import re
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ["-p", "qix-proxy", "-e", "normal,build"]
EVERYTHING = ["--workspace", "-e", "normal,build,dev"]
KNOWN = {
    "graph": {"targets", "exclude", "exclude-dev"},
    "bans": {"multiple-versions", "wildcards", "deny", "skip"},
    "licenses": {"allow", "private"},
    "sources": {"unknown-registry", "unknown-git", "allow-registry", "allow-git"},
}


def main():
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    targets = rules["graph"]["targets"]
    product = resolved(PRODUCT, targets)
    everything = resolved(EVERYTHING, targets)
    locked = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    faults = [
        *unknown_rules(rules),
        *banned(rules["bans"], everything),
        *duplicated(rules["bans"], product),
        *wildcards(ROOT),
        *unlicensed(rules["licenses"], everything),
        *foreign(rules["sources"], locked),
    ]
    for fault in faults:
        print(f"dependencies: {fault}", file=sys.stderr)
    if faults:
        sys.exit(1)
    print(f"dependencies: {len(product)} crates in the product, {len(everything)} with tools and tests, all as deny.toml says")


def resolved(which, targets):
    """What is really built, features and targets considered: {(name, version): licence}."""
    flags = [flag for target in targets for flag in ("--target", target)]
    command = ["cargo", "tree", "--locked", *which, *flags, "--prefix", "none", "--no-dedupe", "--format", "{p}|{l}"]
    said = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    crates = {}
    for line in filter(None, said.splitlines()):
        package, licence = line.split("|", 1)
        name, version = package.split()[:2]
        crates[name, version.removeprefix("v")] = licence
    return crates


def unknown_rules(rules):
    for table, keys in rules.items():
        for key in keys.keys() - KNOWN.get(table, set()):
            yield f"deny.toml has a rule that is not held here: [{table}] {key}"


def banned(rules, crates):
    bans = {ban["crate"]: ban["reason"] for ban in rules["deny"]}
    for name, version in sorted(crates):
        if name in bans:
            yield f"{name} {version} is banned: {bans[name]} (cargo tree --workspace -e all -i {name})"


def duplicated(rules, crates):
    skipped = {skip["crate"] for skip in rules["skip"]}
    versions = defaultdict(set)
    for name, version in crates:
        versions[name].add(version)
    for name, several in sorted(versions.items()):
        if len({version for version in several if f"{name}@{version}" not in skipped}) > 1:
            yield f"{name} is there {len(several)} times: {', '.join(sorted(several))}"
    for skip in sorted(skipped):
        name, version = skip.split("@")
        if len(versions[name]) < 2 or version not in versions[name]:
            yield f"deny.toml skips {skip}, which is no duplicate any more"


def wildcards(root):
    for manifest in [root / "Cargo.toml", *root.glob("tools/*/Cargo.toml")]:
        for kind, wanted in tables(tomllib.loads(manifest.read_text())):
            for name, want in wanted.items():
                version = want if isinstance(want, str) else want.get("version", "")
                local = isinstance(want, dict) and ("path" in want or want.get("workspace"))
                if "*" in version or not (version or local):
                    yield f"{manifest.relative_to(root)} wants any version of {name} in [{kind}]"


def tables(manifest):
    kinds = ("dependencies", "dev-dependencies", "build-dependencies")
    for place in [manifest, manifest.get("workspace", {}), *manifest.get("target", {}).values()]:
        yield from ((kind, place[kind]) for kind in kinds if kind in place)


def unlicensed(rules, crates):
    allowed = set(rules["allow"])
    for (name, version), licence in sorted(crates.items()):
        if not Expression(licence).holds(allowed):
            yield f"{name} {version} has the licence `{licence}`, which is not allowed"


class Expression:
    """An SPDX expression: AND, OR, parentheses; the old `A/B` is an OR. An exception only adds rights."""

    def __init__(self, text):
        text = re.sub(r"\s+WITH\s+\S+", "", text).replace("/", " OR ")
        self.tokens = re.findall(r"[()]|[^\s()]+", text)

    def holds(self, allowed):
        self.left = list(self.tokens)
        return self.either(allowed) and not self.left

    def either(self, allowed):
        holds = self.both(allowed)
        while self.left[:1] == ["OR"]:
            self.left.pop(0)
            holds = self.both(allowed) or holds
        return holds

    def both(self, allowed):
        holds = self.one(allowed)
        while self.left[:1] == ["AND"]:
            self.left.pop(0)
            holds = self.one(allowed) and holds
        return holds

    def one(self, allowed):
        token = self.left.pop(0) if self.left else ""
        if token != "(":
            return token in allowed
        holds = self.either(allowed)
        return self.left[:1] == [")"] and self.left.pop(0) == ")" and holds


def foreign(rules, locked):
    allowed = {f"registry+{registry}" for registry in rules["allow-registry"]}
    allowed |= {f"git+{git}" for git in rules["allow-git"]}
    for package in locked:
        source = package.get("source")
        if source and source not in allowed:
            yield f"{package['name']} {package['version']} comes from {source}"
        if source and "checksum" not in package:
            yield f"{package['name']} {package['version']} has no checksum in Cargo.lock"


main()
