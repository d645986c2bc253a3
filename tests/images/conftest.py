"""The images under test, built once per run."""

import os
import socket
import subprocess

import pytest
from builder import ROOT, Builder, missing


def pytest_configure(config):
    config.addinivalue_line("markers", "full: builds stages from source; only with MLC_IMAGES=full")


def pytest_collection_modifyitems(items):
    if os.environ.get("MLC_IMAGES") != "full":
        # Not skipped but left out: `make test` has its own tests of the sources, `make test-images` runs these.
        items[:] = [item for item in items if "full" not in item.keywords]


@pytest.fixture(scope="session")
def images():
    if why := missing():
        pytest.skip(why)
    made = Builder(ROOT / "build" / "images")
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def prod(images):
    """(name, config) of the production image, packed from build/release; with MLC_IMAGES=full compiled from source."""
    if os.environ.get("MLC_IMAGES") == "full":
        name = images.build("prod", **from_source())
    else:
        subprocess.run([ROOT / "scripts" / "pack.sh", "build/packed"], check=True, stdout=subprocess.DEVNULL)
        name = images.build("prod", PROGRAM="packed", REVISION="0123456789abcdef")
    return name, images.inspect(name)["config"]


@pytest.fixture(scope="session")
def prod_root(images, prod):
    return images.root_of(prod[0])


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def from_source():
    """How stages that compile are built: what they share once, and with the compiler's cache of this machine, so that
    it takes minutes, not tens of them."""
    ccache = subprocess.run(["ccache", "-k", "cache_dir"], capture_output=True, text=True, check=False).stdout.strip()
    if not ccache or not os.path.isdir(ccache):
        return {"layers": True}
    return {"layers": True, "volumes": [f"{ccache}:/ccache:rw"], "CCACHE_DIR": "/ccache"}
