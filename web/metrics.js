// The live view: reads /metrics once a second and draws the last five minutes.
import { getText } from "./api.js";
import { byId, el } from "./dom.js";
import { getKey, setKey } from "./store.js";

const PERIOD_MS = 1000;
const KEPT = 300; // samples
const SVG = "http://www.w3.org/2000/svg";

// ---- reading ----

// Prometheus' text: [{name, labels, value}].
export function parseMetrics(text) {
  const out = [];
  for (const line of text.split("\n")) {
    const m = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!m) continue;
    const labels = {};
    for (const [, name, value] of (m[2] ?? "").matchAll(/([A-Za-z_]\w*)="((?:\\.|[^"\\])*)"/g)) {
      labels[name] = value.replace(/\\(.)/g, (_, c) => (c === "n" ? "\n" : c));
    }
    out.push({ name: m[1], labels, value: m[3] === "+Inf" ? Infinity : Number(m[3]) });
  }
  return out;
}

const SIMPLE = {
  mlc_num_requests_running: "running",
  mlc_num_requests_waiting: "waiting",
  mlc_kv_cache_usage_ratio: "kv",
  mlc_generation_tokens_total: "generated",
  mlc_computed_prompt_tokens_total: "prompt",
  mlc_prefix_cache_hits_total: "cached",
  mlc_num_preemptions_total: "preemptions",
};
const HISTOGRAMS = { mlc_time_to_first_token_seconds_bucket: "ttft", mlc_inter_token_latency_seconds_bucket: "itl" };

function fromMetrics(text) {
  const models = {};
  for (const { name, labels, value } of parseMetrics(text)) {
    const simple = SIMPLE[name], histogram = HISTOGRAMS[name];
    if (!simple && !histogram) continue;
    const m = (models[labels.model_name ?? "model"] ??= {});
    if (simple) m[simple] = (m[simple] ?? 0) + value;
    else (m[histogram] ??= []).push([labels.le === "+Inf" ? Infinity : Number(labels.le), value]);
  }
  return models;
}

const read = async () => fromMetrics(await getText("/metrics", getKey()));

// ---- what follows from two samples ----

// The value below which `q` of what a histogram counted between two samples lies; undefined when it counted nothing.
export function quantile(now, before, q) {
  const counts = now.map(([le, n], i) => [le, n - (before?.[i]?.[1] ?? 0)]).sort((a, b) => a[0] - b[0]);
  const total = counts.at(-1)?.[1] ?? 0;
  if (!(total > 0)) return undefined;
  let low = 0, below = 0;
  for (const [le, n] of counts) {
    if (n >= q * total) return le === Infinity ? low : low + ((le - low) * (q * total - below)) / Math.max(1, n - below);
    low = le;
    below = n;
  }
  return low;
}

const perSecond = (key) => (now, before) => (before ? Math.max(0, (now[key] - before[key]) / ((now.at - before.at) / 1000)) : undefined);
const quantileOf = (key, q) => (now, _, minute) => (now[key] ? quantile(now[key], minute?.[key], q) : undefined);
const time = (s) => (s < 1 ? `${Math.round(s * 1000)} ms` : `${s.toFixed(2)} s`);
const whole = (v) => Math.round(v).toLocaleString("en");

const TILES = [
  { name: "Running", unit: "requests", value: (s) => s.running, text: whole },
  { name: "Waiting", unit: "in the queue", value: (s) => s.waiting, text: whole },
  { name: "KV cache", unit: "in use", value: (s) => (s.kv === undefined ? undefined : 100 * s.kv), text: (v) => `${v.toFixed(v < 10 ? 1 : 0)}%`, top: 100 },
  { name: "Generating", unit: "tokens/s", value: perSecond("generated"), text: whole },
  { name: "Reading prompts", unit: "tokens/s", value: perSecond("prompt"), text: whole },
  { name: "First token", unit: "median of the last minute", value: quantileOf("ttft", 0.5), text: time },
  { name: "First token, p95", unit: "of the last minute", value: quantileOf("ttft", 0.95), text: time },
  { name: "Between tokens", unit: "median of the last minute", value: quantileOf("itl", 0.5), text: time },
  { name: "Between tokens, p99", unit: "of the last minute", value: quantileOf("itl", 0.99), text: time },
];

// ---- drawing ----

function tile(spec) {
  const line = document.createElementNS(SVG, "path");
  const area = document.createElementNS(SVG, "path");
  area.setAttribute("class", "area");
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 300 60");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(area, line);
  const value = el("strong", {}, "–");
  const peak = el("span", { class: "peak" });
  const view = el("section", { class: "tile" }, el("h3", {}, spec.name), el("p", {}, value, " ", el("span", {}, spec.unit)), svg, peak);
  const values = [];
  view.add = (v) => {
    values.push(v);
    if (values.length > KEPT) values.shift();
    const known = values.filter(Number.isFinite);
    view.hidden = known.length === 0;
    if (known.length === 0) return;
    value.textContent = Number.isFinite(v) ? spec.text(v) : "–";
    const top = spec.top ?? Math.max(...known);
    peak.textContent = spec.top ? "" : `peak ${spec.text(Math.max(...known))}`;
    const span = Math.max(60, values.length);
    const x = (i) => ((300 * (span - values.length + i + 1)) / span).toFixed(1);
    const y = (w) => 58 - (56 * w) / (top || 1);
    let d = "", gap = true;
    values.forEach((w, i) => {
      if (!Number.isFinite(w)) gap = true;
      else {
        d += `${gap ? "M" : "L"}${x(i)} ${y(w).toFixed(1)}`;
        gap = false;
      }
    });
    line.setAttribute("d", d);
    area.setAttribute("d", d.indexOf("M", 1) < 0 ? `${d}L${x(values.length - 1)} 60L${x(values.findIndex(Number.isFinite))} 60Z` : "");
  };
  return view;
}

const views = new Map(); // model -> {section, tiles, samples, totals}
function viewOf(name) {
  if (!views.has(name)) {
    const tiles = TILES.map(tile);
    const totals = el("p", { class: "totals" });
    const section = el("section", { "aria-label": name }, el("h2", {}, name), el("div", { class: "tiles" }, ...tiles), totals);
    byId("models").append(section);
    views.set(name, { section, tiles, totals, samples: [] });
  }
  return views.get(name);
}

function show(models) {
  const at = performance.now();
  for (const [name, sample] of Object.entries(models)) {
    const view = viewOf(name);
    const before = view.samples.at(-1);
    const minute = view.samples.find((s) => at - s.at <= 60_000);
    const now = { ...sample, at };
    view.samples.push(now);
    if (view.samples.length > KEPT) view.samples.shift();
    TILES.forEach((spec, i) => view.tiles[i].add(spec.value(now, before, minute)));
    const parts = [`${whole(now.generated ?? 0)} tokens generated`, `${whole(now.prompt ?? 0)} prompt tokens computed`];
    if (now.cached !== undefined) parts.push(`${whole(now.cached)} found in the prefix cache`);
    if (now.preemptions) parts.push(`${whole(now.preemptions)} preemptions`);
    view.totals.textContent = `Since the start: ${parts.join(", ")}.`;
  }
}

function state(text, bad) {
  const view = byId("state");
  if (view.textContent !== text) view.textContent = text; // said once, not every second
  view.className = bad ? "bad" : "good";
}

let paused = false;
async function turn() {
  if (!paused && !document.hidden) {
    try {
      show(await read());
      byId("banner").hidden = true;
      byId("keyform").hidden = true;
      state("Live", false);
    } catch (e) {
      const locked = e.status === 401 || e.status === 403;
      byId("keyform").hidden = !locked;
      byId("banner").hidden = locked;
      byId("banner").textContent = e.message;
      state(locked ? "Locked" : "No answer", true);
    }
  }
  setTimeout(turn, PERIOD_MS);
}

byId("pause").addEventListener("click", (e) => {
  paused = !paused;
  e.target.textContent = paused ? "Go on" : "Pause";
  e.target.setAttribute("aria-pressed", paused);
  state(paused ? "Paused" : "Live", false);
});
byId("keyform").addEventListener("submit", (e) => {
  e.preventDefault();
  setKey(byId("key").value);
});
turn();
