#!/usr/bin/env python3
"""Writes the Grafana dashboards, grafana/dashboards/*.json, and the Kubernetes form of the rules.

  monitoring/generate.py            after a change here or in prometheus/rules; commit what it writes
  monitoring/generate.py --check    says what is not up to date, and changes nothing

A board is a list of rows, a row a title and its panels: `panel("Requests", "reqps", "what it shows", {legend: query})`.
Form of the files: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

import argparse
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24  # of Grafana's grid

MODEL = 'model_name=~"$model_name", instance=~"$instance"'
INSTANCE = 'instance=~"$instance"'
ANSWERS = f'handler=~"/v1/.+", {INSTANCE}'
GPU = 'instance=~"$instance", gpu=~"$gpu"'
RATE = "[$__rate_interval]"


def rate(metric, labels=MODEL):
    return f"rate({metric}{{{labels}}}{RATE})"


def total(metric, labels=MODEL, by=""):
    return f"sum{f' by ({by})' if by else ''} ({rate(metric, labels)})"


def quantile(q, metric, labels=MODEL, by="model_name"):
    return f"histogram_quantile({q}, sum by ({by}, le) ({rate(metric + '_bucket', labels)}))"


def mean(metric, labels=MODEL, by="model_name"):
    return f"{total(metric + '_sum', labels, by)} / {total(metric + '_count', labels, by)}"


def quantiles(metric, labels=MODEL):
    return {f"p{round(q * 100)} {{{{model_name}}}}": quantile(q, metric, labels) for q in (0.5, 0.95, 0.99)}


def panel(title, unit, description, queries, *, kind="timeseries", width=8, height=8, **more):
    """One panel; `queries` maps legends to PromQL. `more`: max, thresholds [(from, colour)…], mappings, stack, format."""
    defaults = {"unit": unit, "min": more.get("min", 0)}
    if "max" in more:
        defaults["max"] = more["max"]
    if "mappings" in more:
        defaults["mappings"] = [{"type": "value", "options": more["mappings"]}]
    steps = more.get("thresholds", [])
    if kind in ("stat", "state-timeline"):
        base = {"color": "green" if steps else "blue", "value": None}
        defaults["thresholds"] = {"mode": "absolute", "steps": [base] + [{"color": c, "value": v} for v, c in steps]}
        defaults["color"] = {"mode": "thresholds"}
    if kind == "timeseries":
        custom = {"lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}
        if more.get("stack"):
            custom.update({"stacking": {"mode": "normal"}, "fillOpacity": 30})
        defaults["custom"] = custom
    options = {
        "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"},
        "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "state-timeline": {"showValue": "auto", "mergeValues": True, "legend": {"displayMode": "list", "placement": "bottom"}},
        "heatmap": {
            "calculate": False,
            "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64},
            "yAxis": {"unit": unit},
            "tooltip": {"mode": "single"},
        },
    }[kind]
    targets = [
        {
            "refId": chr(ord("A") + i),
            "datasource": SOURCE,
            "expr": expr,
            "legendFormat": legend,
            "range": True,
            **({"format": "heatmap"} if kind == "heatmap" else {}),
        }
        for i, (legend, expr) in enumerate(queries.items())
    ]
    return {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
        "gridPos": {"w": width, "h": height},
    }


def stat(title, unit, description, expr, **more):
    return panel(title, unit, description, {"": expr}, kind="stat", width=4, height=4, **more)


def heatmap(title, unit, description, metric):
    query = f"sum by (le) (increase({metric}_bucket{{{MODEL}}}{RATE}))"
    return panel(title, unit, description, {"{{le}}": query}, kind="heatmap", width=12)


def variable(name, query, label):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": name},
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "refresh": 2,
        "sort": 1,
    }


def placed(rows):
    """The panels in Grafana's grid, each row under its title."""
    out, y = [], 0
    for title, panels in rows:
        out.append({"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}})
        y, x, tallest = y + 1, 0, 0
        for p in panels:
            size = p["gridPos"]
            if x + size["w"] > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            p["gridPos"] = {"x": x, "y": y, **size}
            x, tallest = x + size["w"], max(tallest, size["h"])
            out.append(p)
        y += tallest
    return [{"id": i, **p} for i, p in enumerate(out, 1)]


def board(uid, title, description, rows, variables):
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "current": {}}
    return {
        "uid": uid,
        "title": title,
        "description": description,
        "tags": ["mlc-llm"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "links": [{"type": "dashboards", "title": "MLC LLM", "tags": ["mlc-llm"], "asDropdown": True, "keepTime": True, "includeVars": True}],
        "annotations": {"list": []},
        "templating": {"list": [source, *variables]},
        "panels": placed(rows),
    }


SERVED = [
    variable("model_name", "label_values(mlc_num_requests_running, model_name)", "Model"),
    variable("instance", "label_values(mlc_server_state, instance)", "Instance"),
]
GPUS = [
    variable("instance", "label_values(DCGM_FI_DEV_GPU_UTIL, instance)", "Instance"),
    variable("gpu", "label_values(DCGM_FI_DEV_GPU_UTIL, gpu)", "GPU"),
]


def overview():
    state = " + ignoring(state) ".join(
        f'{n} * mlc_server_state{{state="{s}", {INSTANCE}}}' for n, s in ((1, "loading"), (2, "ready"), (3, "draining"))
    )
    share = lambda codes: f'100 * ({total("mlc_http_requests_total", f"code=~{json.dumps(codes)}, {ANSWERS}")} or vector(0)) / {total("mlc_http_requests_total", ANSWERS)}'
    return [
        (
            "Now",
            [
                stat("Instances ready", "none", "Instances that take requests.", f'sum(mlc_server_state{{state="ready", {INSTANCE}}})'),
                stat("Requests", "reqps", "Requests for answers per second, whatever came of them.", total("mlc_http_requests_total", ANSWERS)),
                stat("Errors", "percentunit", "Share of requests answered with 5xx in 5 minutes. Objective: under 0.1 %.", "max(mlc:http_errors:ratio_rate5m)", max=1, thresholds=[(0.001, "yellow"), (0.0144, "red")]),
                stat("Burn rate, 1 h", "none", "How many times too fast the 30-day error budget of 0.1 % is being spent. 1 spends exactly all of it.", "max(mlc:http_errors:ratio_rate1h) / 0.001", thresholds=[(1, "yellow"), (14.4, "red")]),
                stat("Tokens generated", "suffix:tok/s", "Tokens per second over all chosen models and instances.", total("mlc_generation_tokens_total")),
                stat("TTFT p95", "s", "95 % of answers begin within this time. Objective: 2 s.", "max(mlc:time_to_first_token_seconds:p95{model_name=~\"$model_name\"})", thresholds=[(1, "yellow"), (2, "red")]),
            ],
        ),
        (
            "Requests and errors",
            [
                panel("Requests by code", "reqps", "Requests for answers per second by HTTP status. 499: the client left.", {"{{code}}": total("mlc_http_requests_total", ANSWERS, "code")}, stack=True),
                panel("Error share", "percent", "Share of requests by kind. Only 5xx counts against the availability objective; 429 is load turned away.", {"5xx": share("5.."), "429": share("429"), "other 4xx": share("4[013-9].|42[0-8]")}),
                panel("Burn rate", "none", "Speed at which the error budget is spent, per window. Alerts: 14.4 in 5 m and 1 h, 6 in 30 m and 6 h.", {w: f"max(mlc:http_errors:ratio_rate{w}) / 0.001" for w in ("5m", "30m", "1h", "6h")}),
                panel("Turned away", "reqps", "Requests refused before any work: queue full, loading or draining.", {"{{reason}}": total("mlc_admission_rejections_total", INSTANCE, "reason")}),
                panel("Failed and cancelled", "reqps", "Requests answered with an error, by reason, and answers whose client left.", {"failed: {{reason}}": total("mlc_request_failure_total", INSTANCE, "reason"), "client left": total("mlc_request_cancelled_total")}),
                panel("Answers by finish reason", "reqps", "How answers that went well ended.", {"{{finished_reason}}": total("mlc_request_success_total", MODEL, "finished_reason")}, stack=True),
            ],
        ),
        (
            "Latency and throughput",
            [
                panel("Time to first token", "s", "From submission to the first token.", quantiles("mlc_time_to_first_token_seconds")),
                panel("Inter-token latency", "s", "Between two tokens of one sequence.", quantiles("mlc_inter_token_latency_seconds")),
                panel("End-to-end latency", "s", "From submission to the last token.", quantiles("mlc_e2e_request_latency_seconds")),
                panel("Tokens", "suffix:tok/s", "Prompt tokens of ended sequences, and tokens generated, per second.", {"prompt {{model_name}}": total("mlc_prompt_tokens_total", MODEL, "model_name"), "generated {{model_name}}": total("mlc_generation_tokens_total", MODEL, "model_name")}),
                panel("State", "none", "What each instance is doing.", {"{{instance}}": f"sum by (instance) ({state})"}, kind="state-timeline", mappings={"0": {"text": "?", "color": "red"}, "1": {"text": "loading", "color": "yellow"}, "2": {"text": "ready", "color": "green"}, "3": {"text": "draining", "color": "orange"}}),
                panel("Restarts", "none", "Times that an instance began anew in the last hour.", {"{{instance}}": f"changes(process_start_time_seconds{{job=\"mlc-llm\", {INSTANCE}}}[1h])"}),
            ],
        ),
    ]


def engine():
    by_model = "by (model_name)"
    phases = ("queue", "prefill", "decode")
    return [
        (
            "Load",
            [
                panel("Sequences", "none", "Running: tokens are being computed. Waiting: no step yet.", {"running {{model_name}}": f"sum {by_model} (mlc_num_requests_running{{{MODEL}}})", "waiting {{model_name}}": f"sum {by_model} (mlc_num_requests_waiting{{{MODEL}}})"}),
                panel("KV cache in use", "percentunit", "Share of pages that running sequences hold, per instance.", {"{{instance}} {{model_name}}": f"mlc_kv_cache_usage_ratio{{{MODEL}}}"}, max=1),
                panel("Preemptions", "cps", "Sequences put back because the KV cache was full; their prompts are computed again.", {"{{model_name}}": total("mlc_num_preemptions_total", MODEL, "model_name")}),
                panel("Steps", "cps", "Steps of the engine per second; all running sequences share each.", {"{{instance}} {{model_name}}": total("mlc_engine_steps_total", MODEL, "instance, model_name")}),
                panel("Tokens per step", "suffix:tok", "Tokens generated, and prompt tokens computed, per step: how full batches are.", {"generated {{model_name}}": f'{total("mlc_generation_tokens_total", MODEL, "model_name")} / {total("mlc_engine_steps_total", MODEL, "model_name")}', "prompt {{model_name}}": f'{total("mlc_computed_prompt_tokens_total", MODEL, "model_name")} / {total("mlc_engine_steps_total", MODEL, "model_name")}'}),
                panel("Prompt tokens", "suffix:tok/s", "Computed, and found in the prefix cache.", {"computed {{model_name}}": total("mlc_computed_prompt_tokens_total", MODEL, "model_name"), "cached {{model_name}}": total("mlc_prefix_cache_hits_total", MODEL, "model_name")}, stack=True),
            ],
        ),
        (
            "Caches and guesses",
            [
                panel("Prefix cache hit rate", "percentunit", "Share of prompt tokens that the prefix cache had.", {"{{model_name}}": f'{total("mlc_prefix_cache_hits_total", MODEL, "model_name")} / {total("mlc_prefix_cache_queries_total", MODEL, "model_name")}'}, max=1),
                panel("Guesses accepted", "percentunit", "Speculative decoding: share of guessed tokens that were right. Empty without --speculative-mode.", {"{{model_name}}": f'{total("mlc_spec_decode_accepted_tokens_total", MODEL, "model_name")} / {total("mlc_spec_decode_draft_tokens_total", MODEL, "model_name")}'}, max=1),
                panel("Guessed tokens per check", "suffix:tok", "Speculative decoding: tokens guessed, and accepted, each time guesses were checked.", {f"{n} {{{{model_name}}}}": f'{total(f"mlc_spec_decode_{m}_tokens_total", MODEL, "model_name")} / {total("mlc_spec_decode_drafts_total", MODEL, "model_name")}' for n, m in (("guessed", "draft"), ("accepted", "accepted"))}),
            ],
        ),
        (
            "Where time goes",
            [
                panel("Mean time per phase", "s", "Waiting, computing the prompt, generating: means of ended sequences.", {p: mean(f"mlc_request_{p}_time_seconds", by="job") for p in phases}, stack=True),
                panel("p95 per phase", "s", "95th percentile of each phase.", {f"{p} {{{{model_name}}}}": quantile(0.95, f"mlc_request_{p}_time_seconds") for p in phases}),
                panel("Time per output token", "s", "Mean time per token after the first, of each sequence.", quantiles("mlc_request_time_per_output_token_seconds")),
                heatmap("Time to first token", "s", "How times to the first token are distributed.", "mlc_time_to_first_token_seconds"),
                heatmap("Inter-token latency", "s", "How times between tokens are distributed.", "mlc_inter_token_latency_seconds"),
            ],
        ),
        (
            "What is asked",
            [
                panel("Prompt length", "suffix:tok", "Prompt tokens per sequence.", quantiles("mlc_request_prompt_tokens")),
                panel("Answer length", "suffix:tok", "Generated tokens per sequence.", quantiles("mlc_request_generation_tokens")),
                panel("max_tokens asked for", "suffix:tok", "The max_tokens of requests that gave one.", quantiles("mlc_request_params_max_tokens")),
                panel("Model load time", "s", "How long the model took to load, per instance.", {"{{instance}} {{model_name}}": f"mlc_model_load_seconds{{{MODEL}}}"}, width=12),
                panel("KV cache pages", "none", "Size of the KV cache, a label of mlc_cache_config_info.", {"{{num_blocks}} pages {{instance}} {{model_name}}": f"mlc_cache_config_info{{{MODEL}}}"}, width=12),
            ],
        ),
    ]


def gpu():
    name = "{{Hostname}} {{gpu}}"
    simple = lambda metric: {name: f"{metric}{{{GPU}}}"}
    return [
        (
            "Use",
            [
                panel("Utilization", "percent", "Share of time in which any kernel ran.", simple("DCGM_FI_DEV_GPU_UTIL"), max=100),
                panel("SMs active", "percentunit", "Share of time in which the graphics or compute engine was active.", simple("DCGM_FI_PROF_GR_ENGINE_ACTIVE"), max=1),
                panel("Tensor cores active", "percentunit", "Share of cycles in which tensor pipes were active: prefill drives it.", simple("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"), max=1),
                panel("Memory bandwidth", "percentunit", "Share of cycles in which memory moved data: decoding drives it.", simple("DCGM_FI_PROF_DRAM_ACTIVE"), max=1),
                panel("Memory", "mbytes", "Frame buffer in use and free.", {f"used {name}": f"DCGM_FI_DEV_FB_USED{{{GPU}}}", f"free {name}": f"DCGM_FI_DEV_FB_FREE{{{GPU}}}"}, stack=True),
                panel("Memory in use", "percentunit", "Share of the frame buffer.", {name: f"DCGM_FI_DEV_FB_USED{{{GPU}}} / (DCGM_FI_DEV_FB_USED{{{GPU}}} + DCGM_FI_DEV_FB_FREE{{{GPU}}})"}, max=1),
            ],
        ),
        (
            "Transfers",
            [
                panel("PCIe", "Bps", "Bytes per second sent and received, headers included.", {f"{way} {name}": f"DCGM_FI_PROF_PCIE_{x}_BYTES{{{GPU}}}" for way, x in (("sent", "TX"), ("received", "RX"))}, width=12),
                panel("NVLink", "Bps", "Bytes per second sent and received over all links.", {f"{way} {name}": f"DCGM_FI_PROF_NVLINK_{x}_BYTES{{{GPU}}}" for way, x in (("sent", "TX"), ("received", "RX"))}, width=12),
            ],
        ),
        (
            "Health",
            [
                panel("Temperature", "celsius", "Of the chip and of its memory.", {f"GPU {name}": f"DCGM_FI_DEV_GPU_TEMP{{{GPU}}}", f"memory {name}": f"DCGM_FI_DEV_MEMORY_TEMP{{{GPU}}}"}),
                panel("Power", "watt", "Power drawn.", simple("DCGM_FI_DEV_POWER_USAGE")),
                panel("Xid errors", "none", "The last Xid that the driver reported; 0 is none.", simple("DCGM_FI_DEV_XID_ERRORS")),
                panel("Memory rows remapped", "none", "Rows replaced after uncorrectable errors, and failures to replace one.", {f"remapped {name}": f"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS{{{GPU}}}", f"failed {name}": f"DCGM_FI_DEV_ROW_REMAP_FAILURE{{{GPU}}}"}, width=24),
            ],
        ),
    ]


def process():
    mine = f'job="mlc-llm", {INSTANCE}'
    return [
        (
            "Process",
            [
                panel("Processor", "suffix:cores", "Cores in use, user and system.", {"{{instance}}": rate("process_cpu_seconds_total", mine)}),
                panel("Memory", "bytes", "Resident memory: weights that were touched, KV cache, the rest.", {"{{instance}}": f"process_resident_memory_bytes{{{mine}}}"}),
                panel("Address space", "bytes", "Virtual memory; mapped weights count whole.", {"{{instance}}": f"process_virtual_memory_bytes{{{mine}}}"}),
                panel("File descriptors", "percentunit", "Open files and sockets, of as many as may be open.", {"{{instance}}": f"process_open_fds{{{mine}}} / process_max_fds{{{mine}}}"}, max=1),
                panel("Threads", "none", "Threads of the process.", {"{{instance}}": f"process_threads{{{mine}}}"}),
                panel("Uptime", "s", "Since the process began.", {"{{instance}} {{version}} {{backend}}": f"(time() - process_start_time_seconds{{{mine}}}) * on (job, instance) group_left (version, backend) mlc_build_info{{{mine}}}"}),
            ],
        ),
        (
            "HTTP",
            [
                panel("Requests by path", "reqps", "All requests, health checks and scrapes included.", {"{{handler}}": total("mlc_http_requests_total", INSTANCE, "handler")}, stack=True),
                panel("Duration p95 by path", "s", "From the first byte of a request to the end of its answer.", {"{{handler}}": quantile(0.95, "mlc_http_request_duration_seconds", INSTANCE, "handler")}),
                panel("Request size", "bytes", "Bodies of requests for answers.", {f"p{q}": quantile(q / 100, "mlc_http_request_size_bytes", f'method="POST", {ANSWERS}', "job") for q in (50, 95, 99)}),
            ],
        ),
    ]


BOARDS = {
    "overview": board("mlc-overview", "MLC LLM / Overview", "Objectives at a glance: requests, errors, latency, throughput.", overview(), SERVED),
    "engine": board("mlc-engine", "MLC LLM / Engine", "The scheduler, the KV cache, and where time goes.", engine(), SERVED),
    "gpu": board("mlc-gpu", "MLC LLM / GPU", "NVIDIA GPUs, from dcgm-exporter.", gpu(), GPUS),
    "process": board("mlc-process", "MLC LLM / Process and HTTP", "Processor, memory, descriptors, HTTP.", process(), SERVED),
}


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
        yield ROOT / "monitoring/grafana/dashboards" / f"{name}.json", json.dumps(content, indent=2, ensure_ascii=False) + "\n"
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
