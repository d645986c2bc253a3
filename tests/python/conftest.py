"""Starts one `mlc_llm serve` for all tests: the program is $MLC_LLM_BIN, the model directory $MLC_TEST_MODEL.

Clients reach it through a proxy that checks all answers against OpenAI's description (validating_proxy.py), where that
is at hand: a test fails when one of its answers does not fit.
"""

import os
import pathlib
import signal
import socket
import subprocess
import time

import httpx
import openai
import pytest
import schemas
from validating_proxy import ValidatingProxy

START_LIMIT_S = 600  # the first start compiles the model


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """A running `mlc_llm serve`, and how to reach it."""

    def __init__(self, log_path, *options, port=None):
        self.port = port or free_port()
        self.log_path = log_path
        command = [os.environ["MLC_LLM_BIN"], "serve", os.environ["MLC_TEST_MODEL"]]
        command += ["--host", "127.0.0.1", "--port", str(self.port), *options]
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def wait_until_ready(self):
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                pytest.fail(f"mlc_llm serve ended with {self.process.returncode}:\n{self.log()}")
            try:
                if httpx.get(self.url + "/health", timeout=5).status_code == 200:
                    return self
            except httpx.TransportError:
                time.sleep(0.1)
        raise TimeoutError(f"no answer from mlc_llm serve after {START_LIMIT_S} s:\n{self.log()}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def engine_stats(self):
        """The engine's counts of the only model: running, waiting, kv_pages_free, kv_pages_total."""
        return next(iter(httpx.get(self.url + "/health").json()["models"].values()))


@pytest.fixture(scope="session", autouse=True)
def environment():
    for name in ("MLC_LLM_BIN", "MLC_TEST_MODEL"):
        if name not in os.environ:
            pytest.skip(f"${name} is not set; see run.sh", allow_module_level=True)


@pytest.fixture(scope="session")
def server(environment, tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("server") / "log.txt").wait_until_ready()
    yield running
    assert running.stop() == 0, running.log()


@pytest.fixture(scope="session")
def proxy(server):
    """None where OpenAI's description is not at hand."""
    if not schemas.available():
        yield None
        return
    with ValidatingProxy("127.0.0.1", server.port) as running:
        yield running


@pytest.fixture(scope="session")
def url(server, proxy):
    return proxy.url if proxy else server.url


@pytest.fixture(autouse=True)
def answers_fit_openais_description(proxy):
    yield
    if proxy:
        assert proxy.findings.take_failures() == []


@pytest.fixture(scope="session")
def client(url):
    return openai.OpenAI(base_url=url + "/v1", api_key="none", max_retries=0, timeout=300)


@pytest.fixture(scope="session")
def http(url):
    with httpx.Client(base_url=url, timeout=300) as c:
        yield c


@pytest.fixture(scope="session")
def model(client):
    return client.models.list().data[0].id
