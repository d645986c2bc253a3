"""The fixtures of the command line tests: the program's home, a model, the story that it tells."""

import os
import pathlib

import pytest
import support


@pytest.fixture(scope="session", autouse=True)
def program():
    for name in ("MLC_LLM_BIN", "MLC_TEST_MODEL"):
        if name not in os.environ:
            pytest.exit(f"${name} is not set; see run.sh", returncode=2)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A cache that all tests share which do not test the cache itself."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def story(home):
    """The greedy answer that every right way to the same model gives."""
    text = support.story_text(home, support.MODEL)
    assert len(text.split()) > 8, text
    return text


@pytest.fixture(scope="session")
def mlc_dir(home, tmp_path_factory):
    """OUT of the three commands, with a library, in the model's own precision. Read only."""
    out = tmp_path_factory.mktemp("mlc") / "out"
    support.convert(home, out, "q0f16")
    support.ok(home, "compile", out, "--device", "cpu", "-o", out / "lib.so")
    return out


@pytest.fixture
def model(tmp_path):
    """A copy of the demo model, to be changed."""
    return support.copy_model(tmp_path / "model")


@pytest.fixture(scope="session")
def data():
    if not support.DATA.is_dir():
        pytest.skip(f"the shared test data is not at {support.DATA}")
    return pathlib.Path(support.DATA)
