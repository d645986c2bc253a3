"""What documentation tells readers to type exists: make targets, files, subcommands, flags."""

import os
import pathlib
import re
import shlex
import subprocess

import pytest
from conftest import ROOT, read

DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# The targets that the product's description names; V=1 stands for make's own -v.
PROMISED = (
    "build build-dev build-prod build-multi dev-setup dev-check docker-up docker-rebuild pre-commit-install test "
    "test-fast test-unit test-integration test-gpu test-coverage lint format"
).split()
PROGRAM = pathlib.Path(os.environ.get("MLC_LLM_BIN", ROOT / "build" / "release" / "bin" / "mlc_llm"))


def commands():
    """(file, command) of every line in a fenced block that is not marked as another language."""
    for path in DOCS:
        for language, body in re.findall(r"^```(\w*)\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL):
            if language in ("", "bash", "sh", "console"):
                for line in re.sub(r"\\\n\s*", " ", body).splitlines():
                    yield path.relative_to(ROOT), line.removeprefix("$ ").strip()


def make_targets():
    names = set()
    for line in read("Makefile").splitlines():
        if found := re.match(r"([a-z][a-z0-9 -]*):(?!=)", line):
            names.update(found[1].split())
    return names


def missing_targets():
    """Names that documents use before the tests in Python are there: from then on they must exist."""
    return set() if (ROOT / "tests" / "unit").is_dir() else {"test-unit", "test-integration", "test-gpu"}


def test_promised_targets_exist():
    assert len(PROMISED) == 17
    assert sorted(set(PROMISED) - make_targets() - missing_targets()) == []


def test_make_targets_in_documents_exist():
    targets = make_targets() | missing_targets()
    named = [(path, found) for path, line in commands() for found in re.findall(r"(?:^|&& )make ([a-z0-9-]+)", line)]
    for path in DOCS:
        named += [(path.name, found) for found in re.findall(r"`make ([a-z][a-z0-9-]*)", path.read_text())]
    assert len(named) > 20
    assert not [pair for pair in named if pair[1] not in targets]


def test_files_in_documents_exist():
    for path in DOCS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
            assert (path.parent / target).exists(), f"{path.name}: {target}"
    for path, line in commands():
        for script in re.findall(r"(?:^|\s)((?:scripts|tests)/[\w./-]+\.(?:sh|py|json))", line):
            assert (ROOT / script).exists(), f"{path}: {script}"


def test_subcommands_and_flags_in_documents_exist():
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")
    helps = {}

    def help_of(words):
        if words not in helps:
            done = subprocess.run([PROGRAM, *words, "--help"], capture_output=True, text=True, timeout=60, check=False)
            helps[words] = done.stdout if done.returncode == 0 else ""
        return helps[words]

    seen, wrong = 0, []
    for path, line in commands():
        found = re.match(r"(?:[A-Z_]+=\S+ )*(?:build/release/bin/)?mlc_llm ([a-z_].*)", line.partition(" # ")[0])
        if not found or "…" in line:
            continue
        words = shlex.split(found[1].split(" | ")[0])
        command = (words[0],)
        if len(words) > 1 and re.fullmatch(r"[a-z]+", words[1]) and help_of((*command, words[1])):
            command = (*command, words[1])
        text = help_of(command)
        seen += 1
        if not text:
            wrong.append(f"{path}: no subcommand: {line}")
        for word in words:
            if word.startswith("--") and not re.search(rf"(^|[\s,]){re.escape(word.split('=')[0])}\b", text):
                wrong.append(f"{path}: {word}: {line}")
    assert seen > 3 and not wrong


def test_environment_variables_in_documents_exist():
    table = read("docs/knobs.md")
    grep = ["git", "grep", "-hoE", r"\bMLC_[A-Z0-9_]+"]
    tracked = subprocess.run([*grep, "--", ":!*.md"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    known = set(tracked.split()) | set(re.findall(r"MLC_[A-Z_]+", table))
    for path, line in commands():
        for name in re.findall(r"\b(MLC_[A-Z0-9_]+)=", line):
            assert name in known or name.startswith("MLC_LLM_"), f"{path}: {name}"
