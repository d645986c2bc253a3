#!/usr/bin/env python3
"""Writes THIRD_PARTY_NOTICES.md: what the program contains or links, with versions and licences.

  scripts/third_party_notices.py            rewrite the file
  scripts/third_party_notices.py --check    exit 1 if the file is out of date
  scripts/third_party_notices.py --texts FILE --prefix DIR
                                            the licences' texts, for the wheel, which holds all of these: DIR is what
                                            scripts/wheel_deps.sh has built

Rust crates come from `cargo metadata --locked` (exactly what rust/Cargo.lock pins); the C++ libraries are Debian 12's
packages, listed here with their licences because their versions follow the distribution's security updates.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LIBRARIES = [
    ("LLVM and LLD 19", "Apache-2.0 WITH LLVM-exception", "code generation and linking"),
    ("Boost 1.81 (Asio, Beast)", "BSL-1.0", "HTTP"),
    ("nlohmann-json 3.11", "MIT", "JSON"),
    ("CLI11 2.1", "BSD-3-Clause", "command line"),
    ("spdlog 1.10", "MIT", "logs"),
    ("fmt 9.1", "MIT", "formatting"),
    ("OpenSSL 3.0", "Apache-2.0", "TLS, hashes"),
    ("libedit 3.1", "BSD-3-Clause", "line editing"),
    ("ncurses 6.4 (tinfo)", "X11-distribute-modifications-variant", "line editing"),
    ("libcurl 7.88; 8.14 in the wheel", "curl", "downloads"),
    ("prometheus-cpp 1.0", "MIT", "metrics"),
    ("zlib 1.2", "Zlib", "debug sections of what LLD links"),
    ("zstd 1.5", "BSD-3-Clause", "debug sections of what LLD links"),
    ("GNU libstdc++ 12", "GPL-3.0-or-later WITH GCC-exception-3.1", "C++ runtime"),
]


# Debian's packages of what scripts/wheel_deps.sh does not build on Debian.
PACKAGES = {
    "boost": "libboost1.81-dev",
    "cli11": "libcli11-dev",
    "json": "nlohmann-json3-dev",
    "llvm": "llvm-19-dev",
    "openssl": "libssl-dev",
    "zlib": "zlib1g-dev",
    "zstd": "libzstd-dev",
}


def packages():
    """What `cargo metadata` tells of every crate that the program links."""
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--locked", "--format-version", "1"]
    command += ["--filter-platform", "x86_64-unknown-linux-gnu", "--manifest-path", str(ROOT / "rust" / "Cargo.toml")]
    meta = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    known = {p["id"]: p for p in meta["packages"]}
    used, todo = set(), [meta["resolve"]["root"]]
    nodes = {n["id"]: n for n in meta["resolve"]["nodes"]}
    while todo:
        node = todo.pop()
        if node in used:
            continue
        used.add(node)
        for dep in nodes[node]["deps"]:
            if any(kind["kind"] != "dev" for kind in dep["dep_kinds"]):
                todo.append(dep["pkg"])
    return sorted((known[i] for i in used if known[i]["source"]), key=lambda p: (p["name"], p["version"]))


def crates():
    """(name, version, licence) of each."""
    return [(p["name"], p["version"], p.get("license") or "see the crate") for p in packages()]


def licence_of_package(package):
    """The text that Debian gives; of Boost's two megabytes, who wrote what, only the licence."""
    text = pathlib.Path("/usr/share/doc", package, "copyright").read_text(encoding="utf-8")
    if "boost" in package:
        (text,) = re.findall(r"^License: BSL-1\.0\n((?: .*\n)+)", text, re.MULTILINE)[:1]
        text = re.sub(r"^ \.?", "", text, flags=re.MULTILINE)
    return text


def texts(prefix):
    """The licences of everything that the wheel holds, each text once, under the names that have it."""
    by_text: dict[str, list[str]] = {}
    for path in sorted((prefix / "licenses").iterdir()):
        by_text.setdefault(path.read_text(encoding="utf-8").strip(), []).append(path.name)
    built = {name for names in by_text.values() for name in names}
    for name, package in PACKAGES.items():
        if name not in built:
            by_text.setdefault(licence_of_package(package).strip(), []).append(name)
    for crate in packages():
        folder = pathlib.Path(crate["manifest_path"]).parent
        files = [p for p in sorted(folder.iterdir()) if re.match(r"(?i)(licen[sc]e|copying|notice|unlicense)", p.name)]
        for path in (p for p in files if p.is_file()):
            label = f"{crate['name']} {crate['version']}"
            by_text.setdefault(path.read_text(encoding="utf-8").strip(), []).append(label)
    rule = "=" * 100
    return "".join(f"{rule}\n{', '.join(names)}\n{rule}\n\n{text}\n\n" for text, names in by_text.items())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--texts", type=pathlib.Path)
    parser.add_argument("--prefix", type=pathlib.Path)
    args = parser.parse_args()
    if args.texts:
        args.texts.write_text(texts(args.prefix), encoding="utf-8")
        return 0
    lines = [
        "# Third-party notices",
        "",
        "Generated by `scripts/third_party_notices.py`; do not edit. The program links these; each keeps its own "
        "licence,",
        "whose text comes with the Debian package (`/usr/share/doc/*/copyright`) or the crate's source; the wheel, "
        "which",
        "holds all of them, has the texts in `THIRD_PARTY_LICENSES.txt`.",
        "",
        "| library | licence | for |",
        "|---|---|---|",
    ]
    lines += [f"| {name} | {licence} | {use} |" for name, licence, use in LIBRARIES]
    lines += ["", "| Rust crate | version | licence |", "|---|---|---|"]
    lines += [f"| {name} | {version} | {licence} |" for name, version, licence in crates()]
    text = "\n".join(lines) + "\n"
    path = ROOT / "THIRD_PARTY_NOTICES.md"
    if args.check:
        if not path.exists() or path.read_text() != text:
            print(f"{path.name} is out of date: run scripts/third_party_notices.py")
            return 1
        print("third-party notices: up to date")
        return 0
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
