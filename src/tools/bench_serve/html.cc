#include <fmt/format.h>

#include <algorithm>

#include "tools/bench/svg.h"
#include "tools/bench_serve/report.h"

namespace mlc::tools::bench_serve {
namespace {

using bench::escape_xml;
using bench::Plot;
using bench::Point;
using bench::Series;

const char* kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:76em;margin:2em auto;padding:0 "
    "1em;color:#23211e;background:#fbfaf7}"
    "h1{font-weight:600}table{border-collapse:collapse;margin:1em 0;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3em .8em;text-align:right;border-bottom:1px solid #e2ded4}"
    "th:first-child,td:first-child{text-align:left}figure{display:inline-block;margin:.5em "
    "0;overflow-x:auto}.bad{color:#a3342b}";

std::string figure(const Plot& plot) { return "<figure>\n" + svg(plot) + "</figure>\n"; }
std::string three(const Quantiles& q) {
  return fmt::format("<td>{:.1f} / {:.1f} / {:.1f}</td>", q.p50 * 1e3, q.p90 * 1e3, q.p99 * 1e3);
}

std::string html_table(const Report& r) {
  std::string out =
      "<table>\n<tr><th>load</th><th>done</th><th>errors</th><th>tokens/s</th><th>requests/s</th>"
      "<th>TTFT p50 / p90 / p99, ms</th><th>TPOT, ms</th><th>ITL, ms</th><th>e2e, ms</th><th>slowest stream</th>";
  if (!r.goals.empty()) out += "<th>goodput, requests/s</th>";
  out += "</tr>\n";
  for (const Level& level : r.levels) {
    const Summary s = summarize(level.load, r.goals);
    std::string errors;
    for (const auto& [kind, n] : s.errors) errors += fmt::format("{}{} x {}", errors.empty() ? "" : ", ", n, kind);
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td class=\"bad\">{}</td><td>{:.1f}</td><td>{:.2f}</td>{}{}{}{}<td>{:.0f}%</td>",
        level.label(), s.completed, escape_xml(errors), s.output_tokens_per_s, s.requests_per_s, three(s.ttft),
        three(s.tpot), three(s.itl), three(s.e2e), 100 * s.slowest_share);
    if (!r.goals.empty()) out += fmt::format("<td>{:.2f} ({:.0f}%)</td>", s.good_per_s, 100 * s.good_share);
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

// A summary's figure against the load: requests at once, or per second.
std::string against_load(const Report& r, Plot plot,
                         const std::vector<std::pair<std::string, double (*)(const Summary&)>>& lines) {
  const bool by_rate = r.levels[0].rate > 0;
  plot.x_label = by_rate ? "requests/s offered" : "requests at once";
  plot.log_x = true;
  for (const auto& [name, value] : lines) {
    Series series{.name = name, .points = {}};
    for (const Level& level : r.levels) {
      const Summary s = summarize(level.load, r.goals);
      const double x = by_rate
                           ? level.rate
                           : static_cast<double>(level.concurrency > 0 ? level.concurrency : level.load.samples.size());
      if (s.completed > 0) series.points.push_back({x, value(s)});
    }
    plot.series.push_back(std::move(series));
  }
  return figure(plot);
}

// Which share of the values lies below x.
std::string distribution(const Report& r, const std::string& title, std::vector<double> (*values)(const Load&)) {
  constexpr size_t kPoints = 200;
  Plot plot{.title = title, .x_label = "milliseconds", .y_label = "share, %", .log_x = true, .y_from_zero = true};
  for (const Level& level : r.levels) {
    std::vector<double> sorted = values(level.load);
    if (sorted.empty()) continue;
    std::sort(sorted.begin(), sorted.end());
    Series series{.name = level.label(), .points = {}, .marks = false};
    const size_t step = std::max<size_t>(1, sorted.size() / kPoints);
    for (size_t i = 0; i < sorted.size(); i += step) {
      series.points.push_back({sorted[i] * 1e3, 100 * static_cast<double>(i + 1) / static_cast<double>(sorted.size())});
    }
    series.points.push_back({sorted.back() * 1e3, 100});
    plot.series.push_back(std::move(series));
  }
  return figure(plot);
}

// Each request as two marks over its start: how the load went over time.
std::string course(const Level& level) {
  Plot plot{.title = "Course: " + level.label(), .x_label = "start, s", .y_label = "seconds", .y_from_zero = true};
  Series first{.name = "first token", .points = {}, .line = false}, end{.name = "end", .points = {}, .line = false};
  Series failed{.name = "error", .points = {}, .line = false};
  for (const Sample& s : level.load.samples) {
    if (!s.ok()) {
      failed.points.push_back({s.start, s.e2e});
      continue;
    }
    first.points.push_back({s.start, s.ttft});
    end.points.push_back({s.start, s.e2e});
  }
  plot.series = {first, end};
  if (!failed.points.empty()) plot.series.push_back(failed);
  return figure(plot);
}

}  // namespace

std::string html(const Report& r) {
  const std::string title = r.label.empty() ? r.model : r.label;
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<title>bench serve: {0}</title>\n"
      "<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n<p>{2}: {3}{4}, model {5}, {6}.</p>\n",
      escape_xml(title), kStyle, escape_xml(r.time), escape_xml(r.url), escape_xml(r.path), escape_xml(r.model),
      escape_xml(r.dataset));
  out += html_table(r);
  if (r.levels.size() > 1) {
    const Plot speed{.title = "Throughput", .y_label = "tokens/s", .y_from_zero = true};
    out += against_load(r, speed, {{"output tokens", [](const Summary& s) { return s.output_tokens_per_s; }}});
    const Plot ttft{.title = "Time to the first token", .y_label = "milliseconds", .log_y = true};
    out += against_load(r, ttft,
                        {{"p50", [](const Summary& s) { return s.ttft.p50 * 1e3; }},
                         {"p90", [](const Summary& s) { return s.ttft.p90 * 1e3; }},
                         {"p99", [](const Summary& s) { return s.ttft.p99 * 1e3; }}});
    const Plot itl{.title = "Time between tokens", .y_label = "milliseconds", .log_y = true};
    out += against_load(r, itl,
                        {{"p50", [](const Summary& s) { return s.itl.p50 * 1e3; }},
                         {"p90", [](const Summary& s) { return s.itl.p90 * 1e3; }},
                         {"p99", [](const Summary& s) { return s.itl.p99 * 1e3; }}});
  }
  out += distribution(r, "Distribution of the time to the first token", [](const Load& load) {
    std::vector<double> values;
    for (const Sample& s : load.samples) {
      if (s.ok()) values.push_back(s.ttft);
    }
    return values;
  });
  out += distribution(r, "Distribution of the time between tokens", [](const Load& load) {
    std::vector<double> values;
    for (const Sample& s : load.samples) {
      if (s.ok()) values.insert(values.end(), s.itl.begin(), s.itl.end());
    }
    return values;
  });
  for (const Level& level : r.levels) out += course(level);
  return out + "</body>\n</html>\n";
}

}  // namespace mlc::tools::bench_serve
