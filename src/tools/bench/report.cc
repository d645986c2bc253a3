#include "tools/bench/report.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "base/build_id.h"
#include "base/check.h"

namespace mlc::tools::bench {
namespace {

// The processor's name as Linux knows it.
std::string cpu_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

int64_t cache_bytes() {
  // As this machine has it: the processor's own count may be that of a larger host. Empty or 0: unknown.
  std::ifstream size("/sys/devices/system/cpu/cpu0/cache/index3/size");
  int64_t kib = 0;
  return size >> kib ? kib << 10 : 0;
}

OrderedJson to_json(const Report& report, const Row& row) {
  const Figures f = figures(report, row);
  OrderedJson out;
  out["phase"] = row.phase.label();
  out["kind"] = row.phase.kind == PhaseKind::kPrefill ? "prefill" : "decode";
  out["tokens"] = row.phase.tokens;
  out["depth"] = row.phase.depth;
  out["sequences"] = row.phase.sequences;
  out["seconds"] = f.seconds;
  out["tokens_per_s"] = f.tokens_per_s;
  out["gb_per_s"] = f.gb_per_s;
  out["gop_per_s"] = f.gop_per_s;
  out["ops_per_byte"] = row.work.ops() / std::max(1.0, row.work.memory_bytes());
  out["bound"] = f.bound.limit;
  out["bound_seconds"] = f.bound.seconds;
  out["share_of_limit"] = f.share;
  out["seconds_of_runs"] = row.seconds;
  for (size_t i = 0; i < report.peers.size(); ++i) {
    if (f.peer_tokens_per_s[i] == 0) continue;
    out["peers"].push_back({{"name", report.peers[i]},
                            {"tokens_per_s", f.peer_tokens_per_s[i]},
                            {"ratio", f.ratio[i]},
                            {"tokens_per_s_of_runs", row.peers[i]}});
  }
  return out;
}

OrderedJson to_json(const Report& report) {
  OrderedJson out;
  if (!report.name.empty()) out["name"] = report.name;
  out["model"] = report.model;
  out["quantization"] = report.quantization;
  out["activation"] = report.activation;
  out["threads"] = report.threads;
  out["runs"] = report.runs;
  out["weight_bytes_per_step"] = report.weight_bytes;
  out["machine_read_gb_per_s"] = report.limits.read_gb_per_s;
  out["machine_int8_tops"] = report.limits.int8_tops;
  out["machine_f32_tflops"] = report.limits.f32_tflops;
  out["machine_bf16_tflops"] = report.limits.bf16_tflops;
  out["read_pattern"] = report.read_pattern;
  // The first phase of each kind once more, for those who want a single figure.
  for (const char* kind : {"prefill", "decode"}) {
    for (const Row& row : report.rows) {
      if ((row.phase.kind == PhaseKind::kPrefill) != (kind == std::string("prefill")) || row.phase.sequences > 1) {
        continue;
      }
      const Figures f = figures(report, row);
      out[fmt::format("{}_tokens_per_s", kind)] = f.tokens_per_s;
      out[fmt::format("{}_share_of_limit", kind)] = f.share;
      break;
    }
  }
  out["rows"] = OrderedJson::array();
  for (const Row& row : report.rows) out["rows"].push_back(to_json(report, row));
  return out;
}

}  // namespace

double median(std::vector<double> values) {
  MLC_CHECK(!values.empty(), "the median of nothing");
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

std::string Report::title() const {
  return fmt::format("{} {}, {} thread{}", name.empty() ? model : name, quantization, threads, threads == 1 ? "" : "s");
}

Figures figures(const Report& report, const Row& row) {
  Figures f;
  f.seconds = median(row.seconds);
  f.tokens_per_s = static_cast<double>(row.phase.total_tokens()) / f.seconds;
  f.gb_per_s = row.work.memory_bytes() / f.seconds / 1e9;
  f.gop_per_s = row.work.ops() / f.seconds / 1e9;
  f.bound = runtime::bound_of(row.work, report.limits);
  f.share = f.bound.seconds / f.seconds;
  for (size_t i = 0; i < report.peers.size(); ++i) {
    const bool measured = i < row.peers.size() && !row.peers[i].empty();
    f.peer_tokens_per_s.push_back(measured ? median(row.peers[i]) : 0.0);
    f.ratio.push_back(measured ? f.tokens_per_s / f.peer_tokens_per_s.back() : 0.0);
  }
  return f;
}

Session new_session() {
  Session s;
  s.time = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}",
                       fmt::gmtime(std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())));
  s.build = build_id().substr(0, 12);
  s.cpu = cpu_name();
  return s;
}

std::string note(const Report& report) {
  if (report.weight_bytes > cache_bytes()) return "";
  return fmt::format(
      "The weights fit into the processor's caches ({} MB): the speed of memory need not bind them, and "
      "shares of the read limit can pass 100%.",
      cache_bytes() >> 20);
}

std::string table(const Report& report) {
  std::string out =
      fmt::format("{}: activations {}, {} runs (medians), {:.4g} MB of weights per step\n", report.title(),
                  report.activation, report.runs, static_cast<double>(report.weight_bytes) / 1e6);
  out += fmt::format(
      "limits of this machine, measured in between: read {:.1f} GB/s, int8 {:.2f} TOPS, f32 {:.2f} TFLOPS, bf16 {:.2f} "
      "TFLOPS\n\n",
      report.limits.read_gb_per_s, report.limits.int8_tops, report.limits.f32_tflops, report.limits.bf16_tflops);
  out += fmt::format("{:20} {:>10} {:>8} {:>9} {:>14}", "", "tokens/s", "GB/s", "GOP/s", "of the limit");
  for (const std::string& peer : report.peers) out += fmt::format(" {:>20} {:>6}", peer, "ratio");
  out += "\n";
  for (const Row& row : report.rows) {
    const Figures f = figures(report, row);
    out += fmt::format("{:20} {:>10.2f} {:>8.2f} {:>9.1f} {:>14}", row.phase.label(), f.tokens_per_s, f.gb_per_s,
                       f.gop_per_s, fmt::format("{:.0f}% of {}", 100 * f.share, f.bound.limit));
    for (size_t i = 0; i < report.peers.size(); ++i) {
      if (f.ratio[i] > 0)
        out += fmt::format(" {:>20.2f} {:>6.2f}", f.peer_tokens_per_s[i], f.ratio[i]);
      else
        out += fmt::format(" {:>20} {:>6}", "-", "-");
    }
    out += "\n";
  }
  if (const std::string n = note(report); !n.empty()) out += n + "\n";
  return out;
}

OrderedJson to_json(const Session& session) {
  OrderedJson out;
  out["time"] = session.time;
  out["build"] = session.build;
  out["cpu"] = session.cpu;
  out["reports"] = OrderedJson::array();
  for (const Report& r : session.reports) out["reports"].push_back(to_json(r));
  return out;
}

}  // namespace mlc::tools::bench
