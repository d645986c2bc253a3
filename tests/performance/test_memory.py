"""Memory: engines that come and go, and requests, leave nothing behind."""

import gc
import pathlib

import numpy
import pytest
from mlc_llm import MLCEngine

pytestmark = pytest.mark.slow
PAGE = 4096


def resident_mib():
    gc.collect()
    return int(pathlib.Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def test_slow_engines_come_and_go(test_model_path):
    sizes = []
    for _ in range(20):
        with MLCEngine(test_model_path) as engine:
            engine.completions.create(prompt="Once", max_tokens=8)
        sizes.append(resident_mib())
    print(f"resident after the 5th engine {sizes[4]:.0f} MiB, after the 20th {sizes[-1]:.0f} MiB")
    assert sizes[-1] - sizes[4] < 32


def test_slow_requests_leave_nothing(test_model_path):
    with MLCEngine(test_model_path) as engine:
        sizes = []
        for i in range(600):
            list(engine.completions.create(prompt="Once", max_tokens=4, stream=True))
            numpy.from_dlpack(engine.logits(prompt=[7] * 64, all_tokens=True)).sum()
            if i % 100 == 99:
                sizes.append(resident_mib())
        print("resident after each hundred requests, MiB: " + " ".join(f"{s:.0f}" for s in sizes))
        assert sizes[-1] - sizes[1] < 16
