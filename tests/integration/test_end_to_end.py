"""Whole ways: from a model directory to text, by Python, by the program, and by both."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import venv

import pytest
from mlc_llm import AsyncMLCEngine, EngineConfig, MLCEngine

ROOT = pathlib.Path(__file__).resolve().parents[2]
STORY = "Tell me a story about a fox"


def run(*args, **env):
    return subprocess.run(
        [*map(str, args)], capture_output=True, text=True, check=False, timeout=600, env={**os.environ, **env}
    )


def chat_by_program(program, model, *more):
    done = run(program, "chat", model, "--prompt", STORY, "--temperature", "0", "--max-tokens", "24", *more)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def chat_by_python(model, **options):
    with MLCEngine(str(model), **options) as engine:
        answer = engine.chat.completions.create(
            messages=[{"role": "user", "content": STORY}], max_tokens=24, temperature=0
        )
        return answer.choices[0].message.content.strip()


class TestInference:
    def test_inference_pipeline(self, test_model_path):
        """Test complete inference pipeline"""
        engine = MLCEngine(test_model_path)

        response = engine.chat.completions.create(
            messages=[{"role": "user", "content": "Hello"}],
            model=test_model_path,
            max_tokens=10
        )  # fmt: skip

        assert response is not None
        assert len(response.choices) > 0
        engine.terminate()

    def test_python_and_the_program_say_the_same(self, program, test_model_path):
        assert chat_by_python(test_model_path) == chat_by_program(program, test_model_path)

    def test_convert_compile_chat(self, program, test_model_path, tmp_path):
        out = tmp_path / "out"
        for command in (
            ("convert_weight", test_model_path, "--quantization", "q8f16_1", "-o", out),
            ("gen_config", test_model_path, "--quantization", "q8f16_1", "--conv-template", "auto", "-o", out),
            ("compile", out, "--device", "cpu", "-o", out / "lib.so"),
        ):
            done = run(program, *command)
            assert done.returncode == 0, done.stderr
        text = chat_by_python(out, model_lib=str(out / "lib.so"))
        assert text == chat_by_program(program, out, "--model-lib", out / "lib.so")
        quantized = chat_by_python(test_model_path, engine_config=EngineConfig(quantization="q8f16_1"))
        assert text == quantized

    def test_another_architecture(self, fixtures):
        model = fixtures / "models" / "tiny_qwen2"
        with MLCEngine(str(model)) as engine:
            answer = engine.chat.completions.create(
                messages=[{"role": "user", "content": "ab"}],
                max_tokens=8,
                temperature=0,
                extra_body={"ignore_eos": True},
            )
            assert answer.usage.completion_tokens == 8
            assert engine.tokenize("ab") == [97, 98]
        assert chat_by_python(model) == chat_by_python(model)

    def test_speculation_changes_no_text(self, test_model_path):
        plain = chat_by_python(test_model_path)
        for config in (
            EngineConfig(speculative_mode="ngram"),
            EngineConfig(speculative_mode="small_draft", additional_models=[test_model_path]),
        ):
            assert chat_by_python(test_model_path, engine_config=config) == plain


class TestPackage:
    def test_python_m_is_the_program(self, program, test_model_path):
        env = {"PYTHONPATH": str(ROOT / "python")}
        same = run(sys.executable, "-m", "mlc_llm", "--version", **env)
        assert same.returncode == 0 and same.stdout == run(program, "--version").stdout
        wrong = run(sys.executable, "-m", "mlc_llm", "chat", "/no/such/model", "--prompt", "x", **env)
        assert wrong.returncode == 1 and wrong.stderr == run(program, "chat", "/no/such/model", "--prompt", "x").stderr
        command = ["-m", "mlc_llm", "chat", test_model_path, "--prompt", STORY]
        command += ["--temperature", "0", "--max-tokens", "24"]
        assert run(sys.executable, *command, **env).stdout.strip() == chat_by_program(program, test_model_path)

    def test_what_is_not_there_is_named(self):
        env = {"PYTHONPATH": str(ROOT / "python"), "MLC_LLM_BIN": "/no/such/program", "MLC_LLM_LIB": "/no/such/library"}
        done = run(sys.executable, "-m", "mlc_llm", "chat", **env)
        assert done.returncode == 1 and "/no/such/program" in done.stderr and "MLC_LLM_BIN" in done.stderr
        done = run(sys.executable, "-c", "import mlc_llm; mlc_llm.MLCEngine('x')", **env)
        assert "/no/such/library" in done.stderr and "MLC_LLM_LIB" in done.stderr

    def test_documented_import_paths(self):
        from mlc_llm import serve  # pylint: disable=import-outside-toplevel
        from mlc_llm.serve import config  # pylint: disable=import-outside-toplevel

        assert serve.MLCEngine is MLCEngine and serve.AsyncMLCEngine is AsyncMLCEngine
        assert config.EngineConfig is EngineConfig
        assert (pathlib.Path(serve.__file__).parent.parent / "py.typed").is_file()

    @pytest.mark.slow
    def test_slow_editable_install(self, tmp_path, test_model_path):
        """cd python && pip install -e . in an empty virtual environment, with the tree that is built already."""
        if not (ROOT / "build" / "release" / "build.ninja").is_file():
            pytest.skip("nothing is built in build/release")
        venv.create(tmp_path / "venv", with_pip=True)
        python = tmp_path / "venv" / "bin" / "python"
        done = run(python, "-m", "pip", "install", "-q", "-e", ROOT / "python")
        assert done.returncode == 0, done.stdout + done.stderr
        clean = {"PYTHONPATH": ""}
        code = "import sys; from mlc_llm import MLCEngine; e = MLCEngine(sys.argv[1]); print(e.info()['model'])"
        done = subprocess.run(
            [python, "-c", code, test_model_path], capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, **clean},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        script = run(tmp_path / "venv" / "bin" / "mlc_llm", "--version", **clean)
        assert script.returncode == 0 and script.stdout.startswith("mlc_llm ")


def test_documented_examples(test_model_path, tmp_path):
    """Every Python example of docs/python.md runs, with the demo model in its place."""
    text = (ROOT / "docs" / "python.md").read_text()
    examples = [part.split("```")[0] for part in text.split("```python\n")[1:]]
    assert len(examples) >= 5
    (tmp_path / "models").mkdir()
    shutil.copytree(test_model_path, tmp_path / "models" / "demo")
    for example in examples:
        done = subprocess.run(
            [sys.executable, "-c", example], capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300,
            env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        )  # fmt: skip
        assert done.returncode == 0, example + done.stderr
        assert done.stdout.strip(), example


def test_metrics_of_a_whole_conversation(test_model_path):
    with MLCEngine(test_model_path) as engine:
        messages = []
        for turn in ("Hello", "Tell me more", "And then?"):
            messages.append({"role": "user", "content": turn})
            answer = engine.chat.completions.create(messages=messages, max_tokens=12)
            messages.append(answer.choices[0].message.model_dump(exclude_none=True))
        metrics = engine.metrics()
    assert metrics["finished_requests_sum"] == 3
    assert metrics["cached_prompt_tokens_sum"] > 0  # what the turns have in common is computed once
    assert json.loads(json.dumps(metrics.metrics)) == metrics.metrics
