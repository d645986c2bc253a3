"""Other CPUs and other Pythons: what runs here in their place is run, the rest is compiled and looked at."""

import ast
import pathlib
import shutil
import struct
import subprocess
import sys

import pytest
from mlc_llm import MLCEngine

ROOT = pathlib.Path(__file__).resolve().parents[2]
MACHINES = {"x86_64-linux-gnu": 62, "aarch64-linux-gnu": 183}  # e_machine of ELF


def run(*args):
    return subprocess.run([*map(str, args)], capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def mlc_dir(program, test_model_path, tmp_path_factory):
    out = tmp_path_factory.mktemp("mlc") / "out"
    for command in ("convert_weight", "gen_config"):
        more = ["--conv-template", "auto"] if command == "gen_config" else []
        done = run(program, command, test_model_path, "--quantization", "q4f16_1", *more, "-o", out)
        assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("triple", MACHINES)
def test_compile_for_another_machine(program, mlc_dir, tmp_path, triple):
    lib = tmp_path / "lib.so"
    done = run(program, "compile", mlc_dir, "--target", triple, "-o", lib)
    assert done.returncode == 0, done.stderr
    header = lib.read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    assert struct.unpack("<H", header[18:20])[0] == MACHINES[triple]


@pytest.mark.skipif(sys.platform != "linux", reason="reads ELF files of Linux")
def test_every_x86_level_that_runs_here_says_the_same(program, mlc_dir, tmp_path):
    flags = pathlib.Path("/proc/cpuinfo").read_text()
    if "avx2" not in flags:
        pytest.skip("this is no x86-64 CPU with AVX2")
    texts = {}
    for cpu in ["x86-64-v2", "haswell", *(["skylake-avx512"] if "avx512vl" in flags else [])]:
        lib = tmp_path / f"{cpu}.so"
        done = run(program, "compile", mlc_dir, "--target", "x86_64-linux-gnu", "--mcpu", cpu, "-o", lib)
        assert done.returncode == 0, done.stderr
        with MLCEngine(str(mlc_dir), model_lib=str(lib)) as engine:
            answer = engine.completions.create(prompt="Once upon a time", max_tokens=12, temperature=0)
        texts[cpu] = answer.choices[0].text
    assert len(set(texts.values())) == 1, texts


def test_a_library_for_another_machine_is_refused(program, mlc_dir, tmp_path):
    lib = tmp_path / "lib.so"
    assert run(program, "compile", mlc_dir, "--target", "aarch64-linux-gnu", "-o", lib).returncode == 0
    with pytest.raises(Exception, match="lib.so"):
        MLCEngine(str(mlc_dir), model_lib=str(lib))


@pytest.mark.parametrize("minor", [9, 11, 13])
def test_the_package_is_python_3(minor):
    for path in (ROOT / "python" / "mlc_llm").rglob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, minor))


def test_other_pythons_of_this_machine(test_model_path):
    code = "import sys; sys.path.insert(0, sys.argv[1]); from mlc_llm import MLCEngine\n"
    code += (
        "with MLCEngine(sys.argv[2]) as e: print(e.completions.create(prompt='Once', max_tokens=2).usage.total_tokens)"
    )
    in_path = [shutil.which(f"python3.{minor}") for minor in range(9, 16)]
    managed = pathlib.Path.home().glob(".pyenv/versions/3.*/bin/python3")
    candidates = {str(p) for p in [sys.executable, *in_path, *managed] if p}
    found = [p for p in candidates if run(p, "-c", "import sys; assert sys.version_info >= (3, 9)").returncode == 0]
    print(f"Pythons: {', '.join(sorted(found))}")
    assert found
    for python in found:
        done = run(python, "-c", code, ROOT / "python", test_model_path)
        assert done.returncode == 0, (python, done.stderr)
        assert int(done.stdout) > 1
