#!/usr/bin/env python3
"""Waits until a server on this machine is ready and prints its greedy answer: ask_server.py PORT MODEL PROMPT.

An emulated server takes its time: two minutes to start, five to answer.
"""

import json
import sys
import time
import urllib.error
import urllib.request


def main() -> None:
    """Ask once."""
    port, model, prompt = sys.argv[1:]
    base = f"http://127.0.0.1:{port}"
    deadline = time.monotonic() + 120
    while True:
        try:
            with urllib.request.urlopen(f"{base}/health", timeout=30):  # nosec B310
                break
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > deadline:
                sys.exit(f"error: no server became ready at {base}")
            time.sleep(0.5)
    body = {
        "model": model,
        "temperature": 0,
        "max_tokens": 40,
        "messages": [{"role": "user", "content": prompt}],
    }
    request = urllib.request.Request(
        f"{base}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as response:  # nosec B310
        print(json.load(response)["choices"][0]["message"]["content"])


if __name__ == "__main__":
    main()
