"""scripts/tags.py: the names of images for every event."""

import json
import subprocess
import sys

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT / "scripts"))
from tags import Build, from_github, image_name, outputs, tags  # noqa: E402 pylint: disable=wrong-import-position

SHA = "0123456789abcdef0123456789abcdef01234567"
COMMIT = "sha-0123456789ab"
CASES = [
    ("push", "refs/heads/main", ["latest", "edge", COMMIT]),
    ("workflow_dispatch", "refs/heads/main", ["latest", "edge", COMMIT]),
    ("push", "refs/heads/develop", ["develop", COMMIT]),
    ("push", "refs/heads/else", []),
    ("push", "refs/tags/v1.0.0", ["v1.0.0", "1.0", "stable", COMMIT]),
    ("push", "refs/tags/v10.20.30", ["v10.20.30", "10.20", "stable", COMMIT]),
    ("push", "refs/tags/v1.0.0-rc.1", ["v1.0.0-rc.1", COMMIT]),
    ("pull_request", "refs/pull/77/merge", ["pr-77"]),
    ("schedule", "refs/heads/main", []),
]


@pytest.mark.parametrize("event, ref, expected", CASES)
def test_names(event, ref, expected):
    build = Build(event, ref, SHA)
    assert tags(build) == expected
    assert tags(build, target="dev") == [tag + "-dev" for tag in expected]
    assert tags(build, "vulkan") == [tag + "-vulkan" for tag in expected]


def test_the_development_image_of_main_is_latest_dev():
    assert "latest-dev" in tags(Build("push", "refs/heads/main", SHA), target="dev")


def test_a_fork_publishes_nothing():
    assert tags(Build("pull_request", "refs/pull/77/merge", SHA, fork=True)) == []


@pytest.mark.parametrize("ref", ["refs/tags/v1", "refs/tags/v1.0", "refs/tags/v1.0.0.0", "refs/tags/v1.0.0-final"])
def test_other_tags_are_refused(ref):
    with pytest.raises(ValueError, match="vX.Y.Z"):
        tags(Build("push", ref, SHA))


@pytest.mark.parametrize("sha", ["", "main", SHA[:12], SHA.upper(), SHA + "\n"])
def test_a_commit_is_a_commit(sha):
    with pytest.raises(ValueError, match="40 hexadecimal"):
        Build("push", "refs/heads/main", sha)


def test_image_names_are_lower_case():
    assert image_name("ghcr.io", "MLC-ai/MLC-LLM") == "ghcr.io/mlc-ai/mlc-llm"
    for wrong in ("a b", "", "../x", "a/b:latest"):
        with pytest.raises(ValueError):
            image_name("ghcr.io", wrong)


@pytest.mark.parametrize("head, fork", [("org/repo", False), ("other/repo", True), (None, True)])
def test_github(tmp_path, head, fork):
    event = tmp_path / "event.json"
    repo = {"full_name": head} if head else None
    event.write_text(json.dumps({"pull_request": {"head": {"repo": repo}}}))
    env = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REF": "refs/pull/5/merge", "GITHUB_SHA": SHA,
           "GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": "org/repo"}  # fmt: skip
    build = from_github(env)
    assert build.fork is fork
    result = outputs(build, "ghcr.io/org/repo")
    assert result["push"] == ("false" if fork else "true") and result["release"] == "false"


def test_outputs_of_a_release():
    result = outputs(Build("push", "refs/tags/v1.2.3", SHA), "ghcr.io/org/repo")
    assert result["release"] == "true" and result["prerelease"] == "false"
    assert result["tags-prod"] == f"v1.2.3 1.2 stable {COMMIT}"
    assert outputs(Build("push", "refs/tags/v1.2.3-rc.2", SHA), "x/y")["prerelease"] == "true"
    # A run that was started by hand never releases.
    assert outputs(Build("workflow_dispatch", "refs/tags/v1.2.3", SHA), "x/y")["release"] == "false"


def test_plan_script(tmp_path):
    out = tmp_path / "output"
    env = {"PATH": "/usr/bin:/bin", "GITHUB_OUTPUT": str(out), "GITHUB_EVENT_NAME": "push", "IMAGE_NAME": "Org/Repo",
           "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": SHA, "GITHUB_REPOSITORY": "Org/Repo"}  # fmt: skip
    if sys.platform == "win32":
        pytest.skip("a shell script")
    subprocess.run([ROOT / "scripts" / "ci" / "plan_tags.sh"], env=env, check=True, capture_output=True)
    lines = dict(line.split("=", 1) for line in out.read_text().splitlines())
    assert lines["image"] == "ghcr.io/org/repo" and lines["tags-dev"].split()[0] == "latest-dev"
