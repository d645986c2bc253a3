"""What operators see of `mlc_llm serve`: states, signals, keys, logs, metrics."""

import http.server
import json
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request

import pytest
from server import Server
from support import BIN, LIMIT_S, MODEL, environment

STREAM = {"messages": [{"role": "user", "content": "Tell me a story"}], "stream": True, "max_tokens": 200, "seed": 1}


def get(server, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode()


def open_stream(server, body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json", "X-Request-Id": "story-1"},
    )
    return urllib.request.urlopen(request, timeout=LIMIT_S)


def test_metrics_are_what_prometheus_wants(home, tmp_path):
    promtool = shutil.which("promtool")
    assert promtool, "promtool is missing: apt-get install prometheus"
    with Server(home, MODEL, log=tmp_path / "log") as server:
        assert server.ask("Hi")
        status, text = get(server, "/metrics")
        assert status == 200
        for name in ("mlc_time_to_first_token_seconds_bucket", "mlc_num_requests_running", "mlc_kv_cache_usage_ratio"):
            assert name in text
        checked = subprocess.run(
            [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
        # A real Prometheus scrapes it.
        config = tmp_path / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s}\n"
            "scrape_configs:\n"
            f"- {{job_name: mlc, static_configs: [{{targets: ['127.0.0.1:{server.port}']}}]}}\n"
        )
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        with open(tmp_path / "prometheus.log", "wb") as log:
            prometheus = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={tmp_path}/tsdb",
                 f"--web.listen-address=127.0.0.1:{port}"],
                stdout=log, stderr=log,
            )  # fmt: skip
        try:
            query = f"http://127.0.0.1:{port}/api/v1/query?query=mlc_request_success_total"
            deadline = time.monotonic() + LIMIT_S
            found = []
            while not found and time.monotonic() < deadline:
                time.sleep(0.3)
                try:
                    with urllib.request.urlopen(query, timeout=10) as answer:
                        found = json.loads(answer.read())["data"]["result"]
                except (urllib.error.URLError, ConnectionError):
                    pass
            assert found and float(found[0]["value"][1]) >= 1, (tmp_path / "prometheus.log").read_text()
        finally:
            prometheus.kill()
            prometheus.wait()


def test_a_stream_in_flight_survives_sigterm(home, tmp_path):
    with Server(home, MODEL, "--drain-delay", "1", log=tmp_path / "log") as server:
        stream = open_stream(server, STREAM)
        first = stream.readline()
        assert first.startswith(b"data: ")
        server.process.send_signal(signal.SIGTERM)
        rest = stream.read().decode()
        assert rest.rstrip().endswith("data: [DONE]")
        assert server.process.wait(60) == 0


def test_logs_are_json_lines_without_what_was_said(home, tmp_path):
    words = "a very private fox"
    with Server(home, MODEL, "--log-format", "json", log=tmp_path / "log") as server:
        body = {"messages": [{"role": "user", "content": words}], "max_tokens": 5, "ignore_eos": True}
        assert server.request("/v1/chat/completions", body)[0] == 200
        get(server, "/health", traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        stream = open_stream(server, STREAM)
        stream.readline()
        stream.close()  # the client leaves
        deadline = time.monotonic() + 30
        while '"abort"' not in server.log and time.monotonic() < deadline:
            time.sleep(0.05)
        lines = [json.loads(line) for line in server.log.splitlines() if line.startswith("{")]
    requests = [line for line in lines if line["msg"] == "request"]
    chat = next(r for r in requests if r["route"] == "/v1/chat/completions")
    assert chat["status"] == 200 and chat["completion_tokens"] == 5 and chat["finish_reason"] == "length"
    assert chat["e2e_ms"] >= chat["ttft_ms"] >= chat["queue_ms"] >= 0
    assert any(r.get("trace_id") == "4bf92f3577b34da6a3ce929d0e0e4736" for r in requests)
    left = next(r for r in requests if r.get("finish_reason") == "abort")
    assert left["status"] == 499 and left["request_id"] == "story-1"
    assert words not in server.log


def test_spans_go_to_the_collector(home, tmp_path):
    received = []

    class Collector(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            received.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    collector = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=collector.serve_forever, daemon=True).start()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}", "OTEL_SERVICE_NAME": "tales"}
    with Server(home, MODEL, log=tmp_path / "log", env=env) as server:
        request = urllib.request.Request(
            f"http://127.0.0.1:{server.port}/v1/chat/completions",
            json.dumps(
                {"messages": [{"role": "user", "content": "a private fox"}], "max_tokens": 5, "ignore_eos": True}
            ).encode(),
            {"Content-Type": "application/json", "traceparent": f"00-{trace}-00f067aa0ba902b7-01"},
        )
        urllib.request.urlopen(request, timeout=LIMIT_S).read()
    # Sent at the latest when the server ends.
    collector.shutdown()
    assert [path for path, _ in received] == ["/v1/traces"]
    (resource,) = received[0][1]["resourceSpans"]
    assert resource["resource"]["attributes"] == [{"key": "service.name", "value": {"stringValue": "tales"}}]
    (span,) = resource["scopeSpans"][0]["spans"]
    assert (span["traceId"], span["parentSpanId"], span["name"]) == (trace, "00f067aa0ba902b7", "chat demo")
    assert int(span["endTimeUnixNano"]) > int(span["startTimeUnixNano"]) > 1.7e18
    attributes = {a["key"]: next(iter(a["value"].values())) for a in span["attributes"]}
    assert attributes["gen_ai.usage.output_tokens"] == "5" and attributes["http.response.status_code"] == "200"
    assert "fox" not in json.dumps(received)


def test_a_collector_that_is_not_there_costs_nothing(home, tmp_path):
    with socket.socket() as s:  # bound, but it never answers
        s.bind(("127.0.0.1", 0))
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{s.getsockname()[1]}"}
        with Server(home, MODEL, log=tmp_path / "log", env=env) as server:
            for _ in range(5):
                assert server.ask("Hi")
    assert "no traces reach" in pathlib.Path(tmp_path / "log").read_text()


def test_more_requests_than_it_takes_are_told_to_come_back(home, tmp_path):
    with Server(home, MODEL, "--max-concurrent", "2", log=tmp_path / "log") as server:
        body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 60, "ignore_eos": True}
        codes = []

        def ask():
            codes.append(server.request("/v1/chat/completions", body)[0])

        threads = [threading.Thread(target=ask) for _ in range(60)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert set(codes) <= {200, 429} and 200 in codes and 429 in codes
        assert server.ask("Hi")
        assert f'mlc_admission_rejections_total{{reason="queue_full"}} {codes.count(429)}' in get(server, "/metrics")[1]


def test_keys_from_a_file_are_read_again(home, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text("one\n")
    with Server(home, MODEL, "--api-key-file", keys, "--api-key", "two", log=tmp_path / "log") as server:
        assert get(server, "/v1/models")[0] == 401
        assert get(server, "/metrics")[0] == 401
        assert get(server, "/health")[0] == 200
        assert get(server, "/v1/models", Authorization="Bearer one")[0] == 200
        assert get(server, "/v1/models", **{"x-api-key": "two"})[0] == 200
        keys.write_text("three\n")
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 30
        while get(server, "/v1/models", Authorization="Bearer three")[0] != 200 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert get(server, "/v1/models", Authorization="Bearer one")[0] == 401
        assert get(server, "/v1/models", Authorization="Bearer two")[0] == 200


def test_it_says_that_it_is_loading_and_can_be_stopped_then(tmp_path):
    """With an empty cache the model is compiled first: that takes a moment in which clients are told to wait."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    process = subprocess.Popen(
        [BIN, "serve", str(MODEL), "--port", str(port)],
        stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment(tmp_path / "home"),
    )  # fmt: skip
    try:
        deadline = time.monotonic() + LIMIT_S
        status = None
        while status is None and time.monotonic() < deadline:
            try:
                status = urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=10).status
            except urllib.error.HTTPError as e:
                status = e.code
                assert json.loads(e.read())["status"] == "loading"
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.01)
        assert status == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.communicate()
    assert not [p for p in pathlib.Path(tmp_path / "home").rglob("*.so") if p.stat().st_size == 0]


def test_https(home, tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True,
    )  # fmt: skip
    with Server(home, MODEL, "--ssl-cert", cert, "--ssl-key", key, log=tmp_path / "log") as server:
        context = ssl.create_default_context(cafile=cert)

        def post(body):
            request = urllib.request.Request(
                f"https://127.0.0.1:{server.port}/v1/chat/completions", json.dumps(body).encode(),
                {"Content-Type": "application/json"},
            )  # fmt: skip
            return urllib.request.urlopen(request, timeout=LIMIT_S, context=context)

        with post({**STREAM, "stream": False}) as answer:
            whole = json.loads(answer.read())["choices"][0]["message"]["content"]
        with post(STREAM) as answer:
            lines = [line[6:] for line in answer.read().decode().splitlines() if line.startswith("data: {")]
        pieces = [json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines]
        assert "".join(pieces) == whole and len(whole.split()) > 8
        # A client that leaves in the middle, one that speaks no TLS, one that trusts nobody: nothing is lost.
        stream = post({**STREAM, "ignore_eos": True})
        stream.readline()
        stream.close()
        with socket.create_connection(("127.0.0.1", server.port)) as plain:
            plain.sendall(b"GET /health HTTP/1.1\r\n\r\n")
            assert b"200 OK" not in plain.recv(1000)
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(f"https://127.0.0.1:{server.port}/health", timeout=LIMIT_S)
        with post({**STREAM, "stream": False}) as answer:
            assert json.loads(answer.read())["choices"][0]["message"]["content"] == whole


def test_several_models_in_one_server(home, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    for name in ("one", "two"):
        shutil.copytree(MODEL, models / name)
    third = tmp_path / "three"
    shutil.copytree(MODEL, third)
    with Server(home, models, "--model", third, log=tmp_path / "log") as server:
        listed = [m["id"] for m in server.request("/v1/models")[1]["data"]]
        assert listed == ["one", "two", "three"]
        answers = {server.ask("Hi", model=name) for name in listed}
        assert len(answers) == 1
        status, body = server.request(
            "/v1/chat/completions", {"model": "four", "messages": [{"role": "user", "content": "x"}]}
        )
        assert status == 404 and "one, two, three" in body["error"]["message"]
        assert "mlc_request_success_total{finished_reason=" in get(server, "/metrics")[1]
    twice = subprocess.run([BIN, "serve", models / "one", "--model", models / "one"], capture_output=True, text=True,
                           env=environment(home), timeout=LIMIT_S, check=False)  # fmt: skip
    assert twice.returncode != 0 and "two models are called one" in twice.stderr


@pytest.mark.parametrize("flags, says", [(["--api-key-file", "/nowhere"], "/nowhere"), (["--log-format", "xml"], "xml"),
                                         (["--ssl-cert", "/nowhere.pem"], "--ssl-key"),
                                         (["--ssl-cert", "/nowhere.pem", "--ssl-key", "/k"], "/nowhere.pem"),
                                         (["--model", "/nowhere"], "/nowhere")])  # fmt: skip
def test_wrong_flags(home, flags, says):
    run = subprocess.run([BIN, "serve", str(MODEL), *flags], capture_output=True, text=True, env=environment(home),
                         timeout=LIMIT_S, check=False)  # fmt: skip
    assert run.returncode != 0 and says in run.stderr
