"""The daily things: threads, memory locking, templates, system prompts, names, seeds, prompts that are piped in."""

import json
import os
import pathlib
import re
import subprocess
import time

import pytest
from server import Server
from support import BIN, MODEL, STORY, chat, environment, ok, story_text


def test_prompt_from_standard_input(home, story):
    done = ok(home, "chat", MODEL, "--temperature", "0", "--max-tokens", "24", stdin=STORY + "\n")
    assert done.out == story
    # Lines are kept, only the last line end is not part of it.
    text = "Hi\nTell me a story"
    assert (
        ok(home, "chat", MODEL, "--temperature", "0", stdin=text + "\n").out
        == chat(home, MODEL, prompt=text, tokens=500).out
    )


def test_the_answer_alone_is_on_standard_output(home, story):
    done = chat(home, MODEL, tokens=6)
    assert done.out.count("\n") == 1 and "[" not in done.out
    assert "6 tokens" in done.err
    whole = chat(home, MODEL, prompt="Hi", tokens=400)
    assert whole.err == "" and whole.out.endswith("\n")


@pytest.mark.parametrize("threads", [1, 2, 3, 16])
def test_threads_do_not_change_the_answer(home, story, threads):
    assert story_text(home, MODEL, "--threads", threads) == story


def test_thread_count_is_respected(home, story, tmp_path):
    def threads_of(*flags, cpus=None):
        affinity = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
        log = open(tmp_path / "log", "wb")
        process = subprocess.Popen(
            [BIN, "serve", MODEL, "--host", "127.0.0.1", "--port", "0", *flags],
            env=environment(home),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=affinity,
        )
        try:
            for _ in range(3000):
                if b"http://" in (tmp_path / "log").read_bytes():
                    break
                time.sleep(0.02)
            return int(re.search(r"Threads:\s+(\d+)", pathlib.Path(f"/proc/{process.pid}/status").read_text())[1])
        finally:
            process.terminate()
            process.wait(60)

    one = threads_of("--threads", "1")
    assert threads_of("--threads", "5") == one + 4
    # By default as many as this process may run on, not as many as the machine has.
    available = sorted(os.sched_getaffinity(0))
    assert threads_of(cpus={available[0]}) == one


def test_seed(home, story):
    def sample(*flags):
        return ok(home, "chat", MODEL, "--prompt", STORY, "--temperature", "1.2", "--max-tokens", "30", *flags).out

    first = sample("--seed", "7")
    assert sample("--seed", "7") == first
    assert sample("--seed", "7", "--threads", "1") == first
    assert len({first, *(sample("--seed", str(s)) for s in (8, 9, 10))}) > 1
    # A nucleus of nothing leaves the best token: greedy, at any temperature.
    assert (
        ok(home, "chat", MODEL, "--prompt", STORY, "--temperature", "1", "--top-p", "0", "--max-tokens", "24").out
        == story
    )


def test_system_prompt(home, tmp_path):
    plain = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 1}
    words = "You are Pip, a small and friendly robot who likes to talk about the sea."
    with Server(home, MODEL, log=tmp_path / "log") as server:
        _, without = server.request("/v1/chat/completions", plain)
        brought = {**plain, "messages": [{"role": "system", "content": words}, *plain["messages"]]}
        _, own = server.request("/v1/chat/completions", brought)
    with Server(home, MODEL, "--system-prompt", words, log=tmp_path / "log2") as server:
        _, given = server.request("/v1/chat/completions", plain)
        other = {**plain, "messages": [{"role": "system", "content": "Be brief."}, *plain["messages"]]}
        _, replaced = server.request("/v1/chat/completions", other)
    tokens = [a["usage"]["prompt_tokens"] for a in (without, own, given, replaced)]
    assert tokens[1] == tokens[2] > tokens[0] + 10
    assert tokens[0] < tokens[3] < tokens[2]  # a chat that brings a system message keeps it


def test_chat_template_file(home, story, tmp_path):
    own = json.loads((MODEL / "tokenizer_config.json").read_text())["chat_template"]
    (tmp_path / "own.jinja").write_text(own)
    assert story_text(home, MODEL, "--chat-template", tmp_path / "own.jinja") == story
    # A template that says something else: the model answers that.
    bos, end = "<|bos|>", "<|end|>"
    asked = f"{bos}<|user|>\n{STORY}{end}\n<|assistant|>\n"
    (tmp_path / "fixed.jinja").write_text(asked + "\n")  # Jinja drops one newline at the end of a template
    assert (
        chat(home, MODEL, "--chat-template", tmp_path / "fixed.jinja", prompt="ignored").out.split()[:3]
        == story.split()[:3]
    )
    # MLC LLM's own form.
    template = {
        "name": "mine",
        "system_template": "{system_message}",
        "system_message": "",
        "system_prefix_token_ids": [0],
        "roles": {"user": "<|user|>", "assistant": "<|assistant|>"},
        "role_templates": {"user": "{user_message}", "assistant": "{assistant_message}"},
        "messages": [],
        "seps": [end + "\n"],
        "role_content_sep": "\n",
        "role_empty_sep": "\n",
        "stop_str": [],
        "stop_token_ids": [1],
    }
    (tmp_path / "mine.json").write_text(json.dumps({"conv_template": template}))
    assert story_text(home, MODEL, "--chat-template", tmp_path / "mine.json") == story


def test_served_model_name(home, story, tmp_path):
    with Server(home, MODEL, "--served-model-name", "my/model", "--api-key", "secret", log=tmp_path / "log") as server:
        assert server.request("/v1/models")[0] == 401
    with Server(home, MODEL, "--served-model-name", "my/model", log=tmp_path / "log") as server:
        assert [m["id"] for m in server.request("/v1/models")[1]["data"]] == ["my/model"]
        body = {"model": "my/model", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        assert server.request("/v1/chat/completions", body)[1]["model"] == "my/model"


def test_mlock(home, story, tmp_path):
    def locked(*flags):
        with Server(home, MODEL, *flags, log=tmp_path / "log") as server:
            text = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
            return int(re.search(r"VmLck:\s+(\d+) kB", text)[1])

    assert locked() == 0
    weights = (MODEL / "model.safetensors").stat().st_size / 1024
    assert locked("--mlock") > 0.9 * weights


def test_overrides(home, story, tmp_path):
    with Server(
        home, MODEL, "--overrides", "context_window_size=64;max_num_sequence=2", log=tmp_path / "log"
    ) as server:
        status, answer = server.request("/v1/completions", {"prompt": list(range(6, 76))})
        assert status == 400 and "64" in answer["error"]["message"]
        status, answer = server.request("/v1/completions", {"prompt": list(range(6, 56)), "ignore_eos": True})
        assert status == 200 and answer["usage"]["total_tokens"] == 64
        assert answer["choices"][0]["finish_reason"] == "length"


def test_chunks_do_not_change_the_answer(home, story):
    assert story_text(home, MODEL, "--overrides", "prefill_chunk_size=7") == story


def test_debug_logs(home):
    ask = ["chat", MODEL, "--prompt", "Hi", "--max-tokens", 1]
    assert "debug" not in ok(home, *ask).err
    assert re.search(r"^debug \d+ workers", ok(home, *ask, env={"MLC_DEBUG": "1"}).err, re.MULTILINE)
    assert "debug" not in ok(home, *ask, env={"MLC_DEBUG": "1", "MLC_LOG": "warn"}).err
    assert 'MLC_LOG="loud" is no log level; expected trace' in ok(home, *ask, env={"MLC_LOG": "loud"}).err
