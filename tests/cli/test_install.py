"""`cmake --install` and a project that finds the package and compiles a model in its build."""

import pathlib
import re
import shutil
import subprocess

import pytest
from support import BIN, STORY

BUILD = pathlib.Path(BIN).parent.parent
HERE = pathlib.Path(__file__).parent
EXAMPLE = HERE.parent.parent / "examples/c"


def cmake(*args):
    done = subprocess.run(["cmake", *map(str, args)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    if not (BUILD / "cmake_install.cmake").exists():
        pytest.skip(f"{BUILD} is no build directory: the program under test was installed by other means")
    out = tmp_path_factory.mktemp("prefix")
    cmake("--install", BUILD, "--prefix", out)
    return out


def test_what_is_installed(prefix):
    files = {str(p.relative_to(prefix)) for p in prefix.rglob("*") if p.is_file()}
    assert "bin/mlc_llm" in files
    assert {f"share/mlc_llm/models/demo/{n}" for n in ("config.json", "tokenizer.json", "model.safetensors")} <= files
    assert {"share/doc/mlc_llm/LICENSE", "share/doc/mlc_llm/THIRD_PARTY_NOTICES.md"} <= files
    assert "share/bash-completion/completions/mlc_llm" in files
    assert any(f.endswith("cmake/mlc_llm/mlc_llm-config.cmake") for f in files)
    assert "include/mlc_llm/c_api.h" in files
    assert any(f.endswith("/libmlc_llm.so.1") or f.endswith("/libmlc_llm.so") for f in files)


def test_the_library_shows_its_own_functions_only(prefix):
    library = next(prefix.rglob("libmlc_llm.so"))
    done = subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True)
    shown = {line.split()[-1].split("@")[0] for line in done.stdout.splitlines()}
    assert len(shown) > 20
    assert not {name for name in shown if not name.startswith("mlc_")}
    header = (prefix / "include/mlc_llm/c_api.h").read_text()
    declared = set(re.findall(r"^MLC_API .*?\b(mlc_\w+)\(", header, re.MULTILINE))
    assert shown == declared


def test_the_c_example(prefix, tmp_path):
    """examples/c/chat.c: compiled as C11 without a warning against what is installed, and run."""
    build = tmp_path / "build"
    cmake("-S", EXAMPLE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}")
    cmake("--build", build)
    demo = prefix / "share/mlc_llm/models/demo"
    env = {"MLC_LLM_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([build / "chat", demo, STORY], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
    program = [prefix / "bin/mlc_llm", "chat", demo, "--prompt", STORY, "--temperature", "0", "--max-tokens", "64"]
    same = subprocess.run(program, capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == same.stdout.strip()
    wrong = subprocess.run([build / "chat", tmp_path, STORY], capture_output=True, text=True, check=False, env=env)
    assert wrong.returncode == 1 and wrong.stderr.startswith("error: ") and str(tmp_path) in wrong.stderr


def test_a_project_compiles_a_model_with_the_package(prefix, tmp_path):
    build, home = tmp_path / "build", tmp_path / "home"
    cmake("-S", HERE / "consumer", "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", f"-DMLC_HOME={home}")
    cmake("--build", build)
    demo = prefix / "share/mlc_llm/models/demo"
    done = subprocess.run(
        [
            prefix / "bin/mlc_llm",
            "chat",
            demo,
            "--model-lib",
            build / "demo.so",
            "--prompt",
            STORY,
            "--temperature",
            "0",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={"MLC_LLM_HOME": str(home), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) > 8


def test_another_minor_version_is_not_accepted(prefix, tmp_path):
    shutil.copytree(HERE / "consumer", tmp_path / "src")
    lists = tmp_path / "src/CMakeLists.txt"
    lists.write_text(lists.read_text().replace("find_package(mlc_llm 0.1", "find_package(mlc_llm 9.9"))
    done = subprocess.run(
        ["cmake", "-S", tmp_path / "src", "-B", tmp_path / "b", f"-DCMAKE_PREFIX_PATH={prefix}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0 and "mlc_llm" in done.stderr
