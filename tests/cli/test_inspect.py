"""Looking inside: dumps of every stage, opt from stage to stage, help, version, completion, environment forms."""

import json
import re
import shutil
import subprocess
import tempfile

import pytest
from support import MODEL, STORY, chat, ok, refused, run

COMMANDS = [
    "chat",
    "serve",
    "health",
    "convert_weight",
    "gen_config",
    "compile",
    "bench",
    "export",
    "import",
    "tune",
    "opt",
    "cache",
    "completion",
]


@pytest.fixture(scope="module")
def dumps(home, tmp_path_factory):
    """{stage: path} of a compilation's dumps."""
    directory = tmp_path_factory.mktemp("dumps")
    command = ["compile", MODEL, "--quantization", "q4f16_1", "-o", directory / "lib.so"]
    ok(home, *command, env={"MLC_DUMP": "all", "MLC_DUMP_DIR": directory / "d"})
    return directory / "d"


def stage(dumps, name):
    found = [p for p in dumps.iterdir() if re.fullmatch(rf"\d+-{name}\.\w+", p.name)]
    assert len(found) == 1, f"{name}: {sorted(p.name for p in dumps.iterdir())}"
    return found[0]


def test_dumps_of_every_stage(dumps):
    files = sorted(dumps.iterdir())
    numbers = [int(p.name.split("-")[0]) for p in files]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "numbered in order, none left out"
    order = [stage(dumps, s) for s in ("graph", "expanded", "fused", "tir", "scheduled", "llvm", "asm", "artifact")]
    assert order == sorted(order)
    assert len(files) > len(order), "lowering passes are stages too"
    assert all(p.stat().st_size > 100 for p in files)
    assert "matmul" in order[0].read_text() or "linear" in order[0].read_text()
    assert "define " in stage(dumps, "llvm").read_text()
    assert ".text" in stage(dumps, "asm").read_text()
    assert json.loads(stage(dumps, "artifact").read_text())["abi_version"] == 3


def test_dumps_that_are_asked_for(home, dumps, tmp_path):
    command = ["compile", MODEL, "--quantization", "q4f16_1", "-o", tmp_path / "lib.so"]
    ok(home, *command, env={"MLC_DUMP": "tir,scheduled", "MLC_DUMP_DIR": tmp_path / "some"})
    names = sorted(p.name for p in (tmp_path / "some").iterdir())
    assert names == sorted(stage(dumps, s).name for s in ("tir", "scheduled"))  # the numbers are those of all
    # The same input gives the same text, by the flag as well.
    ok(home, *command, "--debug-dump", tmp_path / "flag")
    for s in ("graph", "tir", "scheduled", "llvm"):
        assert stage(tmp_path / "flag", s).read_text() == stage(dumps, s).read_text(), s


def test_a_cached_model_is_compiled_anew_for_who_wants_to_see_it(home, tmp_path):
    text = chat(home, MODEL, tokens=4).out
    for name in ("first", "second"):
        dump = {"MLC_DUMP": "scheduled,insert_prefetch,lowered", "MLC_DUMP_DIR": tmp_path / name}
        assert chat(home, MODEL, tokens=4, env=dump).out == text
        assert len(list((tmp_path / name).iterdir())) == 3
    # Passes that are switched off belong to what the cache looks for.
    libraries = len(list(home.rglob("*.so")))
    assert chat(home, MODEL, tokens=4, env={"MLC_DISABLE_PASS": "insert_prefetch"}).out == text
    assert len(list(home.rglob("*.so"))) == libraries + 1


def test_opt_takes_up_the_scheduled_dump(home, dumps, tmp_path):
    scheduled = stage(dumps, "scheduled")
    printed = ok(home, "opt", scheduled, "--from", "scheduled", "--to", "scheduled").out
    assert printed == scheduled.read_text()  # printer and parser round-trip
    lowered = tmp_path / "lowered.tir"
    ok(home, "opt", scheduled, "--from", "scheduled", "--to", "lowered", "-o", lowered)
    text = lowered.read_text()
    assert text.count("func ") == printed.count("func ") or "kernel" in text
    llvm = ok(home, "opt", lowered, "--from", "lowered", "--to", "llvm").out
    assert "define " in llvm and "target triple" in llvm
    asm = ok(home, "opt", lowered, "--from", "lowered", "--to", "asm").out
    assert ok(home, "opt", scheduled, "--from", "scheduled", "--to", "asm").out == asm  # by the file or at one go
    assert ".text" in asm and ".globl" in asm


def test_opt_for_another_machine(home, dumps):
    """From a stage that knows no machine yet."""
    asm = ok(home, "opt", stage(dumps, "tir"), "--from", "graph", "--to", "asm", "--target", "aarch64-linux-gnu").out
    assert re.search(r"\bfmla\b", asm) and "%rsp" not in asm


def test_opt_schedules(home, dumps):
    tir = stage(dumps, "tir")
    scheduled = ok(home, "opt", tir, "--from", "graph", "--to", "scheduled").out
    assert scheduled.count("\n") > tir.read_text().count("\n")


def test_opt_refuses(home, dumps, tmp_path):
    scheduled = stage(dumps, "scheduled")
    refused(home, "opt", scheduled, "--from", "lowered", "--to", "graph", says=["--to", "--from"])
    refused(home, "opt", scheduled, "--from", "somewhere", says="--from")
    half = tmp_path / "half.tir"
    half.write_text(scheduled.read_text()[:3000])
    line = refused(home, "opt", half, "--from", "scheduled", says="half.tir")
    assert re.search(r"half\.tir:\d+", line), "the line of the text is named"


# ----------------------------------------------------------------------------------------------------------- help


def test_version(home):
    assert re.fullmatch(r"mlc_llm \d+\.\d+\.\d+ \([0-9a-f]{12}\)\n", ok(home, "--version").out)


def test_help(home):
    text = ok(home, "--help").out
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\S", text, re.MULTILINE), command
    assert len(re.findall(r"^  [a-z_]+ {2,}\S", text, re.MULTILINE)) == len(COMMANDS), "nothing else is there"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_each_command(home, command):
    done = ok(home, command, "--help")
    assert done.err == "" and "Usage:" in done.out
    blocks = re.split(r"\n(?=  -)", done.out)[1:]
    for block in blocks:
        flags, _, _ = block.partition("\n")
        words = re.sub(r"\(Env:\w+\)|^\s*-[-\w,]+( [A-Z][^ ]*)?( REQUIRED)?", "", block.strip()).split()
        assert len(words) >= 1, f"{flags} has no description"


# --------------------------------------------------------------------------------------------------- completion


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script_is_of_its_shell(home, shell, tmp_path):
    script = ok(home, "completion", shell).out
    for command in COMMANDS:
        assert command in script
    assert "--temperature" in script or "-l temperature" in script
    if shutil.which(shell) is None:
        if shell == "zsh":  # it runs bash's form
            script = script.split("\n", 1)[1]
            shell = "bash"
        else:
            pytest.skip(f"{shell} is not installed; the script's words were checked")
    path = tmp_path / "script"
    path.write_text(script)
    checked = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
    assert checked.returncode == 0 and checked.stderr == ""


def complete(script, *words):
    """What bash would offer for the last of the words, in an empty folder: file names count as well."""
    text = f"""{script}
COMP_WORDS=({" ".join(f"'{w}'" for w in words)}); COMP_CWORD={len(words) - 1}
_mlc_llm mlc_llm '{words[-1]}' '{words[-2]}'
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    with tempfile.TemporaryDirectory() as empty:
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True, cwd=empty)
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes(home):
    script = ok(home, "completion", "bash").out
    assert complete(script, "mlc_llm", "") >= set(COMMANDS)
    assert complete(script, "mlc_llm", "con") == {"convert_weight"}
    assert complete(script, "mlc_llm", "chat", "--temp") == {"--temperature"}
    assert complete(script, "mlc_llm", "serve", "--served") == {"--served-model-name"}
    assert complete(script, "mlc_llm", "cache", "pr") == {"prune"}
    assert complete(script, "mlc_llm", "completion", "f") == {"fish"}
    assert complete(script, "mlc_llm", "chat", "--sta") == set()
    # Exactly the flags that the help lists.
    listed = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ok(home, "serve", "--help").out.split("Options:")[1]))
    assert complete(script, "mlc_llm", "serve", "--") == listed


# ------------------------------------------------------------------------------------------- environment forms


def test_a_flag_by_the_environment(home, story):
    env = {"MLC_LLM_CHAT_PROMPT": STORY, "MLC_LLM_CHAT_TEMPERATURE": "0", "MLC_LLM_CHAT_MAX_TOKENS": "24"}
    assert ok(home, "chat", MODEL, env=env).out == story
    # The flag itself wins, and another command's form is not read.
    assert ok(home, "chat", MODEL, "--max-tokens", "5", env=env).out != story
    assert chat(home, MODEL, env={"MLC_LLM_SERVE_MAX_TOKENS": "2"}).out == story
    assert run(home, "chat", MODEL, env={**env, "MLC_LLM_CHAT_MAX_TOKENS": "many"}).code != 0


def test_every_flag_has_its_environment_form(home):
    for command in ("chat", "serve", "compile", "bench"):
        text = ok(home, command, "--help").out
        for flag in set(re.findall(r"^ +(?:-\w,)?--([a-z-]+)", text, re.MULTILINE)) - {"help"}:
            assert f"(Env:MLC_LLM_{command.upper()}_{flag.upper().replace('-', '_')})" in text, (command, flag)
