#!/usr/bin/env python3
"""A proxy in front of `mlc_llm serve` that checks every answer and every stream event on its way to the client.

In Python tests it runs as a thread:

    with ValidatingProxy("127.0.0.1", server.port) as proxy:
        openai.OpenAI(base_url=proxy.url + "/v1", ...)
        proxy.take_failures()       # [] unless something did not fit OpenAI's description

For clients in other languages it is a program. It prints its port; GET /__validated tells what it has seen:

    validating_proxy.py --upstream 127.0.0.1:8000
    {"checked": {"POST /v1/chat/completions": 3, "POST /v1/chat/completions (event)": 40}, "failures": []}

Requests and answers pass unchanged; events pass one by one. What OpenAI does not describe (/health, Anthropic's
/v1/messages, ...) is passed on and counted under "other". When the client leaves, so does the proxy.
"""

import argparse
import collections
import http.client
import http.server
import json
import threading

import schemas

_OWN_PATH = "/__validated"
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}
_OWN_ERRORS = ("/v1/messages", "/health", "/v2/health")  # these have other error bodies than OpenAI's


class Findings:
    """What was checked, and what did not fit. Any thread."""

    def __init__(self):
        self._lock = threading.Lock()
        self.checked = collections.Counter()
        self.other = collections.Counter()
        self.requests = []  # (path, JSON body) as clients sent them
        self._failures = []

    def add(self, what, is_described):
        with self._lock:
            (self.checked if is_described else self.other)[what] += 1

    def fail(self, what, why):
        with self._lock:
            self.checked[what] += 1
            self._failures.append(f"{what}: {why}")

    def take_failures(self):
        with self._lock:
            failures, self._failures = self._failures, []
        return failures

    def json(self):
        with self._lock:
            return {"checked": self.checked, "other": self.other, "failures": list(self._failures)}


class EventReader:
    """Checks server-sent events that arrive in pieces."""

    def __init__(self, findings, method, path):
        self._findings, self._method, self._path = findings, method, path
        self._rest = b""
        self.last = None  # data of the last event

    def feed(self, piece):
        *events, self._rest = (self._rest + piece).split(b"\n\n")
        for event in events:
            self._event(event.decode())

    def end(self):
        what = f"{self._method} {self._path} (event)"
        if self._rest:
            self._findings.fail(what, f"the stream ends within an event: {self._rest[:200]!r}")
        elif self._path.endswith("/completions") and self.last != "[DONE]":
            self._findings.fail(what, f"the stream does not end with [DONE] but with {self.last!r}")

    def _event(self, text):
        fields = [line.split(": ", 1) for line in text.split("\n") if not line.startswith(":")]
        if not fields:
            return  # a comment
        names = dict(fields)
        self.last = names.get("data")
        if self.last == "[DONE]":
            return
        what = f"{self._method} {self._path} (event)"
        try:
            event = json.loads(self.last)
            described = schemas.check_event(self._method, self._path, event)
            if "event" in names and names["event"] != event["type"]:
                raise schemas.Invalid(f"it is called {names['event']}, its type is {event['type']}")
            self._findings.add(what, described)
        except (schemas.Invalid, ValueError, TypeError) as e:
            self._findings.fail(what, f"{e}\n  in {text[:1000]}")


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    upstream = ("", 0)
    findings = None

    def log_message(self, *args):
        pass

    def do_GET(self):
        if self.path == _OWN_PATH:
            self._reply(200, [("Content-Type", "application/json")], json.dumps(self.findings.json()).encode())
        else:
            self._forward()

    def do_POST(self):
        self._forward()

    def _forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._remember(body)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _HOP_BY_HOP}
        connection = http.client.HTTPConnection(*self.upstream, timeout=600)
        try:
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            kept = [(k, v) for k, v in answer.getheaders() if k.lower() not in _HOP_BY_HOP]
            if answer.getheader("Content-Type", "").startswith("text/event-stream"):
                self._stream(answer, kept)
            else:
                content = answer.read()
                self._check(answer, content)
                self._reply(answer.status, kept, content)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has left, or the server has dropped the request
        finally:
            connection.close()

    def _remember(self, body):
        try:
            self.findings.requests.append((self.path, json.loads(body)))
        except ValueError:
            pass  # no JSON: nothing to look at

    def _reply(self, status, headers, content):
        self.send_response_only(status)
        for name, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, answer, headers):
        self.send_response_only(answer.status)
        for name, value in [*headers, ("Transfer-Encoding", "chunked")]:
            self.send_header(name, value)
        self.end_headers()
        reader = EventReader(self.findings, self.command, self.path)
        while piece := answer.read1(65536):
            reader.feed(piece)
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        reader.end()
        self.wfile.write(b"0\r\n\r\n")

    def _check(self, answer, content):
        what = f"{self.command} {self.path}" if answer.status < 400 else f"error {answer.status}"
        if answer.status >= 400 and self.path.startswith(_OWN_ERRORS):
            self.findings.add(what, False)
            return
        if not answer.getheader("Content-Type", "").startswith("application/json"):
            self.findings.add(what, False)
            return
        try:
            described = schemas.check_answer(self.command, self.path, answer.status, json.loads(content))
            self.findings.add(what, described)
        except (schemas.Invalid, ValueError) as e:
            self.findings.fail(what, f"{e}\n  in {content[:1000]!r}")


class ValidatingProxy:
    """Listens on a free port of the loopback, one thread per connection."""

    def __init__(self, host, port):
        self.findings = Findings()
        handler = type("Handler", (_Handler,), {"upstream": (host, port), "findings": self.findings})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def port(self):
        return self._server.server_address[1]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def serve_forever(self):
        self._server.serve_forever(poll_interval=0.05)

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--upstream", required=True, metavar="HOST:PORT", help="where mlc_llm serve listens")
    args = parser.parse_args()
    if not schemas.available():
        parser.exit(3, schemas.MISSING + "\n")
    host, port = args.upstream.rsplit(":", 1)
    proxy = ValidatingProxy(host, int(port))
    print(proxy.port, flush=True)
    proxy.serve_forever()


if __name__ == "__main__":
    main()
