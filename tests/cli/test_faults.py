"""What clients and machines do wrong: nothing is lost, and the server answers after."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from server import Server
from support import BIN, LIMIT_S, MODEL, environment

CHAT = "/v1/chat/completions"
ENDLESS = {
    "messages": [{"role": "user", "content": "Tell me a story"}],
    "stream": True,
    "ignore_eos": True,
    "max_tokens": 900,
}

# Opens N streams, reads a little of each, says so, and waits to be killed.
CLIENT = """
import json, socket, sys
port, n, body = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode()
head = b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n"
sockets = []
for _ in range(n):
    s = socket.create_connection(("127.0.0.1", port))
    s.sendall(head % len(body) + body)
    sockets.append(s)
for s in sockets:
    s.recv(100)
print("reading", flush=True)
sys.stdin.read()
"""


def post(body, length=None):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    return head.encode() + f"Content-Length: {length or len(data)}\r\n\r\n".encode() + data


def connect(server):
    s = socket.create_connection(("127.0.0.1", server.port), timeout=LIMIT_S)
    return s


def status_of(s):
    line = s.makefile("rb").readline()
    return int(line.split()[1]) if line else None


def stats(server):
    return next(iter(server.request("/health")[1]["models"].values()))


def assert_recovers(server, expected):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        s = stats(server)
        if s["running"] == 0 and s["waiting"] == 0:
            break
        time.sleep(0.05)
    assert (s["running"], s["waiting"]) == (0, 0)
    assert s["kv_pages_free"] <= s["kv_pages_total"]
    assert server.ask("Once upon a time") == expected


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    place = tmp_path_factory.mktemp("faults")
    with Server(place / "home", MODEL, log=place / "log") as server:
        server.expected = server.ask("Once upon a time")
        yield server


def test_two_hundred_clients_are_killed_in_the_middle(server):
    clients = [
        subprocess.Popen([sys.executable, "-c", CLIENT, str(server.port), "50", json.dumps(ENDLESS)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]  # fmt: skip
    try:
        for c in clients[:2]:
            assert c.stdout.readline() == b"reading\n"
    finally:
        for c in clients:
            c.send_signal(signal.SIGKILL)
            c.wait()
    assert_recovers(server, server.expected)


def test_clients_that_do_not_read_hinder_nobody(server):
    sockets = []
    for _ in range(20):
        s = socket.socket()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        s.connect(("127.0.0.1", server.port))
        s.sendall(post(ENDLESS))
        sockets.append(s)
    assert server.ask("Once upon a time") == server.expected
    for s in sockets:
        s.close()
    assert_recovers(server, server.expected)


def test_half_sent_requests(server):
    whole = post(ENDLESS)
    sockets = [connect(server) for _ in range(200)]
    for i, s in enumerate(sockets):
        s.sendall(whole[: 1 + i * (len(whole) - 2) // len(sockets)])
    assert server.ask("Once upon a time") == server.expected
    for s in sockets:
        s.close()
    assert_recovers(server, server.expected)


@pytest.mark.parametrize(
    "body, status",
    [
        (b'{"messages": "' + b"x" * (10 << 20) + b'"}', 413),
        (b"[" * 100_000, 400),
        (b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400),
        (b'{"messages": [{"role": "user", "content": "\xff\xfe\xc0"}]}', 400),
        (b'{"messages": [{"role": "user", "content": "\\ud800"}]}', 400),
        (b"\x00" * 1000, 400),
        (b'{"messages": [{"role": "user", "content": "' + b"word " * 100_000 + b'"}]}', 400),
    ],
)
def test_bodies_that_no_client_should_send(server, body, status):
    with connect(server) as s:
        try:
            s.sendall(post(body))
        except OSError:
            pass  # refused before all of it was read
        assert status_of(s) == status
    assert server.ask("Once upon a time") == server.expected


def test_five_thousand_requests_against_a_short_queue(home, tmp_path):
    with Server(home, MODEL, "--max-concurrent", "64", log=tmp_path / "log") as server:
        expected = server.ask("Once upon a time")
        request = post({"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 16, "ignore_eos": True})
        codes = []

        def client():
            for _ in range(50):
                with connect(server) as s:
                    s.sendall(request)
                    codes.append(status_of(s))

        threads = [threading.Thread(target=client) for _ in range(100)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert len(codes) == 5000 and set(codes) <= {200, 429} and 200 in codes and 429 in codes
        assert_recovers(server, expected)


def test_long_requests_share_a_small_pool(home, tmp_path):
    """64 pages of 16 tokens under 32 requests of which each wants up to a third of them."""
    flags = ("--overrides", "max_total_seq_length=1024;max_num_sequence=8")
    words = "Once upon a time there was a little fox who lived in the forest. " * 8
    with Server(home, MODEL, *flags, log=tmp_path / "log") as server:
        assert stats(server)["kv_pages_total"] == 64
        body = {"prompt": words, "max_tokens": 200, "ignore_eos": True, "temperature": 0}
        alone = server.request("/v1/completions", body)[1]["choices"][0]
        answers = []
        threads = [
            threading.Thread(target=lambda: answers.append(server.request("/v1/completions", body))) for _ in range(32)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert [status for status, _ in answers] == [200] * 32
        assert {a["choices"][0]["text"] for _, a in answers} == {alone["text"]}
        assert {a["usage"]["completion_tokens"] for _, a in answers} == {200}
        assert "mlc_num_preemptions_total" in server_metrics(server)


def server_metrics(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=LIMIT_S) as answer:
        return answer.read().decode()


def test_sigterm_under_load_ends_every_answer_properly(home, tmp_path):
    with Server(home, MODEL, "--shutdown-timeout", "1", log=tmp_path / "log") as server:
        sockets = [connect(server) for _ in range(40)]
        for s in sockets:
            s.sendall(post(ENDLESS))
        first = [s.recv(10) for s in sockets]  # all of them are in: each has its first event, running or not
        assert all(first)
        server.process.send_signal(signal.SIGTERM)
        ends = []
        for s in sockets:
            text = b""
            while piece := s.recv(1 << 16):
                text += piece
            ends.append(text)
        assert server.process.wait(60) == 0
        for text in ends:
            assert text.endswith(b"0\r\n\r\n")
            assert b"data: [DONE]" in text or b"shutting down" in text


def test_a_full_disk_under_the_cache(tmp_path):
    """Files can grow to 64 KB only, which is how a full disk looks to a writer."""

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))

    home = tmp_path / "home"
    run = subprocess.run([BIN, "chat", str(MODEL), "--prompt", "Hi"], preexec_fn=limit, capture_output=True, text=True,
                         env=environment(home), timeout=LIMIT_S, check=False)  # fmt: skip
    assert run.returncode == 1, run.stderr
    errors = [line for line in run.stderr.splitlines() if line.startswith("error: ")]  # gcov has lines of its own
    assert len(errors) == 1 and str(home) in errors[0], run.stderr
    assert "too large" in errors[0] or "No space" in errors[0]
    # With room again, what was left behind does no harm.
    again = subprocess.run([BIN, "chat", str(MODEL), "--prompt", "Hi"], capture_output=True, text=True,
                           env=environment(home), timeout=LIMIT_S, check=False)  # fmt: skip
    assert again.returncode == 0 and again.stdout.strip(), again.stderr


def test_a_thousand_idle_streams_cost_no_thread_each(home, tmp_path):
    with Server(home, MODEL, "--max-concurrent", "2000", log=tmp_path / "log") as server:
        server.ask("Hi")
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))

        def threads():
            return len(os.listdir(f"/proc/{server.process.pid}/task"))

        before = threads()
        sockets = [connect(server) for _ in range(1000)]
        for s in sockets:
            s.sendall(post(ENDLESS))
        assert sockets[0].recv(10)
        assert threads() == before
        for s in sockets:
            s.close()
        assert_recovers(server, server.ask("Once upon a time"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
