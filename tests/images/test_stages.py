"""The stages that compile or are worked in, from source: MLC_IMAGES=full (`make test-images`)."""

import pathlib
import re
import subprocess
import zipfile

import httpx
import pytest
from builder import ROOT
from conftest import free_port, from_source
from container import Container, run

pytestmark = pytest.mark.full
USER = 1000


@pytest.fixture(scope="module")
def dev(images):
    name = images.build("dev", layers=True)
    return images.inspect(name)["config"], images.root_of(name)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A clone that the container's user owns, as a developer's checkout is."""
    clone = tmp_path_factory.mktemp("workspace") / "mlc-llm"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", f"file://{ROOT}", clone], check=True)
    subprocess.run(["chown", "-R", f"{USER}:{USER}", clone], check=True)
    return clone


def test_dev_description(dev):
    config, _ = dev
    assert config["User"] == f"{USER}:{USER}"
    assert config["WorkingDir"] == "/workspace"
    assert set(config["ExposedPorts"]) == {"8888/tcp", "6006/tcp", "8000/tcp"}


def test_dev_runs_jupyter_and_tensorboard(dev, workspace, tmp_path):
    config, root = dev
    jupyter, tensorboard = free_port(), free_port()
    env = {"JUPYTER_PORT": jupyter, "TENSORBOARD_PORT": tensorboard, "JUPYTER_TOKEN": "open-sesame"}
    options = {"user": USER, "group": USER, "read_only": False, "binds": [(workspace, "/workspace", "rw")]}
    with Container(root, config, [], log=tmp_path / "log", HOME="/home/mlc", **options, **env) as container:

        def answers(port, path="/", **params):
            try:
                return httpx.get(f"http://127.0.0.1:{port}{path}", params=params, timeout=20)
            except httpx.TransportError:
                return None

        container.wait_for(lambda: answers(jupyter, "/api") and answers(tensorboard), 180)
        assert answers(jupyter, "/api/contents", token="open-sesame").json()["type"] == "directory"
        names = {entry["name"] for entry in answers(jupyter, "/api/contents", token="open-sesame").json()["content"]}
        assert {"src", "Makefile"} <= names, "Jupyter does not show the mounted source"
        assert answers(jupyter, "/api/contents").status_code == 403, "whoever reaches the port runs code"
        assert answers(jupyter, "/lab", token="open-sesame").status_code in (200, 302)
        assert "TensorBoard" in answers(tensorboard).text
        assert container.stop() == 0, container.log


@pytest.mark.parametrize(
    "command, says",
    [
        ("cmake --version", "cmake version 3"),
        ("/usr/lib/llvm-19/bin/llvm-config --version", "19.1"),
        ("cargo --version", "cargo 1."),
        ("git lfs version", "git-lfs/"),
        ("clang-format-19 --version", "version 19"),
        ("pytest --version", "pytest"),
        ("black --version", "black"),
        ("pre-commit --version", "pre-commit"),
        ("id -un", "mlc"),
        ("make -C /workspace dev-check", "Devices"),
        ("cd /workspace && cmake --preset release", "Build files have been written"),
    ],
)
def test_dev_has_the_tools(dev, workspace, tmp_path, command, says):
    config, root = dev
    options = {"user": USER, "group": USER, "read_only": False, "binds": [(workspace, "/workspace", "rw")]}
    args = ["bash", "-c", f"{command} 2>&1"]
    code, out = run(root, config, args, log=tmp_path / "log", HOME="/home/mlc", **options)
    assert code == 0 and says in out, out


def test_the_test_stage_passes(images):
    """It runs the unit tests while it is built, so that a failing one leaves no image."""
    assert images.exists(images.build("test", **from_source()))


def test_the_wheel_stage_has_a_wheel(images, tmp_path):
    root = images.root_of(images.build("wheel", **from_source()))
    (wheel,) = pathlib.Path(root / "wheels").glob("mlc_llm-*.whl")
    assert re.fullmatch(r"mlc_llm-[\d.]+-py3-none-manylinux_2_\d+_x86_64\.whl", wheel.name)
    assert any(name.startswith("mlc_llm/") for name in zipfile.ZipFile(wheel).namelist())


def test_variants_bring_their_libraries(images, tmp_path):
    """CUDA's run-time compiler by a version without patch level, and Vulkan's loader with a driver, in one image."""
    subprocess.run([ROOT / "scripts" / "pack.sh", "build/packed"], check=True, stdout=subprocess.DEVNULL)
    packages = "libvulkan1 mesa-vulkan-drivers"
    name = images.build("prod", PROGRAM="packed", CUDA_VERSION="12.1", RUNTIME_PACKAGES=packages, tag="gpu")
    config, root = images.inspect(name)["config"], images.root_of(name)
    assert (root / "opt/mlc_llm/lib/gpu/LICENSE.nvrtc.txt").stat().st_size > 1000
    config["Entrypoint"] = ["/sbin/ldconfig"]
    code, out = run(root, config, ["-p"], user=10001, log=tmp_path / "log")
    assert code == 0, out
    assert "libnvrtc.so.12" in out and "libvulkan.so.1" in out
    assert list((root / "usr/share/vulkan/icd.d").glob("*.json"))
