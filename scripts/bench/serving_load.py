#!/usr/bin/env python3
"""Load on this server and on llama.cpp's with the same weights, one after the other, several times.

  scripts/bench/random_model.py qwen2.5_0.5b DIR
  mlc_llm export DIR --type q4_0 -o FILE.gguf
  scripts/bench/serving_load.py DIR FILE.gguf [--peer llama-server] [--streams 1,4,8,16,64] [--runs 3] [--json OUT]

Each measurement is a fresh server and `mlc_llm bench serve`: 200-token prompts that share nothing, 64 tokens out,
greedy. llama-server gets a slot for each stream and context for all of them, its other settings are its own; ours runs
with --mode server. Prints medians over the runs: tokens generated per second, and times in milliseconds.
"""

import argparse
import contextlib
import json
import pathlib
import shlex
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

PROGRAM = pathlib.Path(__file__).resolve().parents[2] / "build" / "release" / "bin" / "mlc_llm"
FIGURES = ("tokens/s", "TTFT p50", "TTFT p99", "ITL p50", "ITL p99")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def running(command, port, log):
    with subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            for _ in range(1200):
                if process.poll() is not None:
                    raise SystemExit(f"{command[0]} ended with code {process.returncode}; see {log.name}")
                with contextlib.suppress(urllib.error.URLError, OSError):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:  # nosec B310
                        if answer.status == 200:
                            break
                time.sleep(0.1)
            else:
                raise SystemExit(f"{command[0]} was not ready within two minutes; see {log.name}")
            yield
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def measure(server, streams, requests, args, port):
    log = pathlib.Path(tempfile.gettempdir()) / f"serving-load-{server}.log"
    if server == "ours":
        command = [str(PROGRAM), "serve", args.model, "--mode", "server"]
    else:
        command = [*shlex.split(args.peer), "-m", args.gguf, "-np", str(streams), "-c", str(512 * streams)]
    command += ["--port", str(port), "--threads", str(args.threads)]
    load = [str(PROGRAM), "bench", "serve", "--base-url", f"http://127.0.0.1:{port}", "--endpoint", "completions"]
    load += ["--concurrency", str(streams), "--num-requests", str(requests), "--json", "-"]
    load += ["--input-tokens", str(args.input_tokens), "--output-tokens", "64", "--seed", str(args.seed)]
    with log.open("w") as sink, running(command, port, sink):
        done = subprocess.run(load, stdout=subprocess.PIPE, check=True, text=True)
    return json.loads(done.stdout)


def figures(report):
    level = report["levels"][0]
    if level["errors"]:
        raise SystemExit(f"requests failed: {level['errors']}")
    ttft, itl = level["ttft_ms"], level["itl_ms"]
    return (level["output_tokens_per_s"], ttft["p50"], ttft["p99"], itl["p50"], itl["p99"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="Hugging Face directory")
    parser.add_argument("gguf", help="the same model for the peer")
    parser.add_argument("--peer", default="llama-server", help="command that starts the peer")
    parser.add_argument("--streams", default="1,4,8,16,64")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--turns", type=int, default=2, help="requests of each stream, one after the other")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--input-tokens", type=int, default=240, help="what is asked for; random words merge: about 200"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", help="write every measurement here")
    args = parser.parse_args()
    results = []
    print(f"{'streams':>7} {'server':>7} " + " ".join(f"{f:>9}" for f in FIGURES) + "   lowest and highest tokens/s")
    for streams in map(int, args.streams.split(",")):
        rows: dict[str, list[tuple[float, ...]]] = {"peer": [], "ours": []}
        for run in range(args.runs):
            for server, seen in rows.items():
                report = measure(server, streams, max(4, args.turns * streams), args, free_port())
                results.append({"server": server, "streams": streams, "run": run, "report": report})
                if args.json:
                    pathlib.Path(args.json).write_text(json.dumps(results, indent=1))
                seen.append(figures(report))
        for server, seen in rows.items():
            medians = [statistics.median(r[i] for r in seen) for i in range(len(FIGURES))]
            rates = sorted(r[0] for r in seen)
            numbers = " ".join(f"{m:9.1f}" for m in medians)
            print(f"{streams:7} {server:>7} {numbers}   {rates[0]:.1f} to {rates[-1]:.1f}", flush=True)
        ratio = statistics.median(r[0] for r in rows["ours"]) / statistics.median(r[0] for r in rows["peer"])
        print(f"{streams:7} {'ratio':>7} {ratio:9.2f}", flush=True)


if __name__ == "__main__":
    main()
