"""Bill of materials, provenance, signatures, and images under their names in a real registry."""

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import urllib.request

import pytest
from conftest import ROOT, need_tool
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

sys.path.insert(0, str(ROOT / "scripts"))
import provenance  # noqa: E402 pylint: disable=wrong-import-position
import sbom  # noqa: E402 pylint: disable=wrong-import-position
from tags import Build, tags  # noqa: E402 pylint: disable=wrong-import-position

SHA = "0123456789abcdef0123456789abcdef01234567"


# ---------------------------------------------------------------------------------------------- bill of materials


def test_the_bill_is_valid_complete_and_the_same_each_time():
    body = sbom.bill()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(body)) is None
    assert sbom.bill() == body
    found = {c["purl"].partition("@")[0]: c for c in body["components"]}
    lock = (ROOT / "rust" / "Cargo.lock").read_text()
    assert sum(name.startswith("pkg:cargo/") for name in {c["purl"] for c in body["components"]}) == lock.count(
        "[[package]]"
    )
    assert found["pkg:cargo/tokenizers"]["hashes"][0]["content"] in lock
    assert found["pkg:deb/debian/llvm-19-dev"]["scope"] == "required"
    assert found["pkg:deb/debian/curl"]["hashes"][0]["content"] in (ROOT / "scripts" / "wheel_deps.sh").read_text()
    assert found["pkg:npm/openai"]["scope"] == "excluded" and found["pkg:pypi/pytest"]["scope"] == "excluded"
    refs = {c["bom-ref"] for c in body["components"]} | {body["metadata"]["component"]["bom-ref"]}
    for edge in body["dependencies"]:
        assert {edge["ref"], *edge["dependsOn"]} <= refs


def test_a_wrong_bill_is_refused_by_the_validator():
    body = sbom.bill()
    body["components"][0]["scope"] = "sometimes"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(body)) is not None


def test_requirements_lines():
    lines = "a==1 # why\n-r other.txt\nB_c[extra]==2.0; python_version<'3.10'\n\n# note\nd>=3\n"
    assert [c["purl"] for c in sbom.requirements(lines)] == ["pkg:pypi/a@1", "pkg:pypi/b-c@2.0", "pkg:pypi/d"]


# ------------------------------------------------------------------------------------------------------- provenance


@pytest.fixture
def files(tmp_path):
    for name in ("a.whl", "b.whl"):
        (tmp_path / name).write_bytes(os.urandom(1000))
    return [tmp_path / "a.whl", tmp_path / "b.whl"]


def test_provenance_holds_until_a_file_changes(files):
    folder = files[0].parent
    body = provenance.statement(files, {})
    assert body["_type"] == "https://in-toto.io/Statement/v1"
    assert body["predicateType"] == "https://slsa.dev/provenance/v1"
    assert [s["name"] for s in body["subject"]] == ["a.whl", "b.whl"]
    commit = body["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["gitCommit"]
    assert commit == provenance.git("rev-parse", "HEAD")
    assert not provenance.verify(body, folder)
    files[0].write_bytes(b"other")
    files[1].unlink()
    assert [line.partition(":")[0] for line in provenance.verify(body, folder)] == ["a.whl", "b.whl"]
    body["subject"] = [{"name": "../a.whl", "digest": {"sha256": "0" * 64}}]
    assert "a path" in provenance.verify(body, folder)[0]
    assert provenance.verify({}, folder)


def test_provenance_names_the_workflow(files):
    env = {"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "o/r",
           "GITHUB_RUN_ID": "7", "GITHUB_WORKFLOW_REF": "o/r/.github/workflows/ci.yml@refs/tags/v1.0.0"}  # fmt: skip
    details = provenance.statement(files, env)["predicate"]["runDetails"]
    assert details["builder"]["id"].endswith("ci.yml@refs/tags/v1.0.0")
    assert details["metadata"]["invocationId"].endswith("/actions/runs/7")


# ------------------------------------------------------------------------------------------------------- signatures


def sign(*arguments):
    command = [ROOT / "scripts" / "sign.sh", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_signatures(tmp_path, files):
    key, other = tmp_path / "key.pem", tmp_path / "other.pem"
    for k in (key, other):
        assert sign("keygen", k).returncode == 0
        assert k.stat().st_mode & 0o077 == 0
    assert sign("sign", key, *files).returncode == 0
    assert sign("verify", f"{key}.pub", *files).stdout == "2 files verified\n"
    assert "does not fit" in sign("verify", f"{other}.pub", files[0]).stderr
    files[1].write_bytes(b"changed")
    changed = sign("verify", f"{key}.pub", *files)
    assert changed.returncode == 1 and "b.whl" in changed.stderr
    assert sign("verify", f"{key}.pub").returncode == 2


def test_a_release_is_prepared_and_checks_out(tmp_path):
    """scripts/ci/prepare_release.sh on a copy of the repository: everything in dist/ fits together."""
    version = sbom.cmake_version()
    tree = tmp_path / "tree"
    subprocess.run(["git", "clone", "-q", "--shared", ROOT, tree], check=True)
    shutil.copytree(ROOT / "scripts", tree / "scripts", dirs_exist_ok=True)  # as they are now, not as committed
    for name in ("CHANGELOG.md", "CMakeLists.txt"):
        shutil.copy(ROOT / name, tree)
    dist = tree / "dist"
    dist.mkdir()
    (dist / "mlc_llm-0-py3-none-any.whl").write_bytes(b"a wheel")
    key = tmp_path / "key.pem"
    sign("keygen", key)
    env = {**os.environ, "GITHUB_REF_NAME": f"v{version}", "RELEASE_SIGNING_KEY": str(key)}
    for name in ("GITHUB_ACTIONS", "GITHUB_REPOSITORY"):
        env.pop(name, None)
    subprocess.run([tree / "scripts" / "ci" / "prepare_release.sh"], env=env, check=True, capture_output=True)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=dist, check=True)
    assert sign("verify", f"{key}.pub", dist / "SHA256SUMS").returncode == 0
    assert not provenance.verify(json.loads((dist / "provenance.intoto.json").read_text()), dist)
    assert "Checking the files" in (tree / "build" / "release-notes.md").read_text()
    wrong = {**env, "GITHUB_REF_NAME": "v99.0.0"}
    done = subprocess.run([tree / "scripts" / "ci" / "prepare_release.sh"], env=wrong, capture_output=True, check=False)
    assert done.returncode != 0 and b"v99.0.0" in done.stderr


# --------------------------------------------------------------------------------------------------------- registry


def blob(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs" / "sha256" / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def make_image(layout, content):
    """An OCI image layout of one layer with one file."""
    (layout / "blobs" / "sha256").mkdir(parents=True)
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    layer_path = layout / "layer.tar"
    (layout / "hello").write_text(content)
    with tarfile.open(layer_path, "w") as tar:
        tar.add(layout / "hello", "hello")
    layer = layer_path.read_bytes()
    config = {"architecture": "amd64", "os": "linux", "config": {},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]}}  # fmt: skip
    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": {"mediaType": f"{kind}.config.v1+json", **blob(layout, json.dumps(config).encode())},
        "layers": [{"mediaType": f"{kind}.layer.v1.tar", **blob(layout, layer)}],
    }
    entry = {"mediaType": f"{kind}.manifest.v1+json", **blob(layout, json.dumps(manifest).encode())}
    (layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return entry["digest"]


@pytest.fixture
def registry(tmp_path):
    need_tool("skopeo")
    program = need_tool("docker-registry")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = tmp_path / "registry.yml"
    config.write_text(
        f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
    )
    with open(tmp_path / "registry.log", "wb") as log:
        process = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "registry.log").read_text()
                time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def skopeo(*arguments):
    done = subprocess.run(["skopeo", *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_scanned_digest_gets_its_names(tmp_path, registry):
    """As the workflow does: pushed under its digest alone, then named. A push to main moves `latest`, not a release."""
    name = f"docker://{registry}/org/mlc-llm"
    policy = ["--insecure-policy", "copy", "--dest-tls-verify=false", "--src-tls-verify=false", "-q"]
    first = make_image(tmp_path / "first", "1")
    second = make_image(tmp_path / "second", "2")
    for layout, digest, ref in (
        ("first", first, "refs/tags/v1.0.0"),
        ("first", first, "refs/heads/main"),
        ("second", second, "refs/heads/main"),
    ):
        skopeo(*policy, f"oci:{tmp_path / layout}", f"{name}@{digest}")
        for tag in tags(Build("push", ref, SHA)):
            skopeo(*policy, f"{name}@{digest}", f"{name}:{tag}")
    listed = json.loads(skopeo("list-tags", "--tls-verify=false", name))["Tags"]
    assert set(listed) == {"v1.0.0", "1.0", "stable", "latest", "edge", f"sha-{SHA[:12]}"}
    for tag, digest in {"v1.0.0": first, "1.0": first, "stable": first, "latest": second, "edge": second}.items():
        assert json.loads(skopeo("inspect", "--tls-verify=false", f"{name}:{tag}"))["Digest"] == digest, tag
