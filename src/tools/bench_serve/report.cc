#include "tools/bench_serve/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace mlc::tools::bench_serve {
namespace {

// Of sorted values, between the two nearest.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(std::floor(at));
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

bool within(const Sample& s, const Goal& g) {
  double value = s.ttft;
  if (g.metric == "tpot") value = s.tpot();
  if (g.metric == "e2e") value = s.e2e;
  if (g.metric == "itl") value = s.itl.empty() ? 0 : *std::max_element(s.itl.begin(), s.itl.end());
  return value * 1e3 <= g.limit_ms;
}

OrderedJson to_json(const Quantiles& q) {
  const auto ms = [](double s) { return std::round(s * 1e6) / 1e3; };
  return {{"mean", ms(q.mean)}, {"p50", ms(q.p50)}, {"p90", ms(q.p90)}, {"p99", ms(q.p99)}, {"max", ms(q.max)}};
}

OrderedJson to_json(const Sample& s) {
  OrderedJson out = {{"start_s", s.start}, {"e2e_ms", s.e2e * 1e3}};
  if (!s.ok()) {
    out["error"] = s.error;
    out["detail"] = s.detail;
    return out;
  }
  out["ttft_ms"] = s.ttft * 1e3;
  out["tpot_ms"] = s.tpot() * 1e3;
  out["prompt_tokens"] = s.prompt_tokens;
  out["output_tokens"] = s.output_tokens;
  return out;
}

}  // namespace

Result<std::vector<Goal>> parse_goals(const std::vector<std::string>& texts) {
  std::vector<Goal> out;
  for (const std::string& text : texts) {
    const size_t colon = std::min(text.find(':'), text.size());
    Goal goal{text.substr(0, colon), 0};
    const bool known = goal.metric == "ttft" || goal.metric == "tpot" || goal.metric == "itl" || goal.metric == "e2e";
    const char* from = text.data() + std::min(colon + 1, text.size());
    const char* end = text.data() + text.size();
    const auto [past, ec] = std::from_chars(from, end, goal.limit_ms);
    if (!known || ec != std::errc() || past != end || !(goal.limit_ms > 0)) {
      return error("--goodput has \"{}\", expected METRIC:MILLISECONDS with ttft, tpot, itl or e2e, such as ttft:200",
                   text);
    }
    out.push_back(goal);
  }
  return out;
}

Quantiles quantiles(std::vector<double> values) {
  Quantiles q;
  q.count = values.size();
  if (values.empty()) return q;
  std::sort(values.begin(), values.end());
  q.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  q.p50 = quantile(values, 0.5);
  q.p90 = quantile(values, 0.9);
  q.p99 = quantile(values, 0.99);
  q.max = values.back();
  return q;
}

Summary summarize(const Load& load, const std::vector<Goal>& goals) {
  Summary out;
  out.seconds = load.seconds;
  std::vector<double> ttft, tpot, itl, e2e, speeds;
  int64_t good = 0;
  for (const Sample& s : load.samples) {
    if (!s.ok()) {
      if (out.errors.empty()) out.first_detail = s.detail;
      ++out.errors[s.error];
      continue;
    }
    ++out.completed;
    out.prompt_tokens += static_cast<double>(s.prompt_tokens);
    out.output_tokens += static_cast<double>(s.output_tokens);
    out.counted_by_server = out.counted_by_server && s.counted_by_server;
    ttft.push_back(s.ttft);
    e2e.push_back(s.e2e);
    if (s.output_tokens > 1) tpot.push_back(s.tpot());
    itl.insert(itl.end(), s.itl.begin(), s.itl.end());
    speeds.push_back(static_cast<double>(s.output_tokens) / std::max(1e-9, s.e2e));
    good += std::all_of(goals.begin(), goals.end(), [&s](const Goal& g) { return within(s, g); });
  }
  if (out.completed > 0 && out.seconds > 0) {
    out.requests_per_s = static_cast<double>(out.completed) / out.seconds;
    out.output_tokens_per_s = out.output_tokens / out.seconds;
    out.total_tokens_per_s = (out.prompt_tokens + out.output_tokens) / out.seconds;
    out.good_per_s = static_cast<double>(good) / out.seconds;
    out.good_share = static_cast<double>(good) / static_cast<double>(load.samples.size());
    std::sort(speeds.begin(), speeds.end());
    out.slowest_share = speeds.front() / quantile(speeds, 0.5);
  }
  out.ttft = quantiles(std::move(ttft));
  out.tpot = quantiles(std::move(tpot));
  out.itl = quantiles(std::move(itl));
  out.e2e = quantiles(std::move(e2e));
  return out;
}

std::string Level::label() const {
  if (rate > 0 && concurrency > 0) return fmt::format("{:g}/s, {} at once", rate, concurrency);
  if (rate > 0) return fmt::format("{:g}/s", rate);
  return concurrency > 0 ? fmt::format("{} at once", concurrency) : "all at once";
}

std::string table(const Report& r) {
  std::string out = fmt::format("{} on {}{}, {}; milliseconds\n", r.model, r.url, r.path, r.dataset);
  out += fmt::format("{:<18}{:>6}{:>7}{:>10}{:>9}  {:>20}  {:>20}  {:>20}  {:>8}\n", "load", "done", "errors",
                     "tokens/s", "req/s", "TTFT p50/p90/p99", "ITL p50/p90/p99", "e2e p50/p90/p99", "slowest");
  for (const Level& level : r.levels) {
    const Summary s = summarize(level.load, r.goals);
    const auto three = [](const Quantiles& q) {
      const int digits = q.p50 < 0.1 ? 1 : 0;
      return fmt::format("{:.{}f}/{:.{}f}/{:.{}f}", q.p50 * 1e3, digits, q.p90 * 1e3, digits, q.p99 * 1e3, digits);
    };
    int64_t failed = 0;
    for (const auto& [_, n] : s.errors) failed += n;
    out += fmt::format("{:<18}{:>6}{:>7}{:>10.1f}{:>9.2f}  {:>20}  {:>20}  {:>20}  {:>7.0f}%\n", level.label(),
                       s.completed, failed, s.output_tokens_per_s, s.requests_per_s, three(s.ttft), three(s.itl),
                       three(s.e2e), 100 * s.slowest_share);
    if (!r.goals.empty()) {
      out += fmt::format("  within the goals: {:.2f} requests/s, {:.0f}% of all\n", s.good_per_s, 100 * s.good_share);
    }
    for (const auto& [kind, n] : s.errors) out += fmt::format("  {} x {}\n", n, kind);
    if (!s.errors.empty()) out += fmt::format("  the first said: {}\n", s.first_detail);
    if (s.completed > 0 && !s.counted_by_server) out += "  the server gives no usage: pieces are counted as tokens\n";
  }
  return out;
}

OrderedJson to_json(const Report& r) {
  OrderedJson goals = OrderedJson::array(), levels = OrderedJson::array();
  for (const Goal& g : r.goals) goals.push_back({{"metric", g.metric}, {"limit_ms", g.limit_ms}});
  for (const Level& level : r.levels) {
    const Summary s = summarize(level.load, r.goals);
    OrderedJson samples = OrderedJson::array(), errors = OrderedJson::object();
    for (const Sample& sample : level.load.samples) samples.push_back(to_json(sample));
    for (const auto& [kind, n] : s.errors) errors[kind] = n;
    levels.push_back({{"concurrency", level.concurrency},
                      {"request_rate", level.rate},
                      {"completed", s.completed},
                      {"errors", std::move(errors)},
                      {"duration_s", s.seconds},
                      {"prompt_tokens", s.prompt_tokens},
                      {"output_tokens", s.output_tokens},
                      {"tokens_counted_by", s.counted_by_server ? "usage" : "pieces"},
                      {"requests_per_s", s.requests_per_s},
                      {"output_tokens_per_s", s.output_tokens_per_s},
                      {"total_tokens_per_s", s.total_tokens_per_s},
                      {"goodput_requests_per_s", s.good_per_s},
                      {"goodput_share", s.good_share},
                      {"slowest_stream_over_median", s.slowest_share},
                      {"ttft_ms", to_json(s.ttft)},
                      {"tpot_ms", to_json(s.tpot)},
                      {"itl_ms", to_json(s.itl)},
                      {"e2e_ms", to_json(s.e2e)},
                      {"requests", std::move(samples)}});
  }
  return {{"time", r.time},   {"label", r.label},     {"url", r.url},   {"endpoint", r.path},
          {"model", r.model}, {"dataset", r.dataset}, {"goals", goals}, {"levels", std::move(levels)}};
}

}  // namespace mlc::tools::bench_serve
