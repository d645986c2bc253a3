"""The dashboards: each a list of rows, a row a title and its panels. generate.py writes them as JSON."""

from panels import (
    ANSWERS,
    GPU,
    INSTANCE,
    MODEL,
    board,
    heatmap,
    mean,
    panel,
    quantile,
    quantiles,
    quotient,
    rate,
    stat,
    total,
    variable,
)

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

    def share(codes):
        some = total("mlc_http_requests_total", f'code=~"{codes}", {ANSWERS}')
        return f'100 * ({some} or vector(0)) / {total("mlc_http_requests_total", ANSWERS)}'

    states = {"0": ("?", "red"), "1": ("loading", "yellow"), "2": ("ready", "green"), "3": ("draining", "orange")}
    return [
        (
            "Now",
            [
                stat(
                    "Instances ready",
                    "none",
                    "Instances that take requests.",
                    f'sum(mlc_server_state{{state="ready", {INSTANCE}}})',
                ),
                stat(
                    "Requests",
                    "reqps",
                    "Requests for answers per second, whatever came of them.",
                    total("mlc_http_requests_total", ANSWERS),
                ),
                stat(
                    "Errors",
                    "percentunit",
                    "Share of requests answered with 5xx in 5 minutes. Objective: under 0.1 %.",
                    "max(mlc:http_errors:ratio_rate5m)",
                    max=1,
                    thresholds=[(0.001, "yellow"), (0.0144, "red")],
                ),
                stat(
                    "Burn rate, 1 h",
                    "none",
                    "How many times too fast the 30-day error budget of 0.1 % is spent. 1: exactly all of it.",
                    "max(mlc:http_errors:ratio_rate1h) / 0.001",
                    thresholds=[(1, "yellow"), (14.4, "red")],
                ),
                stat(
                    "Tokens generated",
                    "suffix:tok/s",
                    "Tokens per second over all chosen models and instances.",
                    total("mlc_generation_tokens_total"),
                ),
                stat(
                    "TTFT p95",
                    "s",
                    "95 % of answers begin within this time. Objective: 2 s.",
                    'max(mlc:time_to_first_token_seconds:p95{model_name=~"$model_name"})',
                    thresholds=[(1, "yellow"), (2, "red")],
                ),
            ],
        ),
        (
            "Requests and errors",
            [
                panel(
                    "Requests by code",
                    "reqps",
                    "Requests per second by HTTP status. 499: the client left.",
                    {"{{code}}": total("mlc_http_requests_total", ANSWERS, "code")},
                    stack=True,
                ),
                panel(
                    "Error share",
                    "percent",
                    "Share of requests. Only 5xx counts against the objective; 429 is load turned away.",
                    {"5xx": share("5.."), "429": share("429"), "other 4xx": share("4[013-9].|42[0-8]")},
                ),
                panel(
                    "Burn rate",
                    "none",
                    "Speed of spending the error budget. Alerts: 14.4 in 5 m and 1 h, 6 in 30 m and 6 h.",
                    {w: f"max(mlc:http_errors:ratio_rate{w}) / 0.001" for w in ("5m", "30m", "1h", "6h")},
                ),
                panel(
                    "Turned away",
                    "reqps",
                    "Requests refused before any work: queue full, loading or draining.",
                    {"{{reason}}": total("mlc_admission_rejections_total", INSTANCE, "reason")},
                ),
                panel(
                    "Failed and cancelled",
                    "reqps",
                    "Requests answered with an error, and answers whose client left.",
                    {
                        "failed: {{reason}}": total("mlc_request_failure_total", INSTANCE, "reason"),
                        "client left": total("mlc_request_cancelled_total"),
                    },
                ),
                panel(
                    "Answers by finish reason",
                    "reqps",
                    "How answers that went well ended.",
                    {"{{finished_reason}}": total("mlc_request_success_total", MODEL, "finished_reason")},
                    stack=True,
                ),
            ],
        ),
        (
            "Latency and throughput",
            [
                panel(
                    "Time to first token",
                    "s",
                    "From submission to the first token.",
                    quantiles("mlc_time_to_first_token_seconds"),
                ),
                panel(
                    "Inter-token latency",
                    "s",
                    "Between two tokens of one sequence.",
                    quantiles("mlc_inter_token_latency_seconds"),
                ),
                panel(
                    "End-to-end latency",
                    "s",
                    "From submission to the last token.",
                    quantiles("mlc_e2e_request_latency_seconds"),
                ),
                panel(
                    "Tokens",
                    "suffix:tok/s",
                    "Prompt tokens of ended sequences, and tokens generated.",
                    {
                        "prompt {{model_name}}": total("mlc_prompt_tokens_total", MODEL, "model_name"),
                        "generated {{model_name}}": total("mlc_generation_tokens_total", MODEL, "model_name"),
                    },
                ),
                panel(
                    "State",
                    "none",
                    "What each instance is doing.",
                    {"{{instance}}": f"sum by (instance) ({state})"},
                    kind="state-timeline",
                    mappings={k: {"text": t, "color": c} for k, (t, c) in states.items()},
                ),
                panel(
                    "Restarts",
                    "none",
                    "Times that an instance began anew in the last hour.",
                    {"{{instance}}": f'changes(process_start_time_seconds{{job="mlc-llm", {INSTANCE}}}[1h])'},
                ),
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
                panel(
                    "Sequences",
                    "none",
                    "Running: tokens are being computed. Waiting: no step yet.",
                    {
                        "running {{model_name}}": f"sum {by_model} (mlc_num_requests_running{{{MODEL}}})",
                        "waiting {{model_name}}": f"sum {by_model} (mlc_num_requests_waiting{{{MODEL}}})",
                    },
                ),
                panel(
                    "KV cache in use",
                    "percentunit",
                    "Share of pages that running sequences hold, per instance.",
                    {"{{instance}} {{model_name}}": f"mlc_kv_cache_usage_ratio{{{MODEL}}}"},
                    max=1,
                ),
                panel(
                    "Preemptions",
                    "cps",
                    "Sequences put back because the KV cache was full.",
                    {"{{model_name}}": total("mlc_num_preemptions_total", MODEL, "model_name")},
                ),
                panel(
                    "Steps",
                    "cps",
                    "Steps of the engine per second; all running sequences share each.",
                    {"{{instance}} {{model_name}}": total("mlc_engine_steps_total", MODEL, "instance, model_name")},
                ),
                panel(
                    "Tokens per step",
                    "suffix:tok",
                    "How full batches are: tokens generated, and prompt tokens computed.",
                    {
                        "generated {{model_name}}": quotient("mlc_generation_tokens_total", "mlc_engine_steps_total"),
                        "prompt {{model_name}}": quotient("mlc_computed_prompt_tokens_total", "mlc_engine_steps_total"),
                    },
                ),
                panel(
                    "Prompt tokens",
                    "suffix:tok/s",
                    "Computed, and found in the prefix cache.",
                    {
                        "computed {{model_name}}": total("mlc_computed_prompt_tokens_total", MODEL, "model_name"),
                        "cached {{model_name}}": total("mlc_prefix_cache_hits_total", MODEL, "model_name"),
                    },
                    stack=True,
                ),
            ],
        ),
        (
            "Caches and guesses",
            [
                panel(
                    "Prefix cache hit rate",
                    "percentunit",
                    "Share of prompt tokens that the prefix cache had.",
                    {"{{model_name}}": quotient("mlc_prefix_cache_hits_total", "mlc_prefix_cache_queries_total")},
                    max=1,
                ),
                panel(
                    "Guesses accepted",
                    "percentunit",
                    "Share of guessed tokens that were right. Empty without --speculative-mode.",
                    {
                        "{{model_name}}": quotient(
                            "mlc_spec_decode_accepted_tokens_total", "mlc_spec_decode_draft_tokens_total"
                        )
                    },
                    max=1,
                ),
                panel(
                    "Guessed tokens per check",
                    "suffix:tok",
                    "Tokens guessed, and accepted, each time guesses were checked.",
                    {
                        f"{n} {{{{model_name}}}}": quotient(
                            f"mlc_spec_decode_{m}_tokens_total", "mlc_spec_decode_drafts_total"
                        )
                        for n, m in (("guessed", "draft"), ("accepted", "accepted"))
                    },
                ),
            ],
        ),
        (
            "Where time goes",
            [
                panel(
                    "Mean time per phase",
                    "s",
                    "Waiting, computing the prompt, generating: means of ended sequences.",
                    {p: mean(f"mlc_request_{p}_time_seconds", by="job") for p in phases},
                    stack=True,
                ),
                panel(
                    "p95 per phase",
                    "s",
                    "95th percentile of each phase.",
                    {f"{p} {{{{model_name}}}}": quantile(0.95, f"mlc_request_{p}_time_seconds") for p in phases},
                ),
                panel(
                    "Time per output token",
                    "s",
                    "Mean time per token after the first, of each sequence.",
                    quantiles("mlc_request_time_per_output_token_seconds"),
                ),
                heatmap(
                    "Time to first token",
                    "s",
                    "How times to the first token are distributed.",
                    "mlc_time_to_first_token_seconds",
                ),
                heatmap(
                    "Inter-token latency",
                    "s",
                    "How times between tokens are distributed.",
                    "mlc_inter_token_latency_seconds",
                ),
            ],
        ),
        (
            "What is asked",
            [
                panel(
                    "Prompt length", "suffix:tok", "Prompt tokens per sequence.", quantiles("mlc_request_prompt_tokens")
                ),
                panel(
                    "Answer length",
                    "suffix:tok",
                    "Generated tokens per sequence.",
                    quantiles("mlc_request_generation_tokens"),
                ),
                panel(
                    "max_tokens asked for",
                    "suffix:tok",
                    "The max_tokens of requests that gave one.",
                    quantiles("mlc_request_params_max_tokens"),
                ),
                panel(
                    "Model load time",
                    "s",
                    "How long the model took to load, per instance.",
                    {"{{instance}} {{model_name}}": f"mlc_model_load_seconds{{{MODEL}}}"},
                    width=12,
                ),
                panel(
                    "KV cache pages",
                    "none",
                    "Size of the KV cache, a label of mlc_cache_config_info.",
                    {"{{num_blocks}} pages {{instance}} {{model_name}}": f"mlc_cache_config_info{{{MODEL}}}"},
                    width=12,
                ),
            ],
        ),
    ]


def gpu():
    name = "{{Hostname}} {{gpu}}"
    used = f"DCGM_FI_DEV_FB_USED{{{GPU}}}"

    def simple(metric):
        return {name: f"{metric}{{{GPU}}}"}

    return [
        (
            "Use",
            [
                panel(
                    "Utilization",
                    "percent",
                    "Share of time in which any kernel ran.",
                    simple("DCGM_FI_DEV_GPU_UTIL"),
                    max=100,
                ),
                panel(
                    "SMs active",
                    "percentunit",
                    "Share of time in which the graphics or compute engine was active.",
                    simple("DCGM_FI_PROF_GR_ENGINE_ACTIVE"),
                    max=1,
                ),
                panel(
                    "Tensor cores active",
                    "percentunit",
                    "Share of cycles in which tensor pipes were active: prefill drives it.",
                    simple("DCGM_FI_PROF_PIPE_TENSOR_ACTIVE"),
                    max=1,
                ),
                panel(
                    "Memory bandwidth",
                    "percentunit",
                    "Share of cycles in which memory moved data: decoding drives it.",
                    simple("DCGM_FI_PROF_DRAM_ACTIVE"),
                    max=1,
                ),
                panel(
                    "Memory",
                    "mbytes",
                    "Frame buffer in use and free.",
                    {f"used {name}": f"DCGM_FI_DEV_FB_USED{{{GPU}}}", f"free {name}": f"DCGM_FI_DEV_FB_FREE{{{GPU}}}"},
                    stack=True,
                ),
                panel(
                    "Memory in use",
                    "percentunit",
                    "Share of the frame buffer.",
                    {name: f"{used} / ({used} + DCGM_FI_DEV_FB_FREE{{{GPU}}})"},
                    max=1,
                ),
            ],
        ),
        (
            "Transfers",
            [
                panel(
                    "PCIe",
                    "Bps",
                    "Bytes per second sent and received, headers included.",
                    {
                        f"{way} {name}": f"DCGM_FI_PROF_PCIE_{x}_BYTES{{{GPU}}}"
                        for way, x in (("sent", "TX"), ("received", "RX"))
                    },
                    width=12,
                ),
                panel(
                    "NVLink",
                    "Bps",
                    "Bytes per second sent and received over all links.",
                    {
                        f"{way} {name}": f"DCGM_FI_PROF_NVLINK_{x}_BYTES{{{GPU}}}"
                        for way, x in (("sent", "TX"), ("received", "RX"))
                    },
                    width=12,
                ),
            ],
        ),
        (
            "Health",
            [
                panel(
                    "Temperature",
                    "celsius",
                    "Of the chip and of its memory.",
                    {
                        f"GPU {name}": f"DCGM_FI_DEV_GPU_TEMP{{{GPU}}}",
                        f"memory {name}": f"DCGM_FI_DEV_MEMORY_TEMP{{{GPU}}}",
                    },
                ),
                panel("Power", "watt", "Power drawn.", simple("DCGM_FI_DEV_POWER_USAGE")),
                panel(
                    "Xid errors",
                    "none",
                    "The last Xid that the driver reported; 0 is none.",
                    simple("DCGM_FI_DEV_XID_ERRORS"),
                ),
                panel(
                    "Memory rows remapped",
                    "none",
                    "Rows replaced after uncorrectable errors, and failures to replace one.",
                    {
                        f"remapped {name}": f"DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS{{{GPU}}}",
                        f"failed {name}": f"DCGM_FI_DEV_ROW_REMAP_FAILURE{{{GPU}}}",
                    },
                    width=24,
                ),
            ],
        ),
    ]


def process():
    mine = f'job="mlc-llm", {INSTANCE}'
    uptime = (
        f"(time() - process_start_time_seconds{{{mine}}})"
        f" * on (job, instance) group_left (version, backend) mlc_build_info{{{mine}}}"
    )
    return [
        (
            "Process",
            [
                panel(
                    "Processor",
                    "suffix:cores",
                    "Cores in use, user and system.",
                    {"{{instance}}": rate("process_cpu_seconds_total", mine)},
                ),
                panel(
                    "Memory",
                    "bytes",
                    "Resident memory: weights that were touched, KV cache, the rest.",
                    {"{{instance}}": f"process_resident_memory_bytes{{{mine}}}"},
                ),
                panel(
                    "Address space",
                    "bytes",
                    "Virtual memory; mapped weights count whole.",
                    {"{{instance}}": f"process_virtual_memory_bytes{{{mine}}}"},
                ),
                panel(
                    "File descriptors",
                    "percentunit",
                    "Open files and sockets, of as many as may be open.",
                    {"{{instance}}": f"process_open_fds{{{mine}}} / process_max_fds{{{mine}}}"},
                    max=1,
                ),
                panel("Threads", "none", "Threads of the process.", {"{{instance}}": f"process_threads{{{mine}}}"}),
                panel("Uptime", "s", "Since the process began.", {"{{instance}} {{version}} {{backend}}": uptime}),
            ],
        ),
        (
            "HTTP",
            [
                panel(
                    "Requests by path",
                    "reqps",
                    "All requests, health checks and scrapes included.",
                    {"{{handler}}": total("mlc_http_requests_total", INSTANCE, "handler")},
                    stack=True,
                ),
                panel(
                    "Duration p95 by path",
                    "s",
                    "From the first byte of a request to the end of its answer.",
                    {"{{handler}}": quantile(0.95, "mlc_http_request_duration_seconds", INSTANCE, "handler")},
                ),
                panel(
                    "Request size",
                    "bytes",
                    "Bodies of requests for answers.",
                    {
                        f"p{q}": quantile(q / 100, "mlc_http_request_size_bytes", f'method="POST", {ANSWERS}', "job")
                        for q in (50, 95, 99)
                    },
                ),
            ],
        ),
    ]


BOARDS = {
    "overview": board(
        "mlc-overview",
        "MLC LLM / Overview",
        "Objectives at a glance: requests, errors, latency, throughput.",
        overview(),
        SERVED,
    ),
    "engine": board(
        "mlc-engine", "MLC LLM / Engine", "The scheduler, the KV cache, and where time goes.", engine(), SERVED
    ),
    "gpu": board("mlc-gpu", "MLC LLM / GPU", "NVIDIA GPUs, from dcgm-exporter.", gpu(), GPUS),
    "process": board(
        "mlc-process", "MLC LLM / Process and HTTP", "Processor, memory, descriptors, HTTP.", process(), SERVED
    ),
}
