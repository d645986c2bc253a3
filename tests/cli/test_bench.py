"""bench: its table, JSON, suites, peers, and what it refuses."""

import json
import re
import stat
import xml.etree.ElementTree

import pytest
from support import MODEL, ok, run

SMALL = ["--quantization", "q4f16_1", "--prompt-lengths", "16,32", "--generate", "4", "--runs", "2", "--threads", "1"]


def bench(home, *args, **options):
    return json.loads(ok(home, "bench", *args, "--json", "-", **options).out)


def refusal(home, *args):
    """The line of a refusal; slow steps before it may have told their progress."""
    done = run(home, "bench", *args)
    assert done.code == 1 and done.out == "", done
    last = done.err.strip().splitlines()[-1]
    assert last.startswith("error: ") and len(last) < 500, done
    return last


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_table(home):
    table = ok(home, "bench", MODEL, *SMALL, "--batch", "1,4").out
    for row in ("prefill 16", "prefill 32", "decode at 0", "decode 1 x at 0", "decode 4 x at 0"):
        assert re.search(rf"^{row} +[\d.]+ +[\d.]+ +[\d.]+ +\d+% of (read|int8|f32)$", table, re.MULTILINE), table
    assert re.search(r"read [\d.]+ GB/s, int8 [\d.]+ TOPS, f32 [\d.]+ TFLOPS, bf16 [\d.]+ TFLOPS", table)


def test_json(home, tmp_path):
    session = bench(home, MODEL, *SMALL, "--depth", "0,64", "--batch", "2")
    (report,) = session["reports"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", session["time"]) and session["cpu"] and session["build"]
    assert report["quantization"] == "q4f16_1" and report["threads"] == 1 and report["runs"] == 2
    assert [r["phase"] for r in report["rows"]] == [
        *("prefill 16", "prefill 32", "decode at 0", "decode 2 x at 0"),
        *("prefill 16 at 64", "prefill 32 at 64", "decode at 64", "decode 2 x at 64"),
    ]
    for row in report["rows"]:
        assert len(row["seconds_of_runs"]) == 2
        assert row["seconds"] == pytest.approx(sum(row["seconds_of_runs"]) / 2)
        assert row["tokens_per_s"] == pytest.approx(row["tokens"] * row["sequences"] / row["seconds"])
        assert row["share_of_limit"] == pytest.approx(row["bound_seconds"] / row["seconds"])
    assert report["prefill_tokens_per_s"] == report["rows"][0]["tokens_per_s"]
    assert report["decode_tokens_per_s"] == report["rows"][2]["tokens_per_s"]
    # A file holds the same form, and the table is printed beside it.
    done = ok(home, "bench", MODEL, *SMALL, "--json", tmp_path / "f.json")
    assert "prefill 16" in done.out
    assert json.loads((tmp_path / "f.json").read_text())["reports"][0].keys() == report.keys()


def test_arithmetic_decides_which_limit_bounds(home):
    for activation in ("f32", "int8"):
        flags = ["--quantization", "q4f16_1", "--prompt-lengths", "256", "--runs", "1", "--activation", activation]
        assert bench(home, MODEL, *flags)["reports"][0]["rows"][0]["bound"] == activation


def test_defaults_fit_a_small_context(home):
    (report,) = bench(home, MODEL, "--quantization", "q4f16_1", "--runs", "1")["reports"]
    assert [r["phase"] for r in report["rows"]] == ["prefill 512", "decode at 0"]  # the demo model's whole context


def test_suite(home, tmp_path):
    suite = tmp_path / "suite.json"
    entries = [
        {"name": "small", "model": str(MODEL), "quantization": "q4f16_1", "prompt_lengths": [16], "generate": 2},
        {"preset": "smollm-135m", "quantization": "q4f16_1", "prompt_lengths": [16], "generate": 2, "threads": 1},
    ]
    suite.write_text(json.dumps(entries))
    reports = bench(home, "--suite", suite, "--runs", "1")["reports"]
    assert [r["model"] for r in reports] == [str(MODEL), "smollm-135m"]
    assert reports[0]["name"] == "small" and reports[1]["threads"] == 1
    suite.write_text(json.dumps([{"model": str(MODEL), "promt_lengths": [16]}]))
    line = refusal(home, "--suite", suite)
    assert "entry 1" in line and "promt_lengths" in line and "prompt_lengths" in line
    suite.write_text("[")
    assert str(suite) in refusal(home, "--suite", suite)
    assert "--suite" in refusal(home, "--suite", suite, MODEL)


def test_peer(home, tmp_path):
    """A peer's figures stand beside ours, from as many runs, with the ratio of medians."""
    samples = [
        {"n_prompt": 16, "n_gen": 0, "n_depth": 0, "avg_ts": 1000.0},
        {"n_prompt": 0, "n_gen": 64, "n_depth": 0, "avg_ts": 10.0},
    ]
    peer = program(
        tmp_path / "llama-bench",
        f"echo run \"$@\" >>'{tmp_path}/calls'; echo chatter >&2; cat <<'END'\n{json.dumps(samples)}\nEND",
    )
    command = f"{peer} -p 16 -n 64"
    (report,) = bench(home, MODEL, *SMALL, "--against", command)["reports"]
    assert (tmp_path / "calls").read_text() == "run -p 16 -n 64 -o json -r 1\n" * 2
    rows = {r["phase"]: r for r in report["rows"]}
    assert rows["prefill 16"]["peers"][0]["tokens_per_s_of_runs"] == [1000.0, 1000.0]
    ours = rows["decode at 0"]
    assert ours["peers"][0]["ratio"] == pytest.approx(ours["tokens_per_s"] / 10.0)
    assert "peers" not in rows["prefill 32"]
    table = ok(home, "bench", MODEL, *SMALL, "--against", command).out
    assert re.search(r"^prefill 16 .* 1000\.00 +[\d.]+$", table, re.MULTILINE), table
    assert re.search(r"^prefill 32 .* - +-$", table, re.MULTILINE), table


@pytest.mark.parametrize(
    "script, words",
    [
        ("echo cannot load model >&2; exit 3", ["exit code 3", "cannot load model"]),
        ("echo fine", ["fine", "expected the JSON of llama-bench"]),
        ("exit 0", ["nothing", "expected the JSON of llama-bench"]),
        ("kill -9 $$", ["137", "failed"]),
    ],
)
def test_peer_that_fails(home, tmp_path, script, words):
    line = refusal(home, MODEL, *SMALL, "--against", program(tmp_path / "peer", script))
    assert "--against" in line and all(w in line for w in words), line


@pytest.mark.parametrize(
    "flags, says",
    [
        (["--depth", "5000"], "context"),
        (["--prompt-lengths", "500", "--depth", "100"], "600"),
        (["--batch", "65"], "--batch"),
        (["--batch", "0"], "--batch"),
        (["--batch", "4", "--generate", "0"], "--generate"),
        (["--prompt-lengths", "0", "--generate", "0"], "nothing to measure"),
        (["--synthetic"], "--synthetic"),
        (["--prompt-lengths", "99999999999"], "--prompt-lengths"),
    ],
)
def test_refusals(home, flags, says):
    assert says in refusal(home, MODEL, "--quantization", "q4f16_1", *flags)


SVG = "{http://www.w3.org/2000/svg}"


def page(path):
    """The report, which is well-formed XML and loads nothing."""
    text = path.read_text()
    assert "<script" not in text and not re.search(r'(src|href)="', text)
    return xml.etree.ElementTree.fromstring(text)


def titles(root):
    return [next(iter(svg.iter(f"{SVG}text"))).text.split(":")[0] for svg in root.iter(f"{SVG}svg")]


def test_html_and_history(home, tmp_path):
    html, history = tmp_path / "r.html", tmp_path / "h.jsonl"
    files = ["--html", html, "--history", history]
    model = ["--quantization", "q4f16_1", "--threads", "1", "--runs", "1", "--generate", "4"]
    flags = [*model, "--prompt-lengths", "16,32,64", "--depth", "0,32,128", "--batch", "1,2,4"]
    ok(home, "bench", MODEL, *flags, *files)
    root = page(html)
    assert titles(root) == [
        *("Share of the machine's limit", "Roofline"),
        *("Prefill time against the prompt's length", "Time of a decode step against the context"),
        "Time of a decode step against the batch",
    ]
    rows = root.findall("body/table/tr")
    assert len(rows) == 1 + 3 * (3 + 1 + 3)
    assert [c.text for c in rows[1]][0] == "prefill 16" and float([c.text for c in rows[1]][1]) > 0
    assert len(history.read_text().splitlines()) == 1
    ok(home, "bench", MODEL, *SMALL, *files)
    assert titles(page(html)) == ["Share of the machine's limit", "Roofline", "History"]
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    assert len(lines) == 2 and lines[0]["title"] == lines[1]["title"]
    assert lines[1]["phases"]["decode at 0"]["tokens_per_s"] > 0
    history.write_text(history.read_text() + "{}\n")
    assert "line 3" in refusal(home, MODEL, *SMALL, *files)


def test_files_that_cannot_be_written(home, tmp_path):
    for flag in ("--json", "--html", "--history"):
        line = refusal(home, MODEL, *SMALL, flag, tmp_path / "missing" / "file")
        assert flag in line and str(tmp_path / "missing") in line


def test_profile_and_trace(home, tmp_path):
    """Where a step's time goes, per kernel beside the limits, and each call on a time line."""
    trace = tmp_path / "trace.json"
    flags = [*SMALL, "--json", tmp_path / "f.json"]
    done = ok(home, "bench", MODEL, *flags, env={"MLC_PROFILE": "1", "MLC_TRACE": trace})
    lines = [line.split() for line in done.err.splitlines() if line.startswith("model.layers.*.mlp.down_proj ")]
    assert len(lines) == 1, done.err
    calls, milliseconds, _, megabytes, activations, operations, *_, share = lines[0][1:]
    assert int(calls) > 0 and float(milliseconds) > 0 and float(activations) > 0 and float(operations) > 0
    assert float(megabytes) == pytest.approx(0.055, abs=1e-3)  # 192 x 512 in 4 bits, with scales
    assert re.fullmatch(r"\d+%", share)
    assert re.search(r"^total .*\d%$", done.err, re.MULTILINE)
    events = [e for e in json.loads(trace.read_text()) if e["name"] == "model.layers.0.mlp.down_proj"]
    assert len(events) == int(calls) // 6
    decode = [e for e in events if e["args"]["rows"] == 1]
    assert decode and all(e["args"]["ops"] == 2 * 192 * 512 and e["args"]["memory_bytes"] == 55296 for e in decode)
    prefill = [e for e in events if e["args"]["rows"] == 32]
    assert prefill and all(e["args"]["ops"] == 32 * 2 * 192 * 512 for e in prefill)
    attention = [e for e in json.loads(trace.read_text()) if e["name"] == "model.layers.0.self_attn"]
    assert attention[-1]["args"]["memory_bytes"] == 4 * 2 * 2 * 32 * 2  # four tokens' keys and values, two heads each
