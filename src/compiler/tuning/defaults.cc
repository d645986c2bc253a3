#include "compiler/tuning/defaults.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "compiler/tuning/embedded.h"
#include "compiler/tuning/workload.h"
#include "schedule/rules/rules.h"

namespace mlc::compiler {
namespace {

using Json = nlohmann::ordered_json;
using schedule::Decisions;

constexpr double kWorthwhile = 1.02;

Result<void> read_default(std::string_view line, FamilyDefaults& out) {
  const Json json = Json::parse(line, nullptr, false);
  const char* expected = "expected {\"family\": name, \"decisions\": {name: [numbers]}, \"gain\": x, \"kernels\": n}";
  if (!json.is_object() || json.size() != 4 || !json.contains("family") || !json["family"].is_string() ||
      !json.contains("decisions") || !json["decisions"].is_object() || !json.contains("gain") ||
      !json["gain"].is_number() || !json.contains("kernels") || !json["kernels"].is_number_integer()) {
    return error("{}", expected);
  }
  FamilyDefault d;
  d.gain = json["gain"].get<double>();
  d.kernels = json["kernels"].get<int>();
  for (const auto& [name, values] : json["decisions"].items()) {
    if (!values.is_array()) return error("{}", expected);
    for (const Json& v : values) {
      if (!v.is_number_integer()) return error("{}", expected);
      d.decisions[name].push_back(v.get<int64_t>());
    }
  }
  out[json["family"].get<std::string>()] = std::move(d);
  return {};
}

// The decisions of a family that fit this kernel; none when those do not schedule together.
Decisions fitting(const ir::PrimFunc& f, const target::Target& target, const Decisions& wanted) {
  auto by_hand = schedule::schedule_func(f, target);
  if (!by_hand) return {};
  Decisions d;
  for (const schedule::RandomVariable& v : schedule::random_variables(by_hand->trace())) {
    const auto it = wanted.find(v.name);
    if (it == wanted.end()) continue;
    if (std::find(v.values.begin(), v.values.end(), it->second) != v.values.end()) d[v.name] = it->second;
  }
  if (d.size() != wanted.size() || !schedule::schedule_func(f, target, d)) return {};
  return d;
}

// Gains of one candidate over the kernels of a family.
struct Gains {
  double log_sum = 0;
  size_t kernels = 0;
};

}  // namespace

Result<FamilyDefaults> parse_defaults(std::string_view text, const std::string& where) {
  FamilyDefaults out;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto read = read_default(line, out);
    if (!read) return std::move(read).error().context("{}, line {}", where, number);
  }
  return out;
}

std::string defaults_text(const FamilyDefaults& defaults) {
  std::string out;
  for (const auto& [family, d] : defaults) {
    Json decisions = Json::object();
    for (const auto& [name, values] : d.decisions) decisions[name] = values;
    const double gain = std::round(d.gain * 1000) / 1000;
    out += Json{{"family", family}, {"decisions", decisions}, {"gain", gain}, {"kernels", d.kernels}}.dump() + "\n";
  }
  return out;
}

const FamilyDefaults& shipped_defaults(const std::string& isa) {
  static const std::map<std::string, FamilyDefaults> shipped = [] {
    std::map<std::string, FamilyDefaults> all;
    for (const auto& [name, text] :
         {std::pair("x86_64-avx512vnni", kAvx512VnniDefaults), {"x86_64-avx2", kAvx2Defaults}}) {
      auto parsed = parse_defaults(text, name);
      MLC_CHECK(parsed, "{}", parsed.error().message);  // a test reads them too
      all[name] = std::move(*parsed);
    }
    return all;
  }();
  static const FamilyDefaults none;
  const auto it = shipped.find(isa);
  return it == shipped.end() ? none : it->second;
}

FamilyDefaults generalize(const TuningDatabase& db, const std::string& isa) {
  std::map<std::string, std::map<std::string, std::pair<Decisions, Gains>>> families;
  std::map<std::string, size_t> kernels;
  for (const auto& [key, record] : db.records()) {
    if (record.isa != isa) continue;
    ++kernels[record.family];
    for (const Measured& m : record.tried) {
      auto& [decisions, gains] = families[record.family][schedule::print(m.decisions)];
      decisions = m.decisions;
      gains.log_sum += std::log(record.by_hand_seconds / m.seconds);
      ++gains.kernels;
    }
  }
  FamilyDefaults out;
  for (const auto& [family, candidates] : families) {
    for (const auto& [text, candidate] : candidates) {
      const auto& [decisions, gains] = candidate;
      if (gains.kernels < kernels[family]) continue;
      const double gain = std::exp(gains.log_sum / static_cast<double>(gains.kernels));
      if (gain < kWorthwhile) continue;
      FamilyDefault& best = out[family];
      if (best.kernels == 0 || gain > best.gain) best = {decisions, gain, static_cast<int>(gains.kernels)};
    }
  }
  return out;
}

Decisions decide(const ir::PrimFunc& f, const target::Target& target, const TuningDatabase* db) {
  const auto rule = f.attrs.find("rule");
  if (rule == f.attrs.end() || std::get<std::string>(rule->second) == "explicit") return {};
  const Workload w = workload_of(f);
  if (db != nullptr) {
    if (const TuningRecord* r = db->find(w.hash, target.str())) return r->decisions;
  }
  const FamilyDefaults& shipped = shipped_defaults(isa_of(target));
  const auto it = shipped.find(w.family);
  return it == shipped.end() ? Decisions{} : fitting(f, target, it->second.decisions);
}

}  // namespace mlc::compiler
