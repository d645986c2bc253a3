"""Bad input: one clear line, a non-zero exit, and nothing left behind."""

import json
import os
import pathlib
import platform
import re
import resource
import signal
import socket
import subprocess

import pytest
from server import Server
from support import (
    MODEL,
    copy_model,
    edit_json,
    edit_tensors,
    error_line,
    leaves_nothing,
    ok,
    refused,
    run,
    shard,
    tree,
)

# ------------------------------------------------------------------------------------------------ model directories


def both_ways_refused(home, model, tmp_path, says):
    """Through chat (into the cache) and through convert_weight (into a directory)."""
    out = tmp_path / "never"
    with leaves_nothing(home):
        refused(home, "chat", model, "--prompt", "x", says=says)
    refused(home, "convert_weight", model, "--quantization", "q0f16", "-o", out, says=says)
    assert not out.exists(), tree(out)


def test_no_such_directory(home, tmp_path):
    nowhere = tmp_path / "nowhere"
    both_ways_refused(home, nowhere, tmp_path, says=str(nowhere))
    refused(home, "serve", nowhere, says=str(nowhere))
    refused(home, "gen_config", nowhere, "--quantization", "q0f16", "-o", tmp_path / "never", says=str(nowhere))
    refused(home, "compile", nowhere, "--quantization", "q0f16", "-o", tmp_path / "x.so", says=str(nowhere))
    refused(home, "bench", nowhere, says=str(nowhere))
    empty = tmp_path / "empty"
    empty.mkdir()
    both_ways_refused(home, empty, tmp_path, says="config.json")
    assert tree(tmp_path) == set()


def test_missing_weights(home, model, tmp_path):
    (model / "model.safetensors").unlink()
    both_ways_refused(home, model, tmp_path, says="safetensors")


def test_missing_shard(home, model, tmp_path):
    shard(model, 3)
    (model / "model-00002-of-00003.safetensors").unlink()
    both_ways_refused(home, model, tmp_path, says="model-00002-of-00003.safetensors")


@pytest.mark.parametrize("size", [0, 4, 100, 5000, 3_000_000, -1])
def test_truncated_safetensors(home, model, tmp_path, size):
    path = model / "model.safetensors"
    os.truncate(path, size if size >= 0 else path.stat().st_size - 1)
    both_ways_refused(home, model, tmp_path, says="model.safetensors")


HEADERS = {
    "huge length": b"\xff" * 8 + b"{}",
    "no json": (20).to_bytes(8, "little") + b"x" * 20,
    "a list": (8).to_bytes(8, "little") + b"[1,2,3] ",
    "negative offsets": None,
    "overlapping": None,
}


@pytest.mark.parametrize("kind", HEADERS)
def test_damaged_safetensors_header(home, model, tmp_path, kind):
    raw = HEADERS[kind]
    if raw is None:
        offsets = [-4, 4] if kind == "negative offsets" else [0, 1 << 62]
        text = json.dumps({"model.norm.weight": {"dtype": "F16", "shape": [192], "data_offsets": offsets}}).encode()
        raw = len(text).to_bytes(8, "little") + text + b"\0" * 64
    (model / "model.safetensors").write_bytes(raw)
    both_ways_refused(home, model, tmp_path, says="model.safetensors")


def test_wrong_dtype(home, model, tmp_path):
    name = "model.layers.2.mlp.up_proj.weight"

    def to_int(tensors):
        _, shape, data = tensors[name]
        tensors[name] = ("I32", shape, data * 2)

    edit_tensors(model, to_int)
    both_ways_refused(home, model, tmp_path, says=[name, "I32"])


def test_missing_tensor(home, model, tmp_path):
    name = "model.layers.3.self_attn.k_proj.weight"
    edit_tensors(model, lambda tensors: tensors.pop(name))
    both_ways_refused(home, model, tmp_path, says=name)


def test_wrong_shape(home, model, tmp_path):
    name = "model.layers.3.self_attn.k_proj.weight"

    def flatten(tensors):
        dtype, shape, data = tensors[name]
        tensors[name] = (dtype, shape[::-1], data)

    edit_tensors(model, flatten)
    both_ways_refused(home, model, tmp_path, says=[name, "192"])


BAD_CONFIGS = {
    "architecture": ({"architectures": ["MambaForCausalLM"], "model_type": "mamba"}, "mamba"),
    "no type": ({"architectures": None, "model_type": None}, "model_type"),
    "zero hidden size": ({"hidden_size": 0}, "hidden_size"),
    "negative layers": ({"num_hidden_layers": -3}, "num_hidden_layers"),
    "huge vocabulary": ({"vocab_size": 10**12}, "vocab_size"),
    "huge hidden size": ({"hidden_size": 10**12}, "hidden_size"),
    "huge layers": ({"num_hidden_layers": 10**12}, "num_hidden_layers"),
    "beyond 64 bits": ({"intermediate_size": 10**30}, "intermediate_size"),
    "heads": ({"num_attention_heads": 7, "head_dim": None}, "head"),
    "key heads": ({"num_key_value_heads": 4}, "num_key_value_heads"),
    "no heads": ({"num_attention_heads": 0}, "num_attention_heads"),
    "text for a number": ({"hidden_size": "192"}, "hidden_size"),
    "list for a number": ({"vocab_size": [4096]}, "vocab_size"),
    "fraction": ({"num_hidden_layers": 2.5}, "num_hidden_layers"),
    "missing": ({"hidden_size": None}, "hidden_size"),
    "no context": ({"max_position_embeddings": 0}, "max_position_embeddings"),
    "negative epsilon": ({"rms_norm_eps": -1}, "rms_norm_eps"),
    "text for epsilon": ({"rms_norm_eps": "small"}, "rms_norm_eps"),
    "zero theta": ({"rope_theta": 0}, "rope_theta"),
    "rope scaling": ({"rope_scaling": {"rope_type": "spiral", "factor": 2}}, "spiral"),
    "activation": ({"hidden_act": "sinus"}, "sinus"),
    "more layers than weights": ({"num_hidden_layers": 7}, "layers.6"),
    "wider than the weights": ({"intermediate_size": 1024}, "1024"),
    "odd head": ({"head_dim": 31}, "head_dim"),
}


@pytest.mark.parametrize("kind", BAD_CONFIGS)
def test_impossible_configuration(home, model, tmp_path, kind):
    changes, says = BAD_CONFIGS[kind]
    edit_json(model / "config.json", **changes)
    both_ways_refused(home, model, tmp_path, says=says)


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[]", "null", "\x00\x01", '{"hidden_size": 1e999}', "\ufeff{}x"])
def test_configuration_that_is_no_json(home, model, tmp_path, text):
    (model / "config.json").write_text(text)
    both_ways_refused(home, model, tmp_path, says="config.json")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"model": {"type": "BPE"}}'])
def test_damaged_tokenizer(home, model, tmp_path, text):
    (model / "tokenizer.json").write_text(text)
    refused(home, "chat", model, "--prompt", "x", says="tokenizer.json")


def test_damaged_chat_template(home, model, tmp_path):
    bad = tmp_path / "bad.jinja"
    bad.write_text("{% for m in messages %}{{ m.content }}")
    refused(home, "chat", MODEL, "--chat-template", bad, "--prompt", "x", says="bad.jinja")
    bad.write_text("{{ raise_exception('only cats may talk') }}")
    refused(home, "chat", MODEL, "--chat-template", bad, "--prompt", "x", says="only cats may talk")
    refused(home, "chat", MODEL, "--chat-template", tmp_path / "none", "--prompt", "x", says=str(tmp_path / "none"))


# ------------------------------------------------------------------------------------------ converted directories


@pytest.fixture
def converted(mlc_dir, tmp_path):
    return copy_model(tmp_path / "converted", mlc_dir)


def chat_refused(home, model, *args, says):
    with leaves_nothing(home):
        return refused(home, "chat", model, *args, "--prompt", "x", says=says)


def edit_index(converted, change):
    path = converted / "tensor-cache.json"
    index = json.loads(path.read_text())
    change(index["records"][0])
    path.write_text(json.dumps(index))


def test_damaged_converted_directory(home, converted):
    whole = (converted / "tensor-cache.json").read_text()
    config = (converted / "mlc-chat-config.json").read_text()
    for damage, says in [
        (lambda s: s["records"].pop(5), "q_proj|o_proj|mlp|norm|weight"),
        (lambda s: s["records"][0].update(byteOffset=10**15), "model.embed_tokens.weight"),
        (lambda s: s["records"][0].update(byteOffset=-1), "byteOffset"),
        (lambda s: s["records"][0].update(shape=[4096, -192]), "model.embed_tokens.weight"),
        (lambda s: s["records"][0].update(dtype="float17"), "float17"),
        (lambda s: s.update(dataPath="../../../etc/passwd"), "passwd"),
        (lambda s: s.update(dataPath="gone.bin"), "gone.bin"),
        (lambda s: s.update(records="none"), "tensor-cache.json"),
    ]:
        edit_index(converted, damage)
        line = chat_refused(home, converted, says=[])
        assert any(word in line for word in says.split("|")), line
        (converted / "tensor-cache.json").write_text(whole)
    (converted / "tensor-cache.json").write_text(whole[:1000])
    chat_refused(home, converted, says="tensor-cache.json")
    (converted / "tensor-cache.json").unlink()
    chat_refused(home, converted, says=["tensor-cache.json"])
    (converted / "tensor-cache.json").write_text(whole)
    for change, says in [
        ({"quantization": "q3f16_9"}, "q3f16_9"),
        ({"quantization": 4}, "quantization"),
        ({"quantization": "q4f16_1"}, "q_weight"),
        ({"context_window_size": "many"}, "context_window_size"),
        ({"model_config": None}, "model_config|hidden_size"),
        ({"conv_template": 7}, "conv_template"),
        ({"conv_template": {"roles": 3}, "chat_template": None}, "conv_template"),
    ]:
        edit_json(converted / "mlc-chat-config.json", **change)
        line = chat_refused(home, converted, says=[])
        assert any(word in line for word in says.split("|")), line
        (converted / "mlc-chat-config.json").write_text(config)
    os.truncate(converted / "params_shard_0.bin", 1_000_000)
    chat_refused(home, converted, says="params_shard_0.bin")


# ------------------------------------------------------------------------------------------------------ libraries


def foreign_cpu():
    """A CPU of this architecture with an instruction that this machine lacks."""
    if platform.machine() != "x86_64":
        return None
    flags = set(next(x for x in open("/proc/cpuinfo") if x.startswith("flags")).split())
    for cpu, feature in [("sapphirerapids", "amx_tile"), ("skylake-avx512", "avx512f"), ("znver4", "sse4a")]:
        if feature not in flags:
            return cpu
    return None


def test_a_library_for_another_cpu(home, mlc_dir, tmp_path):
    cpu = foreign_cpu()
    if cpu is None:
        pytest.skip("this machine has every feature of the CPUs that the test knows, or is not x86-64")
    lib = tmp_path / "lib.so"
    ok(home, "compile", mlc_dir, "--mcpu", cpu, "-o", lib)
    chat_refused(home, mlc_dir, "--model-lib", lib, says=[str(lib), cpu, "compile"])


def test_a_library_for_another_architecture(home, mlc_dir, tmp_path):
    other = "aarch64-linux-gnu" if platform.machine() == "x86_64" else "x86_64-linux-gnu"
    lib = tmp_path / "lib.so"
    ok(home, "compile", mlc_dir, "--target", other, "-o", lib)
    assert lib.read_bytes()[18] == {"aarch64-linux-gnu": 183, "x86_64-linux-gnu": 62}[other]  # e_machine
    chat_refused(
        home, mlc_dir, "--model-lib", lib, says=[str(lib), other.split("-", maxsplit=1)[0].replace("_", "")[:5]]
    )


def test_a_library_of_another_version(home, mlc_dir, tmp_path):
    raw = (mlc_dir / "lib.so").read_bytes()
    version = re.search(rb'"abi_version":\d,', raw).group()
    assert raw.count(version) == 1
    lib = tmp_path / "lib.so"
    lib.write_bytes(raw.replace(version, b'"abi_version":9,'))
    chat_refused(home, mlc_dir, "--model-lib", lib, says=[str(lib), "9", "compile"])


def test_a_library_for_another_model(home, mlc_dir, tmp_path):
    lib = tmp_path / "lib.so"
    ok(home, "compile", MODEL, "--quantization", "q4f16_1", "-o", lib)
    chat_refused(home, mlc_dir, "--model-lib", lib, says=[str(lib), "q4f16_1"])
    # Same scheme and vocabulary, other shape: the weights tell.
    other = copy_model(tmp_path / "other")
    edit_json(other / "config.json", intermediate_size=256)
    ok(home, "compile", other, "--quantization", "q0f16", "-o", lib)
    chat_refused(home, mlc_dir, "--model-lib", lib, says="512")


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "short", "half", "other"])
def test_a_file_that_is_no_library(home, mlc_dir, tmp_path, kind):
    lib = tmp_path / "lib.so"
    raw = (mlc_dir / "lib.so").read_bytes()
    if kind == "other":
        libc = [line.split()[-1] for line in open("/proc/self/maps") if "libm.so" in line or "libc.so" in line]
        lib = pathlib.Path(libc[0])
    elif kind != "missing":
        lib.write_bytes(
            {"empty": b"", "text": b"hello\n" * 100, "short": raw[:1000], "half": raw[: len(raw) // 2]}[kind]
        )
    chat_refused(home, mlc_dir, "--model-lib", lib, says=str(lib))


# ------------------------------------------------------------------------------------------------ flags and values


COMMANDS = "chat serve convert_weight gen_config compile bench export tune opt cache completion import".split()


@pytest.mark.parametrize(
    "args, says",
    [
        ([], "subcommand"),
        (["dance"], "dance"),
        (["chat"], "model"),
        (["chat", "MODEL", "--nonsense"], "--nonsense"),
        (["chat", "MODEL", "--temperature", "hot"], "--temperature"),
        (["chat", "MODEL", "--temperature", "-1"], "--temperature"),
        (["chat", "MODEL", "--temperature", "nan"], "temperature"),
        (["chat", "MODEL", "--top-p", "2"], "--top-p"),
        (["chat", "MODEL", "--max-tokens", "0"], "--max-tokens"),
        (["chat", "MODEL", "--seed", "-1"], "--seed"),
        (["chat", "MODEL", "--device", "cuda"], ["cuda", "cpu"]),
        (["chat", "MODEL", "--quantization", "q7f16_9"], ["q7f16_9", "q4f16_1"]),
        (["chat", "MODEL", "--threads", "-2"], "--threads"),
        (["chat", "MODEL", "--threads", "1000000"], "--threads"),
        (["chat", "MODEL", "--opt", "O9"], "O9"),
        (["chat", "MODEL", "--activation", "f64"], "f64"),
        (["chat", "MODEL", "--overrides", "depth=3"], ["depth", "context_window_size"]),
        (["chat", "MODEL", "--overrides", "context_window_size=x"], "context_window_size"),
        (["chat", "MODEL", "--overrides", "context_window_size"], "key=value"),
        (["chat", "MODEL", "--overrides", "context_window_size=4096"], ["4096", "512"]),
        (["chat", "MODEL", "--mcpu", "pentium9"], "pentium9"),
        (["chat", "MODEL", "--target", "vax-dec-ultrix"], "vax"),
        (["serve", "MODEL", "--mode", "fast"], ["fast", "interactive"]),
        (["serve", "MODEL", "--port", "99999"], "port"),
        (["serve", "MODEL", "--host", "300.1.1.1"], "300.1.1.1"),
        (["serve", "MODEL", "--host", "192.0.2.1"], "192.0.2.1"),
        (["serve", "MODEL", "--allow-origins", "*"], "--allow-origins"),
        (["serve", "MODEL", "--overrides", "max_num_sequence=-1"], "max_num_sequence"),
        (["serve", "MODEL", "--prefix-cache-mode", "tree"], "prefix-cache-mode"),
        (["convert_weight", "MODEL", "-o", "NEVER"], "--quantization"),
        (["convert_weight", "MODEL", "--quantization", "q7", "-o", "NEVER"], ["q7", "q4f16_1"]),
        (["convert_weight", "MODEL", "--quantization", "q0f16", "--device", "cuda", "-o", "NEVER"], "cuda"),
        (["convert_weight", "MODEL", "--quantization", "q0f16", "--model-type", "gpt2", "-o", "NEVER"], "gpt2"),
        (["gen_config", "MODEL", "--quantization", "q7", "-o", "NEVER"], "q7"),
        (["gen_config", "MODEL", "--quantization", "q0f16", "--conv-template", "x", "-o", "NEVER"], "chatml"),
        (["gen_config", "MODEL", "--quantization", "q0f16", "--context-window-size", "0", "-o", "NEVER"], "context"),
        (["gen_config", "MODEL", "--quantization", "q0f16", "--tensor-parallel-shards", "2", "-o", "NEVER"], "shards"),
        (["compile", "MODEL", "--quantization", "q0f16", "-o", "NEVER"], ".so"),
        (["compile", "MODEL", "-o", "NEVER.so"], "--quantization"),
        (["compile", "MODEL", "--quantization", "q0f16", "--device", "cuda", "-o", "NEVER.so"], "cuda"),
        (["compile", "MODEL", "--quantization", "q0f16", "-o", "NEVER/deep/lib.so"], "NEVER/deep"),
        (["bench"], "--preset"),
        (["bench", "--preset", "llama-3.2-1b"], "--synthetic"),
        (["bench", "--preset", "llama-9", "--synthetic", "--quantization", "q4f16_1"], "llama-9"),
        (["export", "MODEL", "-o", "NEVER"], "--type"),
        (["export", "MODEL", "--type", "q9", "-o", "NEVER"], "q9"),
        (["export", "MODEL", "--type", "f16", "--synthetic", "-o", "NEVER"], "--synthetic"),
        (["export", "--preset", "llama-3.2-1b", "--type", "f16", "-o", "NEVER"], "--synthetic"),
        (["export", "--type", "f16", "-o", "NEVER"], "model directory"),
        (["opt", "nothing.tir"], "nothing.tir"),
        (["opt", "MODEL/config.json"], "config.json"),
        (["cache"], "subcommand"),
        (["completion", "tcsh"], "tcsh"),
        (["import", "nothing.bin", "-o", "NEVER"], "nothing.bin"),
        (["import", "MODEL/config.json", "-o", "NEVER"], "config.json"),
    ],
    ids=lambda v: " ".join(v).replace("MODEL ", "") if isinstance(v, list) and v and v[0] in COMMANDS else "",
)
def test_wrong_flags(home, story, tmp_path, args, says):
    args = [a.replace("MODEL", str(MODEL)).replace("NEVER", str(tmp_path / "never")) for a in args]
    if args and args[0] == "chat" and "--prompt" not in args:
        args += ["--prompt", "x"]
    says = [says] if isinstance(says, str) else says
    with leaves_nothing(home, tmp_path):
        refused(home, *args, says=[s.replace("NEVER", str(tmp_path / "never")) for s in says])


def test_outputs_that_cannot_be_written(home, tmp_path):
    (tmp_path / "file").write_text("x")
    below = tmp_path / "file" / "out"
    with leaves_nothing(tmp_path):
        for command in ("convert_weight", "gen_config"):
            refused(home, command, MODEL, "--quantization", "q0f16", "-o", below, says=str(tmp_path / "file"))
        refused(home, "compile", MODEL, "--quantization", "q0f16", "-o", below / "lib.so", says=str(tmp_path / "file"))


def test_prompt_longer_than_the_context(home, story):
    long = "the fox and the bear " * 400
    with leaves_nothing(home):
        line = refused(home, "chat", MODEL, "--prompt", long, says=["512", "tokens"])
        refused(home, "chat", MODEL, "--max-tokens", "4", stdin=long, says="512")
    assert "fox" not in line, "the prompt is not part of the message"


def test_empty_standard_input(home):
    refused(home, "chat", MODEL, stdin="\n", says="standard input")


# ------------------------------------------------------------------------------------------------------- full disk


def file_size_limit(size):
    def apply():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # as an error of write(), like a full disk
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return apply


def test_a_file_that_cannot_grow(home, tmp_path):
    out = tmp_path / "out"
    options = {"preexec_fn": file_size_limit(1 << 20)}
    refused(home, "convert_weight", MODEL, "--quantization", "q0f16", "-o", out, says=str(out), **options)
    assert tree(out) == set() and not out.exists()
    fresh = tmp_path / "home"
    refused(fresh, "chat", MODEL, "--prompt", "x", says=str(fresh), **options)
    assert tree(fresh) == set()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system can only be mounted by root (test_a_file_that_cannot_grow ran)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_full_disk(home, small_disk):
    refused(home, "convert_weight", MODEL, "--quantization", "q0f16", "-o", small_disk / "out", says=["space", "out"])
    assert tree(small_disk) == set()
    cache = small_disk / "cache"
    refused(cache, "chat", MODEL, "--prompt", "x", says=["space", str(cache)])
    assert tree(cache) == set()
    # Room for a conversion in 4 bits is there, for the library or the packed weights it is not.
    error_line(run(cache, "chat", MODEL, "--quantization", "q4f16_1", "--prompt", "x"))
    assert not [p for p in tree(cache) if "tmp" in p]


# ------------------------------------------------------------------------------------------------------ the server


def test_port_in_use(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused(tmp_path / "home", "serve", MODEL, "--host", "127.0.0.1", "--port", port, says=[str(port), "use"])
    assert tree(tmp_path) == set()  # said before anything was compiled or packed


def test_bad_requests(home, story, tmp_path):
    hello = [{"role": "user", "content": "Hi"}]
    with Server(home, MODEL, log=tmp_path / "log") as server:
        for path, body in [
            ("/v1/chat/completions", b""),
            ("/v1/chat/completions", b"{"),
            ("/v1/chat/completions", b"[]"),
            ("/v1/chat/completions", b'{"messages": "Hi"}'),
            ("/v1/chat/completions", b'{"messages": [{"role": "user", "content": "\xff\xfe"}]}'),
            ("/v1/chat/completions", {}),
            ("/v1/chat/completions", {"messages": []}),
            ("/v1/chat/completions", {"messages": [{"role": "user"}]}),
            ("/v1/chat/completions", {"messages": [{"role": "king", "content": "Hi"}]}),
            ("/v1/chat/completions", {"messages": hello, "temperature": 9}),
            ("/v1/chat/completions", {"messages": hello, "max_tokens": -1}),
            ("/v1/chat/completions", {"messages": hello, "top_p": "all"}),
            ("/v1/chat/completions", {"messages": hello, "n": 0}),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "the fox " * 1000}]}),
            ("/v1/completions", {"prompt": list(range(600))}),
            ("/v1/completions", {"prompt": 5}),
            ("/v1/completions", {"prompt": []}),
        ]:
            status, answer = server.request(path, body)
            assert 400 <= status < 500, (path, body, status, answer)
            message = answer["error"]["message"]
            assert message and "\n" not in message, message
        assert server.request("/v1/models/none")[0] == 404
        assert server.request("/nothing")[0] == 404
        assert server.ask("Hi")  # and it goes on serving
        health = server.request("/health")[1]["models"].popitem()[1]
        assert health["running"] == 0 and health["waiting"] == 0
