#!/usr/bin/env python3
"""An hour of mixed random load on one server, and the curve of its memory.

  scripts/soak.py --seconds 3600 --out build/soak            or: make soak SOAK_SECONDS=3600

Starts `mlc_llm serve` on a free port of the loopback interface and keeps eight clients busy with what production sees:
chats and completions, streamed and whole, clients that leave in the middle, several choices, JSON schemas, tools,
embeddings, token counts, wrong bodies and half-sent requests. Every answer is checked for its status and form; the
same greedy question must give the same text from the first minute to the last. Every five seconds the server's resident
memory, threads and open files are written down.

Fails if an answer was wrong, if anything is still running or lost at the end, or if memory grew: the median of the
last quarter may not exceed that of the second quarter by more than 5% or 8 MB (the first quarter fills caches).
Leaves soak.csv and soak.svg in --out.
"""

# pylint: disable=line-too-long,consider-using-with,too-many-statements  # one drawing, one server, one run
import argparse
import collections
import csv
import http.client
import json
import os
import pathlib
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CLIENTS = 8
STEADY = {"messages": [{"role": "user", "content": "Tell me a story about a fox"}], "temperature": 0, "max_tokens": 40}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}
WORDS = "a the fox bear moon river little house night went saw said friend tree story small big happy cold".split()


class Failure(Exception):
    pass


class Client:
    """One caller's requests; each method is one kind of load."""

    def __init__(self, port, seed, steady_text):
        self.port, self.random, self.steady_text = port, random.Random(seed), steady_text  # nosec B311
        self.counts: collections.Counter[str] = collections.Counter()

    def text(self, most=200):
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, most)))

    def open(self, path, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request("POST", path, data, {"Content-Type": "application/json"})
        return connection, connection.getresponse()

    def ask(self, path, body, expect=200):
        connection, response = self.open(path, body)
        try:
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != expect:
            raise Failure(f"{path}: status {response.status} instead of {expect}: {json.dumps(answer)[:300]}")
        return answer

    def chat_body(self, **extra):
        body = {"messages": [{"role": "user", "content": self.text()}], "max_tokens": self.random.randint(1, 120)}
        return {
            **body,
            "temperature": self.random.choice([0, 0.7, 1.2]),
            "seed": self.random.randrange(1 << 30),
            **extra,
        }

    # The kinds of load.
    def steady(self):
        text = self.ask("/v1/chat/completions", STEADY)["choices"][0]["message"]["content"]
        if text != self.steady_text:
            raise Failure(f"the same greedy question gave another text: {text!r}")

    def whole_chat(self):
        self.ask("/v1/chat/completions", self.chat_body(n=self.random.choice([1, 1, 1, 3])))

    def completion(self):
        self.ask("/v1/completions", {"prompt": self.text(), "max_tokens": 30, "logprobs": 2, "echo": True})

    def streamed(self):
        connection, response = self.open("/v1/chat/completions", self.chat_body(stream=True))
        data = response.read().decode()
        connection.close()
        if response.status != 200 or not data.rstrip().endswith("data: [DONE]"):
            raise Failure(f"a stream ended with {data[-200:]!r}")

    def leaves(self):
        connection, response = self.open("/v1/chat/completions", self.chat_body(stream=True, max_tokens=800))
        response.read(self.random.randint(1, 3000))
        connection.close()

    def schema(self):
        form = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
        body = self.chat_body(response_format=form, max_tokens=100)
        choice = self.ask("/v1/chat/completions", body)["choices"][0]
        if choice["finish_reason"] == "stop" and set(json.loads(choice["message"]["content"])) != {"name", "age"}:
            raise Failure(f"not of the schema: {choice}")

    def fresh_schema(self):
        name = f"k{self.random.randrange(1 << 20)}"
        form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {
            "type": "object", "properties": {name: {"type": "boolean"}}, "required": [name]}}}  # fmt: skip
        self.ask("/v1/chat/completions", self.chat_body(response_format=form, max_tokens=20))

    def tools(self):
        self.ask("/v1/chat/completions", self.chat_body(tools=[TOOL], max_tokens=40))

    def responses(self):
        self.ask("/v1/responses", {"input": self.text(50), "max_output_tokens": 30})

    def messages(self):
        self.ask("/v1/messages", {"messages": [{"role": "user", "content": self.text(50)}], "max_tokens": 30})

    def embedding(self):
        self.ask("/v1/embeddings", {"input": [self.text(40), self.text(40)]})

    def tokenize(self):
        self.ask("/tokenize", {"prompt": self.text(1000)})

    def wrong(self):
        body = self.random.choice([b"{", b"\xff\xfe", b"[" * 5000, json.dumps({"messages": 3}).encode()])
        self.ask("/v1/chat/completions", body, expect=400)

    def half(self):
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(b'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{"messages"')
            time.sleep(self.random.random() / 10)

    def run(self, deadline):
        kinds = [self.steady, self.whole_chat, self.completion, self.streamed, self.streamed, self.leaves, self.leaves,
                 self.schema, self.fresh_schema, self.tools, self.responses, self.messages, self.embedding,
                 self.tokenize, self.wrong, self.half]  # fmt: skip
        while time.monotonic() < deadline:
            kind = self.random.choice(kinds)
            kind()
            self.counts[kind.__name__] += 1
            if self.random.random() < 0.02:
                time.sleep(self.random.random() * 2)


def sample(pid):
    """(resident bytes, threads, open files)"""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    values = dict(re.findall(r"^(\w+):\s+(\d+)", status, re.MULTILINE))
    return int(values["VmRSS"]) * 1024, int(values["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))


def start(program, model, log):
    with open(log, "wb") as out:
        process = subprocess.Popen(
            [program, "serve", model, "--host", "127.0.0.1", "--port", "0"], stdout=out, stderr=out
        )
    for _ in range(600):
        if found := re.search(r"https?://[^:\s]+:(\d+)", log.read_text(errors="replace")):
            return process, int(found.group(1))
        if process.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit(f"the server does not come up: {log.read_text(errors='replace')}")


def draw(rows, path):
    """The curve of resident memory over time."""
    width, height, left, bottom = 900, 320, 70, 40
    end = max(rows[-1][0], 1)
    top = max(r[1] for r in rows) * 1.1
    points = " ".join(
        f"{left + r[0] / end * (width - left - 10):.1f},{(height - bottom) * (1 - r[1] / top) + 5:.1f}" for r in rows
    )
    labels = "".join(
        f'<text x="{left - 8}" y="{(height - bottom) * (1 - i / 4) + 9:.0f}" text-anchor="end">{top * i / 4 / 1e6:.0f} MB</text>'
        for i in range(5)
    ) + "".join(
        f'<text x="{left + i / 6 * (width - left - 10):.0f}" y="{height - 12}" text-anchor="middle">{end * i / 360:.0f} min</text>'
        for i in range(7)
    )
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">'
        f'<rect width="100%" height="100%" fill="white"/>{labels}'
        f'<polyline fill="none" stroke="#2563eb" stroke-width="1.5" points="{points}"/></svg>\n'
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "build" / "soak")
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "bin" / "mlc_llm"))
    parser.add_argument("--model", default=str(ROOT / "models" / "demo"))
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    process, port = start(args.program, args.model, args.out / "server.log")
    failures, lock = [], threading.Lock()
    try:
        steady_text = Client(port, 0, "").ask("/v1/chat/completions", STEADY)["choices"][0]["message"]["content"]
        deadline = time.monotonic() + args.seconds
        clients = [Client(port, args.seed * 1000 + i, steady_text) for i in range(CLIENTS)]

        def work(client):
            while time.monotonic() < deadline:
                try:
                    client.run(deadline)
                except (Failure, OSError, ValueError, KeyError, http.client.HTTPException) as e:
                    with lock:
                        failures.append(f"{type(e).__name__}: {e}")
                    if len(failures) > 20:
                        return

        threads = [threading.Thread(target=work, args=(c,)) for c in clients]
        for t in threads:
            t.start()
        rows, begun = [], time.monotonic()
        while any(t.is_alive() for t in threads):
            rows.append((time.monotonic() - begun, *sample(process.pid)))
            if len(rows) % 12 == 1:
                done = sum(sum(c.counts.values()) for c in clients)
                print(f"{rows[-1][0]:6.0f} s  {rows[-1][1] / 1e6:7.1f} MB  {rows[-1][2]} threads  {rows[-1][3]} files  "
                      f"{done} requests  {len(failures)} failures", flush=True)  # fmt: skip
            time.sleep(min(5, max(0.1, args.seconds / 100)))
        time.sleep(2)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/health")
        left = next(iter(json.loads(connection.getresponse().read())["models"].values()))
        connection.close()
        if left["running"] or left["waiting"]:
            failures.append(f"still running at the end: {left}")
        Client(port, 0, steady_text).steady()
        rows.append((time.monotonic() - begun, *sample(process.pid)))
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    if code != 0:
        failures.append(f"the server ended with {code}")

    with open(args.out / "soak.csv", "w", newline="", encoding="utf-8") as table:
        csv.writer(table).writerows([("seconds", "resident_bytes", "threads", "open_files"), *rows])
    draw(rows, args.out / "soak.svg")
    quarter = len(rows) // 4
    early = statistics.median(r[1] for r in rows[quarter : 2 * quarter])
    late = statistics.median(r[1] for r in rows[3 * quarter :])
    total = sum((c.counts for c in clients), collections.Counter())
    print("requests:", ", ".join(f"{k} {n}" for k, n in sorted(total.items())))
    print(f"resident memory: median of the second quarter {early / 1e6:.1f} MB, of the last {late / 1e6:.1f} MB; "
          f"threads {min(r[2] for r in rows)} to {max(r[2] for r in rows)}, files at the end {rows[-1][3]}")  # fmt: skip
    if late > early * 1.05 and late > early + 8e6:
        failures.append("memory grew")
    for f in failures[:20]:
        print("FAILED:", f)
    print(f"{sum(total.values())} requests, {len(failures)} failures; {args.out}/soak.svg")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
