"""docker/entrypoint.sh: whoever the user is and whatever can be written, the program starts with a home and a cache."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

import pytest
from conftest import ROOT

ENTRYPOINT = ROOT / "docker" / "entrypoint.sh"
SHOW = '#!/bin/sh\necho "HOME=$HOME USER=$USER MLC_LLM_HOME=$MLC_LLM_HOME"\nfor a in "$@"; do echo "<$a>"; done\n'


@pytest.fixture
def place():
    """A directory that everybody can enter (pytest's own are the user's alone), with a stand-in for mlc_llm."""
    with tempfile.TemporaryDirectory(prefix="mlc-entrypoint-") as made:
        top = pathlib.Path(made)
        top.chmod(0o755)
        (top / "program").write_text(SHOW)
        (top / "program").chmod(0o755)
        (top / "tmp").mkdir()
        (top / "tmp").chmod(0o1777)
        yield top


def start(place, *args, user=None, **env):
    base = {"PATH": os.environ["PATH"], "TMPDIR": str(place / "tmp"), "MLC_LLM_PROGRAM": str(place / "program")}
    base.update({k: str(v) for k, v in env.items()})
    options = {} if user is None else {"user": user, "group": 0, "extra_groups": []}
    return subprocess.run(
        ["/bin/sh", ENTRYPOINT, *args], env=base, capture_output=True, text=True, check=False, **options
    )


def values(done):
    assert done.returncode == 0, done.stderr
    return dict(word.split("=", 1) for word in done.stdout.splitlines()[0].split())


def test_the_arguments_are_the_programs(place):
    done = start(place, "chat", "--prompt", "two words", "", HOME=place)
    assert done.stdout.splitlines()[1:] == ["<chat>", "<--prompt>", "<two words>", "<>"]
    assert done.stderr == ""


def test_a_good_home_stays(place):
    home = place / "home"
    home.mkdir()
    seen = values(start(place, HOME=home, USER="ada"))
    assert seen == {"HOME": str(home), "USER": "ada", "MLC_LLM_HOME": f"{home}/.cache/mlc_llm"}
    assert (home / ".cache" / "mlc_llm").is_dir()


def test_the_cache_that_is_asked_for_is_used(place):
    assert values(start(place, HOME=place, MLC_LLM_HOME=place / "volume"))["MLC_LLM_HOME"] == str(place / "volume")


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")


@needs_root
@pytest.mark.parametrize("home", ["/", "/nonexistent/home", None])
@pytest.mark.parametrize("user", [10001, 1000540000])
def test_a_user_id_that_nobody_knows(place, user, home):
    env = {} if home is None else {"HOME": home}
    done = start(place, "serve", user=user, **env)
    seen = values(done)
    assert seen["HOME"] == f"{place}/tmp/mlc-{user}"
    assert seen["USER"] == "mlc"
    assert seen["MLC_LLM_HOME"] == f"{place}/tmp/mlc-{user}/.cache/mlc_llm"
    assert pathlib.Path(seen["HOME"]).stat().st_uid == user
    assert pathlib.Path(seen["HOME"]).stat().st_mode & 0o077 == 0, "others can read it"
    assert done.stderr == ""


@needs_root
def test_a_cache_that_cannot_be_written_is_replaced_and_said(place):
    cache = place / "volume"
    cache.mkdir(mode=0o755)
    done = start(place, user=10001, HOME="/", MLC_LLM_HOME=cache)
    assert values(done)["MLC_LLM_HOME"] == f"{place}/tmp/mlc-10001/cache"
    assert done.stderr.startswith("entrypoint: ") and str(cache) in done.stderr and "10001" in done.stderr


@needs_root
def test_nothing_can_be_written(place):
    (place / "tmp").chmod(0o755)
    done = start(place, user=10001, HOME="/")
    assert done.returncode == 1
    assert "mount a volume" in done.stderr and done.stdout == ""


def test_a_stop_reaches_the_program(place):
    (place / "program").write_text(
        "#!/bin/sh\ntrap 'echo drained; exit 7' TERM\necho up\nwhile :; do sleep 0.05; done\n"
    )
    env = {"PATH": os.environ["PATH"], "HOME": str(place), "MLC_LLM_PROGRAM": str(place / "program")}
    with subprocess.Popen(["/bin/sh", ENTRYPOINT], env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.read() == "drained\n"
        assert process.wait(10) == 7
    assert time.monotonic() - begin < 5
