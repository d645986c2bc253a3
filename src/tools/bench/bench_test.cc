#include <gtest/gtest.h>

#include "base/file.h"
#include "tools/bench/history.h"
#include "tools/bench/html.h"
#include "tools/bench/peer.h"
#include "tools/bench/report.h"
#include "tools/bench/svg.h"
#include "tools/bench/work.h"

namespace mlc::tools::bench {
namespace {

TEST(Median, OddEvenAndOne) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 3, 2}), 2.5);
  EXPECT_EQ(median({7}), 7);
}

Spec demo() {
  Spec s;
  s.flags.model = "demo";
  return s;
}

TEST(Spec, PhasesInOrder) {
  Spec s = demo();
  s.prompt_lengths = {16, 32};
  s.depths = {0, 64};
  s.batches = {1, 8};
  s.generate = 4;
  std::vector<std::string> labels;
  const auto phases = phases_of(s, 512);
  for (const Phase& p : phases) labels.push_back(p.label());
  EXPECT_EQ(labels, (std::vector<std::string>{"prefill 16", "prefill 32", "decode at 0", "decode 1 x at 0",
                                              "decode 8 x at 0", "prefill 16 at 64", "prefill 32 at 64", "decode at 64",
                                              "decode 1 x at 64", "decode 8 x at 64"}));
  EXPECT_EQ(longest_sequence(phases), 64 + 32);
  EXPECT_EQ(cached_tokens(phases), 8 * 80);  // 68 tokens each, in whole pages of 16
}

TEST(Spec, DefaultPromptFitsTheContext) {
  EXPECT_EQ(phases_of(demo(), 4096)[0].tokens, 512);
  EXPECT_EQ(phases_of(demo(), 100)[0].tokens, 100);
  Spec s = demo();
  s.prompt_lengths = {0};
  ASSERT_EQ(phases_of(s, 4096).size(), 1u);
  EXPECT_EQ(phases_of(s, 4096)[0].kind, PhaseKind::kDecode);
}

TEST(Spec, Refusals) {
  auto refused = [](auto change) {
    Spec s = demo();
    change(s);
    auto r = check(s);
    return r ? std::string("accepted") : r.error().message;
  };
  EXPECT_EQ(refused([](Spec&) {}), "accepted");
  EXPECT_NE(refused([](Spec& s) { s.batches = {4, 0}; }).find("--batch: found 0"), std::string::npos);
  EXPECT_NE(refused([](Spec& s) { s.depths = {-1}; }).find("--depth: found -1"), std::string::npos);
  EXPECT_NE(refused([](Spec& s) { s.prompt_lengths = {int64_t{1} << 40}; }).find("--prompt-lengths"),
            std::string::npos);
  EXPECT_NE(refused([](Spec& s) { s.batches = {4}, s.generate = 0; }).find("--generate"), std::string::npos);
  EXPECT_NE(refused([](Spec& s) { s.prompt_lengths = {0}, s.generate = 0; }).find("nothing to measure"),
            std::string::npos);
  EXPECT_NE(refused([](Spec& s) { s.synthetic = true; }).find("--synthetic"), std::string::npos);
}

class Suite : public ::testing::Test {
 protected:
  Result<std::vector<Spec>> read(const std::string& text) {
    const std::string file = join_path(::testing::TempDir(), "suite.json");
    EXPECT_TRUE(write_file_atomic(file, text));
    return read_suite(file, Spec{});
  }
  std::string refusal(const std::string& text) {
    auto r = read(text);
    return r ? "accepted" : r.error().message;
  }
};

TEST_F(Suite, Reads) {
  auto specs = read(R"([{"preset": "llama-3.2-1b", "quantization": "q4f16_1", "depth": [0, 4096], "batch": [1, 4]},
                        {"name": "small", "model": "models/demo", "threads": 1, "generate": 8, "runs": 2,
                         "against": ["llama-bench -m x"]}])");
  ASSERT_TRUE(specs) << specs.error().message;
  ASSERT_EQ(specs->size(), 2u);
  EXPECT_TRUE((*specs)[0].synthetic);
  EXPECT_EQ((*specs)[0].depths, (std::vector<int64_t>{0, 4096}));
  EXPECT_EQ((*specs)[0].batches, (std::vector<int64_t>{1, 4}));
  EXPECT_EQ((*specs)[1].name, "small");
  EXPECT_EQ((*specs)[1].flags.threads, 1);
  EXPECT_EQ((*specs)[1].generate, 8);
  EXPECT_EQ((*specs)[1].against.size(), 1u);
}

TEST_F(Suite, Refuses) {
  EXPECT_NE(refusal("{}").find("expected an array"), std::string::npos);
  EXPECT_NE(refusal("[]").find("expected an array"), std::string::npos);
  EXPECT_NE(refusal("[1]").find("entry 1"), std::string::npos);
  EXPECT_NE(refusal(R"([{"model": 3}])").find("\"model\" is 3, expected a string"), std::string::npos);
  EXPECT_NE(refusal(R"([{"model": "x", "batch": [1.5]}])").find("\"batch\""), std::string::npos);
  EXPECT_NE(refusal(R"([{"model": "x", "batchs": [1]}])").find("no field \"batchs\""), std::string::npos);
  EXPECT_NE(refusal(R"([{"model": "x", "threads": -1}])").find("threads"), std::string::npos);
  EXPECT_NE(refusal(R"([{"generate": 3}])").find("entry 1"), std::string::npos);
}

// Two layers' worth of calls by hand: an integer matmul, one in f32 for the logits, attention.
artifact::Artifact tiny() {
  using artifact::BufferKind;
  artifact::Artifact a;
  a.facts.num_layers = 1;
  a.facts.num_heads = 4;
  a.facts.num_kv_heads = 2;
  a.facts.head_dim = 8;
  a.facts.prefill_chunk_size = 32;
  artifact::LinearSize bytes;
  bytes.coefficients[0] = 64;
  a.plan.temps = {{"x", DType::f32(), {}, bytes}, {"words", DType::i32(), {}, bytes}};
  a.inputs = {{"block_tables", DType::i32(), {-1}}};
  artifact::KernelCall matmul, head, attention;
  matmul.buffers = {{BufferKind::kTemp, 1}, {BufferKind::kTemp, 0}};
  matmul.param_bytes = 1000;
  matmul.ops_per_row = 4000;
  attention.buffers = {{BufferKind::kTemp, 0}, {BufferKind::kInput, 0}};
  head.rows = artifact::Symbol::kNumLogitRows;
  head.buffers = {{BufferKind::kTemp, 0}};
  head.param_bytes = 500;
  head.ops_per_row = 800;
  a.plan.calls = {matmul, attention, head};
  return a;
}

TEST(Work, CountsByArithmetic) {
  const auto a = tiny();
  const auto w = runtime::call_work(a, a.plan.calls[0], 3);
  EXPECT_EQ(w.weight_bytes, 1000);
  EXPECT_EQ(w.int8_ops, 12000);
  EXPECT_EQ(w.f32_ops, 0);
  EXPECT_EQ(w.activation_bytes, 3 * 128);
  EXPECT_EQ(runtime::call_work(a, a.plan.calls[2], 1).f32_ops, 800);
  EXPECT_TRUE(runtime::reads_context(a, a.plan.calls[1]));
  EXPECT_FALSE(runtime::reads_context(a, a.plan.calls[0]));
}

TEST(Work, OfPhases) {
  const auto a = tiny();
  const ModelWork work(a);
  EXPECT_EQ(work.weight_bytes(), 1500);
  // Prefill 40 in chunks of 32 and 8: weights twice, the logits' once, one row of logits, causal attention.
  const auto prefill = work.of({PhaseKind::kPrefill, 40, 0});
  EXPECT_EQ(prefill.weight_bytes, 2 * 1000 + 500);
  EXPECT_EQ(prefill.int8_ops, 40 * 4000.0);
  const double pairs = 40 * 41 / 2, per_pair = 4 * 4 * 8, kv = 2 * 2 * 8 * 2;
  EXPECT_EQ(prefill.f32_ops, 800 + pairs * per_pair);
  EXPECT_EQ(prefill.kv_bytes, (32 + 40) * kv);
  // Three steps of two sequences behind 10 tokens: contexts 11, 12, 13.
  const auto batch = work.of({PhaseKind::kBatch, 3, 10, 2});
  EXPECT_EQ(batch.weight_bytes, 3 * 1500);
  EXPECT_EQ(batch.int8_ops, 6 * 4000.0);
  EXPECT_EQ(batch.kv_bytes, 2 * (11 + 12 + 13) * kv);
  EXPECT_EQ(batch.f32_ops, 6 * 800 + 2 * (11 + 12 + 13) * per_pair);
}

TEST(Bound, IsTheLongerOfReadingAndComputing) {
  const runtime::MachineLimits limits{10, 1, 0.25, 0.5};
  runtime::Work w;
  w.weight_bytes = 1e9;  // 0.1 s
  w.int8_ops = 5e10;     // 0.05 s
  auto b = runtime::bound_of(w, limits);
  EXPECT_DOUBLE_EQ(b.seconds, 0.1);
  EXPECT_STREQ(b.limit, "read");
  w.f32_ops = 2.5e10;  // 0.1 s
  b = runtime::bound_of(w, limits);
  EXPECT_DOUBLE_EQ(b.seconds, 0.15);
  EXPECT_STREQ(b.limit, "f32");
  w.bf16_ops = 1e11;  // 0.2 s
  b = runtime::bound_of(w, limits);
  EXPECT_DOUBLE_EQ(b.seconds, 0.35);
  EXPECT_STREQ(b.limit, "bf16");
  EXPECT_EQ(runtime::bound_of(w, {}).seconds, 0);
}

TEST(Peer, CompletesKnownCommands) {
  EXPECT_EQ(Peer("a/llama-bench -m x").command(), "a/llama-bench -m x -o json -r 1");
  EXPECT_EQ(Peer("llama-bench -r 3 -o jsonl").command(), "llama-bench -r 3 -o jsonl");
  EXPECT_EQ(Peer("V=1 run llama-batched-bench -m x").command(),
            "V=1 run llama-batched-bench -m x --output-format jsonl");
  EXPECT_EQ(Peer("V=1 /usr/bin/other -x").name(), "other");
  EXPECT_EQ(Peer("V=1 /usr/bin/other -x").command(), "V=1 /usr/bin/other -x");
  EXPECT_EQ(Peer("V=1 run llama-bench").name(), "llama-bench");
}

TEST(Peer, ReadsLlamaBench) {
  auto r = parse_peer_output(R"([
    {"n_prompt": 512, "n_gen": 0, "n_depth": 0, "avg_ts": 88.5, "samples_ts": [88.5]},
    {"n_prompt": 0, "n_gen": 64, "n_depth": 4096, "avg_ts": 6.9},
    {"n_prompt": 512, "n_gen": 64, "n_depth": 0, "avg_ts": 50.0}])",
                             "it");
  ASSERT_TRUE(r) << r.error().message;
  ASSERT_EQ(r->size(), 2u);
  EXPECT_DOUBLE_EQ((*r)[0].tokens_per_s, 88.5);
  EXPECT_TRUE((*r)[0].matches({PhaseKind::kPrefill, 512, 0}));
  EXPECT_FALSE((*r)[0].matches({PhaseKind::kPrefill, 256, 0}));
  EXPECT_FALSE((*r)[0].matches({PhaseKind::kDecode, 512, 0}));
  EXPECT_TRUE((*r)[1].matches({PhaseKind::kDecode, 16, 4096}));
  EXPECT_FALSE((*r)[1].matches({PhaseKind::kDecode, 16, 0}));
  auto lines = parse_peer_output("log\n{\"n_prompt\": 16, \"n_gen\": 0, \"avg_ts\": 1.5}\nmore log\n", "it");
  ASSERT_TRUE(lines) << lines.error().message;
  EXPECT_TRUE((*lines)[0].matches({PhaseKind::kPrefill, 16, 0}));
}

TEST(Peer, ReadsBatchedBench) {
  auto r = parse_peer_output(R"({"pp": 128, "tg": 32, "pl": 4, "speed_pp": 80.1, "speed_tg": 41.2, "speed": 60}
{"pp": 128, "tg": 32, "pl": 8, "speed_pp": 80.1, "speed_tg": 37.5, "speed": 60})",
                             "it");
  ASSERT_TRUE(r) << r.error().message;
  ASSERT_EQ(r->size(), 2u);
  EXPECT_TRUE((*r)[1].matches({PhaseKind::kBatch, 64, 128, 8}));
  EXPECT_FALSE((*r)[1].matches({PhaseKind::kBatch, 64, 0, 8}));
  EXPECT_DOUBLE_EQ((*r)[1].tokens_per_s, 37.5);
}

TEST(Peer, RefusesWhatIsNeither) {
  for (const char* text :
       {"", "hello\n", "[]", "{}", "[1, \"x\"]", "[{\"n_prompt\": \"many\", \"n_gen\": 0, \"avg_ts\": 1}]",
        "[{\"n_prompt\": 512, \"n_gen\": 0, \"avg_ts\": 0}]", "[{\"n_prompt\": 1e300, \"n_gen\": 0, \"avg_ts\": 1}]",
        "[{\"n_prompt\": 512,", "{\"pl\": -4, \"pp\": 1, \"tg\": 1, \"speed_tg\": 3}"}) {
    auto r = parse_peer_output(text, "it");
    ASSERT_FALSE(r) << text;
    EXPECT_NE(r.error().message.find("expected the JSON of llama-bench"), std::string::npos) << r.error().message;
  }
}

Report sample_report() {
  Report r;
  r.model = "tiny", r.quantization = "q4f16_1", r.activation = "int8", r.threads = 2, r.runs = 3;
  r.limits = {10, 1, 0.25, 0.5};
  r.weight_bytes = 1000000000;
  r.peers = {"llama-bench"};
  Row row;
  row.phase = {PhaseKind::kDecode, 4, 0};
  row.work.weight_bytes = 4e9;
  row.work.int8_ops = 8e9;
  row.seconds = {0.9, 0.8, 1.0};
  row.peers = {{2.0, 3.0, 1.5}};
  r.rows = {row};
  return r;
}

TEST(Report, FiguresAreMedians) {
  const Report r = sample_report();
  const Figures f = figures(r, r.rows[0]);
  EXPECT_DOUBLE_EQ(f.seconds, 0.9);
  EXPECT_DOUBLE_EQ(f.tokens_per_s, 4 / 0.9);
  EXPECT_DOUBLE_EQ(f.gb_per_s, 4 / 0.9);
  EXPECT_DOUBLE_EQ(f.gop_per_s, 8 / 0.9);
  EXPECT_DOUBLE_EQ(f.share, 0.4 / 0.9);
  EXPECT_DOUBLE_EQ(f.ratio[0], 4 / 0.9 / 2.0);
  const std::string text = table(r);
  EXPECT_NE(text.find("44% of read"), std::string::npos) << text;
  EXPECT_NE(text.find("llama-bench"), std::string::npos) << text;
}

TEST(Report, JsonHasEveryRow) {
  Session s = new_session();
  s.reports = {sample_report(), sample_report()};
  const Json j = Json::parse(to_json(s).dump());
  EXPECT_EQ(j["reports"].size(), 2u);
  const Json& row = j["reports"][1]["rows"][0];
  EXPECT_EQ(row["phase"], "decode at 0");
  EXPECT_EQ(row["bound"], "read");
  EXPECT_EQ(row["seconds_of_runs"].size(), 3u);
  EXPECT_EQ(row["peers"][0]["tokens_per_s"], 2.0);
  EXPECT_DOUBLE_EQ(j["reports"][0]["decode_tokens_per_s"].get<double>(), 4 / 0.9);
  EXPECT_FALSE(j["cpu"].get<std::string>().empty());
}

TEST(Svg, EscapesAndLeavesOutWhatALogarithmCannotShow) {
  EXPECT_EQ(escape_xml("a<b & \"c\"\x01"), "a&lt;b &amp; &quot;c&quot; ");
  Plot p{.title = "x<y", .log_x = true, .log_y = true};
  p.series.push_back({.name = "s", .points = {{1, 1}, {0, 5}, {10, -1}, {100, 1e3}}});
  const std::string text = svg(p);
  EXPECT_NE(text.find("x&lt;y"), std::string::npos);
  size_t circles = 0;
  for (size_t at = 0; (at = text.find("<circle", at)) != std::string::npos; ++at) ++circles;
  EXPECT_EQ(circles, 2u);
  EXPECT_EQ(text.find("nan"), std::string::npos);
  EXPECT_EQ(text.find("inf"), std::string::npos);
  EXPECT_EQ(svg({.title = "empty"}).find("nan"), std::string::npos);
}

TEST(History, AppendsAndReads) {
  const std::string file = join_path(::testing::TempDir(), "bench_history.jsonl");
  std::remove(file.c_str());
  EXPECT_TRUE(read_history(file)->empty());
  Session s = new_session();
  s.reports = {sample_report()};
  ASSERT_TRUE(append_history(file, s));
  ASSERT_TRUE(append_history(file, s));
  auto entries = read_history(file);
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 2u);
  EXPECT_EQ((*entries)[1].title, "tiny q4f16_1, 2 threads");
  EXPECT_DOUBLE_EQ((*entries)[1].phases.at("decode at 0").share, 0.4 / 0.9);
  const std::string page = html(s, *entries);
  EXPECT_NE(page.find("History: tiny"), std::string::npos);
  Session elsewhere = s;
  elsewhere.cpu = "another";
  EXPECT_EQ(html(elsewhere, *entries).find("History:"), std::string::npos);
  for (const char* bad : {"x\n", "{}\n", "[1]\n", "{\"time\": 1}\n"}) {
    ASSERT_TRUE(write_file_atomic(file, bad));
    auto r = read_history(file);
    ASSERT_FALSE(r) << bad;
    EXPECT_NE(r.error().message.find("line 1"), std::string::npos);
  }
}

}  // namespace
}  // namespace mlc::tools::bench
