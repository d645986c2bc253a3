"""Answers are checked against OpenAI's description on their way to clients: all endpoints, and faults are found."""

import http.server
import json
import threading

import httpx
import openai
import pytest
import schemas
from validating_proxy import ValidatingProxy

CHAT = {
    "messages": [{"role": "user", "content": "Hello"}],
    "max_tokens": 6,
    "logprobs": True,
    "top_logprobs": 2,
    "n": 2,
}
TEXT = {"prompt": "Once", "max_tokens": 5, "logprobs": 2}
STREAM = {"stream": True, "stream_options": {"include_usage": True}}
REQUESTS = {
    "GET /v1/models": ("GET", "/v1/models", None),
    "POST /v1/chat/completions": ("POST", "/v1/chat/completions", CHAT),
    "POST /v1/chat/completions (event)": ("POST", "/v1/chat/completions", {**CHAT, **STREAM}),
    "POST /v1/completions": ("POST", "/v1/completions", {**TEXT, "echo": True}),
    "POST /v1/completions (event)": ("POST", "/v1/completions", {**TEXT, **STREAM}),
    "POST /v1/responses": ("POST", "/v1/responses", {"input": "Hello", "max_output_tokens": 4}),
    "POST /v1/responses (event)": ("POST", "/v1/responses", {"input": "Hello", "max_output_tokens": 4, "stream": True}),
    "POST /v1/embeddings": ("POST", "/v1/embeddings", {"input": "x"}),
    "error 400": ("POST", "/v1/chat/completions", {}),
    "error 404": ("GET", "/v1/models/none", None),
    "error 405": ("GET", "/v1/completions", None),
}

needs_proxy = schemas.needs_schemas


@needs_proxy
def test_every_kind_of_answer_is_checked(server, model):
    with ValidatingProxy("127.0.0.1", server.port) as proxy:
        requests = {**REQUESTS, f"GET /v1/models/{model}": ("GET", f"/v1/models/{model}", None)}
        for what, (method, path, body) in requests.items():
            httpx.request(method, proxy.url + path, json=body, timeout=300)
            assert proxy.findings.checked[what] >= (2 if "event" in what else 1), what
        assert not proxy.findings.take_failures()
        assert not proxy.findings.other


class Wrong(http.server.BaseHTTPRequestHandler):
    """A server whose answers are all wrong."""

    events = ['data: {"object": "chat.completion.chunk"}', "event: response.created\ndata: {}", ": ping"]

    def log_message(self, *args):
        pass

    def do_GET(self):
        self.answer(404 if "none" in self.path else 200, "application/json", b'{"object": "list"}')

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body.get("stream"):
            self.answer(200, "text/event-stream", "".join(e + "\n\n" for e in self.events).encode())
        else:
            self.answer(200, "application/json", b"{}")

    def answer(self, status, kind, body):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def wrong_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Wrong)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@needs_proxy
@pytest.mark.parametrize("what", [w for w in REQUESTS if w not in ("error 400", "error 405")])
def test_wrong_answers_are_found(wrong_server, what):
    with ValidatingProxy("127.0.0.1", wrong_server) as proxy:
        method, path, body = REQUESTS[what]
        httpx.request(method, proxy.url + path, json=body)
        failures = proxy.findings.take_failures()
        assert failures and all(f.startswith(what) for f in failures), failures


@needs_proxy
def test_a_client_that_leaves_is_no_fault(server, model):
    with ValidatingProxy("127.0.0.1", server.port) as proxy:
        client = openai.OpenAI(base_url=proxy.url + "/v1", api_key="none")
        with client.completions.create(model=model, stream=True, extra_body={"ignore_eos": True}, prompt="x") as stream:
            next(iter(stream))
        assert not proxy.findings.take_failures()
