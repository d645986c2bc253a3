"""Uses the package that is installed beside this Python, as its users would: run by `make test-wheel` and cibuildwheel.

python tests/wheel/installed.py models/demo
"""

import asyncio
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Any

QUESTION = "Tell me a story"
ASK: "list[Any]" = [{"role": "user", "content": QUESTION}]


def program(*arguments: str) -> str:
    """What the program says, under both of its names."""
    script = pathlib.Path(sys.executable).parent / "mlc_llm"
    outputs = []
    for command in ([sys.executable, "-m", "mlc_llm"], [str(script)]):
        done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, f"{command} {arguments}: {done.returncode}\n{done.stderr}"
        outputs.append(done.stdout)
    assert outputs[0] == outputs[1], outputs
    return outputs[0]


def engine_answers(model: str) -> str:
    """One answer at once, the same as a stream, and from the asynchronous engine."""
    # pylint: disable=import-outside-toplevel
    from mlc_llm import AsyncMLCEngine, MLCEngine

    with MLCEngine(model) as engine:
        whole = engine.chat.completions.create(messages=ASK, max_tokens=16, temperature=0)
        stream = engine.chat.completions.create(messages=ASK, max_tokens=16, temperature=0, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
    assert text.strip() and whole.choices[0].message.content == text, (whole, text)

    async def ask() -> str:
        async with AsyncMLCEngine(model) as engine:
            answer = await engine.chat.completions.create(messages=ASK, max_tokens=16, temperature=0)
            return str(answer.choices[0].message.content)

    assert asyncio.run(ask()) == text
    return text


def compiles_for(model: str, target: str, machine: int, folder: pathlib.Path) -> None:
    """The compiler inside makes a library for this kind of machine: `machine` is the ELF header's."""
    library = folder / f"{target}.so"
    program("compile", model, "--quantization", "q0f16", "--target", target, "-o", str(library))
    head = library.read_bytes()[:20]
    assert head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == machine, (target, head)


def main() -> None:
    model = os.path.abspath(sys.argv[1])
    # pylint: disable=import-outside-toplevel
    import mlc_llm

    folder = pathlib.Path(mlc_llm.__file__).resolve().parent
    assert pathlib.Path(sys.prefix).resolve() in folder.parents, f"{folder} is not what was installed into {sys.prefix}"
    version = program("--version")
    assert version.startswith(f"mlc_llm {mlc_llm.__version__} ("), version
    with tempfile.TemporaryDirectory() as home:
        os.environ["MLC_LLM_HOME"] = home
        text = engine_answers(model)
        said = program("chat", model, "--prompt", QUESTION, "--max-tokens", "16", "--temperature", "0")
        assert text.strip() in said, (text, said)
        for target, machine in (("x86_64-linux-gnu", 62), ("aarch64-linux-gnu", 183)):
            compiles_for(model, target, machine, pathlib.Path(home))
    print(f"Python {sys.version.split()[0]}: {version.strip()}: engines, streams, program, chat, compiler work")


if __name__ == "__main__":
    main()
