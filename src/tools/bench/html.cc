#include "tools/bench/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tools/bench/svg.h"

namespace mlc::tools::bench {
namespace {

constexpr size_t kGrowthPoints = 3;  // that make a curve

const char* kStyle =
    "body{font-family:sans-serif;max-width:72em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}"
    "th,td{padding:.25em .8em;text-align:right;border-bottom:1px solid #ddd}"
    "th:first-child,td:first-child{text-align:left}"
    "figure{margin:1em 0;overflow-x:auto}";

std::string cell(const std::string& text) { return "<td>" + escape_xml(text) + "</td>"; }
std::string figure(const std::string& svg) { return "<figure>\n" + svg + "</figure>\n"; }
std::string paragraph(const std::string& text) { return "<p>" + escape_xml(text) + "</p>\n"; }

std::string html_table(const Report& r) {
  std::string out =
      "<table>\n<tr><th>phase</th><th>tokens/s</th><th>GB/s</th><th>GOP/s</th><th>of the limit</th><th>limit</th>";
  for (const std::string& peer : r.peers) {
    out += "<th>" + escape_xml(peer) + " tokens/s</th><th>ratio</th>";
  }
  out += "</tr>\n";
  for (const Row& row : r.rows) {
    const Figures f = figures(r, row);
    out += "<tr>" + cell(row.phase.label()) + cell(fmt::format("{:.2f}", f.tokens_per_s)) +
           cell(fmt::format("{:.2f}", f.gb_per_s)) + cell(fmt::format("{:.1f}", f.gop_per_s)) +
           cell(fmt::format("{:.0f}%", 100 * f.share)) + cell(f.bound.limit);
    for (size_t i = 0; i < r.peers.size(); ++i) {
      const bool known = f.ratio[i] > 0;
      out += cell(known ? fmt::format("{:.2f}", f.peer_tokens_per_s[i]) : "–");
      out += cell(known ? fmt::format("{:.2f}", f.ratio[i]) : "–");
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

// Arithmetic speed against arithmetic per byte: below the slope memory decides, below the flat roofs arithmetic does.
std::string roofline(const Report& r) {
  Plot p{.title = "Roofline: " + r.title(),
         .x_label = "operations per byte from memory",
         .y_label = "GOP/s",
         .log_x = true,
         .log_y = true,
         .height = 420};
  double low = 0.5, high = 2000;
  for (const Row& row : r.rows) {
    const double x = row.work.ops() / std::max(1.0, row.work.memory_bytes());
    low = std::min(low, x / 2);
    high = std::max(high, x * 2);
  }
  const double read = r.limits.read_gb_per_s;
  for (auto [name, peak] : {std::pair{"int8 roof", r.limits.int8_tops * 1e3},
                            {"f32 roof", r.limits.f32_tflops * 1e3},
                            {"bf16 roof", r.limits.bf16_tflops * 1e3}}) {
    if (peak <= 0) continue;
    const double ridge = peak / read;
    p.series.push_back({.name = name,
                        .points = {{low, std::min(peak, read * low)}, {ridge, peak}, {std::max(high, ridge), peak}},
                        .marks = false});
  }
  for (const Row& row : r.rows) {
    const Figures f = figures(r, row);
    p.series.push_back({.name = row.phase.label(),
                        .points = {{row.work.ops() / std::max(1.0, row.work.memory_bytes()), f.gop_per_s}},
                        .line = false});
  }
  return figure(svg(p));
}

std::string bars(const Report& r) {
  std::vector<Bar> list;
  for (const Row& row : r.rows) {
    const Figures f = figures(r, row);
    list.push_back({row.phase.label(), fmt::format("{:.0f}% of {}", 100 * f.share, f.bound.limit), f.share});
  }
  return figure(svg_bars("Share of the machine's limit: " + r.title(), list));
}

// Time against one size, beside the bound, over the rows that `wanted` picks; nothing for fewer than three of them.
std::string growth(const Report& r, const std::string& what, const std::string& x_label,
                   const std::function<bool(const Phase&)>& wanted, const std::function<double(const Phase&)>& x) {
  Series measured{.name = "measured", .points = {}}, bound{.name = "bound", .points = {}, .dashed = true};
  for (const Row& row : r.rows) {
    if (!wanted(row.phase)) continue;
    const Figures f = figures(r, row);
    // Of a prefill the whole, of decoding one step.
    const double parts = row.phase.kind == PhaseKind::kPrefill ? 1 : static_cast<double>(row.phase.tokens);
    measured.points.push_back({x(row.phase), f.seconds / parts});
    bound.points.push_back({x(row.phase), f.bound.seconds / parts});
  }
  if (measured.points.size() < kGrowthPoints) return "";
  for (Series* s : {&measured, &bound}) {
    std::sort(s->points.begin(), s->points.end(), [](const Point& a, const Point& b) { return a.x < b.x; });
  }
  return figure(svg({.title = what + ": " + r.title(),
                     .x_label = x_label,
                     .y_label = "seconds",
                     .log_x = true,
                     .log_y = true,
                     .series = {measured, bound}}));
}

std::string growths(const Report& r) {
  const int64_t depth = r.rows.empty() ? 0 : r.rows[0].phase.depth;
  auto is = [](PhaseKind kind) { return [kind](const Phase& p) { return p.kind == kind; }; };
  auto first_depth = [depth](PhaseKind kind) {
    return [kind, depth](const Phase& p) { return p.kind == kind && p.depth == depth; };
  };
  return growth(r, "Prefill time against the prompt's length", "tokens", first_depth(PhaseKind::kPrefill),
                [](const Phase& p) { return static_cast<double>(p.tokens); }) +
         growth(r, "Time of a decode step against the context", "tokens in the cache", is(PhaseKind::kDecode),
                [](const Phase& p) { return static_cast<double>(p.depth) + static_cast<double>(p.tokens) / 2; }) +
         growth(r, "Time of a decode step against the batch", "sequences", first_depth(PhaseKind::kBatch),
                [](const Phase& p) { return static_cast<double>(p.sequences); });
}

std::string history_plot(const Session& session, const Report& r, const std::vector<HistoryEntry>& history) {
  std::vector<const HistoryEntry*> entries;
  for (const HistoryEntry& e : history) {
    if (e.cpu == session.cpu && e.title == r.title()) entries.push_back(&e);
  }
  if (entries.size() < 2) return "";
  Plot p{.title = "History: " + r.title(),
         .x_label = fmt::format("runs, from {} to {}", entries.front()->time, entries.back()->time),
         .y_label = "% of the limit",
         .y_from_zero = true};
  for (const Row& row : r.rows) {
    Series s{.name = row.phase.label(), .points = {}};
    for (size_t i = 0; i < entries.size(); ++i) {
      const auto found = entries[i]->phases.find(s.name);
      if (found != entries[i]->phases.end())
        s.points.push_back({static_cast<double>(i + 1), 100 * found->second.share});
    }
    p.series.push_back(std::move(s));
  }
  return figure(svg(p));
}

}  // namespace

std::string html(const Session& session, const std::vector<HistoryEntry>& history) {
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>mlc_llm bench {}</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<h1>mlc_llm bench</h1>\n",
      escape_xml(session.time), kStyle);
  out += paragraph(fmt::format("{}, build {}, on {}. Medians; the limits were measured between the runs.", session.time,
                               session.build, session.cpu));
  for (const Report& r : session.reports) {
    out += "<h2>" + escape_xml(r.title()) + "</h2>\n";
    out +=
        paragraph(fmt::format("Activations {}, {} runs, {:.4g} MB of weights per step. This machine: read {:.1f} GB/s "
                              "({}), int8 {:.2f} TOPS, "
                              "f32 {:.2f} TFLOPS, bf16 {:.2f} TFLOPS.",
                              r.activation, r.runs, static_cast<double>(r.weight_bytes) / 1e6, r.limits.read_gb_per_s,
                              r.read_pattern, r.limits.int8_tops, r.limits.f32_tflops, r.limits.bf16_tflops));
    if (const std::string n = note(r); !n.empty()) out += paragraph(n);
    out += html_table(r) + bars(r) + roofline(r) + growths(r) + history_plot(session, r, history);
  }
  return out + "</body>\n</html>\n";
}

}  // namespace mlc::tools::bench
