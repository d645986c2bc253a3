"""deploy/systemd: the unit is valid, hardened, and leaves the server time to drain."""

import configparser
import os
import re
import subprocess

import pytest
from conftest import ROOT, need_tool, read
from live import BIN, MODEL

UNIT = "deploy/systemd/mlc-llm.service"


@pytest.fixture
def unit(tmp_path):
    """The unit with a program that is here: systemd-analyze looks for it."""
    path = tmp_path / "mlc-llm.service"
    path.write_text(read(UNIT).replace("/usr/local/bin/mlc_llm", BIN))
    return path


def settings():
    out = {}
    for line in read("deploy/systemd/mlc-llm.env").splitlines():
        if line and not line.startswith("#"):
            key, value = line.split("=", 1)
            out[key] = value
    return out


def service():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(ROOT / UNIT)
    return parser["Service"]


def test_systemd_reads_it(unit):
    done = subprocess.run([need_tool("systemd-analyze"), "verify", unit], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr


def test_it_is_hardened(unit):
    command = [need_tool("systemd-analyze"), "security", "--offline=true", "--no-pager", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    level = re.search(r"Overall exposure level for mlc-llm.service: ([\d.]+)", done.stdout)
    assert level and float(level.group(1)) <= 2.0, done.stdout + done.stderr


def test_there_is_time_to_drain():
    env = settings()
    needed = int(env["MLC_LLM_SERVE_DRAIN_DELAY"]) + int(env["MLC_LLM_SERVE_SHUTDOWN_TIMEOUT"])
    assert int(service()["TimeoutStopSec"]) > needed
    assert service()["KillSignal"] == "SIGTERM" and service()["EnvironmentFile"] == "/etc/mlc-llm/mlc-llm.env"


def test_settings_are_flags_of_the_program():
    done = subprocess.run([BIN, "serve", "--help"], capture_output=True, text=True, check=True)
    for key in settings():
        assert key == "MLC_MODEL_PATH" or f"(Env:{key})" in done.stdout, key


def test_the_server_runs_without_writable_code(tmp_path):
    """MemoryDenyWriteExecute: as systemd's filter does, the kernel refuses memory that is written and run."""
    deny = (
        "import ctypes, os, sys\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.prctl(65, 1, 0, 0, 0): sys.exit(42)\n"  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
        "os.execv(sys.argv[1], sys.argv[1:])\n"
    )
    wrapper = tmp_path / "mlc_llm"
    wrapper.write_text(f'#!/bin/sh\nexec python3 -c \'{deny}\' "{BIN}" "$@"\n')
    wrapper.chmod(0o755)
    probe = subprocess.run([wrapper, "--version"], capture_output=True, text=True, check=False)
    if probe.returncode == 42:
        pytest.skip("this kernel has no PR_SET_MDWE (6.3 or newer)")
    command = [wrapper, "chat", MODEL, "--prompt", "Hi", "--max-tokens", "8"]
    # An empty cache: the model is compiled, linked and loaded.
    env = {**os.environ, "MLC_LLM_HOME": str(tmp_path / "cache")}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr
