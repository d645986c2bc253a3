"""monitoring/, docs/runbooks: the tools' own checks, and what rules, boards and compose files have to be."""

import json
import os
import re
import subprocess

import pytest
import yaml
from conftest import ROOT, need_tool, read, read_yaml

MONITORING = ROOT / "monitoring"
RULES = sorted((MONITORING / "prometheus/rules").glob("*.yml"))
BOARDS = {p.stem: json.loads(p.read_text()) for p in sorted((MONITORING / "grafana/dashboards").glob("*.json"))}
ALERTS = [r for g in read_yaml("monitoring/prometheus/rules/alerts.yml")["groups"] for r in g["rules"]]
PANELS = [(b, p) for b, d in BOARDS.items() for p in d["panels"] if p["type"] != "row"]


def run(tool, *args):
    done = subprocess.run([need_tool(tool), *map(str, args)], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_reads_its_configuration_and_rules():
    assert "2 rule files found" in run("promtool", "check", "config", MONITORING / "prometheus/prometheus.yml")
    run("promtool", "check", "rules", "--lint=all", "--lint-fatal", *RULES)


def test_rules_say_what_they_should():
    run("promtool", "test", "rules", *sorted((MONITORING / "prometheus/tests").glob("*.yml")))


def test_every_alert_is_tested_firing_and_not_firing():
    seen = {}
    files = (MONITORING / "prometheus/tests").glob("alerts*.yml")
    for test in (t for f in files for t in read_yaml(f)["tests"]):
        for case in test["alert_rule_test"]:
            seen.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert seen == {a["alert"]: {True, False} for a in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda a: a["alert"])
def test_an_alert_leads_to_its_runbook(alert):
    assert alert["labels"]["severity"] in {"page", "ticket", "info"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    path = "docs/runbooks/" + alert["alert"] + ".md"
    assert alert["annotations"]["runbook_url"].endswith("/main/" + path)
    text = read(path)
    assert text.startswith(f"# {alert['alert']}\n")
    for section in ("## What it means", "## Look", "## Do"):
        assert section in text, f"{path} has no {section!r}"
    assert "```" in text.split("## Look")[1], f"{path}: no commands"


def test_every_runbook_has_an_alert():
    pages = {p.stem for p in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert pages == {a["alert"] for a in ALERTS}


def test_alertmanager_reads_its_configuration():
    path = MONITORING / "alertmanager/alertmanager.yml"
    run("amtool", "check-config", path)
    for severity, receiver in (("page", "pages"), ("ticket", "tickets"), ("info", "nobody")):
        assert (
            run("amtool", "config", "routes", "test", f"--config.file={path}", f"severity={severity}").strip()
            == receiver
        )


def test_generated_files_are_up_to_date():
    subprocess.run([MONITORING / "generate.py", "--check"], check=True)


def test_boards_can_be_told_apart():
    assert {b["uid"] for b in BOARDS.values()} == {"mlc-overview", "mlc-engine", "mlc-gpu", "mlc-process"}
    for board in BOARDS.values():
        names = [v["name"] for v in board["templating"]["list"]]
        assert names[0] == "datasource" and "instance" in names
        ids = [p["id"] for p in board["panels"]]
        assert len(ids) == len(set(ids))


@pytest.mark.parametrize("board, panel", PANELS, ids=[f"{b}-{p['title']}" for b, p in PANELS])
def test_a_panel_says_what_it_shows(board, panel):
    assert panel["description"].endswith("."), "a sentence"
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"]["uid"] == "${datasource}"
    known = {v["name"] for v in BOARDS[board]["templating"]["list"]} | {"__rate_interval"}
    for target in panel["targets"]:
        assert set(re.findall(r"\$(\w+)", target["expr"])) <= known
        assert target["legendFormat"] or panel["type"] == "stat"


def test_panels_do_not_overlap():
    for name, board in BOARDS.items():
        taken = set()
        for p in board["panels"]:
            g = p["gridPos"]
            cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
            assert g["x"] + g["w"] <= 24 and not cells & taken, f"{name}: {p.get('title')}"
            taken |= cells


def test_the_topics_that_are_promised_have_panels():
    titles = {p["title"] for _, p in PANELS}
    topics = {
        "request rate and latency": {"Requests by code", "End-to-end latency"},
        "GPU utilization": {"Utilization", "SMs active"},
        "memory": {"Memory", "KV cache in use", "Memory in use"},
        "error rates": {"Error share", "Burn rate"},
        "model performance": {"Time to first token", "Inter-token latency", "Tokens"},
    }
    for topic, wanted in topics.items():
        assert wanted <= titles, topic


def test_dcgm_exports_what_the_board_and_the_alerts_ask_for():
    exported = set(re.findall(r"^DCGM_\w+", read("monitoring/dcgm/counters.csv"), re.MULTILINE))
    asked = set(re.findall(r"DCGM_\w+", json.dumps(BOARDS["gpu"]) + read("monitoring/prometheus/rules/alerts.yml")))
    assert asked == exported


# ------------------------------------------------------------------------------------------------ compose


COMPOSE = read_yaml("docker-compose.monitoring.yml")
SCALE = read_yaml("docker-compose.scale.yml")


def test_compose_provisions_grafana():
    volumes = dict(v.split(":")[:2] for v in COMPOSE["services"]["grafana"]["volumes"])
    assert volumes["./monitoring/grafana/provisioning"] == "/etc/grafana/provisioning"
    provider = read_yaml("monitoring/grafana/provisioning/dashboards/mlc-llm.yml")["providers"][0]
    assert volumes["./monitoring/grafana/dashboards"] == provider["options"]["path"]
    source = read_yaml("monitoring/grafana/provisioning/datasources/prometheus.yml")["datasources"][0]
    assert source["type"] == "prometheus" and source["isDefault"] and source["url"] == "http://prometheus:9090"


def test_prometheus_finds_the_services_of_compose():
    jobs = {j["job_name"]: j for j in read_yaml("monitoring/prometheus/prometheus.yml")["scrape_configs"]}
    names = {n for j in jobs.values() for d in j.get("dns_sd_configs", []) for n in d["names"]}
    assert names == {"mlc-llm", "dcgm-exporter", "node-exporter"}
    assert names - {"mlc-llm"} <= set(COMPOSE["services"])
    for server in ("mlc-llm-1", "mlc-llm-2"):
        assert "mlc-llm" in SCALE["services"][server]["networks"]["default"]["aliases"]
        assert f"server {server}:8000" in read("deploy/nginx/nginx.conf")


@pytest.mark.parametrize("file", [COMPOSE, SCALE], ids=["monitoring", "scale"])
def test_services_are_pinned_limited_and_mounted_from_what_is_here(file):
    for name, service in file["services"].items():
        image = service["image"]
        assert ":" in image.rsplit("/", 1)[-1], f"{name}: {image} has no tag"
        assert "latest" not in image or image == "${MLC_IMAGE:-ghcr.io/your-org/mlc-llm:latest}", f"{name}: {image}"
        assert service.get("mem_limit"), f"{name} has no limit of memory"
        assert service["restart"] == "unless-stopped", name
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("./") and source != "./models":
                assert (ROOT / source).exists(), f"{name}: {source}"


@pytest.mark.parametrize("beside", ["docker-compose.prod.yml", "docker-compose.scale.yml"])
def test_compose_reads_it(beside):
    command = [need_tool("docker-compose"), "-f", beside, "-f", "docker-compose.monitoring.yml", "config"]
    env = {**os.environ, "GRAFANA_ADMIN_PASSWORD": "x"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    assert {"prometheus", "alertmanager", "grafana"} < set(yaml.safe_load(done.stdout)["services"])
    del env["GRAFANA_ADMIN_PASSWORD"]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "set GRAFANA_ADMIN_PASSWORD" in done.stderr, "Grafana has a password of its own"


def test_a_server_has_time_to_drain():
    server = SCALE["services"]["mlc-llm-1"]

    def value(flag):
        return int(server["command"][server["command"].index(flag) + 1])

    assert int(server["stop_grace_period"].rstrip("s")) > value("--drain-delay") + value("--shutdown-timeout")
