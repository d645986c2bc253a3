"""k8s-deployment.yaml and deploy/k8s: rendered by kustomize, checked against Kubernetes' types and our promises."""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from conftest import ROOT, need_tool, read, read_yaml
from live import BIN
from manifests import rendered, type_errors

OVERLAYS = ["dev", "prod", "multi-node"]
STANDALONE = list(yaml.safe_load_all(read("k8s-deployment.yaml")))
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def overlay(name):
    return rendered(f"deploy/k8s/overlays/{name}")


def documents(name):
    return STANDALONE if name == "standalone" else overlay(name)


def only(docs, kind):
    (doc,) = [d for d in docs if d["kind"] == kind]
    return doc


def pods(docs):
    """{name: pod template} of all that runs pods."""
    out = {}
    for d in docs:
        if d["kind"] == "Deployment":
            out[d["metadata"]["name"]] = d["spec"]["template"]
        if d["kind"] == "LeaderWorkerSet":
            both = d["spec"]["leaderWorkerTemplate"]
            out.update(leader=both["leaderTemplate"], worker=both["workerTemplate"])
    assert out
    return out


def servers(docs):
    """The pod templates that run mlc_llm."""
    return [p for p in pods(docs).values() if p["spec"]["containers"][0]["name"] == "mlc-llm"]


def settings(docs, pod):
    """The environment of the server, and its flags as if they were environment."""
    container = pod["spec"]["containers"][0]
    out = {e["name"]: e.get("value") for e in container.get("env", [])}
    for source in container.get("envFrom", []):
        name = source["configMapRef"]["name"]
        out.update(next(d for d in docs if d["kind"] == "ConfigMap" and d["metadata"]["name"] == name)["data"])
    args = container["args"]
    for flag, value in zip(args, args[1:]):
        if flag.startswith("--"):
            out["MLC_LLM_SERVE_" + flag[2:].upper().replace("-", "_")] = value
    return out


everywhere = pytest.mark.parametrize("name", ["standalone", *OVERLAYS])


# ------------------------------------------------------------------------------------------------ types


@everywhere
def test_manifests_have_kubernetes_types(name, tmp_path):
    assert type_errors(documents(name), tmp_path) == ""


def test_components_have_their_types(tmp_path):
    names = ["keda/scaledobject", "gateway-api/httproute", "monitoring/servicemonitor", "monitoring/prometheusrule"]
    assert type_errors([read_yaml(f"deploy/k8s/components/{n}.yaml") for n in names], tmp_path) == ""


def test_the_pod_that_loads_models_is_restricted_and_typed(tmp_path):
    pod = read_yaml("deploy/k8s/load-model.yaml")
    assert type_errors([pod], tmp_path) == ""
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == RESTRICTED and pod["spec"]["securityContext"]["runAsNonRoot"] is True
    server = only(overlay("prod"), "Deployment")["spec"]["template"]["spec"]
    assert pod["spec"]["securityContext"]["fsGroup"] == server["securityContext"]["fsGroup"]
    assert pod["spec"]["volumes"][0]["persistentVolumeClaim"]["claimName"] == "mlc-llm-models"


def test_unknown_keys_and_wrong_types_are_found(tmp_path):
    docs = [d for d in overlay("prod") if d["kind"] in {"Deployment", "HorizontalPodAutoscaler", "ServiceMonitor"}]
    docs += [d for d in overlay("multi-node") if d["kind"] == "LeaderWorkerSet"]
    container = only(docs, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    container["livenesProbe"] = container.pop("livenessProbe")
    only(docs, "HorizontalPodAutoscaler")["spec"]["maxReplicas"] = "8"
    only(docs, "ServiceMonitor")["spec"]["endpoints"][0]["intervall"] = "15s"
    worker = only(docs, "LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]["workerTemplate"]
    worker["spec"]["initContainers"][0]["imagee"] = "x"
    errors = type_errors(docs, tmp_path)
    assert len(re.findall(r"error TS", errors)) == 4, errors
    for word in ("livenesProbe", "'string' is not assignable to type 'number'", "intervall", "imagee"):
        assert word in errors


@pytest.mark.parametrize("component", ["keda", "gateway-api", "nvidia-gpu"])
def test_the_other_components_fit_the_base(component, tmp_path):
    (tmp_path / "k8s").symlink_to(ROOT / "deploy/k8s")
    place = ROOT / "deploy/k8s"
    text = f"resources: [{os.path.relpath(place / 'base', tmp_path)}]\n"
    text += f"components: [{os.path.relpath(place / 'components' / component, tmp_path)}]\n"
    (tmp_path / "kustomization.yaml").write_text(text)
    docs = rendered(tmp_path)
    deployment = only(docs, "Deployment")
    if component == "keda":
        assert "replicas" not in deployment["spec"]
        assert only(docs, "ScaledObject")["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    elif component == "gateway-api":
        rule = only(docs, "HTTPRoute")["spec"]["rules"][0]
        assert {"name": "mlc-llm", "port": 8000} in rule["backendRefs"]
        assert not any(m["path"]["value"] in ("/", "/metrics") for m in rule["matches"])
    else:
        resources = deployment["spec"]["template"]["spec"]["containers"][0]["resources"]
        assert resources["limits"]["nvidia.com/gpu"] == resources["requests"]["nvidia.com/gpu"] == 1
        assert resources["limits"]["memory"], "the patch keeps what was there"


# ------------------------------------------------------------------------------------------------ promises


def test_the_small_file_has_what_is_promised():
    d = only(STANDALONE, "Deployment")
    assert d["metadata"]["name"] == "mlc-llm-deployment" and d["spec"]["replicas"] == 2
    assert d["spec"]["selector"]["matchLabels"] == d["spec"]["template"]["metadata"]["labels"] == {"app": "mlc-llm"}
    (container,) = d["spec"]["template"]["spec"]["containers"]
    assert container["name"] == "mlc-llm" and container["image"] == "ghcr.io/your-org/mlc-llm:latest"
    assert container["ports"][0]["containerPort"] == 8000
    assert (
        container["resources"]["limits"]["nvidia.com/gpu"] == container["resources"]["requests"]["nvidia.com/gpu"] == 1
    )


@everywhere
def test_probes(name):
    for pod in servers(documents(name)):
        c = pod["spec"]["containers"][0]
        path = {p: c[p]["httpGet"]["path"] for p in ("startupProbe", "readinessProbe", "livenessProbe")}
        ready, live = "/health/ready", "/health/live"
        assert path == {"startupProbe": ready, "readinessProbe": ready, "livenessProbe": live}
        assert {c[p]["httpGet"]["port"] for p in path} == {"http"} == {p["name"] for p in c["ports"]}
        assert (
            c["startupProbe"]["periodSeconds"] * c["startupProbe"]["failureThreshold"] >= 600
        ), "a first start compiles"


@everywhere
def test_there_is_time_to_drain(name):
    """SIGTERM comes after preStop; the server then takes --drain-delay and --shutdown-timeout; SIGKILL comes later."""
    docs = documents(name)
    for pod in servers(docs):
        lifecycle = pod["spec"]["containers"][0].get("lifecycle", {})
        sleep = lifecycle.get("preStop", {}).get("sleep", {}).get("seconds", 0)
        env = settings(docs, pod)
        delay, timeout = (int(env[f"MLC_LLM_SERVE_{k}"]) for k in ("DRAIN_DELAY", "SHUTDOWN_TIMEOUT"))
        assert pod["spec"]["terminationGracePeriodSeconds"] > sleep + delay + timeout
        # Long enough that endpoints and load balancers have heard of it before the port closes.
        readiness = pod["spec"]["containers"][0]["readinessProbe"]
        assert sleep + delay >= readiness["periodSeconds"] * readiness["failureThreshold"] + 5


@everywhere
def test_pods_are_restricted(name):
    """Kubernetes' Pod Security Standard "restricted", a read-only root, and no token."""
    for pod in pods(documents(name)).values():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        for c in spec["containers"] + spec.get("initContainers", []):
            assert c["securityContext"] == RESTRICTED, c["name"]
            assert "memory" in c["resources"]["limits"] and "cpu" in c["resources"]["requests"]
            for mount in c["volumeMounts"]:
                volume = next(v for v in spec["volumes"] if v["name"] == mount["name"])
                assert mount.get("readOnly") or "emptyDir" in volume, f"{c['name']} can write {mount['mountPath']}"


@everywhere
def test_what_the_server_writes_has_a_place(name):
    docs = documents(name)
    for pod in servers(docs):
        paths = {m["mountPath"]: m["name"] for m in pod["spec"]["containers"][0]["volumeMounts"]}
        volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
        env = settings(docs, pod)
        assert "emptyDir" in volumes[paths[env["MLC_LLM_HOME"]]] and "emptyDir" in volumes[paths["/tmp"]]
        assert env["MLC_MODEL_PATH"].startswith("/models/") and "/models" in paths
        if name != "standalone":
            assert volumes[paths["/dev/shm"]]["emptyDir"]["medium"] == "Memory"
            assert (
                volumes["models"]["persistentVolumeClaim"]["claimName"]
                == only(docs, "PersistentVolumeClaim")["metadata"]["name"]
            )


def test_servers_wait_for_a_whole_model(tmp_path):
    (pod,) = servers(overlay("prod"))
    (init,) = pod["spec"]["initContainers"]
    (tmp_path / "sleep").write_text('#!/bin/sh\necho slept >>"$LOG"\n')
    (tmp_path / "sleep").chmod(0o755)
    log, model = tmp_path / "log", tmp_path / "model"
    model.mkdir()
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "LOG": str(log), "MLC_MODEL_PATH": str(model)}
    command = init["command"] + init["args"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and str(model) in done.stderr
    assert len(log.read_text().splitlines()) * 5 == 1800, "it waits for half an hour"
    (model / ".complete").touch()
    assert subprocess.run(command, env=env, check=False, timeout=60).returncode == 0


@everywhere
def test_names_meet(name):
    docs = documents(name)
    selector = only(docs, "Service")["spec"]["selector"]
    front = pods(docs).get("leader") or servers(docs)[0]
    # Labels under leaderworkerset.sigs.k8s.io/ are set by its controller.
    own = {k: v for k, v in selector.items() if not k.startswith("leaderworkerset.sigs.k8s.io/")}
    assert own.items() <= front["metadata"]["labels"].items()
    for d in docs:
        if d["kind"] in ("Deployment", "PodDisruptionBudget"):
            wanted = d["spec"]["selector"]["matchLabels"]
            assert all(wanted.items() <= p["metadata"]["labels"].items() for p in servers(docs)), d["kind"]
        if d["kind"] == "NetworkPolicy":
            assert d["spec"]["podSelector"]["matchLabels"] == {"app": "mlc-llm"}
            assert set(d["spec"]["policyTypes"]) == {"Ingress", "Egress"}
    if name != "standalone":
        assert {d["metadata"].get("namespace") for d in docs if d["kind"] != "Namespace"} == {
            only(docs, "Namespace")["metadata"]["name"]
        }
        assert only(docs, "Namespace")["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
        assert only(docs, "ServiceAccount")["automountServiceAccountToken"] is False


@everywhere
def test_settings_are_flags_of_the_program(name):
    docs = documents(name)
    done = subprocess.run([BIN, "serve", "--help"], capture_output=True, text=True, check=True)
    for pod in servers(docs):
        for key in settings(docs, pod):
            if key.startswith("MLC_LLM_SERVE_"):
                assert f"(Env:{key})" in done.stdout, key


@pytest.mark.parametrize("name", ["prod", "multi-node"])
def test_a_release_is_pinned(name):
    for pod in servers(overlay(name)):
        for c in pod["spec"]["containers"] + pod["spec"]["initContainers"]:
            assert re.fullmatch(r"ghcr\.io/your-org/mlc-llm:v\d+\.\d+\.\d+", c["image"])


def test_production_rolls_and_drains_without_a_gap():
    docs = overlay("prod")
    spec = only(docs, "Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    budget = only(docs, "PodDisruptionBudget")["spec"]
    hpa = only(docs, "HorizontalPodAutoscaler")["spec"]
    assert budget["maxUnavailable"] < hpa["minReplicas"], "drains of nodes leave one, and can go on"
    assert {t["topologyKey"] for t in spec["template"]["spec"]["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }


def test_production_scales_by_queue_depth():
    docs = overlay("prod")
    assert "replicas" not in only(docs, "Deployment")["spec"], "applying again would undo the autoscaler"
    hpa = only(docs, "HorizontalPodAutoscaler")["spec"]
    assert hpa["scaleTargetRef"]["name"] == only(docs, "Deployment")["metadata"]["name"]
    assert [m["pods"]["metric"]["name"] for m in hpa["metrics"]] == ["mlc_num_requests_waiting"]
    assert hpa["behavior"]["scaleDown"]["stabilizationWindowSeconds"] >= 300


def test_production_is_observed():
    docs = overlay("prod")
    service, monitor = only(docs, "Service"), only(docs, "ServiceMonitor")
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "mlc-llm", "the job of rules and dashboards"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {p["name"] for p in service["spec"]["ports"]} and endpoint["path"] == "/metrics"


def test_production_asks_for_keys_and_prometheus_has_one():
    docs = overlay("prod")
    (pod,) = servers(docs)
    secret = next(v["secret"] for v in pod["spec"]["volumes"] if "secret" in v)
    mount = next(m for m in pod["spec"]["containers"][0]["volumeMounts"] if m["name"] == "api-keys")
    assert settings(docs, pod)["MLC_LLM_SERVE_API_KEY_FILE"] == f"{mount['mountPath']}/{secret['items'][0]['path']}"
    credentials = only(docs, "ServiceMonitor")["spec"]["endpoints"][0]["authorization"]["credentials"]
    assert credentials["name"] == secret["secretName"]


def test_rules_of_the_operator_are_rules(tmp_path):
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump(only(overlay("prod"), "PrometheusRule")["spec"]))
    done = subprocess.run([need_tool("promtool"), "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ours = [read_yaml(f"monitoring/prometheus/rules/{f}.yml")["groups"] for f in ("alerts", "recording")]
    assert yaml.safe_load(path.read_text())["groups"] == ours[0] + ours[1]


def test_a_group_of_nodes():
    docs = overlay("multi-node")
    spec = only(docs, "LeaderWorkerSet")["spec"]["leaderWorkerTemplate"]
    config = next(d for d in docs if "haproxy.cfg" in d.get("data", {}))
    volumes = spec["leaderTemplate"]["spec"]["volumes"]
    assert config["metadata"]["name"] in [v["configMap"]["name"] for v in volumes if "configMap" in v]
    text = config["data"]["haproxy.cfg"]
    servers_named = re.findall(r'server worker-(\d+) "\$\{POD_NAME\}-\1\.(\S+):8000" check', text)
    assert [int(i) for i, _ in servers_named] == list(range(1, spec["size"])), "one line per worker"
    assert {s for _, s in servers_named} == {
        only(docs, "LeaderWorkerSet")["metadata"]["name"]
    }, "the group's headless service"
    base = only(rendered("deploy/k8s/base"), "Deployment")["spec"]["template"]["spec"]
    worker = spec["workerTemplate"]["spec"]
    assert worker["containers"][0]["livenessProbe"] == base["containers"][0]["livenessProbe"]


def test_the_leaders_haproxy_reads_its_configuration():
    program = shutil.which("haproxy", path="/usr/sbin:/usr/bin") or need_tool("haproxy")
    path = ROOT / "deploy/k8s/components/leader-worker-set/haproxy.cfg"
    env = {**os.environ, "POD_NAME": "mlc-llm-group-0"}
    done = subprocess.run([program, "-c", "-f", path], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stdout + done.stderr, done.stdout + done.stderr
