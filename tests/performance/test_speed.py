"""Speeds of the Python package, printed; what is asserted holds on any machine. Run with -s to see the numbers."""

import statistics
import time

import pytest
from mlc_llm import MLCEngine

pytestmark = pytest.mark.slow
ENDLESS = {"ignore_eos": True}


def test_slow_decode_and_prefill(test_model_path):
    with MLCEngine(test_model_path, mode="interactive") as engine:
        for _ in range(3):
            engine.completions.create(prompt=[7] * 256, max_tokens=128, extra_body=ENDLESS)
        metrics = engine.metrics()
    print(
        f"prefill {metrics['prefill_tokens_per_s']:.0f} tokens/s, decode {metrics['decode_tokens_per_s']:.0f} tokens/s"
    )
    assert metrics["prefill_tokens_per_s"] > metrics["decode_tokens_per_s"] > 0


def test_slow_cost_of_the_binding(test_model_path):
    """What a stream through Python costs beside the engine's own time."""
    with MLCEngine(test_model_path, mode="interactive") as engine:
        shares = []
        for _ in range(5):
            engine.reset()
            start = time.perf_counter()
            count = sum(
                1 for _ in engine.completions.create(prompt="Once", max_tokens=200, stream=True, extra_body=ENDLESS)
            )
            took = time.perf_counter() - start
            metrics = engine.metrics()
            own = metrics["engine_prefill_time_sum"] + metrics["engine_decode_time_sum"]
            shares.append((took - own) / took)
            assert count > 1
    print(f"{100 * statistics.median(shares):.0f}% of the time is not the engine's")
    assert statistics.median(shares) < 0.5


def test_slow_start(test_model_path):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        MLCEngine(test_model_path).terminate()
        times.append(time.perf_counter() - start)
    print(f"an engine starts in {statistics.median(times) * 1e3:.0f} ms")
    assert statistics.median(times) < 10
