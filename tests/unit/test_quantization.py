"""Quantization schemes: sizes on disk, and how near a quantized model's logits are to the exact ones."""

import pathlib
import subprocess

import numpy
import pytest
from mlc_llm import EngineConfig, MLCEngine, errors

PROMPT = "Once upon a time there was a little fox who lived in the woods"
# The least cosine between logits and those of full precision, and the most bits a weight takes on disk.
SCHEMES = {
    "q0f16": (0.9999, 16.1),
    "q0bf16": (0.999, 16.1),
    "q4f16_1": (0.90, 6.6),
    "q4f32_1": (0.90, 6.6),
    "q8f16_1": (0.99, 9.5),
}


def logits(model, scheme):
    config = EngineConfig(quantization=scheme, activation="f32", verbose=False)
    with MLCEngine(model, mode="interactive", engine_config=config) as engine:
        return numpy.from_dlpack(engine.logits(prompt=PROMPT, all_tokens=True)).copy()


@pytest.fixture(scope="module")
def exact(test_model_path):
    return logits(test_model_path, "q0f32")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_logits_stay_near(test_model_path, exact, scheme):
    found = logits(test_model_path, scheme)
    cosine = (found * exact).sum(1) / (numpy.linalg.norm(found, axis=1) * numpy.linalg.norm(exact, axis=1))
    assert cosine.min() > SCHEMES[scheme][0]
    if scheme.startswith("q4"):
        assert not numpy.array_equal(found, exact)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_size_on_disk(program, test_model_path, tmp_path, scheme):
    done = subprocess.run(
        [program, "convert_weight", test_model_path, "--quantization", scheme, "-o", tmp_path / "out"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    stored = sum(p.stat().st_size for p in (tmp_path / "out").glob("params_shard_*.bin"))
    source = sum(p.stat().st_size for p in pathlib.Path(test_model_path).glob("*.safetensors"))
    assert stored * 8 / (source / 2) < SCHEMES[scheme][1]  # the source has 16 bits a weight


def test_unknown_schemes_are_refused(test_model_path):
    with pytest.raises(errors.UnsupportedError, match="q5f16_1"):
        MLCEngine(test_model_path, engine_config=EngineConfig(quantization="q5f16_1"))


def test_integer_activations_change_little(test_model_path, exact):
    config = EngineConfig(quantization="q8f16_1", activation="int8", verbose=False)
    with MLCEngine(test_model_path, mode="interactive", engine_config=config) as engine:
        found = numpy.from_dlpack(engine.logits(prompt=PROMPT, all_tokens=True))
        assert (found.argmax(1) == exact.argmax(1)).mean() > 0.8
