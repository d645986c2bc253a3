"""A hub of models on this machine: Hugging Face's API as far as downloads use it, and its faults on request.

Small files come from the hub itself, large ones (Git LFS) by a redirect to a second server, the "CDN".
"""

import hashlib
import http.server
import json
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = 1_000_000  # bytes from which a file is in Git LFS
REPO = "tiny-org/tiny"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    hub = None
    is_cdn = False


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.hub.answer(self)

    def reply(self, status, body=b"", headers=(), announced=None):
        """`announced`: a length that the body does not have, after which the connection is cut."""
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)
        if announced is not None:
            self.wfile.flush()
            self.close_connection = True


class FakeHub:
    """`files`: {path: bytes}. `token`: what the repository asks for. `faults`: functions (handler, path) -> bool that
    answer in the place of the hub; each is asked until it says False."""

    def __init__(self, files, token=None):
        self.files, self.token, self.commit = dict(files), token, COMMIT
        self.requests, self.tokens, self.faults, self.lock = [], [], [], threading.Lock()
        self.ranges = True
        self.servers = [Server(("127.0.0.1", 0), Handler) for _ in range(2)]
        self.servers[1].is_cdn = True
        for server in self.servers:
            server.hub = self
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.servers[0].server_port}"

    @property
    def cdn(self):
        return f"http://127.0.0.1:{self.servers[1].server_port}"

    def environment(self, **more):
        return {
            "HF_ENDPOINT": self.endpoint,
            "no_proxy": "*",
            "HF_HOME": "/nonexistent",
            "HF_HUB_DOWNLOAD_TIMEOUT": 3,
            **more,
        }

    def count(self, part):
        return sum(part in path for path in self.requests)

    # ------------------------------------------------------------------------------------------------- answers

    def answer(self, handler):
        path = urllib.parse.unquote(handler.path)
        with self.lock:
            self.requests.append(path)
            if handler.headers.get("Authorization"):
                self.tokens.append((handler.server.is_cdn, handler.headers["Authorization"]))
        for fault in list(self.faults):
            if fault(handler, path):
                return None
        if handler.server.is_cdn:
            return self.send_file(handler, self.files[path[1:]])
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            return handler.reply(401, b'{"error": "Invalid username or password."}')
        if path.startswith("/api/models/"):
            return self.describe(handler, path)
        return self.resolve(handler, path)

    def describe(self, handler, path):
        if not path.startswith(f"/api/models/{REPO}/revision/"):
            return handler.reply(404, b"{}", [("X-Error-Code", "RepoNotFound")])
        revision = path.rsplit("/revision/", 1)[1].split("?")[0]
        if revision not in ("main", "v2", "refs/pr/1", self.commit):
            return handler.reply(404, b"{}", [("X-Error-Code", "RevisionNotFound")])
        siblings = [self.entry(name, data) for name, data in self.files.items()]
        body = {"id": REPO, "sha": self.commit, "siblings": siblings}
        return handler.reply(200, json.dumps(body).encode(), [("Content-Type", "application/json")])

    def entry(self, name, data):
        blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
        entry = {"rfilename": name, "size": len(data), "blobId": blob}
        if len(data) >= LARGE:
            entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 132}
        return entry

    def resolve(self, handler, path):
        prefix = f"/{REPO}/resolve/{self.commit}/"
        name = path.removeprefix(prefix)
        if not path.startswith(prefix) or name not in self.files:
            return handler.reply(404, b"", [("X-Error-Code", "EntryNotFound")])
        data = self.files[name]
        if len(data) >= LARGE:
            return handler.reply(302, b"", [("Location", f"{self.cdn}/{urllib.parse.quote(name)}")])
        return self.send_file(handler, data)

    def send_file(self, handler, data, cut=None):
        """`cut`: end the connection after so many bytes."""
        first, status, headers = 0, 200, [("ETag", f'"{hashlib.sha256(data).hexdigest()}"')]
        asked = handler.headers.get("Range")
        if asked and self.ranges:
            first = int(asked.removeprefix("bytes=").rstrip("-"))
            if first >= len(data):
                return handler.reply(416)
            status = 206
            headers.append(("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}"))
        rest = data[first:]
        return handler.reply(status, rest if cut is None else rest[:cut], headers, None if cut is None else len(rest))

    # -------------------------------------------------------------------------------------------------- faults

    def fault(self, part, times, act):
        """The first `times` requests whose path has `part` are answered by act(handler, path)."""
        left = [times]

        def maybe(handler, path):
            with self.lock:
                if part not in path or left[0] == 0:
                    return False
                left[0] -= 1
            act(handler, path)
            return True

        self.faults.append(maybe)

    def fail(self, part, times, status, *headers):
        self.fault(part, times, lambda handler, _: handler.reply(status, b"no", headers))

    def stall(self, part, times, seconds):
        def act(handler, path):
            handler.reply(200, b"x", announced=1000)
            time.sleep(seconds)

        self.fault(part, times, act)
