"""The flags of MLC LLM's `serve`: each works, or is refused in one line and not in --help."""

import json
import re
import shutil
import urllib.request

import pytest
from server import Server
from support import MODEL, STORY, ok, run

# What `python -m mlc_llm serve --help` lists.
FLAGS = """--device --model-lib --mode --enable-debug --additional-models --embedding-model --embedding-model-lib
--speculative-mode --prefix-cache-mode --prefill-mode --overrides --enable-tracing --host --port --allow-credentials
--allow-origins --allow-methods --allow-headers --api-key""".split()
OVERRIDES = """max_num_sequence max_total_seq_length prefill_chunk_size gpu_memory_utilization spec_draft_length
prefix_cache_mode prefix_cache_max_num_recycling_seqs prefill_mode context_window_size opt""".split()
# Keys that belong to what this program does not have: value that means "without it", another value.
WITHOUT = {
    "tensor_parallel_shards": (1, 2),
    "pipeline_parallel_stages": (1, 2),
    "sliding_window_size": (-1, 128),
    "attention_sink_size": (-1, 4),
    "max_history_size": (0, 1),
    "spec_tree_width": (1, 4),
}


def test_all_flags_are_in_the_help(home):
    listed = ok(home, "serve", "--help").out
    for name in FLAGS + OVERRIDES:
        assert re.search(rf"(?<![\w-]){name}(?![\w-])", listed), name
    for name in [*WITHOUT, "eagle", "medusa", "disagg"]:
        assert name not in listed


@pytest.mark.parametrize("mode", ["eagle", "medusa"])
def test_draft_heads_are_refused_in_one_line(home, mode):
    done = run(home, "serve", MODEL, "--port", "0", "--speculative-mode", mode, "--additional-models", MODEL)
    assert done.code == 1 and done.err.count("\n") == 1 and mode in done.err and "small_draft" in done.err


@pytest.mark.parametrize("key", WITHOUT)
def test_overrides_for_what_is_not_there(home, key, tmp_path):
    without, with_it = WITHOUT[key]
    done = run(home, "serve", MODEL, "--port", "0", "--overrides", f"{key}={with_it}")
    assert done.code == 1 and done.err.count("\n") == 1
    assert f"{key} can only be {without} here, not {with_it}" in done.err


def test_overrides_that_ask_for_what_is_so_anyway(home, tmp_path):
    overrides = ";".join(f"{key}={without}" for key, (without, _) in WITHOUT.items())
    with Server(home, MODEL, "--overrides", overrides, log=tmp_path / "log") as server:
        assert server.request("/v1/models")[0] == 200


def test_an_embedding_model_beside_the_one_that_answers(home, tmp_path):
    copy = tmp_path / "embedder"
    shutil.copytree(MODEL, copy)
    with Server(home, MODEL, "--embedding-model", copy, log=tmp_path / "log") as server:
        models = [m["id"] for m in server.request("/v1/models")[1]["data"]]
        assert models == [MODEL.name, "embedder"]
        vectors = {}
        for model in (None, "text-embedding-3-small", "embedder", MODEL.name):
            body = {"input": STORY, **({"model": model} if model else {})}
            status, answer = server.request("/v1/embeddings", body)
            assert status == 200
            vectors[model] = answer["model"]
        # A name that is none of the models' is the embedding model's.
        assert list(vectors.values()) == ["embedder", "embedder", "embedder", MODEL.name]
        # All names but its own still mean the one that answers.
        chat = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        assert server.request("/v1/chat/completions", {**chat, "model": "gpt-4"})[1]["model"] == MODEL.name
        status, refused = server.request("/v1/chat/completions", {**chat, "model": "embedder"})
        assert status == 400 and refused["error"]["param"] == "model"
    done = run(home, "serve", MODEL, "--embedding-model-lib", "x.so")
    assert done.code == 1 and "--embedding-model is not given" in done.err


def test_events_of_requests_as_a_chrome_trace(home, tmp_path):
    body = {"messages": [{"role": "user", "content": STORY}], "max_tokens": 5, "ignore_eos": True}
    with Server(home, MODEL, "--enable-debug", "--enable-tracing", log=tmp_path / "log") as server:
        ids = [server.request("/v1/chat/completions", body)[1]["id"] for _ in range(2)]
        status, trace = server.request("/debug/dump_event_trace", {"model": MODEL.name})
    assert status == 200 and {e["tid"] for e in trace} == set(ids)
    assert [e["ts"] for e in trace] == sorted(e["ts"] for e in trace)
    for id_ in ids:
        events = [(e["name"], e["ph"]) for e in trace if e["tid"] == id_]
        assert events[0] == ("add request (0)", "i") and events[-1] == ("finish length (0)", "i")
        begun = [name for name, phase in events if phase == "B"]
        assert begun == ["queue (0)", "prefill (0)", *(f"decode ({i})" for i in range(4))]
        assert begun == [name for name, phase in events if phase == "E"]


def test_without_tracing_there_is_no_trace(home, tmp_path):
    with Server(home, MODEL, "--enable-debug", log=tmp_path / "log") as server:
        status, refused = server.request("/debug/dump_event_trace", {})
        assert status == 400 and "--enable-tracing" in refused["error"]["message"]


def test_resetting_the_engine(home, tmp_path):
    endless = {"prompt": STORY, "ignore_eos": True, "max_tokens": 400, "stream": True}
    again = {"prompt": STORY * 3, "max_tokens": 1}
    with Server(home, MODEL, "--enable-debug", log=tmp_path / "log") as server:
        server.request("/v1/completions", again)
        assert cached(server, again) > 0
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/v1/completions",
            json.dumps(endless).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as stream:
            stream.readline()
            assert server.request("/debug/reset_engine", {}) == (200, {})
            assert b"the engine was reset" in stream.read()
        assert cached(server, again) == 0
        metrics = server.request("/debug/dump_engine_metrics", {})[1][MODEL.name]
        assert metrics["steps"] == 1 and metrics["cached_prompt_tokens_sum"] == 0


def cached(server, body):
    return server.request("/v1/completions", body)[1]["usage"]["prompt_tokens_details"]["cached_tokens"]
