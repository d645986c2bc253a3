#!/usr/bin/env python3
"""Writes a software bill of materials (CycloneDX 1.6, JSON) of this source tree.

  scripts/sbom.py -o build/sbom.cdx.json

Scopes: `required` is linked into the program (crates of rust/Cargo.lock, Debian's libraries with the versions that are
installed here, the sources of what the wheel links in their place, what the Python package asks for); `excluded` is
used to test it only (npm locks, pinned requirements).
Equal inputs give equal bytes: the time is the commit's (or SOURCE_DATE_EPOCH), the serial number a hash of the content.
"""

from __future__ import annotations

import argparse
import base64
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.parse
import uuid
from typing import Any

from version import ROOT, cmake_version

Component = dict[str, Any]

# Packages of scripts/install_deps.sh whose code ends up in the program; the others are tools.
LINKED = re.compile(r"^(lib\S+-dev|llvm-\d+-dev|nlohmann-json3-dev|prometheus-cpp-dev|lib\S+-\d+-dev)$")


def component(kind: str, name: str, version: str, scope: str, **more: Any) -> Component:
    """One entry; `kind` is the package URL's type (cargo, deb, npm, pypi)."""
    group, _, short = name.rpartition("/")
    path = "/".join(urllib.parse.quote(part, safe="") for part in name.split("/"))
    purl = f"pkg:{kind}/{path}" + (f"@{urllib.parse.quote(version, safe='')}" if version else "")
    purl += more.pop("qualifiers", "")
    entry: Component = {"type": "library", "bom-ref": purl, "name": short, "scope": scope, "purl": purl, **more}
    if group and kind == "npm":
        entry["group"] = group
    if version:
        entry["version"] = version
    return entry


def crates(lock: str) -> tuple[list[Component], dict[str, list[str]]]:
    """Crates of a Cargo.lock, and which depend on which (by reference). The project's own crate has no source."""
    blocks = []
    for block in lock.split("[[package]]")[1:]:
        fields = dict(re.findall(r'^(\w+) = "([^"]*)"', block, re.MULTILINE))
        listed = re.search(r"^dependencies = \[(.*?)\]", block, re.MULTILINE | re.DOTALL)
        fields["needs"] = re.findall(r'"([^"]+)"', listed[1]) if listed else []
        blocks.append(fields)
    refs = {(b["name"], b["version"]): component("cargo", b["name"], b["version"], "")["bom-ref"] for b in blocks}
    newest = {name: ref for (name, _), ref in refs.items()}  # "name" alone means that there is one version
    found, edges = [], {}
    for b in blocks:
        more = {"hashes": [{"alg": "SHA-256", "content": b["checksum"]}]} if "checksum" in b else {}
        entry = component("cargo", b["name"], b["version"], "required", **more)
        found.append(entry)
        needs = [need.split() for need in b["needs"]]
        edges[entry["bom-ref"]] = sorted(
            refs[(n[0], n[1])] if len(n) > 1 else newest[n[0]] for n in needs  # fmt: skip
        )
    return found, edges


def debian_packages(installer: str) -> list[Component]:
    """The libraries of the installer's `build=(…)` list; versions are known where dpkg is."""
    listed = re.search(r"^build=\((.*?)\)", installer, re.MULTILINE | re.DOTALL)
    names = [name for name in (listed[1].split() if listed else []) if LINKED.match(name)]
    if not names:
        raise ValueError("scripts/install_deps.sh: no libraries in build=(…)")
    installed: dict[str, tuple[str, str]] = {}
    if shutil.which("dpkg-query"):
        form = "${Package}\t${Version}\t${Architecture}\n"
        done = subprocess.run(["dpkg-query", "-W", "-f", form, *names], capture_output=True, text=True, check=False)
        for line in done.stdout.splitlines():
            name, version, architecture = line.split("\t")
            installed[name] = (version, architecture)
    entries = []
    for name in names:
        version, architecture = installed.get(name, ("", ""))
        qualifiers = f"?arch={architecture}&distro=debian-12" if version else ""
        entries.append(component("deb", f"debian/{name}", version, "required", qualifiers=qualifiers))
    return entries


def wheel_sources(script: str) -> list[Component]:
    """What scripts/wheel_deps.sh builds, and LLVM: a name, a file and a checksum in a line."""
    entries = []
    for line in re.findall(r"^\w+ \S+\.orig\.tar\.\w+ [0-9a-f]{64}$", script, re.MULTILINE):
        _, file, digest = line.split()
        name, _, rest = file.rpartition("/")[2].partition("_")
        hashes = [{"alg": "SHA-256", "content": digest}]
        version = rest.partition(".orig.")[0]
        entries.append(
            component("deb", f"debian/{name}", version, "required", qualifiers="?arch=source", hashes=hashes)
        )
    if not entries:
        raise ValueError("scripts/wheel_deps.sh: no sources")
    return entries


def npm_packages(lock: dict[str, Any]) -> list[Component]:
    entries = []
    for path, package in lock["packages"].items():
        if not path:
            continue
        name = path.rpartition("node_modules/")[2]
        algorithm, _, digest = package["integrity"].partition("-")
        hashes = [{"alg": algorithm.replace("sha", "SHA-"), "content": base64.b64decode(digest).hex()}]
        entries.append(component("npm", name, package["version"], "excluded", hashes=hashes))
    return entries


def requirements(text: str, scope: str = "excluded") -> list[Component]:
    """Pinned lines of a requirements file: name[extra]==version."""
    entries = []
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if not line or line.startswith("-"):
            continue
        found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*(?:==\s*([^;\s]+))?", line)
        if found:
            name = re.sub(r"[-_.]+", "-", found[1]).lower()
            entries.append(component("pypi", name, found[2] or "", scope))
    return entries


def python_dependencies(pyproject: pathlib.Path) -> list[Component]:
    """What the Python package asks pip for."""
    if not pyproject.exists():
        return []
    listed = re.search(r"^dependencies = \[(.*?)\]", pyproject.read_text(), re.MULTILINE | re.DOTALL)
    return requirements("\n".join(re.findall(r'"([^"]+)"', listed[1])), "required") if listed else []


def tracked(root: pathlib.Path, *patterns: str) -> list[pathlib.Path]:
    done = subprocess.run(["git", "ls-files", "-z", *patterns], cwd=root, capture_output=True, text=True, check=True)
    return [root / name for name in done.stdout.split("\0") if name]


def commit_time(root: pathlib.Path) -> int:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        return int(epoch)
    done = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=root, capture_output=True, text=True, check=True)
    return int(done.stdout)


def bill(root: pathlib.Path = ROOT) -> dict[str, Any]:
    found, edges = crates((root / "rust" / "Cargo.lock").read_text())
    found += debian_packages((root / "scripts" / "install_deps.sh").read_text())
    found += wheel_sources((root / "scripts" / "wheel_deps.sh").read_text())
    found += python_dependencies(root / "python" / "pyproject.toml")
    for lock in tracked(root, "*package-lock.json"):
        found += npm_packages(json.loads(lock.read_text()))
    for path in tracked(root, "*requirements*.txt"):
        found += requirements(path.read_text())
    by_ref: dict[str, Component] = {}
    for entry in found:
        known = by_ref.setdefault(entry["bom-ref"], entry)
        if entry["scope"] == "required":
            known["scope"] = "required"
    version = cmake_version(root)
    own = f"pkg:github/mlc-ai/mlc-llm@{version}"
    direct = [ref for ref, entry in by_ref.items() if entry["scope"] == "required" and not ref.startswith("pkg:cargo/")]
    direct += [ref for ref in by_ref if ref.startswith("pkg:cargo/mlc_")]
    body: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.datetime.fromtimestamp(commit_time(root), datetime.timezone.utc).isoformat(),
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": "mlc_llm",
                "version": version,
                "purl": own,
                "licenses": [{"license": {"id": "Apache-2.0"}}],
            },
        },
        "components": [by_ref[ref] for ref in sorted(by_ref)],
        "dependencies": [{"ref": own, "dependsOn": sorted(direct)}]
        + [{"ref": ref, "dependsOn": edges[ref]} for ref in sorted(edges)],
    }
    body["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True)).urn
    return body


def main() -> int:
    parser = argparse.ArgumentParser(description="writes a software bill of materials")
    parser.add_argument("-o", "--output", type=pathlib.Path)
    args = parser.parse_args()
    body = bill()
    text = json.dumps(body, indent=2) + "\n"
    if not args.output:
        print(text, end="")
        return 0
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(text)
    required = sum(entry["scope"] == "required" for entry in body["components"])
    print(f"{args.output}: {required} components in the program, {len(body['components']) - required} for its tests")
    return 0


if __name__ == "__main__":
    sys.exit(main())
