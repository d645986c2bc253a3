"""scripts/version.py and release_notes.py: one version everywhere, and a changelog for each release."""

import sys

import pytest
from conftest import ROOT, read

sys.path.insert(0, str(ROOT / "scripts"))
import version  # noqa: E402 pylint: disable=wrong-import-position
from release_notes import notes, section  # noqa: E402 pylint: disable=wrong-import-position


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "CMakeLists.txt").write_text("project(mlc_llm VERSION 1.2.3 LANGUAGES CXX)\n")
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.3 (today)\n\n* new\n\n## 1.2.2\n\n* old\n")
    return tmp_path


def test_this_repository_agrees():
    assert version.check() == version.cmake_version()
    assert version.check("v" + version.cmake_version())


@pytest.mark.parametrize("tag", [None, "v1.2.3", "v1.2.3-rc.1"])
def test_agreement(tree, tag):
    assert version.check(tag, tree) == "1.2.3"


def test_another_wheel_version(tree):
    (tree / "python" / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1.2.4"\n')
    with pytest.raises(version.Mismatch, match="1.2.4"):
        version.check(None, tree)


@pytest.mark.parametrize("tag", ["v1.2.4", "1.2.3", "v1.2", "v1.2.3-final", "v1.2.3\n"])
def test_another_tag(tree, tag):
    with pytest.raises(version.Mismatch, match="tag"):
        version.check(tag, tree)


def test_a_release_without_notes(tree):
    (tree / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.2\n\n* old\n")
    with pytest.raises(version.Mismatch, match="CHANGELOG"):
        version.check("v1.2.3", tree)


def test_notes(tree):
    text = notes((tree / "CHANGELOG.md").read_text(), "v1.2.3", "Org/Repo")
    assert text.startswith("* new") and "old" not in text
    assert "ghcr.io/org/repo:v1.2.3" in text and "--repo Org/Repo" in text
    with pytest.raises(version.Mismatch):
        section(read("CHANGELOG.md"), "9.9.9")
