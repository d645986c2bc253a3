"""Compilation: the program's `compile` command, what it writes, and what the engine accepts of it."""

import json
import subprocess

import pytest
from mlc_llm import MLCEngine, errors

PROMPT = {"prompt": "Once upon a time", "max_tokens": 12, "temperature": 0}


def run(program, *args):
    return subprocess.run([program, *map(str, args)], capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def mlc_dir(program, test_model_path, tmp_path_factory):
    """An MLC model directory with a library."""
    out = tmp_path_factory.mktemp("mlc") / "out"
    for command in (
        ("convert_weight", test_model_path, "--quantization", "q0f16", "-o", out),
        ("gen_config", test_model_path, "--quantization", "q0f16", "--conv-template", "auto", "-o", out),
        ("compile", out, "--device", "cpu", "-o", out / "lib.so"),
    ):
        done = run(program, *command)
        assert done.returncode == 0, done.stderr
    return out


def test_a_compiled_library_is_the_model(mlc_dir, engine):
    with MLCEngine(str(mlc_dir), model_lib=str(mlc_dir / "lib.so")) as compiled:
        text = compiled.completions.create(**PROMPT).choices[0].text
    assert text == engine.completions.create(**PROMPT).choices[0].text
    assert len(text) > 10


def test_what_is_written(mlc_dir):
    config = json.loads((mlc_dir / "mlc-chat-config.json").read_text())
    assert config["quantization"] == "q0f16" and config["model_type"] == "llama"
    records = json.loads((mlc_dir / "tensor-cache.json").read_text())["records"]
    names = {r["name"] for shard in records for r in shard["records"]}
    assert "lm_head.weight" in names or any("embed_tokens" in n for n in names)
    assert (mlc_dir / "lib.so").read_bytes()[:4] == b"\x7fELF"


def test_the_same_input_gives_the_same_bytes(program, mlc_dir, tmp_path):
    first, second = tmp_path / "a.so", tmp_path / "b.so"
    for out in (first, second):
        assert run(program, "compile", mlc_dir, "--device", "cpu", "-o", out).returncode == 0
    assert first.read_bytes() == second.read_bytes()


def test_optimization_levels_agree(program, mlc_dir, tmp_path):
    texts = set()
    for level in ("O0", "O2"):
        lib = tmp_path / f"{level}.so"
        assert run(program, "compile", mlc_dir, "--device", "cpu", "--opt", level, "-o", lib).returncode == 0
        with MLCEngine(str(mlc_dir), model_lib=str(lib)) as engine:
            texts.add(engine.completions.create(**PROMPT).choices[0].text)
    assert len(texts) == 1


def test_a_smaller_context_is_compiled_in(program, mlc_dir, tmp_path):
    lib = tmp_path / "small.so"
    done = run(program, "compile", mlc_dir, "--device", "cpu", "--overrides", "context_window_size=64", "-o", lib)
    assert done.returncode == 0, done.stderr
    with MLCEngine(str(mlc_dir), model_lib=str(lib)) as engine:
        assert engine.info()["context_window_size"] == 64
        with pytest.raises(errors.InvalidRequestError, match="holds 64"):
            engine.completions.create(prompt=[5] * 80)


def test_a_library_of_another_model_is_refused(mlc_dir, fixtures):
    with pytest.raises(errors.MLCError, match="compiled for another model"):
        MLCEngine(str(fixtures / "models" / "tiny_qwen2"), model_lib=str(mlc_dir / "lib.so"))


def test_a_damaged_library_is_refused(mlc_dir, tmp_path):
    damaged = tmp_path / "damaged.so"
    damaged.write_bytes((mlc_dir / "lib.so").read_bytes()[:4096])
    with pytest.raises(errors.MLCError, match="damaged.so"):
        MLCEngine(str(mlc_dir), model_lib=str(damaged))


def test_unknown_devices_are_named(program, mlc_dir, tmp_path):
    done = run(program, "compile", mlc_dir, "--device", "nothing", "-o", tmp_path / "lib.so")
    assert done.returncode == 1 and "nothing" in done.stderr


@pytest.mark.parametrize("cpu", ["x86-64-v2", "haswell", "skylake-avx512", "znver4"])
def test_cpus_by_name(program, mlc_dir, tmp_path, cpu):
    lib = tmp_path / "lib.so"
    done = run(program, "compile", mlc_dir, "--target", "x86_64-linux-gnu", "--mcpu", cpu, "-o", lib)
    assert done.returncode == 0, done.stderr
    assert lib.stat().st_size > 10000
