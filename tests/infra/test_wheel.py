"""The check of wheels (scripts/check_wheel.py) finds what it should, and the settings of the wheel hold together. The
wheel itself: `make wheel`, `make test-wheel`."""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT, need_tool, read

DIST_INFO = "mlc_llm-0.1.0.dist-info"
NAME = "mlc_llm-0.1.0-py3-none-manylinux_2_36_x86_64.whl"
SOURCE = 'const char* mlc_abi_version(void) { return "1"; }\n'


@pytest.fixture(scope="module", name="library")
def library_fixture(tmp_path_factory):
    """Makes a shared library: of this source, linked with these options."""
    compiler = shutil.which("gcc") or need_tool("cc")
    folder = tmp_path_factory.mktemp("library")

    def make(source, *options):
        made = folder / "library.so"
        command = [compiler, "-shared", "-fPIC", "-nostartfiles", "-x", "c", "-", "-o", made, *options]
        subprocess.run(command, input=source, text=True, check=True)
        return made.read_bytes()

    return make


@pytest.fixture(name="files")
def files_fixture(library):
    """What a good wheel holds, by name."""
    return {
        "mlc_llm/__init__.py": b"",
        "mlc_llm/py.typed": b"",
        "mlc_llm/lib/libmlc_llm.so": library(SOURCE),
        "mlc_llm/bin/mlc_llm": b"#!/bin/sh\n",
        f"{DIST_INFO}/METADATA": b"Name: mlc-llm\n",
        f"{DIST_INFO}/WHEEL": b"Tag: py3-none-manylinux_2_36_x86_64\n",
        f"{DIST_INFO}/licenses/LICENSE": b"",
        f"{DIST_INFO}/licenses/THIRD_PARTY_NOTICES.md": b"",
        f"{DIST_INFO}/licenses/THIRD_PARTY_LICENSES.txt": b"",
    }


def write(path, files, mode=0o755, record=None):
    """A wheel with these files and a RECORD of them, or of `record`."""
    rows = []
    for name, data in (files if record is None else record).items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in {
            **files,
            f"{DIST_INFO}/RECORD": "".join([*rows, f"{DIST_INFO}/RECORD,,\n"]).encode(),
        }.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o100000 | (mode if "/bin/" in name else 0o644)) << 16
            wheel.writestr(info, data)
    return path


def check(path, *options):
    """(exit code, what it says) of scripts/check_wheel.py."""
    command = [sys.executable, ROOT / "scripts" / "check_wheel.py", path, *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_good_wheel(tmp_path, files):
    code, said = check(write(tmp_path / NAME, files))
    assert code == 0 and "0 problems" in said, said


def test_a_wheel_that_is_named_otherwise(tmp_path, files):
    for name in ("mlc_llm-0.1.0-cp311-cp311-linux_x86_64.whl", "other-0.1.0-py3-none-any.whl"):
        code, said = check(write(tmp_path / name, files))
        assert code == 1 and "the name" in said


def test_files_that_are_too_many_or_missing(tmp_path, files):
    code, said = check(write(tmp_path / NAME, {**files, "mlc_llm.libs/libcurl.so.4": b"", "tests/a.py": b""}))
    assert code == 1 and "libcurl.so.4 does not belong" in said and "tests/a.py does not belong" in said
    for name in ("mlc_llm/lib/libmlc_llm.so", f"{DIST_INFO}/licenses/THIRD_PARTY_NOTICES.md"):
        code, said = check(write(tmp_path / NAME, {k: v for k, v in files.items() if k != name}))
        assert code == 1 and "missing" in said
    code, said = check(write(tmp_path / NAME, files, mode=0o644))
    assert code == 1 and "not executable" in said


def test_a_record_that_lies(tmp_path, files):
    code, said = check(write(tmp_path / NAME, files, record={**files, "mlc_llm/py.typed": b"changed"}))
    assert code == 1 and "mlc_llm/py.typed: RECORD says" in said
    code, said = check(write(tmp_path / NAME, files, record={**files, "mlc_llm/gone.py": b""}))
    assert code == 1 and "mlc_llm/gone.py: in the RECORD only" in said


def test_a_library_that_needs_another(tmp_path, files, library):
    files["mlc_llm/lib/libmlc_llm.so"] = library(SOURCE, "-Wl,--no-as-needed", "-l:libz.so.1")
    code, said = check(write(tmp_path / NAME, files))
    assert code == 1 and "needs libz.so.1" in said


def test_a_library_that_shows_more_than_its_interface(tmp_path, files, library):
    files["mlc_llm/lib/libmlc_llm.so"] = library(SOURCE + "int llvm_internal = 1;\n")
    code, said = check(write(tmp_path / NAME, files))
    assert code == 1 and "llvm_internal" in said


def test_run_paths_and_paths_of_the_builder(tmp_path, files, library):
    files["mlc_llm/lib/libmlc_llm.so"] = library(SOURCE, "-Wl,-rpath,/opt/lib")
    code, said = check(write(tmp_path / NAME, files))
    assert code == 1 and "the run path /opt/lib" in said
    files["mlc_llm/lib/libmlc_llm.so"] = library('const char* mlc_abi_version(void) { return "/home/me/src/a.cc"; }\n')
    code, said = check(write(tmp_path / NAME, files))
    assert code == 1 and "/home/me/src/a.cc" in said


def test_a_newer_glibc_than_the_name_says(tmp_path, files, library):
    source = SOURCE + "unsigned arc4random(void);\nunsigned mlc_a(void) { return arc4random(); }\n"  # of glibc 2.36
    files["mlc_llm/lib/libmlc_llm.so"] = library(source)
    assert check(write(tmp_path / NAME, files))[0] == 0
    code, said = check(write(tmp_path / NAME.replace("2_36", "2_28"), files))
    assert code == 1 and "asks for GLIBC_2.36" in said


def test_a_wheel_that_is_too_big(tmp_path, files):
    code, said = check(write(tmp_path / NAME, files), "--max-mb", "0.001")
    assert code == 1 and "the limit is 0.001 MB" in said
    assert "default=60)" in read("scripts/check_wheel.py")


def test_settings_of_the_wheel():
    settings = pytest.importorskip("tomllib", reason="Python 3.11's").loads(read("python/pyproject.toml"))
    tool = settings["tool"]
    assert "dependencies" not in settings["project"]
    assert tool["scikit-build"]["wheel"]["py-api"] == "py3"
    assert tool["scikit-build"]["cmake"]["define"]["MLC_STATIC"] == "ON"
    (editable,) = [o for o in tool["scikit-build"]["overrides"] if o["if"] == {"state": "editable"}]
    assert editable["cmake"]["define"]["MLC_STATIC"] == "OFF"
    linux = tool["cibuildwheel"]
    assert linux["manylinux-x86_64-image"] == "manylinux_2_28"
    commands = f"{{project}}/{linux['before-all']} {linux['test-command']} {linux['repair-wheel-command']}"
    named = re.findall(r"\{project\}/(\S+)", commands)
    assert len(named) == 4
    for path in named:
        assert (ROOT / path).exists(), path


def test_sources_of_the_wheel_have_checksums():
    rows = re.search(r'^sources="\n(.*?)^"', read("scripts/wheel_deps.sh"), re.MULTILINE | re.DOTALL)[1].splitlines()
    builders = set(re.findall(r"^build_(\w+)\(", read("scripts/wheel_deps.sh"), re.MULTILINE))
    for row in rows:
        assert re.fullmatch(r"\w+ \S+/\S+_[\w.+~-]+\.orig\.tar\.[gx]z [0-9a-f]{64}", row), row
    assert {row.split()[0] for row in rows} == builders | {"llvm"}
