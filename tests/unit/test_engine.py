"""MLCEngine and AsyncMLCEngine: configuration, answers, streams, ends, tensors."""

import asyncio
import dataclasses
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy
import pytest
from mlc_llm import AsyncMLCEngine, EngineConfig, MLCEngine, errors

STORY = [{"role": "user", "content": "Tell me a story about a fox"}]
ENDLESS = {"ignore_eos": True}


def threads():
    return set(os.listdir("/proc/self/task"))


def assert_no_new_thread(before):
    """The kernel lists a thread for a moment after it was joined; one of the test runner may have ended."""
    deadline = time.monotonic() + 5
    while not threads() <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threads() <= before


class TestMLCEngine:
    def test_engine_initialization(self, test_model_path):
        """Test basic engine initialization"""
        engine = MLCEngine(test_model_path)
        assert engine is not None
        engine.terminate()

    def test_no_thread_outlives_terminate(self, test_model_path):
        before = threads()
        engine = MLCEngine(test_model_path, engine_config=EngineConfig(threads=2))
        stream = engine.chat.completions.create(messages=STORY, stream=True, extra_body=ENDLESS)
        next(stream)
        assert len(threads()) > len(before)
        engine.terminate()
        assert_no_new_thread(before)
        with pytest.raises(errors.RequestAbortedError, match="destroyed"):
            for _ in stream:
                pass
        engine.terminate()  # again: nothing
        with pytest.raises(errors.EngineTerminatedError):
            engine.metrics()

    def test_the_end_of_with_terminates(self, test_model_path):
        with MLCEngine(test_model_path, mode="interactive") as engine:
            assert engine.info()["path"] == test_model_path
        with pytest.raises(errors.EngineTerminatedError):
            engine.completions.create(prompt="x", max_tokens=1)

    def test_an_engine_that_nobody_has_is_gone(self, test_model_path):
        before = threads()
        engine = MLCEngine(test_model_path)
        del engine
        assert_no_new_thread(before)

    def test_a_process_that_forgets_to_terminate_ends(self, test_model_path):
        code = "import sys; from mlc_llm import *; e = MLCEngine(sys.argv[1]); a = AsyncMLCEngine(sys.argv[1])"
        subprocess.run([sys.executable, "-c", code, test_model_path], check=True, timeout=120, env=child_env())

    def test_what_cannot_be_loaded(self, tmp_path, test_model_path):
        with pytest.raises(errors.ModelNotFoundError, match="no model directory"):
            MLCEngine(str(tmp_path / "nothing"))
        with pytest.raises(FileNotFoundError):
            MLCEngine(str(tmp_path / "nothing"))
        with pytest.raises(errors.UnsupportedError, match="cuda"):
            MLCEngine(test_model_path, "cuda")
        with pytest.raises(errors.InvalidRequestError, match='"local" or "interactive" or "server"'):
            MLCEngine(test_model_path, mode="fast")
        with pytest.raises(errors.InvalidRequestError, match="zero character"):
            MLCEngine("a\0b")


class TestEngineConfig:
    def test_every_field_reaches_the_engine(self, test_model_path):
        config = EngineConfig(
            mode="server", max_num_sequence=3, max_total_sequence_length=512, max_single_sequence_length=128,
            prefill_chunk_size=64, gpu_memory_utilization=0.2, speculative_mode="ngram", spec_draft_length=4,
            prefix_cache_mode="disable", prefill_mode="chunked", opt="O2", threads=1, system_prompt="Be brief.",
            served_model_name="fox", kv_cache_dtype="int8", verbose=False,
        )  # fmt: skip
        with MLCEngine(test_model_path, engine_config=config) as engine:
            info, metrics = engine.info(), engine.metrics()
        assert (info["model"], info["context_window_size"]) == ("fox", 128)
        assert metrics["kv_pages_total"] == 512 // 16

    @pytest.mark.parametrize(
        "field, value, says",
        [
            ("kv_cache_page_size", 32, "kv_cache_page_size"),
            ("tensor_parallel_shards", 2, "tensor_parallel_shards"),
            ("speculative_mode", "eagle", "speculative_mode"),
            ("max_num_sequence", 0, "max_num_sequence"),
            ("gpu_memory_utilization", 1.5, "gpu_memory_utilization"),
            ("opt", "O9", "O9"),
        ],
    )
    def test_wrong_values_are_named(self, test_model_path, field, value, says):
        with pytest.raises(errors.MLCError, match=says):
            MLCEngine(test_model_path, engine_config=dataclasses.replace(EngineConfig(), **{field: value}))

    def test_json_round_trip(self):
        config = EngineConfig(max_num_sequence=7, additional_models=["a"])
        assert EngineConfig.from_json(config.asjson()) == config
        assert EngineConfig().options()["prefix_cache_mode"] == "radix"

    def test_modes(self, test_model_path):
        pages = {}
        for mode in ("interactive", "local", "server"):
            with MLCEngine(test_model_path, mode=mode) as engine:
                pages[mode] = engine.metrics()["kv_pages_total"]
        assert pages["interactive"] < pages["local"] < pages["server"]


class TestAnswers:
    def test_a_stream_is_the_whole_answer(self, engine):
        whole = engine.chat.completions.create(messages=STORY, max_tokens=24, temperature=0)
        chunks = list(engine.chat.completions.create(messages=STORY, max_tokens=24, temperature=0, stream=True))
        assert "".join(c.choices[0].delta.content for c in chunks) == whole.choices[0].message.content
        assert chunks[-1].choices[0].finish_reason == whole.choices[0].finish_reason == "length"
        assert whole.usage.completion_tokens == 24
        assert {c.id for c in chunks} == {chunks[0].id}

    def test_completions_and_token_ids(self, engine):
        prompt = "Once upon a time"
        text = engine.completions.create(prompt=prompt, max_tokens=8, temperature=0).choices[0].text
        ids = engine.tokenize(prompt)
        assert engine.detokenize(ids).strip() == prompt
        assert engine.completions.create(prompt=ids, max_tokens=8, temperature=0).choices[0].text == text

    def test_seeds_and_choices(self, engine):
        ask = {"messages": STORY, "max_tokens": 12, "seed": 5, "temperature": 1, "n": 3}
        first, second = (engine.chat.completions.create(**ask) for _ in range(2))
        texts = [c.message.content for c in first.choices]
        assert texts == [c.message.content for c in second.choices]
        assert len(set(texts)) == 3

    def test_many_threads(self, engine):
        alone = engine.completions.create(prompt="Once", max_tokens=16, temperature=0).choices[0].text
        found = []

        def ask():
            found.append(engine.completions.create(prompt="Once", max_tokens=16, temperature=0).choices[0].text)

        workers = [threading.Thread(target=ask) for _ in range(6)]
        for w in workers:
            w.start()
        for w in workers:
            w.join()
        assert found == [alone] * 6

    def test_other_threads_run_while_the_engine_works(self, engine):
        """The GIL is released: a thread that only counts makes progress during one blocking call."""
        count, stop = [0], threading.Event()

        def work():
            while not stop.is_set():
                count[0] += 1
                time.sleep(0)

        worker = threading.Thread(target=work)
        worker.start()
        before = count[0]
        engine.completions.create(prompt="Once", max_tokens=64, extra_body=ENDLESS)
        after = count[0]
        stop.set()
        worker.join()
        assert after > before + 10

    def test_wrong_fields(self, engine):
        with pytest.raises(errors.InvalidRequestError, match="'temperature' is 7"):
            engine.chat.completions.create(messages=STORY, temperature=7)
        with pytest.raises(ValueError):
            engine.chat.completions.create(messages=[{"role": "nobody", "content": "x"}], stream=True)
        with pytest.raises(TypeError, match="max_token"):
            engine.chat.completions.create(messages=STORY, max_token=3)
        with pytest.raises(errors.InvalidRequestError, match="context"):
            engine.completions.create(prompt=[7] * 100000)

    def test_metrics_and_reset(self, test_model_path):
        with MLCEngine(test_model_path) as engine:
            engine.completions.create(prompt="Once", max_tokens=9, extra_body=ENDLESS)
            metrics = engine.metrics()
            assert metrics["completion_tokens_sum"] == 9
            assert metrics.last_finished_request["completion_tokens"] == 9
            assert metrics["decode_tokens_per_s"] > 0 and "engine_steps_sum" in metrics
            assert "last_finished_request_ttft_s" in metrics.prometheus_text()
            engine.reset()
            assert engine.metrics()["completion_tokens_sum"] == 0
            assert engine.completions.create(prompt="Once", max_tokens=3).usage.completion_tokens <= 3


class TestEnds:
    def test_abort_by_request_id(self, engine):
        stream = engine.chat.completions.create(messages=STORY, stream=True, request_id="mine", extra_body=ENDLESS)
        assert next(stream).id == "mine"
        engine.abort("mine")
        with pytest.raises(errors.RequestAbortedError):
            for _ in stream:
                pass
        engine.abort("never seen")

    def test_abort_by_the_id_of_the_answer(self, engine):
        stream = engine.completions.create(prompt="Once", stream=True, extra_body=ENDLESS)
        engine.abort(next(stream).id)
        with pytest.raises(errors.RequestAbortedError):
            for _ in stream:
                pass

    def test_a_dropped_stream_frees_its_place(self, engine):
        def running():
            deadline = time.monotonic() + 5
            while engine.metrics()["running"] and time.monotonic() < deadline:
                time.sleep(0.01)
            return engine.metrics()["running"]

        stream = engine.completions.create(prompt="Once", stream=True, extra_body=ENDLESS)
        next(stream)
        del stream
        assert running() == 0
        with engine.completions.create(prompt="Once", stream=True, extra_body=ENDLESS) as stream:
            next(stream)
        assert running() == 0
        assert not list(stream)

    @pytest.mark.parametrize("streams", [False, True])
    def test_ctrl_c(self, test_model_path, streams):
        """KeyboardInterrupt comes at once, and the engine goes on working."""
        code = f"""
            import os, signal, sys, threading, time
            from mlc_llm import EngineConfig, MLCEngine
            engine = MLCEngine(sys.argv[1])
            sent = []
            def interrupt():
                time.sleep(0.3)
                sent.append(time.monotonic())
                os.kill(os.getpid(), signal.SIGINT)
            threading.Thread(target=interrupt).start()
            try:
                while True:  # one answer may end before the signal comes
                    for _ in engine.completions.create(prompt="Once", n=8, stream={streams},
                                                       extra_body={{"ignore_eos": True}}).choices if not {streams} else \\
                            engine.completions.create(prompt="Once", stream=True, extra_body={{"ignore_eos": True}}):
                        pass
            except KeyboardInterrupt:
                late = time.monotonic() - sent[0]
            assert late < 0.5, late
            print(engine.completions.create(prompt="Once", max_tokens=4).usage.completion_tokens)
            engine.terminate()
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), test_model_path],
            env=child_env(), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert 1 <= int(done.stdout) <= 4

    def test_ctrl_c_while_a_model_is_loaded(self, test_model_path, tmp_path):
        code = """
            import os, signal, sys, threading, time
            from mlc_llm import EngineConfig, MLCEngine
            def interrupt():
                time.sleep(0.2)
                os.kill(os.getpid(), signal.SIGINT)
            threading.Thread(target=interrupt).start()
            start = time.monotonic()
            try:
                MLCEngine(sys.argv[1], engine_config=EngineConfig(verbose=False))
                print("loaded")
            except KeyboardInterrupt:
                print("interrupted")
            sys.stdout.flush()
            os._exit(0 if time.monotonic() - start < 30 else 1)
        """
        done = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code), test_model_path],
            env=child_env(MLC_LLM_HOME=str(tmp_path)), capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def child_env(**more):
    """For a Python that imports the same package."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **more}


class TestTensors:
    def test_logits_are_numpy_without_a_copy(self, engine):
        tensor = engine.logits(prompt="Once upon a time there was")
        array = numpy.from_dlpack(tensor)
        assert array.ctypes.data == tensor.data_ptr
        assert array.shape == tensor.shape == (1, engine.info()["vocab_size"])
        assert array.dtype == numpy.float32 and tensor.__dlpack_device__() == (1, 0)
        chosen = engine.completions.create(
            prompt="Once upon a time there was", max_tokens=1, temperature=0, extra_body={"return_token_ids": True}
        )
        assert chosen.choices[0].model_extra["token_ids"] == [int(array[0].argmax())]

    def test_both_forms_of_the_protocol(self, engine):
        tensor = engine.logits(prompt="Once")
        plain, versioned = tensor.__dlpack__(), tensor.__dlpack__(max_version=(1, 0))
        assert '"dltensor"' in repr(plain) and '"dltensor_versioned"' in repr(versioned)
        with pytest.raises(BufferError):
            tensor.__dlpack__(dl_device=(2, 0))

    def test_every_token_has_a_row(self, engine):
        ids = engine.tokenize("Once upon a time there was")
        rows = numpy.from_dlpack(engine.logits(prompt=ids, all_tokens=True))
        assert rows.shape[0] == len(ids)
        shorter = numpy.from_dlpack(engine.logits(prompt=ids[:-2]))
        numpy.testing.assert_array_equal(shorter[0], rows[-3])

    def test_hidden_states_and_embeddings(self, engine):
        hidden = numpy.from_dlpack(engine.hidden_states(prompt="a fox"))[0]
        vector = numpy.array(engine.embeddings.create(input="a fox").data[0].embedding)
        numpy.testing.assert_allclose(hidden / numpy.linalg.norm(hidden), vector, atol=1e-5)
        chat = engine.hidden_states(messages=STORY)
        assert chat.shape == (1, engine.info()["hidden_size"])

    def test_an_array_outlives_the_engine(self, test_model_path):
        with MLCEngine(test_model_path) as engine:
            array = numpy.from_dlpack(engine.logits(prompt="Once"))
            copy = array.copy()
        numpy.testing.assert_array_equal(array, copy)

    def test_arguments(self, engine):
        with pytest.raises(TypeError):
            engine.logits()
        with pytest.raises(errors.InvalidRequestError):
            engine.logits(prompt="")


class TestAsync:
    def test_many_answers_at_once(self, test_model_path):
        before = threads()

        async def main():
            async with AsyncMLCEngine(test_model_path, mode="server") as engine:
                ask = {"messages": STORY, "max_tokens": 16, "temperature": 0}
                whole = await engine.chat.completions.create(**ask)

                async def stream():
                    parts = await engine.chat.completions.create(**ask, stream=True)
                    return "".join([c.choices[0].delta.content async for c in parts])

                texts = await asyncio.gather(*[stream() for _ in range(12)])
                assert texts == [whole.choices[0].message.content] * 12
                metrics = await engine.metrics()
                assert metrics["finished_requests_sum"] == 13
                vectors = await engine.embeddings.create(input=["a", "b"])
                assert [d.index for d in vectors.data] == [0, 1]

        asyncio.run(main())
        assert_no_new_thread(before)

    def test_cancelling_a_task_aborts_its_request(self, test_model_path):
        async def main():
            async with AsyncMLCEngine(test_model_path) as engine:
                task = asyncio.ensure_future(engine.completions.create(prompt="Once", n=4, extra_body=ENDLESS))
                while not (await engine.metrics())["running"]:
                    await asyncio.sleep(0.005)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                while (await engine.metrics())["running"]:
                    await asyncio.sleep(0.005)
                assert (await engine.metrics())["finished_requests_sum"] == 0

        asyncio.run(asyncio.wait_for(main(), 60))

    def test_abort_close_and_errors(self, test_model_path):
        async def main():
            async with AsyncMLCEngine(test_model_path) as engine:
                ask = {"prompt": "Once", "stream": True, "extra_body": ENDLESS}
                stream = await engine.completions.create(**ask, request_id="mine")
                await anext(stream)
                await engine.abort("mine")
                with pytest.raises(errors.RequestAbortedError):
                    async for _ in stream:
                        pass
                async with await engine.completions.create(**ask) as stream:
                    await anext(stream)
                assert [c async for c in stream] == []
                with pytest.raises(errors.InvalidRequestError, match="temperature"):
                    await engine.completions.create(prompt="Once", temperature=-1)
                await engine.reset()
                assert (await engine.metrics())["running"] == 0

        asyncio.run(asyncio.wait_for(main(), 60))

    def test_terminate_wakes_whoever_waits(self, test_model_path):
        async def main():
            engine = AsyncMLCEngine(test_model_path)
            stream = await engine.completions.create(prompt="Once", stream=True, extra_body=ENDLESS)
            engine.terminate()
            engine.terminate()
            with pytest.raises(errors.RequestAbortedError):
                async for _ in stream:
                    pass
            with pytest.raises(errors.EngineTerminatedError):
                await engine.completions.create(prompt="Once")

        asyncio.run(asyncio.wait_for(main(), 60))


def test_signals_are_left_alone(test_model_path):
    """The library installs no handlers: a process of its own catches after an answer what it caught before."""
    code = """if True:
        import pathlib, sys

        def caught():
            status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
            mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt"))
            return int(mask, 16) & 0x7FFFFFFF  # glibc has 32 and 33 for its threads

        before = caught()
        from mlc_llm import MLCEngine

        with MLCEngine(sys.argv[1]) as engine:
            engine.completions.create(prompt="Once", max_tokens=2)
            assert caught() == before, (caught(), before)
        assert caught() == before, (caught(), before)
    """
    subprocess.run([sys.executable, "-c", code, test_model_path], check=True, timeout=60, env=child_env())
