"""The compose files: that Compose reads them, and what they promise."""

import os
import re
import subprocess

import pytest
import yaml
from conftest import ROOT, need_tool, read, read_yaml

DEV, PROD = "docker-compose.yml", "docker-compose.prod.yml"


def compose(*args, **env):
    """What Compose makes of files; no engine is needed for that."""
    command = [need_tool("docker-compose"), *args, "config"]
    env = {**{k: v for k, v in os.environ.items() if not k.startswith("MLC_")}, **env}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def service(path, name):
    return read_yaml(path)["services"][name]


@pytest.mark.parametrize("files", [[DEV], [PROD], [DEV, "docker/compose.gpu.yml"]])
def test_compose_reads_it(files):
    done = compose(*(word for file in files for word in ("-f", file)))
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert yaml.safe_load(done.stdout)["services"]


def test_compose_refuses_what_it_does_not_know(tmp_path):
    bad = tmp_path / "bad.yml"
    bad.write_text(read(PROD).replace("read_only: true", "readonly: true"))
    assert compose("-f", str(bad)).returncode != 0


@pytest.mark.parametrize("path", [DEV, PROD])
def test_no_version_and_no_privileges(path):
    body = read_yaml(path)
    assert "version" not in body
    for name, s in body["services"].items():
        assert not s.get("privileged") and s.get("network_mode") != "host", name
        assert s["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in s["security_opt"]
        assert s["logging"]["driver"] == "json-file" and s["logging"]["options"]["max-size"] == "10m"
        assert not any("docker.sock" in str(v) for v in s["volumes"])


def test_development():
    s = service(DEV, "mlc-dev")
    assert s["container_name"] == "mlc-dev" and s["image"] == "mlc-llm:dev"
    assert s["build"]["target"] == "dev"
    assert ".:/workspace" in s["volumes"] and s["working_dir"] == "/workspace"
    assert s["ports"] == [f"127.0.0.1:{port}:{port}" for port in (8888, 6006, 8000)]


def test_production():
    s = service(PROD, "mlc-llm")
    assert s["image"] == "${MLC_IMAGE:-ghcr.io/your-org/mlc-llm:latest}"
    assert s["container_name"] == "mlc-llm-container"
    assert s["ports"] == ["8000:8000"]
    assert "MLC_MODEL_PATH=/models/default" in s["environment"]
    assert "./models:/models:ro" in s["volumes"]
    assert s["restart"] == "unless-stopped"
    (device,) = s["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


def test_production_is_hardened():
    s = service(PROD, "mlc-llm")
    assert s["user"] == "10001:0" and s["read_only"] is True
    assert s["tmpfs"] == ["/tmp:mode=1777,size=256m"]
    assert s["pids_limit"] > 0
    assert set(s["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    assert s["healthcheck"]["test"] == ["CMD", "/opt/mlc_llm/bin/mlc_llm", "health"]
    assert "cap_add" not in s


def test_the_time_to_stop_is_longer_than_the_time_to_drain():
    limit = re.search(r"drain_timeout\{([\d']+)", read("src/serve/options.h"))
    assert limit, "where is the default of --shutdown-timeout?"
    grace = service(PROD, "mlc-llm")["stop_grace_period"]
    assert int(grace.removesuffix("s")) * 1000 > int(limit.group(1).replace("'", ""))


def test_limits_can_be_set():
    done = compose("-f", PROD, MLC_MEMORY="8g", MLC_CPUS="2", MLC_IMAGE="mlc-llm:prod")
    s = yaml.safe_load(done.stdout)["services"]["mlc-llm"]
    assert s["image"] == "mlc-llm:prod"
    assert s["deploy"]["resources"]["limits"] == {"cpus": 2.0, "memory": "8g"}


def test_without_a_gpu():
    # The tag is Compose's own: the value replaces what the other file has.
    text = read("docker/compose.cpu.yml")
    assert "reservations: !reset {}" in text
    body = yaml.safe_load(text.replace("!reset ", ""))
    assert body["services"]["mlc-llm"]["deploy"]["resources"]["reservations"] == {}
