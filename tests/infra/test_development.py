"""The development environment: dev container, conda, pre-commit, Git LFS, the Makefile's targets for all that."""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT, need_tool, read, read_yaml

DEVCONTAINER = ".devcontainer/devcontainer.json"


def devcontainer():
    """JSON with comments on lines of their own."""
    return json.loads("\n".join(x for x in read(DEVCONTAINER).splitlines() if not x.lstrip().startswith("//")))


# ---- dev container


def test_devcontainer_builds_the_dev_stage():
    body = devcontainer()
    build = body["build"]
    assert (ROOT / ".devcontainer" / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (ROOT / ".devcontainer" / build["context"]).resolve() == ROOT
    assert build["target"] == "dev"
    assert body["workspaceFolder"] == "/workspace" and "target=/workspace" in body["workspaceMount"]
    assert body["remoteUser"] == "mlc" and "--uid" in read("docker/install_dev_tools.sh")
    assert body["forwardPorts"] == [8888, 6006, 8000]
    assert set(body["portsAttributes"]) == {str(p) for p in body["forwardPorts"]}


@pytest.mark.parametrize(
    "extension",
    [
        "ms-python.black-formatter", "ms-python.isort", "ms-python.pylint", "ms-python.mypy-type-checker",
        "ms-toolsai.jupyter", "ms-vscode.cmake-tools", "ms-vscode.cpptools", "rust-lang.rust-analyzer",
    ],
)  # fmt: skip
def test_devcontainer_extensions(extension):
    assert extension in devcontainer()["customizations"]["vscode"]["extensions"]


def test_devcontainer_uses_a_gpu_where_there_is_one():
    assert devcontainer()["hostRequirements"]["gpu"] == "optional"


def test_devcontainer_sets_up_git_lfs_and_hooks():
    body = devcontainer()
    script = ROOT / body["postCreateCommand"]
    assert os.access(script, os.X_OK)
    text = script.read_text()
    assert "git lfs install" in text and "git lfs pull" in text and "pre_commit.sh install" in text
    assert "git-lfs" in read("docker/install_dev_tools.sh")


def test_devcontainer_names_programs_that_the_image_has():
    settings = devcontainer()["customizations"]["vscode"]["settings"]
    installer = read("docker/install_dev_tools.sh")
    assert settings["python.defaultInterpreterPath"] == "/opt/dev/bin/python" and "venv /opt/dev" in installer
    assert settings["clangd.path"] == "/usr/bin/clangd-19" and "clangd-19" in installer


# ---- conda and pip


def test_conda_environment():
    body = read_yaml("environment-dev.yml")
    assert body["name"] == "mlc-dev"
    assert "defaults" not in body["channels"]
    pip = next(d["pip"] for d in body["dependencies"] if isinstance(d, dict))
    assert pip == ["-r requirements-dev.txt"]
    assert {"git-lfs", "pip", "make"} <= set(d for d in body["dependencies"] if isinstance(d, str))


@pytest.mark.parametrize(
    "path", ["requirements-dev.txt", "scripts/ci/requirements.txt", "tests/infra/requirements.txt"]
)
def test_python_tools_are_pinned(path):
    for line in read(path).splitlines():
        if line and not line.startswith(("#", "-r ")):
            assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", line), f"{path}: {line}"


# ---- pre-commit


def hooks():
    return {hook["id"]: hook for repo in read_yaml(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]}


def test_hooks_are_local_and_of_the_system():
    assert [repo["repo"] for repo in read_yaml(".pre-commit-config.yaml")["repos"]] == ["local"]
    assert {hook["language"] for hook in hooks().values()} == {"system"}


def test_hooks_cover_every_language():
    assert set(hooks()) >= {"black", "isort", "python", "bandit", "clang-format", "shellcheck", "rustfmt", "layers"}
    assert hooks()["python"]["entry"] == "scripts/lint.sh python" and "mypy" in read("scripts/lint.sh")


def test_hooks_call_what_exists():
    for hook in hooks().values():
        program = hook["entry"].split()[0]
        if "/" in program:
            assert os.access(ROOT / program, os.X_OK), f"{hook['id']}: {program}"


def test_a_tool_of_another_version_is_not_used(tmp_path):
    """scripts/dev_tool.sh: what stands in PATH counts only at the pinned version."""
    pin = re.search(r"^black==(.*)$", read("scripts/ci/requirements.txt"), re.MULTILINE).group(1)
    fake = tmp_path / "black"
    fake.write_text(f'#!/bin/sh\necho "black, {pin} (fake) $*"\n')
    fake.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [ROOT / "scripts/dev_tool.sh", "black", "x.py"], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"black, {pin} (fake) x.py\n"


# ---- Git


def attribute(path, name):
    done = subprocess.run(["git", "check-attr", name, "--", path], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.rsplit(": ", 1)[1].strip()


def test_lfs_takes_what_is_meant_for_it():
    assert attribute("tests/fixtures/models/lfs/large/model.safetensors", "filter") == "lfs"
    assert attribute("tests/fixtures/datasets/lfs/x.parquet", "filter") == "lfs"
    assert attribute("models/demo/model.safetensors", "filter") == "unspecified"
    assert attribute("models/demo/model.safetensors", "text") == "unset", "line ends would be changed in it"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for path in files:
        if path.startswith(("models/", "tests/fixtures/")) and attribute(path, "filter") == "lfs":
            assert read(path).startswith("version https://git-lfs"), f"{path} is in LFS by name but not in truth"


def test_lfs_pull_works(tmp_path):
    """`git clone --recursive`, `git lfs install`, `git lfs pull`, as the quick start has them."""
    need_tool("git-lfs")
    env = {**os.environ, "HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*args, cwd=None):
        subprocess.run(["git", *args], cwd=cwd, env=env, check=True, capture_output=True, timeout=120)

    clone = tmp_path / "clone"
    git("config", "--global", "--add", "safe.directory", "*")
    git("clone", "--quiet", "--recursive", "--depth", "1", f"file://{ROOT}", clone)
    for step in ("install", "pull", "ls-files"):
        git("lfs", step, cwd=clone)
    assert (clone / "models/demo/model.safetensors").read_bytes() == (
        ROOT / "models/demo/model.safetensors"
    ).read_bytes()


# ---- make

NEED_ENGINE = ["docker-up", "docker-down", "docker-logs", "docker-rebuild", "build-dev", "build-prod", "build-multi"]


def make(target, **env):
    return subprocess.run(
        ["make", target], cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("target", ["dev-setup", "dev-check", "pre-commit-install", "test-images", *NEED_ENGINE])
def test_make_knows_it(target):
    assert re.search(rf"^  {target} +\S", make("help").stdout, re.MULTILINE)
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout, done.stderr


@pytest.mark.parametrize("target", NEED_ENGINE)
def test_without_an_engine_it_says_so(target, tmp_path):
    fake = tmp_path / "docker"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    done = make(target, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode != 0
    assert f"make {target} needs a Docker engine" in done.stderr


@pytest.mark.parametrize(
    "target, variant, words",
    [
        ("build-dev", "cpu", ["--target dev", "-t mlc-llm:dev", "DEV_UID="]),
        ("build-prod", "cpu", ["--target prod", "-t mlc-llm:prod ", "-t mlc-llm:latest", "BASE_IMAGE=debian:12"]),
        ("build-prod", "cuda", ["--target prod", "-t mlc-llm:prod-cuda", "CUDA_VERSION=12.4"]),
        ("build-prod", "vulkan", ["RUNTIME_PACKAGES=libvulkan1 mesa-vulkan-drivers"]),
        ("build-multi", "cpu", ["--platform linux/amd64,linux/arm64"]),
        ("docker-up", "cpu", ["compose -f docker-compose.yml", "up --detach"]),
        ("docker-rebuild", "cpu", ["build --no-cache --pull", "up --detach --force-recreate"]),
    ],
)
def test_what_docker_is_asked(target, variant, words):
    done = make(target, DRY_RUN="1", VARIANT=variant)
    assert done.returncode == 0, done.stderr
    for word in words:
        assert word in done.stdout


def test_unknown_variant():
    done = make("build-prod", DRY_RUN="1", VARIANT="metal")
    assert done.returncode != 0 and "expected one of: cpu cuda rocm vulkan" in done.stderr


def test_dev_check_shows_the_machine():
    done = make("dev-check")
    for word in ("processor", "memory", "free disk", "compiler", "llvm", "docker engine", "nvidia", "mlc_llm"):
        assert re.search(rf"^  {word} +\S", done.stdout, re.MULTILINE), done.stdout


def test_dev_check_fails_without_a_compiler(tmp_path):
    for name in ("bash", "dirname", "sed", "awk", "df", "tail", "head", "nproc", "uname", "git", "grep", "sh"):
        (tmp_path / name).symlink_to(shutil.which(name))
    env = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run(["bash", ROOT / "scripts/dev_check.sh"], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert re.search(r"^  compiler +MISSING \(make deps", done.stdout, re.MULTILINE)
    assert "something that the build needs is missing" in done.stderr


def test_editorconfig_agrees_with_the_formatters():
    assert "max_line_length = 120" in read(".editorconfig")
    assert yaml.safe_load(read(".clang-format"))["ColumnLimit"] == 120
