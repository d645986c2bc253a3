#include "schedule/sampling.h"

#include <algorithm>
#include <functional>
#include <numeric>

namespace mlc::schedule {

std::string print(const Decisions& d) {
  std::string out;
  for (const auto& [name, values] : d) {
    out += (out.empty() ? "" : " ") + name + "=";
    for (size_t i = 0; i < values.size(); ++i) out += (i ? "," : "") + std::to_string(values[i]);
  }
  return out.empty() ? "by hand" : out;
}

Result<int64_t> choose(Schedule& s, const Decisions& d, const Categorical& variable, int64_t by_hand) {
  MLC_CHECK(decisions_of(s.trace()).count(variable.name) == 0, "{} is chosen twice", variable.name);
  MLC_CHECK(std::find(variable.candidates.begin(), variable.candidates.end(), by_hand) != variable.candidates.end(),
            "{}: {}, chosen by hand, is no candidate", variable.name, by_hand);
  int64_t decision = by_hand;
  if (auto it = d.find(variable.name); it != d.end()) {
    if (it->second.size() != 1)
      return error("{}: {} values are decided, one is needed", variable.name, it->second.size());
    decision = it->second[0];
  }
  const size_t n = variable.candidates.size();
  MLC_TRY(ValueRef v, s.sample_categorical(variable.name, variable.candidates,
                                           std::vector<double>(n, 1.0 / static_cast<double>(n)), decision));
  return s.value(v);
}

namespace {

// The parts of a tile of `extent` whose inner ones are decided. Where they do not divide it, the product differs, which
// sample_perfect_tile refuses.
std::vector<int64_t> whole_tile(int64_t extent, const std::vector<int64_t>& inner) {
  int64_t outermost = extent;
  for (int64_t f : inner) outermost = std::max<int64_t>(1, outermost / std::max<int64_t>(1, f));
  std::vector<int64_t> tile = {outermost};
  tile.insert(tile.end(), inner.begin(), inner.end());
  return tile;
}

}  // namespace

Result<std::vector<int64_t>> choose_tile(Schedule& s, const Decisions& d, const std::string& name, LoopRef loop,
                                         int64_t max_innermost, const std::vector<int64_t>& by_hand) {
  MLC_CHECK(decisions_of(s.trace()).count(name) == 0, "{} is chosen twice", name);
  MLC_CHECK(!by_hand.empty(), "{}: a tile needs two parts", name);
  const auto it = d.find(name);
  const std::vector<int64_t>& inner = it == d.end() ? by_hand : it->second;
  if (inner.size() != by_hand.size()) {
    return error("{}: {} inner parts are decided, {} are needed", name, inner.size(), by_hand.size());
  }
  const ir::For* at = s.find(loop);
  const int64_t* extent = at == nullptr ? nullptr : ir::as_const_int(at->extent);
  if (extent == nullptr) return error("{}: the loop has no constant extent", name);
  std::vector<int64_t> tile = whole_tile(*extent, inner);
  MLC_TRY(auto values, s.sample_perfect_tile(name, loop, max_innermost, tile));
  return tile;
}

namespace {

// Calls f with every sampling instruction.
template <typename T, typename F>
void for_each_sample(T& trace, F&& f) {
  for (auto& step : trace.steps) {
    if (auto* c = std::get_if<SampleCategorical>(&step.instruction)) f(*c);
    if (auto* t = std::get_if<SamplePerfectTile>(&step.instruction)) f(*t);
  }
}

std::vector<int64_t> decision_of(const SampleCategorical& x) { return {x.decision}; }
std::vector<int64_t> inner_parts(const std::vector<int64_t>& tile) { return {tile.begin() + 1, tile.end()}; }
int64_t extent_of(const SamplePerfectTile& x) {
  return std::accumulate(x.decision.begin(), x.decision.end(), int64_t{1}, std::multiplies<>());
}
std::vector<int64_t> decision_of(const SamplePerfectTile& x) { return inner_parts(x.decision); }
void decide(SampleCategorical& x, const std::vector<int64_t>& d) { x.decision = d.at(0); }
void decide(SamplePerfectTile& x, const std::vector<int64_t>& d) { x.decision = whole_tile(extent_of(x), d); }

RandomVariable variable_of(const SampleCategorical& x) {
  RandomVariable v{x.name, {}, x.probabilities};
  for (int64_t c : x.candidates) v.values.push_back({c});
  return v;
}
RandomVariable variable_of(const SamplePerfectTile& x) {
  RandomVariable v{x.name, {}, {}};
  for (const auto& tile : perfect_tiles(extent_of(x), x.decision.size(), x.max_innermost)) {
    v.values.push_back(inner_parts(tile));
  }
  v.probabilities.assign(v.values.size(), 1.0 / static_cast<double>(v.values.size()));
  return v;
}

}  // namespace

Decisions decisions_of(const Trace& trace) {
  Decisions d;
  for_each_sample(trace, [&](const auto& x) { d[x.name] = decision_of(x); });
  return d;
}

Trace with_decisions(const Trace& trace, const Decisions& d) {
  Trace out = trace;
  for_each_sample(out, [&](auto& x) {
    if (auto it = d.find(x.name); it != d.end() && !it->second.empty()) decide(x, it->second);
  });
  return out;
}

std::vector<RandomVariable> random_variables(const Trace& trace) {
  std::vector<RandomVariable> out;
  for_each_sample(trace, [&](const auto& x) { out.push_back(variable_of(x)); });
  return out;
}

Decisions sample(const Trace& trace, std::mt19937_64& rng) {
  Decisions d;
  for (const RandomVariable& v : random_variables(trace)) {
    std::discrete_distribution<size_t> draw(v.probabilities.begin(), v.probabilities.end());
    d[v.name] = v.values[draw(rng)];
  }
  return d;
}

Decisions mutate(const Trace& trace, std::mt19937_64& rng) {
  Decisions d = decisions_of(trace);
  std::vector<RandomVariable> free;
  for (RandomVariable& v : random_variables(trace)) {
    if (v.values.size() > 1) free.push_back(std::move(v));
  }
  if (free.empty()) return d;
  const RandomVariable& v = free[rng() % free.size()];
  std::vector<int64_t>& value = d[v.name];
  const std::vector<int64_t> old = value;
  // Steps over the present value, so that the result is always another one.
  const size_t at = static_cast<size_t>(std::find(v.values.begin(), v.values.end(), old) - v.values.begin());
  const size_t pick = rng() % (v.values.size() - 1);
  value = v.values[pick < at ? pick : pick + 1];
  return d;
}

}  // namespace mlc::schedule
