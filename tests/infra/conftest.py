"""Paths and readers that the checks share: `from conftest import ROOT, read, read_yaml`."""

import pathlib
import shutil

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def read(path):
    """A file of the repository, as text."""
    return (ROOT / path).read_text(encoding="utf-8")


def read_yaml(path):
    """A YAML file of the repository that holds one document."""
    return yaml.safe_load(read(path))


def need_tool(name):
    """The path of a program from scripts/install_deps.sh; the test is skipped with a clear message without it."""
    found = shutil.which(name)
    if not found:
        pytest.skip(f"{name} is not installed (scripts/install_deps.sh test)")
    return found
