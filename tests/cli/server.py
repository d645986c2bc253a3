"""One `mlc_llm serve` process, asked over HTTP."""

import json
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from support import BIN, LIMIT_S, environment


class Server:
    def __init__(self, home, model, *options, log, env=None):
        self.log_path = pathlib.Path(log)
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [BIN, "serve", str(model), "--host", "127.0.0.1", "--port", "0", *map(str, options)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment(home, **(env or {})),
            )
        self.port = self._wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(60)
        finally:
            self.process.kill()
        assert code == 0, self.log

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def _wait(self):
        """The port, read from the line that says where the server listens."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            if found := re.search(r"https?://[^:\s]+:(\d+)", self.log):
                return int(found.group(1))
            assert self.process.poll() is None, f"serve ended: {self.log}"
            time.sleep(0.02)
        raise AssertionError(f"serve does not come up: {self.log}")

    def request(self, path, body=None):
        """(status, parsed JSON). A `body` that is bytes is sent as it is."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read())

    def ask(self, text, **params):
        body = {"messages": [{"role": "user", "content": text}], "temperature": 0, "max_tokens": 24, **params}
        status, answer = self.request("/v1/chat/completions", body)
        assert status == 200, answer
        return answer["choices"][0]["message"]["content"]
