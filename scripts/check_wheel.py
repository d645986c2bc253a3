#!/usr/bin/env python3
"""Checks a wheel before it is published: that it is one, holds what it should and nothing else, and runs where it says.

  scripts/check_wheel.py dist/mlc_llm-0.1.0-py3-none-manylinux_2_36_x86_64.whl [--max-mb 60]

Name and tags, RECORD (every file, its SHA-256 and size), the files that may be in it, size, and of its ELF files: the
newest glibc they ask for, the libraries they need (glibc's and their own), what they show, run paths, and paths of the
machine that built them.
"""

import argparse
import base64
import csv
import hashlib
import io
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

NAME = re.compile(r"^mlc_llm-(?P<version>\d+\.\d+\.\d+[\w.+]*)-py3-none-(?P<platform>\w+)\.whl$")
LIBRARY = "mlc_llm/lib/libmlc_llm.so"
PROGRAM = "mlc_llm/bin/mlc_llm"
ALLOWED = re.compile(
    rf"^(mlc_llm/([a-z_]+/)*[a-z_]+\.py|mlc_llm/py\.typed|{PROGRAM}|{re.escape(LIBRARY)}"
    r"|mlc_llm-[^/]+\.dist-info/((METADATA|RECORD|WHEEL|entry_points\.txt)|(sboms|licenses)/[\w./-]+))$"
)
NEEDED = {"mlc_llm/__init__.py", "mlc_llm/py.typed", LIBRARY, PROGRAM}
LICENCES = ("LICENSE", "THIRD_PARTY_NOTICES.md", "THIRD_PARTY_LICENSES.txt")
# Of glibc; every Linux that is not Alpine has them.
GLIBC = re.compile(r"^(libc\.so\.6|libm\.so\.6|libpthread\.so\.0|libdl\.so\.2|librt\.so\.1|ld-linux-[\w-]+\.so\.[12])$")
SHOWN = re.compile(r"^mlc_[a-z_]+$")
BUILD_PATHS = re.compile(rb"/(?:tmp|root|home|work|build|github|project|host)/[\w.+/-]{3,80}")
# Names that programs look for at run time, and where Debian builds its packages.
HARMLESS = re.compile(rb"^/tmp/(?:mlc|perf-|histedit\.)|^/home/[\w-]+/\.|^/build/reproducible-path/")


def check_name(path, problems):
    """The platform of the wheel's name."""
    found = NAME.match(path.name)
    if not found:
        problems.append(f"the name {path.name} is not mlc_llm-VERSION-py3-none-PLATFORM.whl")
        return ""
    return found["platform"]


def check_record(wheel, problems):
    """Every file is listed in RECORD as it is, and nothing else."""
    (record,) = [n for n in wheel.namelist() if n.endswith(".dist-info/RECORD")]
    listed = {row[0]: row[1:] for row in csv.reader(io.StringIO(wheel.read(record).decode()))}
    names = {n for n in wheel.namelist() if not n.endswith("/")}
    for name in sorted(names ^ set(listed)):
        problems.append(f"{name}: in the {'wheel' if name in names else 'RECORD'} only")
    for name in sorted(names & set(listed) - {record}):
        data = wheel.read(name)
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        if listed[name] != [f"sha256={digest}", str(len(data))]:
            problems.append(f"{name}: RECORD says {listed[name]}, the file is sha256={digest}, {len(data)}")


def check_files(wheel, problems):
    """What must be there is there, and nothing else."""
    names = {n for n in wheel.namelist() if not n.endswith("/")}
    problems += [f"{name} does not belong into the wheel" for name in sorted(names) if not ALLOWED.match(name)]
    problems += [f"{name} is missing" for name in sorted(NEEDED - names)]
    if PROGRAM in names and not (wheel.getinfo(PROGRAM).external_attr >> 16) & 0o111:
        problems.append(f"{PROGRAM} is not executable")
    for licence in LICENCES:
        if not any(name.endswith(f".dist-info/licenses/{licence}") for name in names):
            problems.append(f"{licence} is missing")


def readelf(*arguments):
    """What readelf prints."""
    return subprocess.run(["readelf", *arguments], check=True, capture_output=True, text=True).stdout


def check_elf(name, path, platform, shipped, problems):
    """One ELF file; returns the newest glibc that it asks for."""
    dynamic = readelf("-dVW", path)
    needed = set(re.findall(r"\(NEEDED\).*\[(.*?)\]", dynamic))
    for library in sorted(needed - shipped):
        if not GLIBC.match(library):
            problems.append(f"{name} needs {library}, which is not in the wheel")
    for places in re.findall(r"\((?:RPATH|RUNPATH)\).*\[(.*?)\]", dynamic):
        if not all(place.startswith("$ORIGIN") for place in places.split(":")):
            problems.append(f"{name} has the run path {places}")
    glibc = max((tuple(map(int, v.split("."))) for v in re.findall(r"GLIBC_(\d+\.\d+)", dynamic)), default=(0, 0))
    promised = re.match(r"manylinux_(\d+)_(\d+)_", platform)
    if promised and glibc > tuple(map(int, promised.groups())):
        problems.append(f"{name} asks for GLIBC_{glibc[0]}.{glibc[1]}, the tag promises {platform}")
    if name == LIBRARY:
        rows = [line.split() for line in readelf("--dyn-syms", "-W", path).splitlines()]
        shown = {r[7].split("@")[0] for r in rows if len(r) > 7 and r[4] in ("GLOBAL", "WEAK") and r[6] != "UND"}
        strange = sorted(symbol for symbol in shown if not SHOWN.match(symbol))
        if strange or "mlc_abi_version" not in shown:
            problems.append(f"{name} shows {len(strange)} symbols that are not its interface: {strange[:3]}")
    paths = {p for p in BUILD_PATHS.findall(pathlib.Path(path).read_bytes()) if not HARMLESS.match(p)}
    if paths:
        problems.append(f"{name} names {len(paths)} paths of the machine that built it: {sorted(paths)[:3]}")
    return glibc


def check(path, max_mb):
    """(problems, size in MB, newest glibc)"""
    problems: list[str] = []
    glibc: tuple[int, ...] = (0, 0)
    platform = check_name(path, problems)
    with zipfile.ZipFile(path) as wheel, tempfile.TemporaryDirectory() as tmp:
        check_record(wheel, problems)
        check_files(wheel, problems)
        shipped = {pathlib.PurePath(name).name for name in wheel.namelist()}
        for name in wheel.namelist():
            with wheel.open(name) as file:
                is_elf = file.read(4) == b"\x7fELF"
            if is_elf:
                glibc = max(glibc, check_elf(name, wheel.extract(name, tmp), platform, shipped, problems))
    size = path.stat().st_size / 1e6
    if size > max_mb:
        problems.append(f"{size:.1f} MB; the limit is {max_mb:g} MB")
    return problems, size, glibc


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("wheel", type=pathlib.Path)
    parser.add_argument("--max-mb", type=float, default=60)
    args = parser.parse_args()
    problems, size, glibc = check(args.wheel, args.max_mb)
    for problem in problems:
        print(f"{args.wheel.name}: {problem}", file=sys.stderr)
    print(f"{args.wheel.name}: {size:.1f} MB, glibc {glibc[0]}.{glibc[1]} or newer, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
