"""The container files, by the promises of the pipeline's specification: stages, arguments, users, health, size."""

import datetime
import re
import subprocess

import pytest
from conftest import ROOT, read, read_yaml

TEXT = read("Dockerfile")
CODE = "\n".join(line for line in TEXT.splitlines() if not line.startswith("#"))
STAGES = re.findall(r"^FROM (\S+) AS (\S+)$", CODE, re.MULTILINE)
VARIANTS = ["cpu", "cuda", "rocm", "vulkan"]


def stage(name):
    """The instructions of a stage, continued lines joined."""
    body = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", CODE, re.MULTILINE | re.DOTALL)
    assert body, f"no stage {name}"
    joined = re.sub(r"\\\n\s*", " ", body.group(1))
    return [line.split(None, 1) for line in joined.splitlines() if line.strip()]


def values(name, instruction):
    return [rest for word, rest in stage(name) if word == instruction]


def head_args():
    head = CODE[: CODE.index("FROM ")]
    return dict(re.findall(r"^ARG (\w+)=(.*)$", head, re.MULTILINE))


def test_every_from_is_a_named_stage():
    assert len(STAGES) == len(re.findall(r"^\s*FROM\s", CODE, re.MULTILINE | re.IGNORECASE))
    assert {name for _, name in STAGES} >= {"base", "builder", "wheel", "dev", "test", "prod"}


def test_the_last_stage_is_production():
    assert STAGES[-1][1] == "prod"


def test_bases_are_arguments_with_a_fixed_release():
    names = {name for _, name in STAGES}
    for source, name in STAGES:
        assert source in names or re.fullmatch(r"\$\{[A-Z_]+\}", source), f"{name} starts from {source}"
    base = head_args()["BASE_IMAGE"]
    assert re.search(r":\d+\.\d+|@sha256:[0-9a-f]{64}$", base), f"{base} moves"
    assert head_args()["RUNTIME_IMAGE"] == "${BASE_IMAGE}"
    assert head_args()["PROGRAM"] == "builder", "the default is the full build from source"


@pytest.mark.parametrize("path", ["Dockerfile", "docker-bake.hcl", *(f"docker/{v}.env" for v in VARIANTS)])
def test_nothing_starts_from_latest(path):
    for line in read(path).splitlines():
        if re.search(r"BASE_IMAGE|FROM|base +=", line) and not line.lstrip().startswith("#"):
            assert ":latest" not in line, line


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_users_are_not_root(name):
    last = values(name, "USER")[-1]
    if name == "dev":
        assert last == "${DEV_UID}:${DEV_UID}" and "DEV_UID=1000" in values(name, "ARG")
    else:
        assert last == "10001:0"


def test_production_runs_the_program_and_is_asked_whether_it_is_well():
    assert values("prod", "ENTRYPOINT") == ['["/opt/mlc_llm/bin/entrypoint.sh"]']
    assert values("prod", "CMD") == ['["serve"]']
    assert values("prod", "STOPSIGNAL") == ["SIGTERM"]
    assert values("prod", "EXPOSE") == ["8000"]
    (check,) = values("prod", "HEALTHCHECK")
    assert check.endswith('CMD ["/opt/mlc_llm/bin/mlc_llm", "health"]')
    assert re.search(r"--start-period=\d+s", check) and re.search(r"--timeout=\d+s", check)


def test_production_has_labels():
    (labels,) = values("prod", "LABEL")
    for key in ("title", "description", "licenses", "source", "documentation", "version", "revision", "created"):
        assert f"org.opencontainers.image.{key}=" in labels


def test_the_version_is_the_programs():
    version = re.search(r"project\(\w+ VERSION ([\d.]+)", read("CMakeLists.txt")).group(1)
    assert f"VERSION={version}" in values("prod", "ARG")
    assert f'variable "VERSION" {{ default = "{version}" }}' in read("docker-bake.hcl")


def test_production_installs_no_compiler_and_no_downloader():
    installer = read("docker/install_runtime.sh")
    for text in [*values("prod", "RUN"), installer]:
        assert not re.search(r"\b(curl|wget|build-essential|gcc|g\+\+|cmake|python3)\b", text), text
    assert "--no-install-recommends" in installer and "chmod a-s" in installer


def test_development_is_jupyter_tensorboard_and_the_api():
    assert values("dev", "WORKDIR") == ["/workspace"]
    assert values("dev", "EXPOSE") == ["8888 6006 8000"]
    start = read("docker/dev-entrypoint.sh")
    assert re.search(r"jupyter lab .*--port=.*8888", start) and re.search(r"tensorboard .*--port .*6006", start)
    tools = read("requirements-dev.txt") + read("scripts/ci/requirements.txt")
    wanted = "jupyterlab tensorboard pytest pytest-cov pytest-xdist black isort pylint mypy bandit pre-commit"
    for tool in wanted.split():
        assert re.search(rf"^{tool}==[\d.]+$", tools, re.MULTILINE), f"{tool} is not pinned"


@pytest.mark.parametrize("name", [name for _, name in STAGES])
def test_packages_come_without_recommendations_and_leave_no_lists(name):
    for command in values(name, "RUN"):
        if "apt-get install" in command:
            assert "--no-install-recommends" in command
        assert not re.search(r"curl[^|]*\|\s*(ba)?sh", command), "runs what it downloads unseen"
    assert not values(name, "ADD"), "COPY says what it does"


def test_builds_keep_compiler_and_crate_caches():
    for name in ("builder", "wheel", "test"):
        text = " ".join(values(name, "RUN"))
        assert "--mount=type=cache,target=/root/.cache/ccache" in text and "/root/.cargo/registry" in text


def test_inline_cache_argument_is_known():
    assert any(value.startswith("BUILDKIT_INLINE_CACHE") for value in values("prod", "ARG"))


def test_what_is_copied_exists():
    for _, name in STAGES:
        for line in values(name, "COPY"):
            if "--from=" in line:
                continue
            for source in line.split()[:-1]:
                assert source == "build/packed" or (ROOT / source).exists(), f"{name} copies {source}"


def test_context_has_no_secrets_and_no_build():
    ignored = read(".dockerignore").splitlines()
    for path in (".git", "build/*", "**/node_modules", "**/__pycache__", ".venv"):
        assert path in ignored
    assert not any(line.startswith("!") and "env" in line for line in ignored)


# ---- variants and versions


def env_of(variant):
    lines = [line for line in read(f"docker/{variant}.env").splitlines() if line and not line.startswith("#")]
    return {key: value.strip('"') for key, value in (line.split("=", 1) for line in lines)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_bake_and_env_files_agree(variant):
    row = re.search(rf"^ +{variant} += \{{ (.*) \}}$", read("docker-bake.hcl"), re.MULTILINE).group(1)
    fields = dict(re.findall(r'(\w+) = "([^"]*)"', row))
    env = env_of(variant)
    assert fields == {"base": env["BASE_IMAGE"], "cuda": env["CUDA_VERSION"], "packages": env["RUNTIME_PACKAGES"]}
    used = {name for _, name in stage("prod") + stage("gpu-libs")} | set(head_args()) | set(re.findall(r"\w+", CODE))
    assert set(env) <= used, "an argument that the Dockerfile does not know"


def cuda(*args):
    command = ["/bin/sh", ROOT / "docker" / "cuda_runtime.sh", *args]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "given, tag", [("12.1", "12.1.1"), ("12.1.0", "12.1.1"), ("12.2", "12.2.2"), ("11.8", "11.8.0"), ("13.0", "13.0.1")]
)
def test_cuda_versions_without_patch_level(given, tag):
    assert cuda("tag", given).stdout == tag + "\n"


@pytest.mark.parametrize("given", ["12", "12.", "9.9", "12x1", "", "12.1; id", "latest"])
def test_unknown_cuda_versions_are_refused(given):
    done = cuda("tag", given)
    assert done.returncode == 1 and done.stdout == ""
    assert "expected one of: 11.8 12.1" in done.stderr


def test_every_cuda_version_is_pinned_by_digest():
    rows = [line.split() for line in read("docker/cuda-versions.txt").splitlines() if not line.startswith("#")]
    assert len(rows) >= 5
    for version, tag, package, digest in rows:
        assert tag.startswith(version + ".")
        assert re.fullmatch(rf"nvidia-cuda-nvrtc(-cu\d\d)?=={re.escape(version)}\.\d+", package)
        assert re.fullmatch(r"[0-9a-f]{64}", digest)
    assert env_of("cuda")["CUDA_VERSION"] in {row[0] for row in rows}


# ---- stages for builders that build all of them


def prune(target, *options):
    command = ["python3", ROOT / "scripts" / "dockerfile_stages.py", target, *options]
    with open(ROOT / "Dockerfile", encoding="utf-8") as source:
        done = subprocess.run(command, stdin=source, capture_output=True, text=True, check=False)
    return done, re.findall(r"^FROM \S+ AS (\S+)$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    "target, options, stages",
    [
        ("prod", [], ["base", "deps", "builder", "gpu-libs", "program", "prod"]),
        ("prod", ["--build-arg", "PROGRAM=packed"], ["base", "packed", "gpu-libs", "program", "prod"]),
        ("test", [], ["base", "deps", "builder", "test"]),
        ("dev", [], ["base", "deps", "gpu-libs", "dev"]),
    ],
)
def test_stages_that_a_target_needs(target, options, stages):
    done, left = prune(target, *options)
    assert left == stages
    added = set(done.stdout.splitlines()) - set(TEXT.splitlines())
    program = "packed" if options else "builder"
    assert added == ({f"FROM {program} AS program"} if target == "prod" else set())  # not found through the ARG


def test_unknown_target():
    done, _ = prune("nothing")
    assert done.returncode != 0 and "there is no stage nothing; there are base, deps" in done.stderr


# ---- exceptions of scanners


def test_hadolint_exceptions_have_reasons():
    lines = [line for line in read(".hadolint.yaml").splitlines() if line.strip().startswith("- DL")]
    assert lines and all(re.search(r"# \w.{20,}", line) for line in lines)
    assert len(read_yaml(".hadolint.yaml")["ignored"]) == len(lines)


def test_trivy_exceptions_have_reasons_and_end():
    for kind, entries in read_yaml(".trivyignore.yaml").items():
        for entry in entries:
            assert entry.get("id") and entry.get("statement"), f"{kind}: {entry}"
            assert entry["expired_at"] > datetime.date.today(), f"{entry['id']} is past its day: look at it again"
