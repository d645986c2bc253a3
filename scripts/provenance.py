#!/usr/bin/env python3
"""Writes an in-toto statement with SLSA provenance for built files: what was built, from which commit, by whom.

  scripts/provenance.py dist/*.whl -o dist/provenance.intoto.json
  scripts/provenance.py --verify dist/provenance.intoto.json --dir dist

Spec: in-toto Statement v1 (https://in-toto.io/Statement/v1), predicate https://slsa.dev/provenance/v1. On GitHub
the build service attests by itself (actions/attest-build-provenance); this statement is for builds elsewhere, and is
signed by scripts/sign.sh.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import pathlib
import subprocess
import sys
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"


def sha256(path: pathlib.Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def git(*arguments: str, root: pathlib.Path = ROOT) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def builder(env: dict[str, str]) -> tuple[str, str]:
    """Who builds, and which run of it: GitHub's workflow, or this machine's user."""
    if env.get("GITHUB_ACTIONS") == "true":
        run = f"{env['GITHUB_SERVER_URL']}/{env['GITHUB_REPOSITORY']}/actions/runs/{env['GITHUB_RUN_ID']}"
        return f"{env['GITHUB_SERVER_URL']}/{env['GITHUB_WORKFLOW_REF']}", run
    return "urn:mlc-llm:local-build", ""


def statement(files: list[pathlib.Path], env: dict[str, str], root: pathlib.Path = ROOT) -> dict[str, Any]:
    """The statement; files are named without their folder, as a release lists them."""
    commit = git("rev-parse", "HEAD", root=root)
    epoch = int(env.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct", root=root))
    who, run = builder(env)
    source = env.get("GITHUB_REPOSITORY", "mlc-ai/mlc-llm")
    return {
        "_type": STATEMENT,
        "subject": [{"name": f.name, "digest": {"sha256": sha256(f)}} for f in sorted(files)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": "https://github.com/mlc-ai/mlc-llm/blob/main/docs/release.md",
                "externalParameters": {
                    "source": f"git+https://github.com/{source}@{env.get('GITHUB_REF', 'HEAD')}",
                    "dirty": bool(git("status", "--porcelain", "-uno", root=root)),
                },
                "resolvedDependencies": [
                    {"uri": f"git+https://github.com/{source}", "digest": {"gitCommit": commit}},
                    {"uri": "rust/Cargo.lock", "digest": {"sha256": sha256(root / "rust" / "Cargo.lock")}},
                ],
            },
            "runDetails": {
                "builder": {"id": who},
                "metadata": {
                    **({"invocationId": run} if run else {}),
                    "startedOn": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).isoformat(),
                },
            },
        },
    }


def verify(body: dict[str, Any], folder: pathlib.Path) -> list[str]:
    """What does not hold: one line each."""
    if body.get("_type") != STATEMENT or body.get("predicateType") != PREDICATE:
        return ["this is no in-toto statement with SLSA provenance"]
    wrong = [] if body.get("subject") else ["the statement names no file"]
    for subject in body.get("subject", []):
        path = folder / subject["name"]
        if pathlib.PurePath(subject["name"]).name != subject["name"]:
            wrong.append(f"{subject['name']}: a path, not a name")
        elif not path.is_file():
            wrong.append(f"{subject['name']}: missing in {folder}")
        elif sha256(path) != subject["digest"]["sha256"]:
            wrong.append(f"{subject['name']}: changed after it was built")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description="writes or checks provenance")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path)
    parser.add_argument("--verify", type=pathlib.Path, metavar="STATEMENT")
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("."), help="where the files lie")
    args = parser.parse_args()
    if args.verify:
        wrong = verify(json.loads(args.verify.read_text()), args.dir)
        for line in wrong:
            print(f"error: {line}", file=sys.stderr)
        return 1 if wrong else 0
    missing = [str(f) for f in args.files if not f.is_file()]
    if missing or not args.files:
        print(f"error: no such file: {', '.join(missing) or '(none given)'}", file=sys.stderr)
        return 1
    text = json.dumps(statement(args.files, dict(os.environ)), indent=2) + "\n"
    if args.output:
        args.output.write_text(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
