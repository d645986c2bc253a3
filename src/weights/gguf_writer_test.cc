#include "weights/gguf_writer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/file.h"
#include "weights/tensor_source.h"

namespace mlc::weights {
namespace {

// A block of 32 values, encoded.
std::vector<std::byte> block(GgufType type, const std::vector<float>& values) {
  std::vector<std::byte> out(static_cast<size_t>(gguf_row_bytes(type, kGgufBlock)));
  gguf_encode(type, values.data(), 1, kGgufBlock, out);
  return out;
}

float scale_of(const std::vector<std::byte>& b) {
  float d = 0;
  to_f32(DType::f16(), std::span(b).first(2), 0, 1, &d);
  return d;
}

TEST(Gguf, BlocksOfFourBits) {
  std::vector<float> w(32);
  for (int i = 0; i < 32; ++i) w[static_cast<size_t>(i)] = static_cast<float>(i % 16) - 8;  // -8 … 7, twice
  const auto b = block(GgufType::kQ4_0, w);
  EXPECT_EQ(scale_of(b), 1.0f);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(b[static_cast<size_t>(2 + i)], static_cast<std::byte>(i | i << 4)) << i;
  // The largest magnitude may be positive: the scale is negative then, and the other end is cut off at 7.
  for (float& v : w) v = -v;
  EXPECT_EQ(scale_of(block(GgufType::kQ4_0, w)), -1.0f);
  const auto zero = block(GgufType::kQ4_0, std::vector<float>(32));
  EXPECT_EQ(zero[0], std::byte{0});
  EXPECT_EQ(zero[2], std::byte{0x88});
}

TEST(Gguf, BlocksOfEightBits) {
  std::vector<float> w(32);
  for (int i = 0; i < 32; ++i) w[static_cast<size_t>(i)] = static_cast<float>(i) * 4 - 64;
  w[31] = 127;
  const auto b = block(GgufType::kQ8_0, w);
  EXPECT_EQ(scale_of(b), 1.0f);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(static_cast<int8_t>(b[2 + i]), static_cast<int>(w[i])) << i;
}

TEST(Gguf, AFailureLeavesNothing) {
  TempDir tmp = *TempDir::create();
  GgufWriter w;
  w.meta("general.architecture", std::string("llama"));
  w.tensor({"t", {4, 32}, GgufType::kF16, [](int64_t, int64_t, float*) -> Result<void> { return error("no rows"); }});
  auto r = w.write(tmp.file("m.gguf"));
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message, "no rows");
  EXPECT_FALSE(path_exists(tmp.file("m.gguf")));
}

}  // namespace
}  // namespace mlc::weights
