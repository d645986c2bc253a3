#!/usr/bin/env python3
"""Checks that every #include in src/ follows layers.txt. Prints each violation; exits 1 if there is one.

A file src/<folder>/... may include "<folder>/..." of its own folder, of base, and of the folders that layers.txt lists
for it (and nothing through them: the list is direct); a line of layers.txt for "<folder>/<subfolder>" goes before that
of the folder. Tests (*_test.cc) may also include what their folder's tests link, given in TEST_EXTRA.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#include\s+"([a-z_]+)/')
# What tests may use besides the layers: they compare towers with each other.
TEST_EXTRA = {
    "codegen": {"lower", "schedule", "arith", "runtime", "graph", "quant"},
    "graph": {"lower"},
    "schedule": {"lower"},
    "tune": {"model"},
}


def read_layers() -> dict[str, set[str]]:
    layers: dict[str, set[str]] = {}
    for line in (ROOT / "layers.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        name, _, deps = line.partition(":")
        allowed = deps.split()
        layers[name.strip()] = set(layers) if allowed == ["*"] else set(allowed)
    return layers


def main():
    layers = read_layers()
    bad = 0
    files = sorted(p for p in (ROOT / "src").rglob("*") if p.suffix in (".h", ".cc"))
    for path in files:
        parts = path.relative_to(ROOT / "src").parts
        folder, inner = parts[0], "/".join(parts[:2])
        if folder not in layers:
            print(f"{path.relative_to(ROOT)}: the folder {folder} is not in layers.txt")
            bad += 1
            continue
        allowed = layers.get(inner, layers[folder]) | {folder, "base"}
        if path.name.endswith("_test.cc"):
            allowed |= TEST_EXTRA.get(folder, set())
        for number, line in enumerate(path.read_text().splitlines(), 1):
            m = INCLUDE.match(line)
            if m and m.group(1) in layers and m.group(1) not in allowed:
                print(f"{path.relative_to(ROOT)}:{number}: {folder} may not include {m.group(1)} (layers.txt)")
                bad += 1
    print(f"layers: {len(files)} files checked, {bad} violations")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
