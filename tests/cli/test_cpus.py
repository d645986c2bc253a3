"""One program on many CPUs: what it compiles fits the machine that it runs on, and says the same."""

import pathlib
import shutil
import subprocess

import pytest
from support import BIN, MODEL, STORY, Result, chat, environment, ok, run

FLAGS = pathlib.Path("/proc/cpuinfo").read_text() if pathlib.Path("/proc/cpuinfo").exists() else ""
# CPU -> what this machine must have to run code for it.
NATIVE = {
    "x86-64": "sse2",
    "x86-64-v2": "sse4_2",
    "haswell": "avx2",
    "skylake-avx512": "avx512bw",
    "cascadelake": "avx512_vnni",
    "znver4": "avx512_bf16",
}
SCHEMES = ["q0f16", "q4f16_1", "q8f16_1"]


@pytest.fixture(scope="module")
def texts(home):
    return {scheme: chat(home, MODEL, "--quantization", scheme).out for scheme in SCHEMES}


@pytest.mark.parametrize("cpu", NATIVE)
def test_the_same_text_by_the_code_for_another_cpu(cpu, home, texts):
    if NATIVE[cpu] not in FLAGS:
        pytest.skip(f"this machine has no {NATIVE[cpu]}")
    for scheme in SCHEMES:
        assert chat(home, MODEL, "--quantization", scheme, "--mcpu", cpu).out == texts[scheme], scheme


# An emulated CPU: an instruction that it does not have ends the program, be it in the program itself or in what it
# compiles.
@pytest.mark.parametrize("cpu", ["qemu64", "Haswell"])
def test_no_illegal_instruction(cpu, tmp_path, texts):
    qemu = shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")
    if qemu is None:
        pytest.skip("needs qemu-user-static")
    command = [
        qemu,
        "-cpu",
        cpu,
        BIN,
        "chat",
        MODEL,
        "--quantization",
        "q4f16_1",
        "--prompt",
        STORY,
        "--temperature",
        "0",
    ]
    done = subprocess.run(
        [*map(str, command), "--max-tokens", "24"],
        env=environment(tmp_path),
        timeout=600,
        capture_output=True,
        text=True,
        check=False,
    )
    result = Result(done)
    assert result.code == 0, result
    assert result.out == texts["q4f16_1"]


def test_a_library_for_aarch64(home, mlc_dir, tmp_path):
    lib = tmp_path / "lib.so"
    ok(home, "compile", mlc_dir, "--target", "aarch64-linux-gnu", "-o", lib)
    head = lib.read_bytes()[:20]
    assert head[:4] == b"\x7fELF" and int.from_bytes(head[18:20], "little") == 183  # EM_AARCH64


def test_a_library_for_windows(home, mlc_dir, tmp_path):
    lib = tmp_path / "lib.dll"
    ok(home, "compile", mlc_dir, "--host", "x86_64-windows-gnu", "-o", lib)
    image = lib.read_bytes()
    header = int.from_bytes(image[0x3C:0x40], "little")
    assert image[:2] == b"MZ" and image[header : header + 6] == b"PE\0\0\x64\x86"
    wrong = run(home, "compile", mlc_dir, "--host", "x86_64-windows-gnu", "-o", tmp_path / "lib.so")
    assert wrong.code == 1 and "ends in .dll" in wrong.err, wrong
    both = run(home, "compile", mlc_dir, "--host", "x86_64-windows-gnu", "--target", "aarch64-linux-gnu", "-o", lib)
    assert both.code == 1 and "--host and --target" in both.err, both
    # Kernels of another system are refused, not crashed into.
    refused = run(home, "chat", mlc_dir, "--model-lib", lib, "--prompt", "x")
    assert refused.code == 1, refused
