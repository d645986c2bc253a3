"""The cache: used when it may be, never when it may not; shared by processes; listed and pruned."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
from support import (
    BIN,
    MODEL,
    STORY,
    chat,
    edit_json,
    edit_tensors,
    environment,
    error_line,
    ok,
    refused,
    run,
    tree,
)


@pytest.fixture
def filled(home, story, tmp_path):
    """An own copy of a cache that knows the demo model."""
    copy = tmp_path / "cache"
    shutil.copytree(home, copy)
    return copy


def only(pattern, root):
    found = list(pathlib.Path(root).glob(pattern))
    assert found, f"no {pattern} in {root}"
    return found


def damage(path, at=0.5):
    """Flips bytes in the middle and keeps size and time, as a bad disk would."""
    stat = path.stat()
    with open(path, "r+b") as f:
        f.seek(int(stat.st_size * at))
        old = f.read(64)
        f.seek(-len(old), os.SEEK_CUR)
        f.write(bytes(b ^ 0xFF for b in old))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_the_second_run_does_nothing_again(tmp_path):
    first = chat(tmp_path, MODEL)
    assert first.progress == {"converting", "compiling", "packing"}
    second = chat(tmp_path, MODEL)
    assert second.progress == set() and second.out == first.out
    # Another scheme is another entry; the first one stays.
    assert chat(tmp_path, MODEL, "--quantization", "q4f16_1").progress == {"converting", "compiling", "packing"}
    assert chat(tmp_path, MODEL).progress == set()


def test_a_change_of_the_models_content_is_noticed(tmp_path, model):
    before = chat(tmp_path, model)
    # Size and modification time stay: only the bytes differ.
    path = model / "model.safetensors"
    stat = path.stat()

    def swap(tensors):
        a, b = (f"model.layers.{i}.mlp.down_proj.weight" for i in (1, 4))
        tensors[a], tensors[b] = tensors[b], tensors[a]

    edit_tensors(model, swap)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    after = chat(tmp_path, model)
    assert "converting" in after.progress and after.out != before.out
    # Another configuration is another model, even with the same weights.
    edit_json(model / "config.json", rms_norm_eps=0.1)
    third = chat(tmp_path, model)
    assert {"converting", "compiling"} <= third.progress and third.out != after.out
    # A copy of a known directory is known: the key is its content.
    shutil.copytree(model, model.parent / "copy")
    assert chat(tmp_path, model.parent / "copy").progress == set()


@pytest.mark.parametrize("at", [0.01, 0.5, 0.95])
def test_a_damaged_library_is_compiled_again(filled, story, at):
    for lib in only("model_lib/*.so", filled):
        damage(lib, at)
    done = chat(filled, MODEL)
    assert done.out == story and "compiling" in done.progress
    assert chat(filled, MODEL).progress == set()


def test_a_truncated_library_is_compiled_again(filled, story):
    for lib in only("model_lib/*.so", filled):
        os.truncate(lib, 1000)
    assert chat(filled, MODEL).out == story


@pytest.mark.parametrize("at", [0.0, 0.3, 0.99])
def test_damaged_packed_weights_are_packed_again(filled, story, at):
    for packed in only("packed/*.bin", filled):
        damage(packed, at)
    done = chat(filled, MODEL)
    assert done.out == story and "packing" in done.progress
    assert chat(filled, MODEL).progress == set()


@pytest.mark.parametrize("size", [0, 100, 100_000])
def test_truncated_packed_weights_are_packed_again(filled, story, size):
    for packed in only("packed/*.bin", filled):
        os.truncate(packed, size)
    done = chat(filled, MODEL)
    assert done.out == story and "packing" in done.progress


@pytest.mark.parametrize("what", ["truncate", "index", "config", "missing", "bytes"])
def test_a_damaged_conversion_is_converted_again(filled, story, what):
    for index in only("model_weights/converted/*/tensor-cache.json", filled):
        converted = index.parent
        if what == "truncate":
            os.truncate(converted / "params_shard_0.bin", 1000)
        elif what == "index":
            index.write_text(index.read_text()[:500])
        elif what == "config":
            (converted / "mlc-chat-config.json").write_text("{")
        elif what == "missing":
            (converted / "tokenizer.json").unlink(missing_ok=True)  # a model without one may be there too
        else:
            damage(converted / "params_shard_0.bin")
    shutil.rmtree(filled / "packed")  # else the weights are not read again
    done = chat(filled, MODEL)
    assert done.out == story and "converting" in done.progress
    assert "converting" not in chat(filled, MODEL).progress


def test_processes_that_race_on_an_empty_cache(tmp_path, story):
    command = [BIN, "chat", str(MODEL), "--prompt", STORY, "--temperature", "0", "--max-tokens", "24"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "stdin": subprocess.DEVNULL}
    running = [subprocess.Popen(command, env=environment(tmp_path), **pipes) for _ in range(3)]
    results = [(p.communicate(timeout=300), p.returncode) for p in running]
    for (out, err), code in results:
        assert code == 0 and out == story, err
    # Each thing was made by one of them, and once.
    everything = "".join(err for (_, err), _ in results)
    for step in ("converting", "compiling", "packing"):
        assert len(re.findall(f"^{step} .* in ", everything, re.MULTILINE)) == 1, everything
    assert not [p for p in tree(tmp_path) if "tmp" in p]


def test_list_and_prune(filled, story):
    listed = ok(filled, "cache", "list").out.splitlines()
    assert {line.split()[0] for line in listed[:-1]} == {"library", "model", "packed"}
    assert str(filled) in listed[-1] and re.match(rf"{len(listed) - 1} entries, \d+\.\d MB", listed[-1])
    # The least recently used goes first: use the demo model, then keep room for about its three entries.
    chat(filled, MODEL)
    ok(filled, "cache", "prune", "--max-size", "14MB")
    assert chat(filled, MODEL).progress == set()
    assert sum(p.stat().st_size for p in filled.rglob("*") if p.is_file() and "content_keys" not in str(p)) < 14.1e6
    ok(filled, "cache", "prune", "--max-size", "1GB")
    assert chat(filled, MODEL).progress == set()
    pruned = ok(filled, "cache", "prune", "--max-size", "0").out
    assert "removed 3 entries" in pruned or "removed" in pruned.splitlines()[-1]
    assert not tree(filled)
    assert ok(filled, "cache", "list").out.startswith("0 entries, 0.0 MB")
    assert chat(filled, MODEL).out == story
    for size in ("many", "-1", "2XB", "", "nan"):
        refused(filled, "cache", "prune", f"--max-size={size}", says="--max-size")
    assert chat(filled, MODEL).progress == set()


def test_what_a_killed_process_left_is_pruned(filled):
    half = filled / "model_weights" / "converted" / "0123.tmp-abcdef"
    half.mkdir()
    (half / "params_shard_0.bin").write_bytes(b"x" * 1000)
    ok(filled, "cache", "prune")
    assert not half.exists()


def test_where_the_cache_is(tmp_path):
    def root(**env):
        env = {**environment(None), "HOME": str(tmp_path / "h"), **env}
        done = subprocess.run([BIN, "cache", "list"], env=env, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1].rsplit(" in ", 1)[1]

    env = {k: str(tmp_path / k) for k in ("MLC_LLM_HOME", "XDG_CACHE_HOME")}
    os.environ.pop("XDG_CACHE_HOME", None)
    assert root(**env) == env["MLC_LLM_HOME"]
    assert root(XDG_CACHE_HOME=env["XDG_CACHE_HOME"]) == env["XDG_CACHE_HOME"] + "/mlc_llm"
    assert root() == str(tmp_path / "h") + "/.cache/mlc_llm"


def test_a_cache_that_cannot_be_written(filled, story, tmp_path):
    """A file where the cache should be; and, where permissions mean something, a read-only directory."""
    (tmp_path / "file").write_text("x")
    refused(tmp_path / "file", "chat", MODEL, "--prompt", "x", says=["MLC_LLM_HOME", str(tmp_path / "file")])
    for path in [filled, *filled.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere: a read-only cache was not tested (a file in its place was)")
        result = run(filled, "chat", MODEL, "--prompt", STORY, "--temperature", "0", "--max-tokens", "24")
        if result.code == 0:
            assert result.out == story
        else:
            assert "MLC_LLM_HOME" in error_line(result)
    finally:
        for path in [filled, *filled.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
