"""What lies under the openai package: shapes, statuses, a client that leaves, a second server on the same port."""

import time

import httpx
import pytest
from conftest import Server


def test_health_and_version(http):
    health = http.get("/health").json()
    assert health["status"] == "ok"
    assert http.get("/version").json()["version"]


def test_errors_have_the_right_status(http):
    wrong = [
        http.post("/v1/chat/completions", content=b"{", headers={"Content-Type": "application/json"}),
        http.post("/v1/chat/completions", json={"messages": []}),
        http.post("/v1/completions", json={}),
        http.get("/v1/models/none"),
        http.get("/nothing"),
        http.get("/v1/completions"),
        http.post("/v1/completions", content=b"x", headers={"Content-Type": "text/plain"}),
    ]
    assert [r.status_code for r in wrong] == [400, 400, 400, 404, 404, 405, 415]
    assert all(r.json()["error"]["message"] for r in wrong)


def test_a_body_that_is_too_large(http):
    response = http.post("/v1/completions", json={"prompt": "a" * (9 << 20)})
    assert response.status_code == 413


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return False


# Eight long answers: no model here is through with them before the client leaves.
ENDLESS = {"prompt": "Once upon a time", "ignore_eos": True, "n": 8, "temperature": 1}


def test_a_client_that_leaves_frees_its_sequences(server, http):
    assert wait_until(lambda: server.engine_stats()["running"] == 0)
    before = server.engine_stats()
    with http.stream("POST", "/v1/completions", json={**ENDLESS, "stream": True}) as response:
        lines = response.iter_lines()
        while not next(lines).startswith("data: "):
            pass
    assert wait_until(lambda: server.engine_stats()["running"] == 0, seconds=20)
    now = server.engine_stats()
    assert now["cancelled"] - before["cancelled"] == 8
    assert now["kv_pages_free"] == before["kv_pages_free"]


def test_a_waiting_client_that_leaves_frees_its_sequences(server):
    before = server.engine_stats()["cancelled"]
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(server.url + "/v1/completions", json=ENDLESS, timeout=httpx.Timeout(0.1, connect=10))
    assert wait_until(lambda: server.engine_stats()["cancelled"] == before + 8, seconds=20)
    assert server.engine_stats()["running"] == 0


def test_a_port_in_use_is_one_clear_line(server, tmp_path):
    second = Server(tmp_path / "log.txt", port=server.port)
    assert second.process.wait(600) != 0
    assert "in use" in second.log()
    assert http_ok(server)


def http_ok(server):
    return httpx.get(server.url + "/health").status_code == 200


def test_stops_gracefully_with_a_stream_in_flight(tmp_path):
    running = Server(tmp_path / "log.txt").wait_until_ready()
    request = {"prompt": "Once upon a time", "stream": True, "ignore_eos": True, "max_tokens": 60}
    with httpx.stream("POST", running.url + "/v1/completions", json=request, timeout=300) as response:
        lines = response.iter_lines()
        while not next(lines).startswith("data: "):
            pass
        running.process.terminate()
        rest = list(lines)
    assert "data: [DONE]" in rest
    assert running.process.wait(30) == 0, running.log()


def test_the_key(tmp_path):
    running = Server(tmp_path / "log.txt", "--api-key", "secret").wait_until_ready()
    try:
        assert httpx.get(running.url + "/v1/models").status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert httpx.get(running.url + "/v1/models", headers=right).status_code == 200
    finally:
        running.stop()
