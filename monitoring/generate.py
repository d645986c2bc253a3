#!/usr/bin/env python3
"""Writes the Grafana dashboards, grafana/dashboards/*.json, and the Kubernetes form of the rules.

monitoring/generate.py            after a change of boards.py or prometheus/rules; commit what it writes
monitoring/generate.py --check    says what is not up to date, and changes nothing
"""

import argparse
import json
import pathlib
import sys

from boards import BOARDS

ROOT = pathlib.Path(__file__).resolve().parent.parent


def prometheus_rule():
    """The rules as the Prometheus operator wants them: a PrometheusRule around the same groups."""
    head = (
        "# Written by monitoring/generate.py from monitoring/prometheus/rules; do not edit.\n"
        "apiVersion: monitoring.coreos.com/v1\n"
        "kind: PrometheusRule\n"
        "metadata:\n"
        "  name: mlc-llm\n"
        "spec:\n"
        "  groups:\n"
    )
    text = ""
    for file in sorted((ROOT / "monitoring/prometheus/rules").glob("*.yml")):
        groups = file.read_text(encoding="utf-8").split("groups:\n", 1)[1]
        text += "".join(f"  {line}\n" if line else "\n" for line in groups.splitlines())
    return head + text


def outputs():
    for name, content in BOARDS.items():
        yield ROOT / "monitoring/grafana/dashboards" / f"{name}.json", json.dumps(
            content, indent=2, ensure_ascii=False
        ) + "\n"
    yield ROOT / "deploy/k8s/components/monitoring/prometheusrule.yaml", prometheus_rule()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    stale = []
    for path, text in outputs():
        if check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                stale.append(str(path.relative_to(ROOT)))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"not up to date: {', '.join(stale)}; run monitoring/generate.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
