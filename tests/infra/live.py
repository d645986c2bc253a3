"""Real processes for the checks that need them: mlc_llm servers, Prometheus, a load balancer.

with Program(["prometheus", …], log) as p:
    wait_for(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), "Prometheus")
"""

import importlib
import os
import pathlib
import socket
import subprocess
import sys
import time

import httpx
from conftest import ROOT

BIN = os.environ.setdefault("MLC_LLM_BIN", str(ROOT / "build/release/bin/mlc_llm"))
MODEL = os.environ.setdefault("MLC_TEST_MODEL", str(ROOT / "models/demo"))
sys.path.append(str(ROOT / "tests/cli"))
Server = importlib.import_module("server").Server  # tests/cli/server.py reads the two variables above

HOME = pathlib.Path(os.environ.get("MLC_LLM_HOME") or ROOT / "build/release/test-home")
LIMIT_S = 300  # for what takes seconds: machines are busy, and the first start compiles the model


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(check, what, limit_s=LIMIT_S, every_s=0.1):
    """The first true value of check()."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(every_s)
    raise AssertionError(f"{what}: not within {limit_s} s")


def answers(url):
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def serve(log, *options, env=None):
    """A `mlc_llm serve` of the demo model that is ready."""
    server = Server(HOME, MODEL, *options, log=log, env=env)
    server.url = f"http://127.0.0.1:{server.port}"
    wait_for(lambda: answers(server.url + "/health/ready"), "mlc_llm serve")
    return server


class Program:
    """A program that runs for the length of a `with`, and ends with SIGTERM."""

    def __init__(self, command, log, cwd=None):
        self.log_path = pathlib.Path(log)
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(c) for c in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def ready(self, url):
        """Waits until `url` answers 200; fails at once when the program ends."""

        def check():
            assert self.process.poll() is None, self.log
            return answers(url)

        wait_for(check, url)
        return self
