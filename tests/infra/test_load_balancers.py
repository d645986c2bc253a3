"""deploy/nginx and deploy/haproxy in front of two real servers: one of them stops, and no client notices."""

import concurrent.futures
import http.server
import json
import re
import shutil
import signal
import threading
import time

import httpx
import pytest
from conftest import need_tool, read
from live import Program, free_port, serve, wait_for

STORY = {
    "messages": [{"role": "user", "content": "Tell me a story about a fox"}],
    "max_tokens": 120,
    "ignore_eos": True,
}
DRAIN_DELAY_S = 2


def start_balancer(kind, place, ports):
    """(Program, URL) of nginx or haproxy with the repository's configuration, in front of these two ports."""
    listen = free_port()
    text = read({"nginx": "deploy/nginx/nginx.conf", "haproxy": "deploy/haproxy/haproxy.cfg"}[kind])
    for i, port in enumerate(ports, 1):
        assert text.count(f" mlc-llm-{i}:8000") == 1
        text = text.replace(f" mlc-llm-{i}:8000", f" 127.0.0.1:{port}")
    path = place / kind
    if kind == "nginx":
        text = text.replace("listen 8080;", f"listen 127.0.0.1:{listen};").replace("/tmp/nginx", f"{place}/nginx")
        path.write_text(text)
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin") or need_tool("nginx")
        command = [program, "-c", path, "-g", "daemon off;"]
    else:
        path.write_text(text.replace("bind :8080", f"bind 127.0.0.1:{listen}"))
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin") or need_tool("haproxy")
        command = [program, "-db", "-f", path]
    url = f"http://127.0.0.1:{listen}"
    return Program(command, place / f"{kind}.log").ready(url + "/health/ready"), url


class Load:
    """Clients that ask one request after the other, half of them streaming, until stop()."""

    def __init__(self, url, clients=6):
        self.url = url
        self.stopped = threading.Event()
        self.wrong = []
        self.good = 0
        self.pool = concurrent.futures.ThreadPoolExecutor(clients)
        self.running = [self.pool.submit(self.client, stream=i % 2 == 0) for i in range(clients)]

    def client(self, stream):
        while not self.stopped.is_set():
            try:
                self.ask(stream)
                self.good += 1
            except (AssertionError, httpx.HTTPError) as e:
                self.wrong.append(repr(e))
                return

    def ask(self, stream):
        answer = httpx.post(self.url + "/v1/chat/completions", json={**STORY, "stream": stream}, timeout=120)
        assert answer.status_code == 200, answer.text
        if stream:
            events = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
            assert events[-1] == "[DONE]", answer.text[-500:]
            assert json.loads(events[-2])["choices"][0]["finish_reason"] == "length", events[-2]
        else:
            assert answer.json()["usage"]["completion_tokens"] == STORY["max_tokens"], answer.text

    def stop(self):
        self.stopped.set()
        for f in self.running:
            f.result()
        self.pool.shutdown()


def requests_logged(server):
    """The log's lines about requests for answers."""
    lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("route") == "/v1/chat/completions"]


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_a_server_drains_and_no_request_fails(kind, tmp_path):
    options = ["--threads", 1, "--mode", "server", "--log-format", "json", "--drain-delay", DRAIN_DELAY_S]
    with serve(tmp_path / "1.log", *options) as one, serve(tmp_path / "2.log", *options) as two:
        balancer, url = start_balancer(kind, tmp_path, [one.port, two.port])
        with balancer:
            # A burst limit is for one client's address; all of these have the same one.
            load = Load(url)
            wait_for(lambda: load.wrong or (requests_logged(one) and requests_logged(two)), "both servers answer")
            before = len(requests_logged(one))
            one.process.send_signal(signal.SIGTERM)
            assert one.process.wait(60) == 0
            # Now there is only the other: some more requests, on it.
            settled = load.good
            wait_for(lambda: load.wrong or load.good >= settled + 6, "the other server answers")
            load.stop()
        assert not load.wrong, load.wrong
        drained = requests_logged(one)[before:]
        assert drained, "nothing was in flight when it was told to stop"
        # A request that came as the port closed may have been turned away: the balancer gave it to the other.
        assert {r["status"] for r in drained} <= {200, 503}, drained
        assert load.good == sum(r["status"] == 200 for s in (one, two) for r in requests_logged(s))


class TwoPieces(http.server.BaseHTTPRequestHandler):
    """Sends the second event when the test has seen the first."""

    protocol_version = "HTTP/1.1"
    seen = threading.Event()

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"data: 1\n\n")
        in_time = self.seen.wait(20)
        self.wfile.write(b"data: 2\n\n" if in_time else b"data: late\n\n")
        self.close_connection = True

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


@pytest.fixture(params=["nginx", "haproxy"])
def balanced(request, tmp_path):
    """(kind, URL) of a balancer in front of two stand-ins for servers."""
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), TwoPieces) for _ in range(2)]
    for s in servers:
        threading.Thread(target=s.serve_forever, daemon=True).start()
    balancer, url = start_balancer(request.param, tmp_path, [s.server_port for s in servers])
    with balancer:
        yield request.param, url
    for s in servers:
        s.shutdown()
        s.server_close()


def test_events_pass_as_they_come(balanced):
    TwoPieces.seen.clear()
    with httpx.stream("POST", balanced[1] + "/v1/chat/completions", json=STORY, timeout=60) as answer:
        pieces = answer.iter_bytes()
        assert next(pieces) == b"data: 1\n\n"
        TwoPieces.seen.set()
        assert b"".join(pieces) == b"data: 2\n\n"


@pytest.mark.parametrize("path", ["/metrics", "/debug/dump_engine_metrics", "/tokenize", "/ui/metrics", "/"])
def test_what_is_for_operators_stays_inside(balanced, path):
    assert httpx.get(balanced[1] + path, timeout=10).status_code == 403


def test_large_bodies_and_eager_clients_are_refused(balanced):
    kind, url = balanced
    body = b'{"messages": "' + b"x" * (8 << 20) + b'"}'
    assert httpx.post(url + "/v1/chat/completions", content=body, timeout=60).status_code == 413
    with httpx.Client(base_url=url, timeout=30) as client:
        start = time.monotonic()
        codes = [client.get("/v1/models").status_code for _ in range(260)]
        seconds = time.monotonic() - start
    assert codes[0] == 200 and set(codes) == {200, 429}, f"{kind}: {len(codes)} requests in {seconds:.1f} s"


def test_both_wait_as_long_as_the_server_may_compute():
    nginx, haproxy = read("deploy/nginx/nginx.conf"), read("deploy/haproxy/haproxy.cfg")
    assert re.search(r"proxy_read_timeout\s+600s;", nginx) and re.search(r"proxy_buffering\s+off;", nginx)
    assert re.search(r"timeout server 600s", haproxy) and re.search(r"timeout client 600s", haproxy)
    assert "option httpchk GET /health/ready" in haproxy
