"""Models by name (HF://user/repo), from a hub on this machine that also does what real ones do wrong."""

import os
import pathlib
import re
import shutil
import subprocess
import threading

import pytest
from fake_hub import COMMIT, REPO, FakeHub
from server import Server
from support import BIN, MODEL, STORY, environment, error_line, ok, refused, run, tree

NAME = f"HF://{REPO}"
LARGE = "model.safetensors"
NEEDED = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", LARGE}
OTHERS = {
    "README.md": b"# tiny",
    "pytorch_model.bin": b"\0" * 200_000,
    "onnx/model.onnx": b"\0" * 1000,
    "onnx/config.json": b"{}",
    ".gitattributes": b"*.safetensors filter=lfs",
}


@pytest.fixture
def compiled(home, story, tmp_path):
    """An own copy of a cache that knows the demo model: what is tested here is where it comes from."""
    return shutil.copytree(home, tmp_path / "cache")


@pytest.fixture
def hub():
    files = {name: (MODEL / name).read_bytes() for name in NEEDED}
    server = FakeHub({**OTHERS, **files})
    yield server
    server.close()


def place(home, name=REPO, kind="model_weights"):
    return pathlib.Path(home) / kind / "hf" / name


def names(directory):
    return {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}


def gen_config(home, hub, out, name=NAME, **env):
    """The quickest command that needs a model's description."""
    return run(
        home,
        "gen_config",
        name,
        "--quantization",
        "q0f16",
        "--conv-template",
        "auto",
        "-o",
        out,
        env=hub.environment(**env),
    )


def convert(home, hub, out, name=NAME, env=None, **options):
    """The quickest command that needs its weights."""
    flags = ["convert_weight", name, "--quantization", "q0f16", "-o", out]
    return run(home, *flags, env=hub.environment(**(env or {})), **options)


def failed(home, hub, tmp_path, says, name=NAME, **env):
    """The download must fail with one line, and nothing may stand under the model's name."""
    line = error_line(convert(home, hub, tmp_path / "out", name, env))
    for word in says:
        assert word.lower() in line.lower(), line
    assert not place(home).exists() and not (tmp_path / "out").exists()
    return line


def test_chat_with_a_model_by_name(hub, story, compiled):
    first = ok(compiled, "chat", NAME, "--prompt", STORY, "--temperature", 0, "--max-tokens", 24, env=hub.environment())
    assert first.out == story
    assert re.search(rf"^downloading {REPO}, commit {COMMIT[:12]}, to ", first.err, re.MULTILINE), first.err
    assert re.search(rf"^downloading {REPO}: 5 files, \d+\.\d MB in ", first.err, re.MULTILINE), first.err
    # What a model needs, and nothing else: no second format, no folder, no half file.
    assert names(place(compiled)) == NEEDED
    assert os.listdir(place(compiled).parent) == [REPO.split("/")[1]]
    for name in NEEDED:
        assert (place(compiled) / name).read_bytes() == (MODEL / name).read_bytes()
    # The second time nobody asks the hub; --model is another way to say it.
    asked = len(hub.requests)
    again = ok(
        compiled,
        "chat",
        "--model",
        NAME,
        "--prompt",
        STORY,
        "--temperature",
        0,
        "--max-tokens",
        24,
        env=hub.environment(),
    )
    assert again.out == story and len(hub.requests) == asked and "downloading" not in again.err
    listed = ok(compiled, "cache", "list").out
    assert re.search(rf"^download .*{REPO}$", listed, re.MULTILINE), listed
    ok(compiled, "cache", "prune")
    assert not place(compiled).exists()


def test_serve_by_name_and_by_environment(hub, story, compiled, tmp_path):
    with Server(compiled, NAME, log=tmp_path / "log", env=hub.environment()) as server:
        assert story.startswith(server.ask(STORY)[:40])
        assert server.request("/v1/models")[1]["data"][0]["id"] == "tiny"
        body = {"model": NAME, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}
        assert server.request("/v1/chat/completions", body)[0] == 200
    command = [BIN, "serve", "--port", "0"]
    with open(tmp_path / "log2", "wb") as log:
        env = environment(compiled, **hub.environment(MLC_MODEL_PATH=NAME))
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=env)
    try:
        for _ in range(3000):
            if "serving tiny on" in (tmp_path / "log2").read_text() or process.poll() is not None:
                break
            threading.Event().wait(0.02)
        assert "serving tiny on" in (tmp_path / "log2").read_text()
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert "$MLC_MODEL_PATH" in refused(compiled, "serve", "--port", 0, says="no model is given")


def test_commands_that_need_no_weights_download_none(hub, tmp_path):
    done = gen_config(tmp_path / "home", hub, tmp_path / "out")
    assert done.code == 0, done
    assert (tmp_path / "out" / "mlc-chat-config.json").exists()
    assert names(place(tmp_path / "home", kind="model_config")) == NEEDED - {LARGE}
    assert hub.count(LARGE) == 0 and not place(tmp_path / "home").exists()
    # With the weights there, the description is taken from beside them.
    assert convert(tmp_path / "home", hub, tmp_path / "weights").code == 0
    ok(tmp_path / "home", "cache", "list")
    asked = len(hub.requests)
    done = run(
        tmp_path / "home", "compile", NAME, "--quantization", "q0f16", "-o", tmp_path / "lib.so", env=hub.environment()
    )
    assert done.code == 0 and len(hub.requests) == asked, done


def test_revisions_are_models_of_their_own(hub, tmp_path):
    for revision in ("v2", "refs/pr/1"):
        assert gen_config(tmp_path, hub, tmp_path / "out", f"{NAME}@{revision}").code == 0
    assert hub.count("/revision/v2?") == 1 and hub.count("/revision/refs/pr/1?") == 1
    assert (place(tmp_path, REPO + "@v2", "model_config") / "config.json").exists()
    assert (place(tmp_path, REPO + "@refs%2Fpr%2F1", "model_config") / "config.json").exists()
    assert "no such revision" in error_line(gen_config(tmp_path, hub, tmp_path / "out", NAME + "@v9"))


def test_the_address_of_a_hub_names_it_too(hub, tmp_path):
    elsewhere = FakeHub(hub.files)
    try:
        done = gen_config(
            tmp_path, hub, tmp_path / "out", f"{elsewhere.endpoint}/{REPO}/tree/main", HF_TOKEN="hf_secret"
        )
        assert done.code == 0, done
        # Not the hub that is configured: its token is not for this one.
        assert elsewhere.requests and not elsewhere.tokens and not hub.requests
        host = elsewhere.endpoint.removeprefix("http://")
        assert (tmp_path / "model_config" / host / REPO / "config.json").exists()
    finally:
        elsewhere.close()


def test_the_token_goes_to_the_hub_only(hub, tmp_path):
    hub.token = "hf_secret"
    line = failed(tmp_path, hub, tmp_path, [REPO, "HF_TOKEN", "401"])
    assert "private" in line
    line = failed(tmp_path, hub, tmp_path, [REPO, "HF_TOKEN", "401"], HF_TOKEN="hf_wrong")
    assert "hf_wrong" not in line and "valid" in line
    hub.tokens.clear()
    done = convert(tmp_path, hub, tmp_path / "out", env={"HF_TOKEN": "hf_secret\n"})
    assert done.code == 0, done
    assert hub.count(LARGE) > 0 and hub.tokens
    assert not [t for is_cdn, t in hub.tokens if is_cdn], "the token was sent to the host of a redirect"
    # As `hf auth login` stores it.
    (tmp_path / "token").write_text("hf_secret\n")
    assert gen_config(tmp_path / "other", hub, tmp_path / "out2", HF_TOKEN_PATH=tmp_path / "token").code == 0


@pytest.mark.parametrize(
    "status, code, says",
    [
        (404, "RepoNotFound", ["there is no model", "404"]),
        (403, "GatedRepo", ["gated", "ask for access", "HF_TOKEN"]),
        (401, "", ["private", "HF_TOKEN"]),
        (418, "", ["418", "HF_ENDPOINT"]),
    ],
)
def test_refusals_say_what_to_do(hub, tmp_path, status, code, says):
    hub.fail("/api/", 99, status, ("X-Error-Code", code))
    failed(tmp_path, hub, tmp_path, [REPO if status != 418 else "418", *says])
    assert len(hub.requests) == 1  # no use in asking again


def test_a_gated_file_of_a_model_that_is_listed(hub, tmp_path):
    hub.fail("/resolve/", 99, 403, ("X-Error-Code", "GatedRepo"))
    failed(tmp_path, hub, tmp_path, [REPO, "gated"])


def test_busy_hubs_are_asked_again(hub, tmp_path):
    hub.fail("/api/", 2, 503)
    hub.fail("tokenizer.json", 1, 429, ("Retry-After", "1"))
    hub.fail("config.json", 1, 500)
    hub.fail(LARGE, 2, 502)
    done = convert(tmp_path, hub, tmp_path / "out")
    assert done.code == 0, done
    assert names(place(tmp_path)) == NEEDED


def test_a_hub_that_stays_busy(hub, tmp_path):
    hub.fail("/api/", 99, 429, ("Retry-After", "0"))
    failed(tmp_path, hub, tmp_path, ["429", "HF_TOKEN"])
    hub.faults.clear()
    hub.fail(LARGE, 99, 503, ("Retry-After", "0"))
    failed(tmp_path, hub, tmp_path, ["503"])
    assert 5 <= hub.count(LARGE) < 12


def test_cut_connections_are_continued(hub, tmp_path):
    size = len(hub.files[LARGE])
    asked = []

    def cut_cdn(handler, path):
        if not handler.server.is_cdn:
            return False
        asked.append(handler.headers.get("Range"))
        if len(asked) > 7:
            return False
        hub.send_file(handler, hub.files[LARGE], size // 8)
        return True

    hub.faults = [cut_cdn]
    done = convert(tmp_path, hub, tmp_path / "out")
    assert done.code == 0, done
    # More cuts than attempts, but each brought something; every byte came once.
    assert asked == [None] + [f"bytes={size // 8 * i}-" for i in range(1, 8)]


def test_a_download_goes_on_where_an_earlier_one_ended(hub, tmp_path):
    size = len(hub.files[LARGE])
    half = []

    def cut_then_fail(handler, path):
        if not handler.server.is_cdn:
            return False
        if half:
            handler.reply(503, b"", [("Retry-After", "0")])
        else:
            half.append(1)
            hub.send_file(handler, hub.files[LARGE], size // 2)
        return True

    hub.faults = [cut_then_fail]
    failed(tmp_path, hub, tmp_path, ["503"])
    hub.faults.clear()
    hub.requests.clear()
    ranges = []
    hub.faults = [lambda handler, path: handler.server.is_cdn and ranges.append(handler.headers.get("Range"))]
    done = convert(tmp_path, hub, tmp_path / "out")
    assert done.code == 0, done
    assert ranges == [f"bytes={size // 2}-"]
    assert hub.count("tokenizer.json") == 0  # what was whole is not asked for again
    assert names(place(tmp_path)) == NEEDED and not list(tmp_path.rglob("*.part*"))


def test_a_server_without_ranges_begins_anew(hub, tmp_path):
    hub.ranges = False
    first = []

    def cut(handler, path):
        if not handler.server.is_cdn or first:
            return False
        first.append(1)
        hub.send_file(handler, hub.files[LARGE], 1000)
        return True

    hub.faults = [cut]
    assert convert(tmp_path, hub, tmp_path / "out").code == 0
    assert (place(tmp_path) / LARGE).read_bytes() == hub.files[LARGE]


def test_a_stalled_connection_is_given_up(hub, tmp_path):
    hub.stall("/resolve/" + COMMIT + "/tokenizer.json", 1, 8)
    done = convert(tmp_path, hub, tmp_path / "out", env={"HF_HUB_DOWNLOAD_TIMEOUT": 1})
    assert done.code == 0, done
    assert hub.count("/tokenizer.json") >= 2


@pytest.mark.parametrize("name", [LARGE, "config.json"])
def test_wrong_bytes_are_noticed(hub, tmp_path, name):
    wrong = bytes(reversed(hub.files[name]))

    def act(handler, path):
        if not path.endswith("/" + name) or (name == LARGE) != handler.server.is_cdn:
            return False
        if times[0] == 0:
            return False
        times[0] -= 1
        handler.reply(200, wrong)
        return True

    hub.faults, times = [act], [99]
    failed(tmp_path, hub, tmp_path, ["checksum", "twice", name])
    times[0] = 1  # once may be an accident
    done = convert(tmp_path, hub, tmp_path / "out")
    assert done.code == 0, done
    assert (place(tmp_path) / name).read_bytes() == hub.files[name]


def test_more_bytes_than_listed(hub, tmp_path):
    data = hub.files["config.json"]
    hub.fault("/config.json", 99, lambda handler, _: handler.reply(200, data + b" " * 100_000))
    failed(tmp_path, hub, tmp_path, ["longer", "config.json"])


@pytest.mark.parametrize("path", ["../../../evil", "/etc/evil", "a/../../evil", "evil\\..\\x"])
def test_names_of_files_that_lead_outside(hub, tmp_path, path):
    hub.files[path] = b"x"
    failed(tmp_path / "home", hub, tmp_path, ["no name of a file"])
    assert not list(tmp_path.rglob("*evil*"))


def test_what_is_no_hub(hub, tmp_path):
    hub.fault("/api/", 99, lambda handler, _: handler.reply(200, b"<html>Welcome to the hotel's network</html>"))
    failed(tmp_path, hub, tmp_path, ["not a hub's description"])
    hub.close()
    line = failed(tmp_path, hub, tmp_path, ["cannot be reached", "HF_ENDPOINT"])
    assert "hf_" not in line


def test_a_repository_without_a_model(hub, tmp_path):
    weights = hub.files.pop(LARGE)
    failed(tmp_path, hub, tmp_path, ["no weights", "*.bin"])
    hub.files[LARGE] = weights
    del hub.files["config.json"]
    failed(tmp_path, hub, tmp_path, ["no config.json"])


def test_offline(hub, tmp_path):
    for env in ({"HF_HUB_OFFLINE": 1}, {"MLC_DOWNLOAD_CACHE_POLICY": "READONLY"}):
        failed(tmp_path, hub, tmp_path, ["not downloaded", "HF_HUB_OFFLINE", str(place(tmp_path))], **env)
    failed(tmp_path, hub, tmp_path, ["MLC_DOWNLOAD_CACHE_POLICY is OFF"], MLC_DOWNLOAD_CACHE_POLICY="OFF")
    failed(tmp_path, hub, tmp_path, ["expected ON, OFF"], MLC_DOWNLOAD_CACHE_POLICY="maybe")
    assert not hub.requests
    assert convert(tmp_path, hub, tmp_path / "a").code == 0
    hub.requests.clear()
    assert convert(tmp_path, hub, tmp_path / "b", env={"HF_HUB_OFFLINE": 1}).code == 0
    # A volume that many machines share, read only.
    shared = {"MLC_LLM_READONLY_WEIGHT_CACHE": f"/nowhere;{tmp_path / 'model_weights'}"}
    assert convert(tmp_path / "empty", hub, tmp_path / "c", env=shared).code == 0
    assert not hub.requests


def test_redo_takes_what_changed(hub, tmp_path):
    assert convert(tmp_path, hub, tmp_path / "a").code == 0
    hub.requests.clear()
    hub.commit = COMMIT[::-1]
    changed = hub.files["generation_config.json"] + b"\n"
    hub.files["generation_config.json"] = changed
    redo = {"MLC_DOWNLOAD_CACHE_POLICY": "REDO"}
    assert convert(tmp_path, hub, tmp_path / "b").code == 0 and not hub.requests
    assert convert(tmp_path, hub, tmp_path / "c", env=redo).code == 0
    assert hub.count("/resolve/") == 1
    assert (place(tmp_path) / "generation_config.json").read_bytes() == changed
    # A damaged file is mended.
    with open(place(tmp_path) / LARGE, "r+b") as f:
        f.write(b"damage")
    assert convert(tmp_path, hub, tmp_path / "d", env=redo).code == 0
    assert (place(tmp_path) / LARGE).read_bytes() == hub.files[LARGE]
    assert names(place(tmp_path)) == NEEDED and len(list(place(tmp_path).parent.iterdir())) == 1


def test_processes_that_download_the_same_model(hub, tmp_path):
    go_on = threading.Event()
    hub.fault("/api/", 1, lambda handler, path: (go_on.wait(60), hub.describe(handler, path)))
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "stdin": subprocess.DEVNULL}
    env = environment(tmp_path / "home", **hub.environment(HF_HUB_DOWNLOAD_TIMEOUT=60))

    def start(i):
        command = [BIN, "convert_weight", NAME, "--quantization", "q0f16", "-o", str(tmp_path / f"out{i}")]
        return subprocess.Popen(command, env=env, **pipes)

    first = start(0)
    while not hub.requests:
        assert first.poll() is None, first.stderr.read()
        threading.Event().wait(0.02)
    others = [start(1), start(2)]
    for process in others:
        assert "another process does it" in process.stderr.readline()
    go_on.set()
    for process in [first, *others]:
        err = process.communicate(timeout=120)[1]
        assert process.returncode == 0, err
    assert hub.count("/api/") == 1 and hub.count(f"/resolve/{COMMIT}/{LARGE}") == 1


def test_a_full_disk_and_a_directory_that_cannot_be_written(hub, tmp_path):
    def huge(handler, path):
        entry = {"rfilename": "config.json", "size": 10**17, "blobId": "a" * 40}
        handler.reply(200, f'{{"sha": "{COMMIT}", "siblings": [{str(entry).replace(chr(39), chr(34))}]}}'.encode())

    hub.fault("/api/", 1, huge)
    failed(tmp_path, hub, tmp_path, ["needs", "MLC_LLM_HOME"])
    (tmp_path / "file").write_text("x")
    line = error_line(convert(tmp_path / "file", hub, tmp_path / "out"))
    assert str(tmp_path / "file") in line


def test_names_that_are_none(hub, home, tmp_path):
    for name in ("HF://", "HF://tiny", "HF://a/b/c", "HF://../x", "https://huggingface.co/tiny", "hf://a/b@"):
        refused(home, "chat", name, "--prompt", "x", says="HF://USER/REPO", env=hub.environment())
    refused(home, "chat", NAME, "--prompt", "x", says="HF_ENDPOINT", env={"HF_ENDPOINT": "huggingface.co"})
    assert not hub.requests
    assert not [p for p in tree(tmp_path) if "tiny" in p]
