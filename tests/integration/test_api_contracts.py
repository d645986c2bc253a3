"""OpenAI's API over HTTP, and that Python's engine gives the same bodies."""

import contextlib
import json
import os
import signal
import subprocess
import time

import httpx
import pytest

STORY = [{"role": "user", "content": "Tell me a story about a fox"}]
JSON = {"Content-Type": "application/json"}
GREEDY = {"messages": STORY, "max_tokens": 16, "temperature": 0}


@contextlib.contextmanager
def serving(program, model, log):
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [program, "serve", model, "--host", "127.0.0.1", "--port", "0"],
            stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=dict(os.environ),
        )  # fmt: skip
    try:
        deadline = time.monotonic() + 300
        while "serving " not in log.read_text():
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield log.read_text().split(" on http://")[1].split()[0]
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def http(program, test_model_path, tmp_path_factory):
    with serving(program, test_model_path, tmp_path_factory.mktemp("serve") / "log.txt") as address:
        with httpx.Client(base_url=f"http://{address}/v1", timeout=120) as client:
            yield client


def without_identity(body):
    """What two answers to the same question have in common."""
    return {k: v for k, v in body.items() if k not in ("id", "created", "usage")}


def events(response):
    return [line[len("data: ") :] for line in response.text.splitlines() if line.startswith("data: ")]


class TestChatCompletions:
    def test_the_body_is_pythons(self, http, engine):
        body = http.post("/chat/completions", json=GREEDY).json()
        same = engine.chat.completions.create(**GREEDY).model_dump()
        assert body["choices"][0]["message"]["content"] == same["choices"][0]["message"]["content"]
        assert set(body) <= set(same)
        assert body["object"] == "chat.completion" and body["id"].startswith("chatcmpl-")
        assert body["usage"]["total_tokens"] == body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]

    def test_streams(self, http, engine):
        data = events(http.post("/chat/completions", json={**GREEDY, "stream": True}))
        assert data[-1] == "[DONE]"
        chunks = [json.loads(d) for d in data[:-1]]
        assert {c["object"] for c in chunks} == {"chat.completion.chunk"}
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)
        assert text == engine.chat.completions.create(**GREEDY).choices[0].message.content

    def test_logprobs(self, http, engine):
        ask = {**GREEDY, "logprobs": True, "top_logprobs": 3, "max_tokens": 4}
        over_http = http.post("/chat/completions", json=ask).json()["choices"][0]["logprobs"]["content"]
        here = engine.chat.completions.create(**ask).choices[0].logprobs.content
        assert [t["token"] for t in over_http] == [t.token for t in here]
        assert all(len(t["top_logprobs"]) == 3 for t in over_http)
        assert [t["logprob"] for t in over_http] == pytest.approx([t.logprob for t in here], abs=1e-6)

    def test_tools_are_shown_to_the_model(self, http, engine):
        tool = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}
        for choice in ("auto", "none"):
            ask = {**GREEDY, "tools": [tool], "tool_choice": choice}
            status = http.post("/chat/completions", json=ask).status_code
            assert status == 200
            assert engine.chat.completions.create(**ask).choices[0].finish_reason in ("stop", "length", "tool_calls")


class TestOtherEndpoints:
    def test_completions(self, http, engine):
        ask = {"prompt": ["Once", "Two"], "max_tokens": 6, "temperature": 0}
        body = http.post("/completions", json=ask).json()
        same = engine.completions.create(**ask)
        assert [c["text"] for c in body["choices"]] == [c.text for c in same.choices]
        assert body["object"] == "text_completion"

    def test_embeddings(self, http, engine):
        ask = {"input": ["a fox", "an owl"], "dimensions": 8}
        body = http.post("/embeddings", json=ask).json()
        same = engine.embeddings.create(**ask)
        for row, other in zip(body["data"], same.data):
            assert row["embedding"] == pytest.approx(other.embedding, abs=1e-6)

    def test_models(self, http):
        listed = http.get("/models").json()
        assert listed["object"] == "list" and listed["data"][0]["object"] == "model"
        name = listed["data"][0]["id"]
        assert http.get(f"/models/{name}").json()["id"] == name


class TestErrors:
    def test_the_shape(self, http):
        answer = http.post("/chat/completions", json={**GREEDY, "temperature": 9})
        assert answer.status_code == 400
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.json()["error"]["param"] == "temperature"

    def test_recorded_faults(self, http, fixtures):
        for line in (fixtures / "datasets" / "bad_requests.jsonl").read_text().splitlines():
            row = json.loads(line)
            answer = http.post("/chat/completions", json={"messages": STORY, **row["body"]})
            assert answer.status_code == 400, row
            assert row["says"] in answer.json()["error"]["message"], row

    def test_no_json(self, http):
        assert http.post("/chat/completions", content=b"{", headers=JSON).status_code == 400
        assert http.post("/chat/completions", content=b"{").status_code == 415
        assert http.get("/no/such/path").status_code == 404
