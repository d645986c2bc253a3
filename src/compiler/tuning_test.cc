// The tuning database, shipped defaults, and what the compiler takes from them.
#include <gtest/gtest.h>

#include "base/file.h"
#include "compiler/compile.h"
#include "compiler/tuning/defaults.h"
#include "compiler/tuning/embedded.h"
#include "compiler/tuning/workload.h"
#include "ir/text.h"
#include "model/presets.h"
#include "schedule/rules/rules.h"

namespace mlc::compiler {
namespace {

using schedule::Decisions;

TuningRecord record(const std::string& workload, const std::string& target, int64_t blocks, double seconds) {
  TuningRecord r;
  r.workload = workload, r.target = target, r.kernel = "k1", r.family = "matmul dot i32 r8";
  r.isa = "x86_64-avx512vnni", r.build = "b", r.layout = "l";
  r.rows = 8, r.threads = 2;
  r.decisions = {{"column_blocks", {blocks}}};
  r.seconds = seconds, r.by_hand_seconds = 2e-3;
  r.tried = {{r.decisions, seconds}, {{{"column_blocks", {16}}}, 3e-3}};
  return r;
}

model::ModelConfig small_config() {
  auto config = model::preset_config("llama-3.2-1b");
  EXPECT_TRUE(config);
  config->num_layers = 1;
  config->vocab_size = 256;
  return *config;
}

CompileOptions options() {
  CompileOptions o;
  o.target = *target::Target::parse("cpu -mtriple=x86_64-linux-gnu -mcpu=x86-64-v4 -mattr=+avx512vnni");
  o.context_window_size = 512;
  return o;
}

TEST(TuningDatabase, TextReadsBack) {
  TuningDatabase db;
  db.add(record("w1", "t", 4, 1e-3));
  db.add(record("w2", "t", 2, 1.5e-3));
  auto again = TuningDatabase::parse(db.text(), "text");
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->text(), db.text());
  ASSERT_NE(again->find("w1", "t"), nullptr);
  EXPECT_EQ(again->find("w1", "t")->decisions, (Decisions{{"column_blocks", {4}}}));
  EXPECT_EQ(again->find("w1", "t")->seconds, 1e-3);
  EXPECT_EQ(again->find("w1", "t")->tried.size(), 2u);
  EXPECT_EQ(again->find("w1", "other"), nullptr);
  EXPECT_EQ(TuningDatabase::parse("\n \n", "text")->records().size(), 0u);
}

TEST(TuningDatabase, TheFasterRecordStaysAndKnowsWhatBothTried) {
  for (bool swapped : {false, true}) {
    TuningDatabase a, b;
    a.add(record("w1", "t", swapped ? 2 : 4, swapped ? 2e-3 : 1e-3));
    b.add(record("w1", "t", swapped ? 4 : 2, swapped ? 1e-3 : 2e-3));
    b.add(record("w2", "t", 1, 1e-3));
    a.merge(b);
    ASSERT_EQ(a.records().size(), 2u);
    EXPECT_EQ(a.find("w1", "t")->decisions, (Decisions{{"column_blocks", {4}}}));
    EXPECT_EQ(a.find("w1", "t")->tried.size(), 3u);
  }
}

TEST(TuningDatabase, TheDigestIsOfDecisionsForATarget) {
  TuningDatabase a, b;
  EXPECT_EQ(a.digest("t"), "");
  a.add(record("w1", "t", 4, 1e-3));
  b.add(record("w1", "t", 4, 9e-4));
  b.add(record("w1", "elsewhere", 2, 9e-4));
  EXPECT_EQ(a.digest("t"), b.digest("t"));
  EXPECT_EQ(a.digest("elsewhere"), "");
  b.add(record("w1", "t", 8, 8e-4));
  EXPECT_NE(a.digest("t"), b.digest("t"));
}

TEST(TuningDatabase, WrongLinesAreNamed) {
  TuningDatabase db;
  db.add(record("w1", "t", 4, 1e-3));
  const std::string good = db.text();
  auto with = [&](const std::string& from, const std::string& to) {
    std::string s = good;
    const size_t at = s.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return s.replace(at, from.size(), to);
  };
  const std::pair<std::string, const char*> cases[] = {
      {"{", "no JSON object"},
      {"[1]", "no JSON object"},
      {"{}", "\"workload\" is missing"},
      {with("\"workload\":\"w1\"", "\"workload\":5"), "\"workload\" is missing or no string"},
      {with("\"rows\":8", "\"rows\":-8"), "\"rows\" is missing or no count"},
      {with("\"seconds\":0.001", "\"seconds\":0"), "0 is no time"},
      {with("\"seconds\":0.001", "\"seconds\":\"fast\""), "is no time"},
      {with("\"decisions\":{\"column_blocks\":[4]}", "\"decisions\":[4]"), "are no decisions"},
      {with("\"decisions\":{\"column_blocks\":[4]}", "\"decisions\":{\"column_blocks\":[4.5]}"), "no list of numbers"},
      {with("\"tried\":[[", "\"tried\":[5,["), "expected [decisions, seconds]"},
  };
  for (const auto& [text, says] : cases) {
    auto r = TuningDatabase::parse(good + text, "db");
    ASSERT_FALSE(r) << text;
    EXPECT_NE(r.error().message.find(says), std::string::npos) << r.error().message;
    EXPECT_NE(r.error().message.find("db, line 2"), std::string::npos) << r.error().message;
    std::vector<std::string> problems;
    auto lenient = TuningDatabase::parse(good + text, "db", &problems);
    ASSERT_TRUE(lenient);
    EXPECT_EQ(lenient->records().size(), 1u);
    EXPECT_EQ(problems.size(), 1u);
  }
  EXPECT_EQ(TuningDatabase::load("/nowhere/db").error().code, ErrorCode::kNotFound);
}

TEST(Workload, IsTheSameInEveryModelAndDiffersWithTheKernel) {
  auto one = model_kernels(small_config(), "q4f16_1", options());
  ASSERT_TRUE(one) << one.error().message;
  auto config = small_config();
  config.vocab_size = 512;  // another output projection and embedding, the rest the same
  auto two = model_kernels(config, "q4f16_1", options());
  ASSERT_TRUE(two);
  std::set<std::string> hashes, others;
  size_t matmuls = 0;
  for (const ir::PrimFunc& f : one->module.functions) {
    hashes.insert(workload_of(f).hash);
    matmuls += workload_of(f).family.rfind("matmul dot", 0) == 0;
  }
  EXPECT_GT(matmuls, 8u);
  EXPECT_GE(hashes.size() + 1, one->module.functions.size());
  for (const ir::PrimFunc& f : two->module.functions) others.insert(workload_of(f).hash);
  size_t shared = 0;
  for (const std::string& h : hashes) shared += others.count(h);
  EXPECT_LT(shared, hashes.size());
  EXPECT_GE(shared, hashes.size() - 8);
}

TEST(Decide, TheDatabaseComesFirstThenTheShippedDefaultsThenTheRule) {
  const CompileOptions o = options();
  auto kernels = model_kernels(small_config(), "q4f16_1", o);
  ASSERT_TRUE(kernels) << kernels.error().message;
  for (const ir::PrimFunc& f : kernels->module.functions) {
    const Workload w = workload_of(f);
    const Decisions shipped = decide(f, o.target, nullptr);
    const auto& defaults = shipped_defaults(isa_of(o.target));
    if (!shipped.empty()) {
      ASSERT_EQ(defaults.count(w.family), 1u);
      EXPECT_EQ(shipped, defaults.at(w.family).decisions);
    }
    EXPECT_TRUE(schedule::schedule_func(f, o.target, shipped)) << f.name;  // what ships always fits
    if (std::get<std::string>(f.attrs.at("rule")) != "matmul") continue;
    TuningDatabase db;
    TuningRecord r = record(w.hash, o.target.str(), 2, 1e-3);
    db.add(r);
    EXPECT_EQ(decide(f, o.target, &db), r.decisions);
    const target::Target other = *target::Target::parse("aarch64-linux-gnu");
    EXPECT_EQ(decide(f, other, &db), Decisions{});
  }
}

// The tile of the reduction loop is a random variable of every matmul; records and defaults name its inner part, so
// that one default serves kernels of many sizes, and files written when it was a plain number mean the same.
TEST(Decide, ATileOfTheReductionLoop) {
  const CompileOptions o = options();
  for (const char* scheme : {"q4f16_1", "q0bf16", "q0f32"}) {
    auto kernels = model_kernels(small_config(), scheme, o);
    ASSERT_TRUE(kernels) << kernels.error().message;
    int matmuls = 0;
    for (const ir::PrimFunc& f : kernels->module.functions) {
      if (std::get<std::string>(f.attrs.at("rule")) != "matmul") continue;
      ++matmuls;
      auto s = schedule::schedule_func(f, o.target, {{"steps_per_trip", {2}}});
      ASSERT_TRUE(s) << f.name << ": " << s.error().message;
      const std::string trace = schedule::print(s->trace());
      EXPECT_NE(trace.find("= sample_perfect_tile(\"steps_per_trip\", "), std::string::npos) << trace;
      EXPECT_EQ(schedule::decisions_of(s->trace()).at("steps_per_trip"), std::vector<int64_t>{2});
      auto again = schedule::replay(f, *schedule::parse_trace(trace));
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_TRUE(ir::structural_equal(again->func(), s->func())) << f.name;
      EXPECT_FALSE(schedule::schedule_func(f, o.target, {{"steps_per_trip", {5}}})) << "larger than allowed";
    }
    EXPECT_GT(matmuls, 4) << scheme;
  }
}

TEST(Decide, ARecordThatDoesNotFitIsLeftAside) {
  CompileOptions o = options();
  auto kernels = model_kernels(small_config(), "q4f16_1", o);
  ASSERT_TRUE(kernels);
  auto db = std::make_shared<TuningDatabase>();
  for (const ir::PrimFunc& f : kernels->module.functions) db->add(record(workload_of(f).hash, o.target.str(), 7, 1e-3));
  const auto decided = [&](const ir::PrimFunc& f) { return decide(f, o.target, db.get()); };
  auto tuned = schedule::schedule_all(kernels->module, o.target, decided);
  ASSERT_TRUE(tuned) << tuned.error().message;
  auto by_hand = schedule::schedule_all(kernels->module, o.target);
  ASSERT_TRUE(by_hand);
  EXPECT_TRUE(ir::structural_equal(by_hand->functions[0], tuned->functions[0]));
}

TEST(Decide, TheCacheKeyHoldsWhatIsDecided) {
  CompileOptions o = options();
  const std::string plain = compile_key(small_config(), "q4f16_1", o);
  auto db = std::make_shared<TuningDatabase>();
  db->add(record("w1", "another target", 4, 1e-3));
  o.tuning = db;
  EXPECT_EQ(compile_key(small_config(), "q4f16_1", o), plain);
  db->add(record("w1", o.target.str(), 4, 1e-3));
  EXPECT_NE(compile_key(small_config(), "q4f16_1", o), plain);
}

TEST(Defaults, ShippedFilesReadBack) {
  for (std::string_view text : {kAvx512VnniDefaults, kAvx2Defaults}) {
    auto parsed = parse_defaults(text, "shipped");
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(defaults_text(*parsed), text);
    for (const auto& [family, d] : *parsed) EXPECT_GE(d.gain, 1.02) << family;
  }
  EXPECT_TRUE(shipped_defaults("aarch64-i8mm").empty());  // nothing was measured there
  for (const char* wrong : {"{", "{}", "[]", R"({"family":"f","decisions":{"a":1},"gain":1,"kernels":1})",
                            R"({"family":"f","decisions":{"a":["x"]},"gain":1,"kernels":1})"}) {
    auto r = parse_defaults(wrong, "file");
    ASSERT_FALSE(r) << wrong;
    EXPECT_NE(r.error().message.find("file, line 1"), std::string::npos);
  }
}

TEST(Defaults, AFamilyTakesWhatIsBestForAllItsKernels) {
  auto made = [](const std::string& workload, std::map<int64_t, double> seconds) {
    TuningRecord r = record(workload, "t", 4, 1e-3);
    r.tried.clear();
    for (const auto& [blocks, s] : seconds) r.tried.push_back({{{"column_blocks", {blocks}}}, s});
    return r;
  };
  TuningDatabase db;
  db.add(made("w1", {{1, 1e-3}, {2, 1.5e-3}, {4, 2e-3}}));  // by hand: 2 ms
  db.add(made("w2", {{2, 1e-3}, {4, 2e-3}}));
  FamilyDefaults d = generalize(db, "x86_64-avx512vnni");
  ASSERT_EQ(d.size(), 1u);
  const FamilyDefault& f = d.at("matmul dot i32 r8");
  EXPECT_EQ(f.decisions, (Decisions{{"column_blocks", {2}}}));  // 1 was not tried for w2
  EXPECT_NEAR(f.gain, std::sqrt(2.0 / 1.5 * 2.0), 1e-9);
  EXPECT_EQ(f.kernels, 2);
  EXPECT_TRUE(generalize(db, "x86_64-avx2").empty());
  TuningDatabase even;
  even.add(made("w1", {{4, 1.99e-3}}));
  EXPECT_TRUE(generalize(even, "x86_64-avx512vnni").empty());  // less than 2 %
}

}  // namespace
}  // namespace mlc::compiler
