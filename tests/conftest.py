"""Shared by unit, integration and performance tests of the Python package.

The model is $MLC_TEST_MODEL, else the demo model; the package, the library and the program are those of this checkout
(build/release) unless installed or named by $MLC_LLM_LIB and $MLC_LLM_BIN.
"""

import importlib.util
import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUITES = {"unit", "integration", "performance"}  # the others have a conftest.py of their own

if importlib.util.find_spec("mlc_llm") is None:
    sys.path.insert(0, str(ROOT / "python"))


def pytest_collection_modifyitems(items):
    """The folder gives the marker."""
    for item in items:
        folder = item.path.parent.name
        if folder in ("unit", "integration"):
            item.add_marker(folder)
        elif folder == "performance":
            item.add_marker("perf")


@pytest.fixture(scope="session")
def test_model_path():
    """A model directory, by absolute path; HF:// names go through as they are."""
    named = os.environ.get("MLC_TEST_MODEL") or str(ROOT / "models" / "demo")
    return named if "://" in named else str(pathlib.Path(named).resolve())


@pytest.fixture(scope="session")
def fixtures():
    """tests/fixtures: small models and data sets, described in the README.md beside them."""
    return ROOT / "tests" / "fixtures"


@pytest.fixture(scope="module")
def engine(test_model_path):
    """One engine for the tests of a file that do not care about its state."""
    from mlc_llm import MLCEngine  # pylint: disable=import-outside-toplevel

    with MLCEngine(test_model_path) as made:
        yield made


@pytest.fixture(scope="session")
def program():
    """The path of the mlc_llm program."""
    from mlc_llm import _lib  # pylint: disable=import-outside-toplevel

    return str(_lib.find_program())
