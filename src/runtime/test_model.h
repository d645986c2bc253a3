// A tiny "model" of hand-written kernels for the tests of the runtime and of the CPU runner.
//
//   h[t] = embed[token_ids[t]] * scale        (embed: packed by doubling)
//   logits[r][v] = h[logit_rows[r]] + v
#pragma once

#include "artifact/abi.h"
#include "runtime/module.h"
#include "weights/tensor_source.h"

namespace mlc::runtime::test {

inline void partition(int64_t n, int32_t worker, int32_t workers, int64_t& begin, int64_t& end) {
  begin = n * worker / workers;
  end = n * (worker + 1) / workers;
}

extern "C" inline void test_pack_double(void* const* b, const int64_t*, int32_t worker, int32_t workers) {
  int64_t begin, end;
  partition(8, worker, workers, begin, end);
  for (int64_t i = begin; i < end; ++i) static_cast<float*>(b[1])[i] = 2 * static_cast<const float*>(b[0])[i];
}
// buffers: embed, token_ids, h; sizes: T
extern "C" inline void test_embed(void* const* b, const int64_t* sizes, int32_t worker, int32_t workers) {
  int64_t begin, end;
  partition(sizes[0], worker, workers, begin, end);
  for (int64_t t = begin; t < end; ++t) {
    static_cast<float*>(b[2])[t] = static_cast<const float*>(b[0])[static_cast<const int32_t*>(b[1])[t]];
  }
}
// The variant for one row: adds 1000, so that tests see which one ran.
extern "C" inline void test_embed_one(void* const* b, const int64_t* sizes, int32_t worker, int32_t workers) {
  if (worker != 0) return;
  test_embed(b, sizes, 0, 1);
  static_cast<float*>(b[2])[0] += 1000;
  static_cast<void>(workers);
}
// buffers: h, scale, out; sizes: T
extern "C" inline void test_scale(void* const* b, const int64_t* sizes, int32_t worker, int32_t workers) {
  int64_t begin, end;
  partition(sizes[0], workers - 1 - worker, workers, begin, end);  // another worker's rows: the barrier is needed
  for (int64_t t = begin; t < end; ++t) {
    static_cast<float*>(b[2])[t] = static_cast<const float*>(b[0])[t] * static_cast<const float*>(b[1])[0];
  }
}
// buffers: h, logit_rows, logits; sizes: R
extern "C" inline void test_logits(void* const* b, const int64_t* sizes, int32_t worker, int32_t workers) {
  int64_t begin, end;
  partition(sizes[0], worker, workers, begin, end);
  for (int64_t r = begin; r < end; ++r) {
    for (int64_t v = 0; v < 8; ++v) {
      static_cast<float*>(b[2])[r * 16 + v] =
          static_cast<const float*>(b[0])[static_cast<const int32_t*>(b[1])[r]] + static_cast<float>(v);
    }
  }
}

inline artifact::Artifact tiny_artifact() {
  using namespace artifact;
  Artifact a;
  a.abi_version = kAbiVersion;
  a.compiler = "test";
  a.target = "cpu";
  a.layout_id = "test-layout";
  a.facts = {"tiny", "q0f32", "f32", 8, 1, 1, 1, 1, 2, 64, 20, 4, DType::f16(), {{1.0f}, 1.0f}};
  a.params.push_back({{"embed", DType::f32(), {8}}, {{"embed.weight", DType::f32(), {8}}}, "test_pack_double"});
  a.params.push_back({{"scale", DType::f32(), {1}}, {{"scale.weight", DType::f32(), {1}}}, ""});
  for (const char* name : {"token_ids", "positions", "slots", "table_start", "block_tables", "logit_rows"}) {
    a.inputs.push_back({name, DType::i32(), {-1}});
  }
  a.outputs.push_back({"logits", DType::f32(), {-1, 16}});  // rows padded from a vocabulary of 8
  a.kv = {{"0.k", DType::f16(), {-1, 1, 2, 16}}, {"0.v", DType::f16(), {-1, 1, 16, 2}}};
  const LinearSize row_floats{0, {4, 0, 0, 0}}, rows{0, {1, 0, 0, 0}};
  a.plan.temps = {{"h", DType::f32(), {0, {}}, row_floats}, {"s", DType::f32(), row_floats, row_floats}};
  a.plan.temp_bytes = {0, {8, 0, 0, 0}};
  using enum BufferKind;
  a.plan.calls = {{"layers.0.embed",
                   Symbol::kNumTokens,
                   {{"test_embed_one", 0, 1}, {"test_embed", 2, -1}},
                   {{kParam, 0}, {kInput, 0}, {kTemp, 0}},
                   {rows},
                   32,
                   1},
                  {"layers.1.scale",
                   Symbol::kNumTokens,
                   {{"test_scale", 1, -1}},
                   {{kTemp, 0}, {kParam, 1}, {kTemp, 1}},
                   {rows},
                   4,
                   2},
                  {"lm_head",
                   Symbol::kNumLogitRows,
                   {{"test_logits", 1, -1}},
                   {{kTemp, 1}, {kInput, 5}, {kOutput, 0}},
                   {{0, {0, 1, 0, 0}}},
                   0,
                   3}};
  return a;
}

inline std::shared_ptr<const Module> tiny_module() {
  Module::Functions functions = {{"test_pack_double", test_pack_double},
                                 {"test_embed", test_embed},
                                 {"test_embed_one", test_embed_one},
                                 {"test_scale", test_scale},
                                 {"test_logits", test_logits}};
  return Module::from_functions(tiny_artifact(), std::move(functions)).value();
}

inline std::shared_ptr<weights::MemorySource> tiny_weights(float first = 0) {
  auto source = std::make_shared<weights::MemorySource>();
  const float embed[8] = {first, 10, 20, 30, 40, 50, 60, 70}, scale[1] = {0.5f};
  source->put_f32("embed.weight", {8}, embed);
  source->put_f32("scale.weight", {1}, scale);
  return source;
}

}  // namespace mlc::runtime::test
