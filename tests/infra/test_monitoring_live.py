"""A real Prometheus scrapes a real server under a little load: every panel of every dashboard shows something.

The GPU board's source is a stand-in for dcgm-exporter that serves the names of monitoring/dcgm/counters.csv.
"""

import concurrent.futures
import http.server
import re
import threading
import time

import httpx
import pytest
import yaml
from conftest import need_tool, read, read_yaml
from live import Program, answers, free_port, serve, wait_for
from test_monitoring import ALERTS, BOARDS, PANELS

STORY = {"messages": [{"role": "user", "content": "Tell me a story about a fox"}]}
RECORDING = [r for g in read_yaml("monitoring/prometheus/rules/recording.yml")["groups"] for r in g["rules"]]


class FakeDcgm(http.server.BaseHTTPRequestHandler):
    labels = 'gpu="0",UUID="GPU-0",device="nvidia0",modelName="test",Hostname="node1"'

    def do_GET(self):
        fields = [line.split(", ", 2) for line in read("monitoring/dcgm/counters.csv").splitlines() if line[0] != "#"]
        text = "".join(f"# HELP {n} {h}\n# TYPE {n} {t}\n{n}{{{self.labels}}} 0.5\n" for n, t, h in fields)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):  # pylint: disable=arguments-differ
        pass


def prometheus_config(targets):
    """monitoring/prometheus/prometheus.yml with a short interval and these targets: {job: port}."""
    config = read_yaml("monitoring/prometheus/prometheus.yml")
    config["global"].update(scrape_interval="1s", scrape_timeout="1s", evaluation_interval="1s")
    del config["alerting"]
    config["scrape_configs"] = [
        {
            **{k: v for k, v in job.items() if k != "dns_sd_configs"},
            "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
        }
        for job in config["scrape_configs"]
        if (port := targets.get(job["job_name"]))
    ]
    return config


def ask(url, **more):
    return httpx.post(url + "/v1/chat/completions", json={**STORY, "max_tokens": 40, **more}, timeout=120)


def leave_early(url):
    body = {**STORY, "max_tokens": 400, "stream": True, "ignore_eos": True}
    with httpx.stream("POST", url + "/v1/chat/completions", json=body, timeout=120) as answer:
        next(answer.iter_raw())


def some_load(url):
    """Good answers, repeated prompts, refusals, clients that leave, more than the server takes at once."""
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        codes = [
            f.result().status_code for f in [pool.submit(ask, url, ignore_eos=True, max_tokens=200) for _ in range(12)]
        ]
    assert set(codes) == {200, 429}, codes
    for seed in range(3):
        assert ask(url, seed=seed).status_code == 200
    assert ask(url, temperature="hot").status_code == 400
    assert httpx.get(url + "/v1/models", timeout=10).status_code == 200
    leave_early(url)


class Prometheus:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def query(self, expr):
        answer = httpx.get(self.url + "/api/v1/query", params={"query": expr}, timeout=30).json()
        assert answer["status"] == "success", f"{expr}: {answer.get('error')}"
        return answer["data"]["result"]

    def names(self):
        return set(httpx.get(self.url + "/api/v1/label/__name__/values", timeout=30).json()["data"])


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory):
    place = tmp_path_factory.mktemp("monitoring")
    program = need_tool("prometheus")
    gpu = http.server.ThreadingHTTPServer(("127.0.0.1", 0), FakeDcgm)
    threading.Thread(target=gpu.serve_forever, daemon=True).start()
    options = ["--max-concurrent", 6, "--speculative-mode", "ngram", "--spec-draft-length", 4, "--threads", 1]
    with serve(place / "serve.log", *options) as server:
        port = free_port()
        config = prometheus_config({"mlc-llm": server.port, "dcgm": gpu.server_port})
        (place / "prometheus.yml").write_text(yaml.safe_dump(config))
        (place / "rules").mkdir()
        for name in ("recording.yml", "alerts.yml"):
            (place / "rules" / name).write_text(read(f"monitoring/prometheus/rules/{name}"))
        command = [program, f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}"]
        with Program(command, place / "prometheus.log") as process:
            asked = Prometheus(port)
            process.ready(asked.url + "/-/ready")
            wait_for(lambda: len(asked.query("up == 1")) == 2, "both targets are scraped")
            some_load(server.url)
            # Rates need two scrapes, one on each side of an event; the rules come a second later.
            time.sleep(3)
            some_load(server.url)
            wait_for(lambda: asked.query("mlc:admission_rejections:ratio_rate5m > 0"), "rules are evaluated", 30)
            time.sleep(2)
            yield asked
        assert answers(server.url + "/health/live")
    gpu.shutdown()
    gpu.server_close()


def filled_in(expr, board):
    """The query with the dashboard's variables as they stand when it is opened, and a window that fits the test."""
    for v in BOARDS[board]["templating"]["list"][1:]:
        expr = expr.replace(f"${v['name']}", v["allValue"])
    return expr.replace("$__rate_interval", "60s")


@pytest.mark.parametrize("board, panel", PANELS, ids=[f"{b}-{p['title']}" for b, p in PANELS])
def test_a_panel_shows_something(prometheus, board, panel):
    for target in panel["targets"]:
        expr = filled_in(target["expr"], board)
        values = [r["value"][1] for r in prometheus.query(expr)]
        assert [v for v in values if v != "NaN"], f"{expr}: {values}"


@pytest.mark.parametrize("board", BOARDS)
def test_variables_offer_something(prometheus, board):
    for v in BOARDS[board]["templating"]["list"][1:]:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", v["definition"]).groups()
        assert all(r["metric"][label] for r in prometheus.query(metric)), v
        assert prometheus.query(metric), v


@pytest.mark.parametrize("rule", RECORDING, ids=lambda r: r["record"])
def test_a_recording_rule_yields_values(prometheus, rule):
    values = [r["value"][1] for r in prometheus.query(rule["record"])]
    assert values and "NaN" not in values


def test_alerts_ask_for_metrics_that_are_there(prometheus):
    names = prometheus.names()
    for alert in ALERTS:
        asked = set(re.findall(r"\b(?:mlc|process|DCGM)_\w+", re.sub(r"mlc:[\w:]+", "", alert["expr"])))
        assert asked <= names, f"{alert['alert']}: {asked - names}"


def test_nothing_but_load_is_wrong(prometheus):
    """Alerts without a `for` or with one are quiet, but for what the load above provokes."""
    firing = {r["metric"]["alertname"] for r in prometheus.query('ALERTS{alertname=~"Mlc.+"}')}
    assert firing <= {"MlcQueueRejections", "MlcITLp99High", "MlcTTFTp95High"}, firing


def test_autoscalers_ask_for_what_is_served(prometheus):
    hpa = read_yaml("deploy/k8s/components/autoscaling/horizontalpodautoscaler.yaml")
    metric = hpa["spec"]["metrics"][0]["pods"]["metric"]["name"]
    rule = read_yaml("deploy/k8s/components/autoscaling/prometheus-adapter-values.yaml")["rules"]["custom"][0]
    assert rule["name"]["as"] == metric and rule["seriesQuery"].startswith(metric + "{")
    query = rule["metricsQuery"].replace("<<.Series>>", metric).replace("<<.LabelMatchers>>", 'job="mlc-llm"')
    assert prometheus.query(query.replace("<<.GroupBy>>", "instance"))
    keda = read_yaml("deploy/k8s/components/keda/scaledobject.yaml")
    assert prometheus.query(keda["spec"]["triggers"][0]["metadata"]["query"])
