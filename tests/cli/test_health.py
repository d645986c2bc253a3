"""`mlc_llm health`, against the server in each of its states and against what is no server."""

import signal
import socket
import subprocess
import threading
import time

import pytest
from server import Server
from support import MODEL, error_line, ok, refused, run


@pytest.fixture
def silent():
    """A port that accepts connections and never answers."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen(8)
        yield s.getsockname()[1]


def answering(reply):
    """A port where one connection gets these bytes."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(1)

    def serve():
        connection, _ = s.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(reply)
        s.close()

    threading.Thread(target=serve, daemon=True).start()
    return s.getsockname()[1]


def test_ready_then_draining(home, tmp_path):
    with Server(home, MODEL, "--drain-delay", 3, log=tmp_path / "log") as server:
        assert server.ask("Hi")
        url = f"http://127.0.0.1:{server.port}"
        assert ok(home, "health", "--url", url).out == f"{url}/health/ready answers 200\n"
        # The port that the environment gives the server is the one that is asked.
        assert ok(home, "health", env={"MLC_LLM_SERVE_PORT": server.port}).out == f"{url}/health/ready answers 200\n"
        assert ok(home, "health", env={"MLC_LLM_HEALTH_URL": url + "/health/live"}).out.endswith(
            "/health/live answers 200\n"
        )
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        refused(home, "health", "--url", url, says=["answers 503", "/health/ready"])


def test_over_tls(home, tmp_path):
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=chat.example"]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    with Server(home, MODEL, "--ssl-cert", cert, "--ssl-key", key, log=tmp_path / "log") as server:
        deadline = time.monotonic() + 120
        while run(home, "health", "--url", f"https://127.0.0.1:{server.port}").code and time.monotonic() < deadline:
            time.sleep(0.1)
        env = {"MLC_LLM_SERVE_PORT": server.port, "MLC_LLM_SERVE_SSL_CERT": cert}
        assert ok(home, "health", env=env).out == f"https://127.0.0.1:{server.port}/health/ready answers 200\n"
        refused(home, "health", "--url", f"http://127.0.0.1:{server.port}", says="does not answer")


def test_nobody_there(home):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    refused(home, "health", "--url", f"http://127.0.0.1:{port}", says=["does not answer", "refused"])
    refused(home, "health", "--url", "http://no-such-host.invalid:80", says="does not answer")


def test_it_waits_no_longer_than_told(home, silent):
    begin = time.monotonic()
    refused(home, "health", "--url", f"http://127.0.0.1:{silent}", "--timeout", 0.5, says="within 0.5 s")
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    "reply, says",
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nno\nx", "answers 404: no x"),
        (b"\x00\xff\xfe nonsense\r\n\r\n", "does not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "does not answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "does not answer"),
        (b"", "does not answer"),
    ],
)
def test_other_answers_are_no_health(home, reply, says):
    refused(home, "health", "--url", f"http://127.0.0.1:{answering(reply)}", says=says)


@pytest.mark.parametrize(
    "url", ["", "localhost:8000", "ftp://h/x", "http://", "http://h:port", "http://h:123456", "http://h:1/a b"]
)
def test_urls_that_are_none(home, url):
    if url:
        refused(home, "health", "--url", url, says=["--url", "expected http://HOST:PORT"])
    assert run(home, "health", "--timeout", 0).code == 2


def test_body_that_is_no_text_stays_one_line(home):
    port = answering(b"HTTP/1.1 503 X\r\nContent-Length: 6\r\n\r\n\r\n\r\n\x80\x81")
    line = error_line(run(home, "health", "--url", f"http://127.0.0.1:{port}"))
    assert line.rstrip().endswith("answers 503:") and line.isascii()
