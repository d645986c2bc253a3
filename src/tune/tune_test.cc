// The tuner on small kernels: what it measures, what it refuses, what it learns, what it keeps.
#include "tune/tune.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "ir/text.h"
#include "model/presets.h"
#include "schedule/rules/rules.h"
#include "tune/features.h"
#include "tune/measure.h"
#include "tune/plot.h"

namespace mlc::tune {
namespace {

using schedule::Decisions;

target::Target host() { return target::Target::host(); }

compiler::ModelKernels small_kernels(const std::string& scheme = "q4f16_1") {
  auto config = model::preset_config("llama-3.2-1b");
  EXPECT_TRUE(config);
  config->num_layers = 1;
  config->vocab_size = 512;
  config->hidden_size = 256;
  config->intermediate_size = 512;
  config->num_heads = 4, config->num_kv_heads = 2, config->head_dim = 64;
  compiler::CompileOptions o;
  o.target = host();
  o.context_window_size = 256;
  auto kernels = compiler::model_kernels(*config, scheme, o);
  EXPECT_TRUE(kernels) << kernels.error().message;
  return *kernels;
}

// The largest tile of rows: smaller where vectors have 256 bits.
int64_t largest_tile(const compiler::ModelKernels& kernels) {
  int64_t largest = 0;
  for (const ir::PrimFunc& f : kernels.module.functions) {
    if (const auto rows = f.attrs.find("row_tile"); rows != f.attrs.end()) {
      largest = std::max(largest, std::get<int64_t>(rows->second));
    }
  }
  return largest;
}

// A matmul on tiles of `tile` rows.
const ir::PrimFunc& matmul(const compiler::ModelKernels& kernels, int64_t tile) {
  for (const ir::PrimFunc& f : kernels.module.functions) {
    const auto rule = f.attrs.find("rule"), rows = f.attrs.find("row_tile");
    if (rule == f.attrs.end() || rows == f.attrs.end()) continue;
    if (std::get<std::string>(rule->second) == "matmul" && std::get<int64_t>(rows->second) == tile) return f;
  }
  ADD_FAILURE() << "no matmul";
  return kernels.module.functions[0];
}

BenchOptions quick(int64_t rows) { return {.rows = rows, .cold_bytes = 1 << 20, .round_s = 1e-5}; }

float feature(const std::vector<float>& x, std::string_view name) {
  const auto at = std::find(kFeatureNames.begin(), kFeatureNames.end(), name);
  EXPECT_NE(at, kFeatureNames.end()) << name;
  return x.at(static_cast<size_t>(at - kFeatureNames.begin()));
}

TEST(Features, CountWhatAScheduledFunctionDoes) {
  auto f = ir::parse_func(R"(
func f<M>(A: f32[M, 32], B: f32[M, 32]) {
  alloc T: f32[4] local {
    for m in 0 +: M parallel attrs {prefetch_A = 3} {
      for n in 0 +: 8 {
        for i in 0 +: 4 unrolled {
          T[i] = A[m, n * 4 + i] * 2f32
        }
        for j in 0 +: 4 vectorized {
          B[m, n * 4 + j] = T[j] + 1f32
        }
      }
    }
  }
})");
  ASSERT_TRUE(f) << f.error().message;
  const std::vector<float> x = features_of(*f, 10);
  ASSERT_EQ(x.size(), kNumFeatures);
  EXPECT_FLOAT_EQ(feature(x, "rows"), std::log2(11.0F));
  EXPECT_FLOAT_EQ(feature(x, "parallel_extent"), std::log2(11.0F));
  EXPECT_FLOAT_EQ(feature(x, "vector_lanes"), std::log2(5.0F));
  EXPECT_FLOAT_EQ(feature(x, "unrolled_copies"), std::log2(5.0F));
  EXPECT_FLOAT_EQ(feature(x, "code_stores"), std::log2(6.0F));
  EXPECT_FLOAT_EQ(feature(x, "serial_iterations"), std::log2(9.0F));
  EXPECT_FLOAT_EQ(feature(x, "float_operations"), std::log2(641.0F));
  EXPECT_FLOAT_EQ(feature(x, "stores"), std::log2(641.0F));
  EXPECT_FLOAT_EQ(feature(x, "bytes_from_memory"), std::log2(1281.0F));
  EXPECT_FLOAT_EQ(feature(x, "parameter_bytes"), std::log2(1281.0F));
  EXPECT_FLOAT_EQ(feature(x, "operations_per_byte"), 0.5F);
  EXPECT_FLOAT_EQ(feature(x, "prefetch_outer"), 2.0F);
  EXPECT_FLOAT_EQ(feature(x, "prefetch_inner"), 0.0F);
}

TEST(Features, TellSchedulesApart) {
  const auto kernels = small_kernels();
  const ir::PrimFunc& f = matmul(kernels, 1);
  auto one = schedule::schedule_func(f, host(), {{"column_blocks", {1}}});
  auto two = schedule::schedule_func(f, host(), {{"column_blocks", {2}}});
  auto ahead = schedule::schedule_func(f, host(), {{"column_blocks", {1}}, {"prefetch_blocks", {2}}});
  ASSERT_TRUE(one && two && ahead);
  const auto x = features_of(one->func(), 1), y = features_of(two->func(), 1), z = features_of(ahead->func(), 1);
  EXPECT_GT(feature(x, "parallel_extent"), feature(y, "parallel_extent"));
  EXPECT_LT(feature(x, "local_bytes"), feature(y, "local_bytes"));
  EXPECT_EQ(feature(x, "dot_operations"), feature(y, "dot_operations"));
  EXPECT_LT(feature(x, "prefetch_outer"), feature(z, "prefetch_outer"));
}

TEST(CostModel, LearnsWhichIsLarger) {
  auto model = load_xgboost();
  if (!model) {
    EXPECT_NE(model.error().message.find("libxgboost0"), std::string::npos) << model.error().message;
    GTEST_SKIP() << model.error().message;
  }
  std::vector<std::vector<float>> x;
  std::vector<float> y;
  for (int i = 0; i < 64; ++i) {
    x.push_back({static_cast<float>(i % 8), static_cast<float>(i / 8)});
    y.push_back(static_cast<float>(i % 8) - 2 * std::abs(static_cast<float>(i / 8) - 3));
  }
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE((*model)->fit(x, y));
    auto guess = (*model)->predict({{7, 3}, {0, 3}, {7, 7}, {0, 0}});
    ASSERT_TRUE(guess) << guess.error().message;
    ASSERT_EQ(guess->size(), 4u);
    EXPECT_NEAR((*guess)[0], 7, 1);
    EXPECT_GT((*guess)[0], (*guess)[1]);
    EXPECT_GT((*guess)[1], (*guess)[3]);
    EXPECT_GT((*guess)[0], (*guess)[2]);
  }
  EXPECT_TRUE((*model)->predict({})->empty());
}

TEST(CostModel, AMissingLibraryIsAnErrorThatNamesIt) {
  auto none = load_xgboost("libnot_there.so.7");
  ASSERT_FALSE(none);
  EXPECT_NE(none.error().message.find("libnot_there.so.7 is not installed"), std::string::npos);
  auto other = load_xgboost("libc.so.6");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("has not the functions"), std::string::npos);
}

std::atomic<int> calls = 0;
extern "C" void only_count(void* const*, const int64_t*, int32_t, int32_t) { ++calls; }

TEST(KernelBench, ComparesBitsAndMeasures) {
  const auto kernels = small_kernels();
  ThreadPool pool(2);
  for (const int64_t tile : {int64_t{1}, int64_t{4}, largest_tile(kernels)}) {
    const ir::PrimFunc& f = matmul(kernels, tile);
    auto bench = KernelBench::create(f, host(), quick(tile), pool);
    ASSERT_TRUE(bench) << bench.error().message;
    EXPECT_TRUE((*bench)->same_bits((*bench)->by_hand()));
    auto other = (*bench)->compile({{"column_blocks", {2}}});
    ASSERT_TRUE(other) << other.error().message;
    EXPECT_EQ(other->decisions.at("column_blocks"), std::vector<int64_t>{2});
    EXPECT_GT(other->decisions.size(), 1u);  // of all variables
    EXPECT_TRUE((*bench)->same_bits(*other));
    Candidate wrong = *other;
    wrong.fn = only_count;
    EXPECT_FALSE((*bench)->same_bits(wrong));
    EXPECT_TRUE((*bench)->same_bits(*other));
    calls = 0;
    const std::vector<double> seconds = (*bench)->measure({&*other, &wrong}, 3);
    EXPECT_GE(calls.load(), 3) << "each candidate runs in each round";
    ASSERT_EQ(seconds.size(), 3u);
    for (double s : seconds) EXPECT_GT(s, 0);
    EXPECT_FALSE((*bench)->compile({{"column_blocks", {7}}}));
    EXPECT_FALSE((*bench)->compile({{"colour", {7}}}));
  }
}

// Every decision of every rule gives the same bits, on all kernels of a small model.
TEST(KernelBench, AllSchedulesGiveTheSameBits) {
  ThreadPool pool(2);
  std::mt19937_64 rng(7);
  size_t checked = 0;
  for (const char* scheme : {"q4f16_1", "q0f32"}) {
    const auto kernels = small_kernels(scheme);
    for (const ir::PrimFunc& f : kernels.module.functions) {
      if (space_size(f, host()) < 2) continue;
      const int64_t rows = std::get<int64_t>(f.attrs.at("row_tile"));
      auto bench = KernelBench::create(f, host(), quick(rows == 8 ? 19 : rows), pool);
      ASSERT_TRUE(bench) << f.name << ": " << bench.error().message;
      auto by_hand = schedule::schedule_func(f, host());
      ASSERT_TRUE(by_hand);
      for (int i = 0; i < 3; ++i) {
        const Decisions d = schedule::sample(by_hand->trace(), rng);
        auto c = (*bench)->compile(d);
        ASSERT_TRUE(c) << f.name << " " << schedule::print(d) << ": " << c.error().message;
        EXPECT_TRUE((*bench)->same_bits(*c)) << f.name << " " << schedule::print(d);
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 30u);
}

float liking(const std::vector<float>& x) { return feature(x, "prefetch_outer") + feature(x, "prefetch_inner"); }

// Prefers what asks for weights ahead; remembers what it is asked.
struct FakeModel : CostModel {
  explicit FakeModel(bool fails) : broken(fails) {}
  Result<void> fit(const std::vector<std::vector<float>>& x, const std::vector<float>& y) override {
    EXPECT_EQ(x.size(), y.size());
    EXPECT_GE(y.size(), learned);
    learned = y.size();
    if (broken) return error("out of trees");
    return {};
  }
  Result<std::vector<float>> predict(const std::vector<std::vector<float>>& x) const override {
    std::vector<float> out;
    for (const auto& row : x) out.push_back(liking(row));
    offered.insert(offered.end(), out.begin(), out.end());
    return out;
  }
  bool broken;
  size_t learned = 0;
  mutable std::vector<float> offered;  // likings since the last batch
};

SearchOptions search_options(int trials) {
  SearchOptions o;
  o.target = host();
  o.trials = trials;
  o.batch = 4;
  o.rounds = 3;
  o.opt_level = 1;
  return o;
}

void check_result(const ir::PrimFunc& f, const SearchResult& r, int trials) {
  EXPECT_LE(r.tried.size(), static_cast<size_t>(trials) + 1);  // and the one by hand
  EXPECT_GE(r.gain(), 1);
  EXPECT_EQ(r.tried[0].decisions, r.by_hand);
  EXPECT_TRUE(r.other_bits.empty());
  EXPECT_EQ(r.refused, 0);
  std::set<std::string> different;
  bool best_tried = false;
  for (const compiler::Measured& m : r.tried) {
    different.insert(schedule::print(m.decisions));
    best_tried |= m.decisions == r.best;
    EXPECT_GT(m.seconds, 0);
    EXPECT_TRUE(schedule::schedule_func(f, host(), m.decisions));
  }
  EXPECT_TRUE(best_tried);
  EXPECT_EQ(different.size(), r.tried.size()) << "a schedule was measured twice";
  for (size_t i = 1; i < r.history.size(); ++i) {
    EXPECT_GE(r.history[i].gain, r.history[i - 1].gain);
    EXPECT_GT(r.history[i].measured, r.history[i - 1].measured);
  }
}

TEST(Search, KeepsToItsTrials) {
  const auto kernels = small_kernels();
  const ir::PrimFunc& f = matmul(kernels, 1);
  ThreadPool pool(1);
  Experience experience;
  auto r = search(f, search_options(6), pool, nullptr, experience, {});
  ASSERT_TRUE(r) << r.error().message;
  check_result(f, *r, 6);
  EXPECT_EQ(r->tried.size(), 7u);
  EXPECT_EQ(r->history.size(), 2u);
  EXPECT_EQ(experience.values.size(), 6u);
  EXPECT_EQ(experience.features[0].size(), kNumFeatures);
}

TEST(Search, EndsWhenTheSpaceIsExhausted) {
  const auto kernels = small_kernels();
  ThreadPool pool(1);
  for (const ir::PrimFunc& f : kernels.module.functions) {
    const int64_t size = space_size(f, host());
    if (size < 2 || size > 8) continue;
    Experience experience;
    auto r = search(f, search_options(1000), pool, nullptr, experience, {});
    ASSERT_TRUE(r) << r.error().message;
    check_result(f, *r, 1000);
    EXPECT_EQ(r->tried.size(), static_cast<size_t>(size));
    return;
  }
  FAIL() << "no kernel has a small space";
}

TEST(Search, EndsWhenTheTimeIsUsedUp) {
  const auto kernels = small_kernels();
  ThreadPool pool(1);
  Experience experience;
  SearchOptions o = search_options(1000);
  o.seconds = 0;
  auto r = search(matmul(kernels, 4), o, pool, nullptr, experience, {});
  ASSERT_TRUE(r);
  EXPECT_EQ(r->history.size(), 1u);  // one batch, so that there is something to say
}

TEST(Search, TheModelDecidesWhatIsMeasuredAndMayFail) {
  const auto kernels = small_kernels();
  const ir::PrimFunc& f = matmul(kernels, 1);
  ThreadPool pool(1);
  for (bool broken : {false, true}) {
    FakeModel model(broken);
    Experience experience;
    SearchOptions options = search_options(24);
    options.random_share = 0;  // the model alone decides
    size_t batches = 0, ranked = 0, seen = 0;
    auto r = search(f, options, pool, &model, experience, [&](const Point&) {
      ++batches;
      if (!model.offered.empty()) {
        ++ranked;
        float best = 0;
        for (size_t i = seen; i < experience.features.size(); ++i)
          best = std::max(best, liking(experience.features[i]));
        EXPECT_EQ(best, *std::max_element(model.offered.begin(), model.offered.end()));
      }
      seen = experience.features.size();
      model.offered.clear();
    });
    ASSERT_TRUE(r);
    check_result(f, *r, 24);
    EXPECT_EQ(batches, r->history.size());
    EXPECT_GE(model.learned, 12u);
    EXPECT_EQ(ranked, broken ? 0u : batches - 3);  // it is asked from the 12th measurement on
  }
}

TEST(Tune, RecordsWhatTheCompilerFinds) {
  const auto kernels = small_kernels();
  auto tasks = select_kernels(kernels, host(), {.pattern = "*_r1"});
  ASSERT_TRUE(tasks) << tasks.error().message;
  tasks->resize(2);
  ThreadPool pool(1);
  compiler::TuningDatabase db;
  size_t finished = 0, progressed = 0;
  TuneHooks hooks;
  hooks.progress = [&](size_t done, size_t all, const std::string&, const Point&) {
    EXPECT_LT(done, all);
    ++progressed;
  };
  hooks.finished = [&](const Report&) -> Result<void> {
    EXPECT_EQ(db.records().size(), ++finished);
    return {};
  };
  TuneOptions o;
  o.target = host();
  o.trials = 3;
  o.opt_level = 1;
  auto reports = tune(*tasks, o, pool, nullptr, db, hooks);
  ASSERT_TRUE(reports) << reports.error().message;
  ASSERT_EQ(reports->size(), 2u);
  EXPECT_EQ(finished, 2u);
  EXPECT_EQ(progressed, 2u);
  for (const Report& r : *reports) {
    const auto* record = db.find(r.task.workload.hash, host().str());
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(record->kernel, r.task.func->name);
    EXPECT_EQ(record->decisions, r.result.best);
    EXPECT_EQ(record->tried.size(), 4u);
    EXPECT_EQ(record->rows, 1);
    EXPECT_EQ(record->threads, 1);
    EXPECT_GT(r.task.calls, 0);
  }
  const std::string svg = best_so_far_svg(*reports);
  EXPECT_EQ(svg.rfind("<svg ", 0), 0u);
  EXPECT_NE(svg.find((*reports)[0].task.func->name), std::string::npos);
  size_t lines = 0;
  for (size_t at = svg.find("<polyline"); at != std::string::npos; at = svg.find("<polyline", at + 1)) ++lines;
  EXPECT_EQ(lines, 2u);
  // A failure to save stops the run.
  hooks.finished = [](const Report&) -> Result<void> { return error("disk full"); };
  auto stopped = tune(*tasks, o, pool, nullptr, db, hooks);
  ASSERT_FALSE(stopped);
  EXPECT_NE(stopped.error().message.find("disk full"), std::string::npos);
}

TEST(Tune, SelectsByNameAndImportance) {
  const auto kernels = small_kernels();
  auto all = select_kernels(kernels, host(), {});
  ASSERT_TRUE(all);
  std::set<std::string> hashes;
  for (const Task& t : *all) {
    EXPECT_TRUE(hashes.insert(t.workload.hash).second);
    EXPECT_GT(space_size(*t.func, host()), 1);
    EXPECT_GT(t.rows, 0);
  }
  for (size_t i = 1; i < all->size(); ++i) EXPECT_LE((*all)[i].importance, (*all)[i - 1].importance);
  auto open = select_kernels(kernels, host(), {.pattern = "*_r" + std::to_string(largest_tile(kernels)), .rows = 33});
  ASSERT_TRUE(open);
  EXPECT_EQ((*open)[0].rows, 33);
  EXPECT_LT(open->size(), all->size());
  auto none = select_kernels(kernels, host(), {.pattern = "nothing*"});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_NE(none.error().message.find((*all)[0].func->name), std::string::npos);
}

}  // namespace
}  // namespace mlc::tune
