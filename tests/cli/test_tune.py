"""The tuner: finds, keeps, merges and shows schedules; what it chooses never changes an answer."""

import json
import xml.etree.ElementTree

import pytest
from support import MODEL, chat, ok, refused, run, story_text, tree

SHORT = ["--time-budget", "5s", "--trials", "3", "--cost-model", "none"]


def tune(home, *args, **options):
    return ok(home, "tune", "run", MODEL, "--quantization", "q4f16_1", *SHORT, *args, **options)


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A database with a few kernels of the demo model."""
    home = tmp_path_factory.mktemp("tuned")
    done = tune(home, "--kernels", "*_r1", "--plot", home / "plot.svg")
    return home, done


def test_run_measures_and_records(tuned):
    home, done = tuned
    lines = done.out.splitlines()
    assert lines[0].split()[:2] == ["kernel", "rows"] and str(home / "tuning.jsonl") in lines[-1]
    found = records(home / "tuning.jsonl")
    assert found and len(found) >= len([l for l in lines if "_r1 " in l]) > 0
    for r in found:
        assert r["kernel"].endswith("_r1") and r["rows"] == 1 and r["decisions"]
        assert 0 < r["seconds"] <= r["by_hand_seconds"]
        assert 2 <= len(r["tried"]) <= 4
        assert r["decisions"] in [t[0] for t in r["tried"]]
    drawn = xml.etree.ElementTree.parse(home / "plot.svg").getroot()
    assert len(drawn.findall("{http://www.w3.org/2000/svg}polyline")) == len(found)
    assert done.err.startswith("tuning ") and "schedules measured" in done.err


def test_a_second_run_adds_to_the_first(tuned, tmp_path):
    home, _ = tuned
    db = tmp_path / "db.jsonl"
    db.write_text((home / "tuning.jsonl").read_text())
    before = records(db)
    tune(home, "--kernels", "*_r2", "--db", db, "--seed", "2")
    after = records(db)
    assert len(after) > len(before) and all(b in after for b in before)


def decide(db, to, **decisions):
    """The database with other decisions in every record."""
    changed = records(db)
    for r in changed:
        r["decisions"] = {**r["decisions"], **decisions}
    to.write_text("".join(json.dumps(r) + "\n" for r in changed))
    return to


def test_the_same_text_whatever_is_chosen(tuned, tmp_path):
    """Every record decides; greedy text is the same as by hand, and as with other decisions."""
    home, _ = tuned
    model = [MODEL, "--quantization", "q4f16_1"]
    by_hand = story_text(tmp_path, *model, "--tuning-db", "none")
    with_db = chat(tmp_path, *model, "--tuning-db", home / "tuning.jsonl")
    assert with_db.out == by_hand
    for i, other in enumerate([{"column_blocks": [1]}, {"column_blocks": [2], "prefetch_blocks": [2]}]):
        done = chat(tmp_path, *model, "--tuning-db", decide(home / "tuning.jsonl", tmp_path / f"{i}.jsonl", **other))
        assert done.out == by_hand
        # Other decisions are another library.
        assert "compiling" in done.progress and "warning" not in done.err, done


def test_the_database_of_the_home_is_found(tuned, tmp_path):
    home, _ = tuned
    model = [MODEL, "--quantization", "q4f16_1"]
    plain = chat(tmp_path, *model)
    decide(home / "tuning.jsonl", tmp_path / "tuning.jsonl", column_blocks=[1], prefetch_blocks=[1])
    tuned_run = chat(tmp_path, *model)
    assert tuned_run.progress == {"compiling"} and tuned_run.out == plain.out
    assert chat(tmp_path, *model).progress == set()
    assert chat(tmp_path, *model, "--tuning-db", "none").progress == set()  # the library of the first run
    # What is decided stands in the dump of the scheduled module.
    dump = tmp_path / "dump"
    ok(tmp_path, "compile", MODEL, "--quantization", "q4f16_1", "--debug-dump", dump, "-o", tmp_path / "lib.so")
    text = "".join(p.read_text() for p in dump.rglob("*scheduled*"))
    assert 'decided = "column_blocks=1 ' in text


def test_records_that_do_not_fit_are_left_aside(tuned, tmp_path):
    home, _ = tuned
    model = [MODEL, "--quantization", "q4f16_1"]
    by_hand = story_text(tmp_path, *model)
    wrong = decide(home / "tuning.jsonl", tmp_path / "wrong.jsonl", column_blocks=[7])
    done = chat(tmp_path, *model, "--tuning-db", wrong)
    assert done.out == by_hand and "column_blocks: the decision 7 is no candidate" in done.err
    unknown = decide(home / "tuning.jsonl", tmp_path / "unknown.jsonl", colour=[1])
    done = chat(tmp_path, *model, "--tuning-db", unknown)
    assert done.out == by_hand and 'no "colour"' in done.err
    # In the home's own database a damaged line is left out; in one that is named it is an error.
    damaged = (home / "tuning.jsonl").read_text() + "{\n"
    (tmp_path / "tuning.jsonl").write_text(damaged)
    done = chat(tmp_path, *model)
    assert done.out == by_hand and "tuning.jsonl, line" in done.err
    says = ["tuning.jsonl, line", "no JSON"]
    refused(tmp_path, "chat", *model, "--prompt", "x", "--tuning-db", tmp_path / "tuning.jsonl", says=says)
    refused(tmp_path, "tune", "run", *model, *SHORT, says=["tuning.jsonl, line"])


def test_merge_show_export(tuned, tmp_path):
    home, _ = tuned
    db = home / "tuning.jsonl"
    slower = records(db)
    for r in slower:
        r["seconds"] = 1.0
    extra = {**slower[0], "workload": "0" * 32, "kernel": "another"}
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(r) + "\n" for r in [*slower, extra]))
    done = ok(home, "tune", "merge", tmp_path / "b.jsonl", db, "-o", tmp_path / "all.jsonl")
    merged = records(tmp_path / "all.jsonl")
    assert done.out == f"{len(slower) + 1} records in {tmp_path / 'all.jsonl'}\n" and len(merged) == len(slower) + 1
    best = {r["workload"]: r["seconds"] for r in records(db)}
    assert all(r["seconds"] == best.get(r["workload"], 1.0) for r in merged)
    shown = ok(home, "tune", "show", "--db", tmp_path / "all.jsonl").out
    assert shown.splitlines()[-1] == f"{len(merged)} records"
    assert all(r["kernel"] in shown for r in merged) and merged[0]["target"] in shown
    # What is best for a kind of kernel: here everything gains by as much as by-hand was made slower.
    for r in merged:
        r["by_hand_seconds"] = 3 * max(t[1] for t in r["tried"])
        r["isa"] = "x86_64-avx2"
    (tmp_path / "gains.jsonl").write_text("".join(json.dumps(r) + "\n" for r in merged))
    exported = ok(home, "tune", "export", "--db", tmp_path / "gains.jsonl", "--isa", "x86_64-avx2").out
    lines = [json.loads(line) for line in exported.splitlines()]
    assert all(set(d) == {"family", "decisions", "gain", "kernels"} and d["gain"] > 1 for d in lines)
    ok(home, "tune", "export", "--db", tmp_path / "gains.jsonl", "--isa", "x86_64-avx2", "-o", tmp_path / "d.jsonl")
    assert (tmp_path / "d.jsonl").read_text() == exported
    assert ok(home, "tune", "export", "--db", tmp_path / "gains.jsonl", "--isa", "vax").out == ""


def test_wrong_input(home, tmp_path):
    never = str(tmp_path / "never")
    run_it = ["tune", "run", MODEL, "--quantization", "q4f16_1"]
    (tmp_path / "text").write_text("no records\n")
    before = tree(tmp_path)
    for args, says in [
        (["tune"], "subcommand"),
        (["tune", "run"], "--preset"),
        (["tune", "run", MODEL, "--preset", "llama-3.2-1b"], "--preset"),
        (["tune", "run", MODEL], "--quantization"),
        (["tune", "run", "--preset", "llama-9", "--quantization", "q4f16_1"], "llama-9"),
        (["tune", "run", never, "--quantization", "q4f16_1"], "never"),
        (["tune", "run", MODEL, "--quantization", "q7"], "q7"),
        ([*run_it, "--time-budget", "soon"], ["--time-budget", "soon", "120s"]),
        ([*run_it, "--time-budget", "-3s"], "--time-budget"),
        ([*run_it, "--time-budget", "nan"], "--time-budget"),
        ([*run_it, "--trials", "0"], "--trials"),
        ([*run_it, "--rows", "-1"], "--rows"),
        ([*run_it, "--kernels", "nothing*"], ["nothing*", "_r1"]),
        ([*run_it, "--device", "cuda"], "cuda"),
        ([*run_it, "--target", "aarch64-linux-gnu"], "aarch64"),
        ([*run_it, "--db", never + "/deep/db"], "never/deep"),
        ([*run_it, "--db", tmp_path / "text"], ["text, line 1", "no JSON"]),
        ([*run_it, "--cost-model", "oracle"], "oracle"),
        ([*run_it, "--tuning-db", "x"], "--tuning-db"),
        (["tune", "merge", "-o", never], "databases"),
        (["tune", "merge", never, "-o", never], "never"),
        (["tune", "merge", tmp_path / "text", "-o", never], "text, line 1"),
        (["tune", "show", "--db", never], "never"),
        (["tune", "export", "--db", never], "never"),
        (["chat", MODEL, "--prompt", "x", "--tuning-db", never], ["--tuning-db", "never"]),
    ]:
        refused(home, *args, says=says)
    assert {p for p in tree(tmp_path) if not p.endswith(".lock")} == before


def test_a_plot_that_cannot_be_written(home, tmp_path):
    """The records are kept all the same."""
    result = run(
        home,
        "tune",
        "run",
        MODEL,
        "--quantization",
        "q4f16_1",
        *SHORT,
        "--kernels",
        "*4096x192_r1",
        "--db",
        tmp_path / "db",
        "--plot",
        tmp_path / "no" / "plot.svg",
    )
    assert result.code == 1 and "plot.svg" in result.err.splitlines()[-1], result
    assert len(records(tmp_path / "db")) == 1
