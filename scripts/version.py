#!/usr/bin/env python3
"""The version of this project: CMakeLists.txt has it, everything else must agree.

  scripts/version.py                    print it
  scripts/version.py --check            compare with python/pyproject.toml
  scripts/version.py --check v0.1.0     and with a git tag, and see that CHANGELOG.md describes it

A tag may carry a pre-release (v0.2.0-rc.1): CMake has no such thing, so only the numbers are compared.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAG = re.compile(r"v(\d+\.\d+\.\d+)(-(?:alpha|beta|rc)\.\d+)?")


class Mismatch(Exception):
    """Two places disagree about the version."""


def cmake_version(root: pathlib.Path = ROOT) -> str:
    text = (root / "CMakeLists.txt").read_text()
    found = re.search(r"project\(\s*\w+\s+VERSION\s+(\d+\.\d+\.\d+)", text)
    if not found:
        raise Mismatch("CMakeLists.txt: no project(... VERSION X.Y.Z ...)")
    return found[1]


def pyproject_version(root: pathlib.Path = ROOT) -> str | None:
    """What python/pyproject.toml says; None if it is read from CMakeLists.txt when the wheel is built."""
    path = root / "python" / "pyproject.toml"
    if not path.exists():
        return None
    text = path.read_text()
    found = re.search(r'^version\s*=\s*"([^"]+)"', text, re.MULTILINE)  # tomllib is newer than Python 3.9
    if found:
        return found[1]
    if not re.search(r'^dynamic\s*=.*"version"', text, re.MULTILINE):
        raise Mismatch("python/pyproject.toml: no version, and none that is dynamic")
    if "CMakeLists.txt" not in text and "version.py" not in text:
        raise Mismatch("python/pyproject.toml: the version is dynamic, but does not come from CMakeLists.txt")
    return None


def numbers_of(tag: str) -> str:
    """The version of a release tag: v1.2.3 and v1.2.3-rc.1 are of 1.2.3."""
    found = TAG.fullmatch(tag)
    if not found:
        raise Mismatch(f"tag {tag}: expected vX.Y.Z or vX.Y.Z-rc.N (alpha, beta)")
    return found[1]


def check(tag: str | None = None, root: pathlib.Path = ROOT) -> str:
    """The version; raises Mismatch when a place disagrees."""
    version = cmake_version(root)
    wheel = pyproject_version(root)
    if wheel not in (None, version):
        raise Mismatch(f"python/pyproject.toml has version {wheel}, CMakeLists.txt has {version}")
    if tag is not None:
        if numbers_of(tag) != version:
            raise Mismatch(f"tag {tag} is not of version {version} in CMakeLists.txt")
        changes = (root / "CHANGELOG.md").read_text()
        if not re.search(rf"^## \[?{re.escape(version)}\b", changes, re.MULTILINE):
            raise Mismatch(f"CHANGELOG.md has no section for {version}")
    return version


def main() -> int:
    parser = argparse.ArgumentParser(description="prints or checks the project's version")
    parser.add_argument("--check", action="store_true", help="compare all places that state it")
    parser.add_argument("tag", nargs="?", help="a git tag to compare with")
    args = parser.parse_args()
    try:
        print(check(args.tag) if args.check or args.tag else cmake_version())
    except Mismatch as e:
        print(f"error: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
