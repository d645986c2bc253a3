"""Running the program, and making model directories that are right or wrong in one chosen way."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess

BIN = os.environ.get("MLC_LLM_BIN", "")
MODEL = pathlib.Path(os.environ.get("MLC_TEST_MODEL", "models/demo"))
DATA = pathlib.Path(os.environ.get("MLC_TEST_DATA") or pathlib.Path(__file__).resolve().parents[2] / "../shared/data")
LIMIT_S = 300  # a compilation on a busy machine in a debug build; nothing here takes long by itself
STORY = "Tell me a story about a fox"


def environment(home, **extra):
    """The caller's environment without the program's own variables, with MLC_LLM_HOME at `home` (None: unset)."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("MLC_")}
    if home is not None:
        env["MLC_LLM_HOME"] = str(home)
    env.update({k: str(v) for k, v in extra.items()})
    return env


class Result:
    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"

    @property
    def progress(self):
        """What slow steps were run, by the first words of their progress lines."""
        return {w for w in ("converting", "compiling", "packing") if re.search(f"^{w} ", self.err, re.MULTILINE)}


def run(home, *args, stdin=None, env=None, cwd=None, preexec_fn=None):
    done = subprocess.run(
        [BIN, *map(str, args)],
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home, **(env or {})),
        cwd=cwd,
        timeout=LIMIT_S,
        text=True,
        check=False,
        preexec_fn=preexec_fn,
    )
    return Result(done)


def ok(home, *args, **options):
    result = run(home, *args, **options)
    assert result.code == 0, result
    return result


def chat(home, model, *args, prompt=STORY, tokens=24, **options):
    """The greedy answer."""
    command = ["chat", model, "--prompt", prompt, "--temperature", "0", "--max-tokens", tokens, *args]
    return ok(home, *command, **options)


def story_text(home, model, *args, **options):
    return chat(home, model, *args, **options).out


def error_line(result):
    """Checks the form of a refusal: an exit code, one line that begins with "error:", and nothing like a stack."""
    assert result.code > 0, result  # not 0, and no signal
    lines = [line for line in result.err.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error:")]
    assert len(errors) == 1 and lines[-1] == errors[0], result
    others = [line for line in lines[:-1] if not re.match(r"(converting|compiling|packing|downloading|warning) ", line)]
    assert not others, result
    assert 12 < len(errors[0]) < 1500, result
    assert result.out == "", result
    assert not re.search(
        r"terminate called|what\(\)|stack|#0 |Assertion|std::|\.cc:\d|json\.exception", result.err
    ), result
    return errors[0]


def refused(home, *args, says, **options):
    """Runs a command that must be refused; `says`: words that the line has to have."""
    line = error_line(run(home, *args, **options))
    for word in [says] if isinstance(says, str) else says:
        assert word.lower() in line.lower(), f"{line!r} does not speak of {word!r}"
    return line


def tree(path):
    """What a directory holds; locks and remembered digests of unchanged inputs are no results, so they are left out."""
    path = pathlib.Path(path)
    if not path.exists():
        return set()
    found = {str(p.relative_to(path)) for p in path.rglob("*") if p.is_file() or ".tmp" in p.name}
    return {p for p in found if not p.startswith(("locks/", "content_keys/"))}


@contextlib.contextmanager
def leaves_nothing(*dirs):
    before = [tree(d) for d in dirs]
    yield
    for d, known in zip(dirs, before):
        assert tree(d) == known, f"left behind in {d}: {sorted(tree(d) - known)}"


# ---------------------------------------------------------------------------------------------------- safetensors


def read_safetensors(path):
    """{name: (dtype, shape, bytes)} in the order of the file."""
    raw = pathlib.Path(path).read_bytes()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + size])
    header.pop("__metadata__", None)
    body = raw[8 + size :]
    return {n: (t["dtype"], t["shape"], body[slice(*t["data_offsets"])]) for n, t in header.items()}


def write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            f.write(data)


# ---------------------------------------------------------------------------------------------- model directories


def copy_model(to, source=MODEL, without=()):
    shutil.copytree(source, to, ignore=lambda _, names: [n for n in names if n in without])
    return pathlib.Path(to)


def edit_json(path, **changes):
    """Sets keys; a value of None removes the key."""
    body = json.loads(pathlib.Path(path).read_text())
    for key, value in changes.items():
        if value is None:
            body.pop(key, None)
        else:
            body[key] = value
    pathlib.Path(path).write_text(json.dumps(body))


def edit_tensors(model, change):
    path = model / "model.safetensors"
    tensors = read_safetensors(path)
    change(tensors)
    write_safetensors(path, tensors)


def shard(model, count):
    """Splits model.safetensors as Hugging Face does: numbered files and an index."""
    tensors = list(read_safetensors(model / "model.safetensors").items())
    weight_map = {}
    for i in range(count):
        name = f"model-{i + 1:05}-of-{count:05}.safetensors"
        part = dict(tensors[i::count])
        write_safetensors(model / name, part)
        weight_map.update({n: name for n in part})
    total = sum(len(t[2]) for _, t in tensors)
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (model / "model.safetensors.index.json").write_text(json.dumps(index))
    (model / "model.safetensors").unlink()


def convert(home, out, scheme, source=MODEL, *, config_flags=()):
    """The two steps that make an MLC model directory."""
    ok(home, "convert_weight", source, "--quantization", scheme, "-o", out)
    ok(home, "gen_config", source, "--quantization", scheme, "--conv-template", "auto", *config_flags, "-o", out)
    return pathlib.Path(out)
