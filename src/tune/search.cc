#include "tune/search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "base/log.h"
#include "schedule/rules/rules.h"
#include "tune/features.h"
#include "tune/measure.h"

namespace mlc::tune {
namespace {

using Clock = std::chrono::steady_clock;
using schedule::Decisions;

constexpr size_t kFinalists = 3;
constexpr double kWorthwhile = 1.01;     // less than that is noise: what was chosen by hand stays
constexpr size_t kLeastExperience = 12;  // measurements before the model is asked
constexpr int kPatience = 8;             // generations without a new candidate: the space is exhausted

class Search {
 public:
  Search(const ir::PrimFunc& f, const SearchOptions& o, CostModel* model, Experience& experience)
      : func_(f), o_(o), model_(model), experience_(experience), rng_(o.seed) {}

  Result<SearchResult> run(ThreadPool& pool, const std::function<void(const Point&)>& progress) {
    BenchOptions bench{.rows = o_.rows, .seed = o_.seed, .opt_level = o_.opt_level};
    MLC_TRY(bench_, KernelBench::create(func_, o_.target, bench, pool));
    result_.by_hand = bench_->by_hand().decisions;
    start_from_known();
    while (static_cast<int>(measured_.size()) < o_.trials && (measured_.empty() || elapsed() < o_.seconds)) {
      std::vector<Candidate> batch = next_batch();
      if (batch.empty()) break;
      measure(std::move(batch));
      const Point point{elapsed(), static_cast<int>(measured_.size()), best_gain()};
      result_.history.push_back(point);
      if (progress) progress(point);
    }
    finish();
    return std::move(result_);
  }

 private:
  struct Known {
    Candidate candidate;
    double gain = 1;
  };

  double elapsed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }
  double random() { return std::uniform_real_distribution<double>(0, 1)(rng_); }
  double best_gain() const {
    double gain = 1;
    for (const Known& k : measured_) gain = std::max(gain, k.gain);
    return gain;
  }

  // What a database knows to be fast is tried first: it may have been measured with another compiler.
  void start_from_known() {
    std::vector<compiler::Measured> known = o_.known;
    std::sort(known.begin(), known.end(), [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
    for (size_t i = 0; i < known.size() && i < static_cast<size_t>(o_.batch); ++i) first_.push_back(known[i].decisions);
    seen_.insert(schedule::print(result_.by_hand));
  }

  // A child of one of the fastest, or a random schedule.
  Decisions child() {
    if (random() < o_.random_share) return schedule::sample(bench_->by_hand().trace, rng_);
    std::vector<const Known*> parents;
    parents.reserve(measured_.size());
    for (const Known& k : measured_) parents.push_back(&k);
    std::sort(parents.begin(), parents.end(), [](const Known* a, const Known* b) { return a->gain > b->gain; });
    if (parents.size() > static_cast<size_t>(o_.population)) parents.resize(static_cast<size_t>(o_.population));
    // The schedule by hand is a parent too. The faster a parent, the more children it has.
    const auto pick = static_cast<size_t>(static_cast<double>(parents.size() + 1) * random() * random());
    const Candidate& parent = pick == parents.size() ? bench_->by_hand() : parents[pick]->candidate;
    return schedule::mutate(parent.trace, rng_);
  }

  // Decisions that were neither measured nor refused yet.
  std::vector<Decisions> generation() {
    std::vector<Decisions> out;
    std::set<std::string> fresh;
    auto offer = [&](const Decisions& d) {
      const std::string text = schedule::print(d);
      if (seen_.count(text) == 0 && fresh.insert(text).second) out.push_back(d);
    };
    for (const Decisions& d : first_) offer(d);
    first_.clear();
    for (int tries = 0; out.empty() && tries < kPatience; ++tries) {
      for (int i = 0; i < o_.population; ++i) offer(child());
    }
    std::shuffle(out.begin(), out.end(), rng_);
    return out;
  }

  // In the order in which they are to be measured.
  std::vector<Decisions> ranked(std::vector<Decisions> candidates) {
    if (model_ == nullptr || experience_.values.size() < kLeastExperience || candidates.size() < 2) return candidates;
    std::vector<std::vector<float>> features;
    features.reserve(candidates.size());
    for (const Decisions& d : candidates) {
      auto s = schedule::schedule_func(func_, o_.target, d);
      features.push_back(s ? features_of(s->func(), o_.rows) : std::vector<float>(kNumFeatures, 0));
    }
    auto learned = model_->fit(experience_.features, experience_.values);
    auto guesses = learned ? model_->predict(features) : Result<std::vector<float>>(learned.error());
    if (!guesses) {
      log::warn("the cost model failed ({}); the search goes on without it", guesses.error().message);
      model_ = nullptr;
      return candidates;
    }
    std::vector<size_t> order(candidates.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return (*guesses)[a] > (*guesses)[b]; });
    // Now and then one from further down, so that the model also learns where it is wrong.
    std::vector<Decisions> out;
    out.reserve(order.size());
    while (!order.empty()) {
      const size_t at = random() < o_.random_share ? rng_() % order.size() : 0;
      out.push_back(candidates[order[at]]);
      order.erase(order.begin() + static_cast<std::ptrdiff_t>(at));
    }
    return out;
  }

  std::vector<Candidate> next_batch() {
    std::vector<Candidate> batch;
    const size_t wanted = std::min(static_cast<size_t>(o_.batch), static_cast<size_t>(o_.trials) - measured_.size());
    while (batch.size() < wanted) {
      const std::vector<Decisions> candidates = ranked(generation());
      if (candidates.empty()) break;
      for (const Decisions& d : candidates) {
        if (batch.size() == wanted) break;
        seen_.insert(schedule::print(d));
        auto compiled = bench_->compile(d);
        if (!compiled) {
          ++result_.refused;
        } else if (!bench_->same_bits(*compiled)) {
          result_.other_bits.push_back(d);
        } else {
          batch.push_back(std::move(*compiled));
        }
        if (!batch.empty() && !measured_.empty() && elapsed() > o_.seconds) return batch;
      }
    }
    return batch;
  }

  void measure(std::vector<Candidate> batch) {
    std::vector<const Candidate*> pointers;
    pointers.reserve(batch.size());
    for (const Candidate& c : batch) pointers.push_back(&c);
    const std::vector<double> seconds = bench_->measure(pointers, o_.rounds);
    for (size_t i = 0; i < batch.size(); ++i) {
      const double gain = seconds[0] / seconds[i + 1];
      experience_.features.push_back(features_of(batch[i].scheduled, o_.rows));
      experience_.values.push_back(static_cast<float>(std::log(gain)));
      measured_.push_back({std::move(batch[i]), gain});
    }
  }

  // The best of many noisy numbers is too good: they compete again, with more rounds.
  void finish() {
    std::vector<const Known*> finalists;
    finalists.reserve(measured_.size());
    for (const Known& k : measured_) finalists.push_back(&k);
    std::sort(finalists.begin(), finalists.end(), [](const Known* a, const Known* b) { return a->gain > b->gain; });
    if (finalists.size() > kFinalists) finalists.resize(kFinalists);
    std::vector<const Candidate*> candidates;
    candidates.reserve(finalists.size());
    for (const Known* k : finalists) candidates.push_back(&k->candidate);
    const std::vector<double> seconds = bench_->measure(candidates, 3 * o_.rounds);
    result_.by_hand_seconds = result_.best_seconds = seconds[0];
    result_.best = result_.by_hand;
    for (size_t i = 0; i < finalists.size(); ++i) {
      if (seconds[i + 1] * kWorthwhile >= seconds[0] || seconds[i + 1] >= result_.best_seconds) continue;
      result_.best_seconds = seconds[i + 1];
      result_.best = finalists[i]->candidate.decisions;
    }
    result_.tried.push_back({result_.by_hand, seconds[0]});
    for (const Known& k : measured_) {
      const auto at = std::find(finalists.begin(), finalists.end(), &k);
      const double s =
          at != finalists.end() ? seconds[static_cast<size_t>(at - finalists.begin()) + 1] : seconds[0] / k.gain;
      result_.tried.push_back({k.candidate.decisions, s});
    }
  }

  const ir::PrimFunc& func_;
  const SearchOptions& o_;
  CostModel* model_;
  Experience& experience_;
  std::mt19937_64 rng_;
  const Clock::time_point start_ = Clock::now();
  std::unique_ptr<KernelBench> bench_;
  std::vector<Known> measured_;
  std::set<std::string> seen_;
  std::vector<Decisions> first_;  // from a database
  SearchResult result_;
};

}  // namespace

int64_t space_size(const ir::PrimFunc& f, const target::Target& target) {
  auto by_hand = schedule::schedule_func(f, target);
  if (!by_hand) return 0;
  int64_t size = 1;
  for (const schedule::RandomVariable& v : schedule::random_variables(by_hand->trace())) {
    size *= static_cast<int64_t>(v.values.size());
  }
  return size;
}

Result<SearchResult> search(const ir::PrimFunc& f, const SearchOptions& options, ThreadPool& pool, CostModel* model,
                            Experience& experience, const std::function<void(const Point&)>& progress) {
  return Search(f, options, model, experience).run(pool, progress);
}

}  // namespace mlc::tune
