#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "runtime/cpu/library.h"
#include "runtime/cpu/memory_info.h"
#include "runtime/packed_file.h"
#include "runtime/plan_executor.h"
#include "runtime/test_model.h"
#include "target/cpu_table.h"
#include "target/target.h"

namespace mlc::runtime {
namespace {

using artifact::Symbol;

TEST(Tensor, OwnsMemory) {
  auto t = Tensor::create(make_cpu_device(), DType::f32(), {3, 5}, 1000);
  ASSERT_TRUE(t);
  EXPECT_EQ(t->bytes(), 60);
  EXPECT_GE(t->capacity_bytes(), 1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(t->data()) % 64, 0u);
  EXPECT_EQ(t->as<float>()[14], 0.0f);
  const float in[3] = {1, 2, 3};
  float out[3] = {};
  t->copy_from_host(in, sizeof in);
  Tensor moved = std::move(*t);
  moved.copy_to_host(out, sizeof out);
  EXPECT_EQ(std::memcmp(in, out, sizeof in), 0);
  EXPECT_FALSE(Tensor::create(make_cpu_device(), DType::u8(), {int64_t{1} << 52}));
  auto null = Tensor::create(make_null_device(), DType::f32(), {4});
  ASSERT_TRUE(null);
  null->copy_to_host(out, sizeof out);
  EXPECT_EQ(out[0], 0.0f);
}

TEST(MemoryInfo, RespectsTheCgroup) {
  auto tmp = TempDir::create().value();
  auto put = [&](const std::string& path, const std::string& text) {
    ASSERT_TRUE(make_directories((tmp.path() + path).substr(0, (tmp.path() + path).rfind('/'))));
    std::ofstream(tmp.path() + path) << text;
  };
  put("/proc/meminfo", "MemTotal: 1000 kB\nMemFree: 1 kB\nMemAvailable: 800 kB\n");
  EXPECT_EQ(read_memory_info(tmp.path()).available_bytes, 800 * 1024);
  put("/proc/self/cgroup", "0::/g\n");
  put("/sys/fs/cgroup/g/memory.max", "max\n");
  EXPECT_EQ(read_memory_info(tmp.path()).total_bytes, 1000 * 1024);
  put("/sys/fs/cgroup/g/memory.max", "512000\n");
  put("/sys/fs/cgroup/g/memory.current", "500000\n");
  EXPECT_EQ(read_memory_info(tmp.path()).total_bytes, 512000);
  EXPECT_EQ(read_memory_info(tmp.path()).available_bytes, 12000);
  EXPECT_GT(make_cpu_device()->memory_info().available_bytes, 0);
}

// Builds a real shared library with the C compiler, if there is one.
class Library : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system((compiler() + " --version > " + tmp_.file("version")).c_str()) != 0) {
      GTEST_SKIP() << "no C compiler to build a library with";
    }
  }
  // Cross builds name theirs.
  static std::string compiler() {
    const char* named = std::getenv("MLC_TEST_CC");
    return named != nullptr ? named : "cc";
  }
  std::string build(const std::string& name, const artifact::Artifact& a, const std::string& extra) {
    std::string bytes;
    const std::string json = artifact::write_json(a);
    for (unsigned char c : json) bytes += fmt::format("{},", c);
    const std::string source = tmp_.file(name + ".c");
    std::ofstream(source) << "#include <stdint.h>\nconst unsigned char mlc_artifact_json[] = {" << bytes
                          << "0};\nconst uint64_t mlc_artifact_json_size = " << json.size() << ";\n"
                          << extra;
    const std::string lib = tmp_.file(name + ".so");
    EXPECT_EQ(std::system((compiler() + " -shared -fPIC -o " + lib + " " + source).c_str()), 0);
    return lib;
  }
  static artifact::Artifact small() {
    artifact::Artifact a = test::tiny_artifact();
    a.target = target::Target::host().str();
    a.params.clear();
    a.plan = {};
    a.plan.calls.push_back(
        {"fill", Symbol::kNumTokens, {{"fill", 1, -1}}, {{artifact::BufferKind::kOutput, 0}}, {}, 0, 0});
    return a;
  }
  static constexpr const char* kFill =
      "void fill(void* const* b, const int64_t* s, int32_t w, int32_t n) { if (w == 0) ((float*)b[0])[0] = 42; }\n";
  static std::string message(const std::string& path) {
    auto m = Module::load(path);
    return m ? "loaded" : m.error().message;
  }
  TempDir tmp_ = TempDir::create().value();
};

TEST_F(Library, LoadsAndRuns) {
  const std::string lib = build("good", small(), kFill);
  auto module = Module::load(lib);
  ASSERT_TRUE(module) << module.error().message;
  ThreadPool pool(2);
  auto params = ParamStore::open(**module, weights::MemorySource(), pool, {});
  ASSERT_TRUE(params) << params.error().message;
  auto exec = PlanExecutor::create(*module, *params, pool, {});
  ASSERT_TRUE(exec) << exec.error().message;
  artifact::SymbolValues s;
  s[Symbol::kNumTokens] = 1;
  (*exec)->run(s);
  EXPECT_EQ((*exec)->output<float>("logits")[0], 42.0f);
}

#ifndef _WIN32
TEST_F(Library, LoadsThroughMemory) {
  const std::string lib = build("memory", small(), kFill);
  auto handle = open_library_from_memory(lib);
  ASSERT_TRUE(handle) << handle.error().message;
}
#endif

TEST_F(Library, EachRefusalIsOneClearLine) {
  auto expect = [](const std::string& m, const std::string& part) {
    EXPECT_NE(m.find(part), std::string::npos) << m << "\nexpected: " << part;
    EXPECT_EQ(m.find('\n'), std::string::npos) << m;
  };
  expect(message(tmp_.file("missing.so")), "no such file");
  std::ofstream(tmp_.file("text.so")) << "hello";
  expect(message(tmp_.file("text.so")), "not a shared library");
  auto a = small();
  a.abi_version = 77;
  expect(message(build("version", a, kFill)), "interface version 77");
  a = small();
  expect(message(build("kernel", a, "")), "the kernel fill is missing");
  a.target = "cpu -mtriple=aarch64-unknown-linux-gnu";
  if (target::host_arch() == "x86_64") expect(message(build("arch", a, kFill)), "aarch64");
  std::ofstream(tmp_.file("plain.c")) << "int x;\n";
  ASSERT_EQ(
      std::system((compiler() + " -shared -fPIC -o " + tmp_.file("plain.so") + " " + tmp_.file("plain.c")).c_str()), 0);
  expect(message(tmp_.file("plain.so")), "not a compiled model");
  std::string bytes = read_file(build("whole", small(), kFill)).value();
  for (size_t keep : {size_t{70}, bytes.size() / 3, bytes.size() - 100}) {
    std::ofstream(tmp_.file("cut.so"), std::ios::binary) << bytes.substr(0, keep);
    expect(message(tmp_.file("cut.so")), "truncated");
  }
  bytes[18] = static_cast<char>(target::host_arch() == "x86_64" ? 183 : 62);
  std::ofstream(tmp_.file("other.so"), std::ios::binary) << bytes;
  expect(message(tmp_.file("other.so")), "this machine is");
}

TEST(Module, MissingFunctionsAreNamed) {
  auto m = Module::from_functions(test::tiny_artifact(), {});
  ASSERT_FALSE(m);
  EXPECT_NE(m.error().message.find("test_"), std::string::npos);
}

struct Packed {
  std::shared_ptr<const Module> module = test::tiny_module();
  ThreadPool pool{2};
  TempDir tmp = TempDir::create().value();
  ParamOptions options;
  Packed() {
    options.cache_file = tmp.file("p.bin");
    options.source_key = "weights-1";
  }
  Result<std::shared_ptr<const ParamStore>> open(float first = 0) {
    return ParamStore::open(*module, *test::tiny_weights(first), pool, options);
  }
};

void expect_params(const ParamStore& p, float first = 0) {
  EXPECT_EQ(static_cast<const float*>(p.data(0))[0], 2 * first);
  EXPECT_EQ(static_cast<const float*>(p.data(0))[3], 60.0f);
  EXPECT_EQ(static_cast<const float*>(p.data(1))[0], 0.5f);
}

TEST(ParamStore, BuildsThenMaps) {
  Packed f;
  int64_t last = 0, total = 0;
  f.options.progress = [&](int64_t d, int64_t t) {
    EXPECT_GE(d, last);
    last = d;
    total = t;
  };
  auto built = f.open();
  ASSERT_TRUE(built) << built.error().message;
  EXPECT_FALSE((*built)->from_cache());
  EXPECT_EQ(last, total);
  EXPECT_EQ(total, 36);
  expect_params(**built);
  auto mapped = f.open(123);  // the source is not read again
  ASSERT_TRUE(mapped);
  EXPECT_TRUE((*mapped)->from_cache());
  expect_params(**mapped);
  built->reset();  // Windows replaces no file that is mapped
  mapped->reset();
  last = 0;
  f.options.source_key = "weights-2";  // other contents: never the old file
  auto other = f.open(5);
  ASSERT_TRUE(other);
  EXPECT_FALSE((*other)->from_cache());
  expect_params(**other, 5);
}

TEST(ParamStore, DamageIsRebuilt) {
  Packed f;
  ASSERT_TRUE(f.open());
  const std::string good = read_file(f.options.cache_file).value();
  auto check = [&](std::string bytes, const std::string& what) {
    std::ofstream(f.options.cache_file, std::ios::binary) << bytes;
    auto p = f.open();
    ASSERT_TRUE(p) << what;
    EXPECT_FALSE((*p)->from_cache()) << what;
    expect_params(**p);
    EXPECT_EQ(read_file(f.options.cache_file).value(), good) << what;
  };
  check("", "empty");
  check(good.substr(0, 100), "header cut");
  check(good.substr(0, good.size() - 1), "data cut");
  check(good + "x", "longer");
  for (size_t at : {size_t{0}, size_t{9}, size_t{20}, size_t{50}, size_t{120}, size_t{4096}, size_t{4096 + 65}}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    check(bad, fmt::format("bit flipped at {}", at));
  }
}

TEST(ParamStore, WithoutAPlaceItPacksIntoMemory) {
  Packed f;
  f.options.cache_file = f.tmp.file("no/such/directory/p.bin");
  auto p = f.open();
  ASSERT_TRUE(p) << p.error().message;
  expect_params(**p);
  f.options.cache_file.clear();
  p = f.open();
  ASSERT_TRUE(p);
  expect_params(**p);
}

TEST(ParamStore, WrongSourcesAreNamed) {
  Packed f;
  weights::MemorySource missing;
  auto p = ParamStore::open(*f.module, missing, f.pool, f.options);
  ASSERT_FALSE(p);
  EXPECT_NE(p.error().message.find("embed.weight is missing"), std::string::npos) << p.error().message;
  weights::MemorySource wrong;
  const float values[4] = {};
  wrong.put_f32("embed.weight", {4}, values);
  p = ParamStore::open(*f.module, wrong, f.pool, f.options);
  ASSERT_FALSE(p);
  EXPECT_NE(p.error().message.find("expects f32[8]"), std::string::npos) << p.error().message;
  EXPECT_FALSE(path_exists(f.options.cache_file));
}

TEST(ParamStore, SyntheticIsFiniteAndRepeatable) {
  Packed f;
  auto a = ParamStore::synthetic(*f.module, f.pool, 7), b = ParamStore::synthetic(*f.module, f.pool, 7);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(std::memcmp((*a)->data(0), (*b)->data(0), 32), 0);
  EXPECT_NE(static_cast<const float*>((*a)->data(0))[0], 0.0f);
}

TEST(PackedFile, ChecksumSeesEveryByte) {
  std::vector<std::byte> bytes(1000);
  const uint64_t clean = checksum64(bytes);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] ^= std::byte{4};
    EXPECT_NE(checksum64(bytes), clean) << i;
    bytes[i] ^= std::byte{4};
  }
  EXPECT_NE(checksum64(std::span(bytes).first(999)), clean);
}

TEST(PlanExecutor, RunsThePlan) {
  auto module = test::tiny_module();
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    auto params = ParamStore::open(*module, *test::tiny_weights(), pool, {});
    ASSERT_TRUE(params);
    PlanExecutor::Options options;
    options.profile = threads == 2;
    options.limits = {1e-6, 1e-9, 1e-9, 1e-9};  // of a very slow machine, so that every share is far over 100%
    auto exec = PlanExecutor::create(module, *params, pool, options);
    ASSERT_TRUE(exec) << exec.error().message;
    void* kv[2] = {};
    (*exec)->bind_kv(kv, 4);
    for (int64_t rows : {1, 2, 7, 20}) {
      auto tokens = (*exec)->input<int32_t>("token_ids");
      ASSERT_EQ(tokens.size(), 32u);  // padded from 20
      for (int64_t t = 0; t < rows; ++t) tokens[static_cast<size_t>(t)] = static_cast<int32_t>((t * 3) % 8);
      (*exec)->input<int32_t>("logit_rows")[0] = static_cast<int32_t>(rows - 1);
      artifact::SymbolValues s;
      s[Symbol::kNumTokens] = rows;
      s[Symbol::kNumLogitRows] = 1;
      (*exec)->run(s);
      const float embed = static_cast<float>(((rows - 1) * 3) % 8) * 20 + (rows == 1 ? 1000.0f : 0.0f);
      for (size_t v = 0; v < 8; ++v) {
        EXPECT_EQ((*exec)->output<float>("logits")[v], embed * 0.5f + static_cast<float>(v)) << rows;
      }
    }
    artifact::SymbolValues none;  // no logits wanted: that call is left out
    none[Symbol::kNumTokens] = 3;
    (*exec)->output<float>("logits")[0] = -7;
    (*exec)->run(none);
    EXPECT_EQ((*exec)->output<float>("logits")[0], -7.0f);
    const auto profile = (*exec)->profile();
    ASSERT_EQ(profile.size(), options.profile ? 3u : 0u);
    if (options.profile) {
      EXPECT_EQ(profile[1].calls, 5);
      EXPECT_EQ(profile[1].work.ops(), 2 * (1 + 2 + 7 + 20 + 3));
      EXPECT_EQ(profile[2].calls, 4);
      EXPECT_GT(profile[1].bound_seconds, 0);
      const std::string text = print_profile(profile);
      EXPECT_NE(text.find("of limit"), std::string::npos) << text;
      EXPECT_NE(text.find("%"), text.rfind("%")) << text;
      EXPECT_NE(text.find("layers.*.embed"), std::string::npos) << text;
    }
  }
}

// logits[0] = 1 for whole attention; the number of parts, from the second form. The first worker's work.
extern "C" void test_whole(void* const* b, const int64_t*, int32_t worker, int32_t) {
  if (worker == 0) static_cast<float*>(b[0])[0] = 1;
}
extern "C" void test_parts(void* const* b, const int64_t* sizes, int32_t worker, int32_t) {
  if (worker == 0) static_cast<float*>(b[0])[0] = static_cast<float*>(b[1])[0] = static_cast<float>(sizes[0]);
}

TEST(PlanExecutor, SplitsAttentionWhenWholeRowsWouldLeaveWorkersIdle) {
  using enum artifact::BufferKind;
  artifact::Artifact a = test::tiny_artifact();
  a.facts.context_window_size = 64;
  a.facts.num_kv_heads = 3;
  a.plan.segment_tokens = 16;
  a.plan.temps.push_back({"parts", DType::f32(), {0, {8, 0, 0, 0, 0}}, {0, {0, 0, 0, 0, 64}}});
  a.plan.temp_bytes = {0, {8, 0, 0, 0, 64}};
  a.plan.calls = {
      {"whole", Symbol::kNumTokens, {{"test_whole", 1, -1}}, {{kOutput, 0}}, {}, 0, 0},
      {"parts", Symbol::kNumTokens, {{"test_parts", 1, -1}}, {{kOutput, 0}, {kTemp, 2}}, {{0, {0, 0, 0, 0, 1}}}, 0, 0}};
  a.plan.calls[0].when = artifact::When::kWholeAttention;
  a.plan.calls[1].when = artifact::When::kSplitAttention;
  Module::Functions functions = {
      {"test_whole", test_whole}, {"test_parts", test_parts}, {"test_pack_double", test::test_pack_double}};
  auto module = Module::from_functions(a, std::move(functions));
  ASSERT_TRUE(module) << module.error().message;
  // The kernel that a step ran: 1 for whole rows, else the number of parts.
  auto ran = [&](int threads, const std::vector<int32_t>& positions) {
    ThreadPool pool(threads);
    auto params = ParamStore::open(**module, *test::tiny_weights(), pool, {});
    EXPECT_TRUE(params);
    auto exec = PlanExecutor::create(*module, *params, pool, {});
    EXPECT_TRUE(exec) << exec.error().message;
    void* kv[2] = {};
    (*exec)->bind_kv(kv, 4);
    std::copy(positions.begin(), positions.end(), (*exec)->input<int32_t>("positions").begin());
    artifact::SymbolValues s;
    s[Symbol::kNumTokens] = static_cast<int64_t>(positions.size());
    (*exec)->run(s);
    return (*exec)->output<float>("logits")[0];
  };
  EXPECT_EQ(ran(1, {63}), 1) << "one worker has nobody to share with";
  EXPECT_EQ(ran(2, {15}), 1) << "a single segment";
  EXPECT_EQ(ran(2, {16}), 2) << "three heads for two workers";
  EXPECT_EQ(ran(2, {63}), 4);
  EXPECT_EQ(ran(3, {63}), 1) << "a head for each";
  EXPECT_EQ(ran(2, {40, 40}), 1) << "three tasks for each";
  EXPECT_EQ(ran(4, {40, 40}), 6);
  EXPECT_EQ(ran(4, std::vector<int32_t>(20, 40)), 1) << "60 tasks";
  EXPECT_EQ(ran(4, {63, 3, 3, 3}), 16) << "one row is longer than all others together";
}

TEST(PlanExecutor, RefusesAnArenaThatIsTooSmall) {
  artifact::Artifact a = test::tiny_artifact();
  a.plan.temp_bytes = {0, {7, 0, 0, 0}};
  auto module = Module::from_functions(a, {{"test_pack_double", test::test_pack_double},
                                           {"test_embed", test::test_embed},
                                           {"test_embed_one", test::test_embed_one},
                                           {"test_scale", test::test_scale},
                                           {"test_logits", test::test_logits}})
                    .value();
  ThreadPool pool(1);
  auto params = ParamStore::open(*module, *test::tiny_weights(), pool, {});
  auto exec = PlanExecutor::create(module, *params, pool, {});
  ASSERT_FALSE(exec);
  EXPECT_NE(exec.error().message.find("not in the arena"), std::string::npos);
}

TEST(Profile, LayersAreMerged) {
  EXPECT_EQ(without_layer("layers.12.mlp.down_proj"), "layers.*.mlp.down_proj");
  EXPECT_EQ(without_layer("lm_head"), "lm_head");
}

}  // namespace
}  // namespace mlc::runtime
