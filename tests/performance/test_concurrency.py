"""Many requests at once: batching makes them faster together than one after the other."""

import asyncio
import time

import pytest
from mlc_llm import AsyncMLCEngine

pytestmark = pytest.mark.slow


async def rate(engine, at_once, requests=32, tokens=64):
    limit = asyncio.Semaphore(at_once)

    async def one(i):
        async with limit:
            await engine.completions.create(
                prompt=[20 + i] * 8, max_tokens=tokens, extra_body={"ignore_eos": True}
            )  # fmt: skip

    start = time.perf_counter()
    await asyncio.gather(*[one(i) for i in range(requests)])
    return requests * tokens / (time.perf_counter() - start)


def test_slow_throughput_grows_with_requests(test_model_path):
    async def main():
        async with AsyncMLCEngine(test_model_path, mode="server") as engine:
            return {n: await rate(engine, n) for n in (1, 4, 16)}

    rates = asyncio.run(main())
    print("tokens/s by requests at once: " + ", ".join(f"{n}: {r:.0f}" for n, r in rates.items()))
    assert rates[16] > rates[1]
