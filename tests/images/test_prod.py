"""The production image: what is in it, and that it serves under any user id on a root that cannot be written."""

import json
import re
import stat
import subprocess

import httpx
import pytest
from builder import ROOT
from conftest import free_port
from container import Container, run

USER = 1000540000  # as OpenShift gives them out: no line in /etc/passwd, group 0
MODEL = "/opt/mlc_llm/share/mlc_llm/models/demo"
CHAT = {"messages": [{"role": "user", "content": "Tell me a story about a fox"}], "temperature": 0}
SIZE_LIMIT_MB = 450  # of all files; "~3GB" is what an image of MLC LLM is
START_LIMIT_S = 300


def files_of(root):
    return (path for path in root.rglob("*") if not path.is_symlink() and path.is_file())


def test_description(prod):
    _, config = prod
    assert config["User"] == "10001:0"
    assert config["Entrypoint"] == ["/opt/mlc_llm/bin/entrypoint.sh"]
    assert config["Cmd"] == ["serve"]
    assert set(config["ExposedPorts"]) == {"8000/tcp"}
    assert config["StopSignal"] in ("SIGTERM", "15")
    assert config["Healthcheck"]["Test"] == ["CMD", "/opt/mlc_llm/bin/mlc_llm", "health"]
    assert config["Healthcheck"]["StartPeriod"] == 300 * 10**9
    labels = config["Labels"]
    for key in ("title", "description", "licenses", "source", "documentation", "version", "revision", "created"):
        assert labels[f"org.opencontainers.image.{key}"], key
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_no_compiler_no_downloader_no_change_of_user(prod_root):
    forbidden = re.compile(r"(.*-)?(gcc|g\+\+|cc|c\+\+|clang|clang\+\+|ld|as|rustc|cargo|make|cmake|ninja)(-[\d.]+)?$")
    others = {"curl", "wget", "git", "python3", "sudo", "ssh", "gdb"}
    found = [p for d in ("usr/bin", "usr/sbin", "usr/local/bin", "opt/mlc_llm/bin") for p in (prod_root / d).glob("*")]
    assert len(found) > 50, "these are not the directories of a Debian"
    assert [p.name for p in found if forbidden.match(p.name) or p.name in others] == []
    with_rights = [p for p in files_of(prod_root) if p.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)]
    assert with_rights == []


def test_only_the_places_meant_for_it_can_be_written(prod_root):
    writable = {
        "/" + str(p.relative_to(prod_root))
        for p in prod_root.rglob("*")
        if p.relative_to(prod_root).parts[0] != "dev"  # an engine makes its own
        and not p.is_symlink()
        and (p.stat().st_mode & stat.S_IWOTH or p.stat().st_uid == 10001)
    }
    meant = {"/home/mlc", "/models", "/var/cache/mlc_llm"}
    assert meant <= writable <= meant | {"/tmp", "/var/tmp", "/run/lock"}


def test_licences_come_along(prod_root):
    docs = prod_root / "opt/mlc_llm/share/doc/mlc_llm"
    assert "Apache License" in (docs / "LICENSE").read_text()
    assert (docs / "THIRD_PARTY_NOTICES.md").stat().st_size > 1000


def test_size(prod_root):
    size = sum(p.stat().st_size for p in files_of(prod_root)) / 1e6
    print(f"production image: {size:.0f} MB of files")
    assert size < SIZE_LIMIT_MB


@pytest.fixture(scope="module")
def server(prod, prod_root, tmp_path_factory):
    """The image with nothing said but the port: CMD, the demo model inside, on a read-only root."""
    port = free_port()
    log = tmp_path_factory.mktemp("server") / "log"
    with Container(prod_root, prod[1], prod[1]["Cmd"], user=USER, log=log, MLC_LLM_SERVE_PORT=port) as container:
        url = f"http://127.0.0.1:{port}"

        def ready():
            try:
                return httpx.get(url + "/health/ready", timeout=5).status_code == 200
            except httpx.TransportError:
                return False

        container.wait_for(ready, START_LIMIT_S)
        yield container, url


def test_it_runs_as_that_user_with_no_privileges(server):
    container, _ = server
    status = dict(re.findall(r"^(\w+):\t(.*)$", open(f"/proc/{container.pid}/status").read(), re.MULTILINE))
    assert status["Name"] == "mlc_llm", "the entry point is still there: signals would not reach the program"
    assert set(status["Uid"].split()) == {str(USER)}
    assert int(status["CapEff"], 16) == 0 and int(status["CapPrm"], 16) == 0
    assert status["NoNewPrivs"] == "1"
    touched = container.exec(["/usr/bin/touch", "/opt/mlc_llm/x"])
    assert touched.returncode != 0 and "Read-only file system" in touched.stderr


def test_the_health_check_of_the_image(server, prod):
    container, url = server
    done = container.exec(prod[1]["Healthcheck"]["Test"][1:])
    assert (done.returncode, done.stdout) == (0, f"{url}/health/ready answers 200\n"), done.stderr


def test_chat_over_http(server):
    _, url = server
    answer = httpx.post(url + "/v1/chat/completions", json={**CHAT, "max_tokens": 24}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["choices"][0]["message"]["content"].split()) > 8


def test_metrics_scrape(server):
    _, url = server
    text = httpx.get(url + "/metrics", timeout=30).text
    counted = re.search(r'^mlc_request_success_total\{[^}]*finished_reason="length"[^}]*\} (\d+)', text, re.MULTILINE)
    assert counted and int(counted.group(1)) >= 1, text


def test_a_stop_drains(server):
    """Last: what is being answered is finished, then process 1 ends with 0."""
    container, url = server
    body = {**CHAT, "max_tokens": 200, "stream": True, "ignore_eos": True}
    with httpx.stream("POST", url + "/v1/chat/completions", json=body, timeout=60) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        code = container.stop()
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    finished = [c["finish_reason"] for e in events for c in e["choices"] if c.get("finish_reason")]
    assert finished == ["length"]
    assert code == 0, container.log


def test_chat_by_name_of_the_model(prod, prod_root, tmp_path):
    args = ["chat", "--model", "/models/demo", "--prompt", "Tell me a story about a fox", "--temperature", "0"]
    (tmp_path / "models").mkdir(mode=0o755)
    subprocess.run(["cp", "-r", ROOT / "models" / "demo", tmp_path / "models"], check=True)
    binds = [(tmp_path / "models", "/models", "ro")]
    code, out = run(prod_root, prod[1], [*args, "--max-tokens", "24"], user=10001, log=tmp_path / "log", binds=binds)
    assert code == 0, out
    assert "Once upon a time" in out


def test_nothing_can_be_written_anywhere(prod, prod_root, tmp_path):
    """Without even a /tmp the entry point says what to mount."""
    config = {**prod[1], "Env": [*prod[1]["Env"], "TMPDIR=/nowhere"]}
    code, out = run(prod_root, config, ["--version"], user=4711, group=4711, log=tmp_path / "log")
    assert code == 1
    assert "mount a volume at /var/cache/mlc_llm" in out
