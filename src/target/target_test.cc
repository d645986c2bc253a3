#include "target/target.h"

#include <gtest/gtest.h>

#include "target/cpu_table.h"

namespace mlc::target {
namespace {

TEST(Target, ParsesCpuWithFeatures) {
  auto t = Target::parse("cpu -mtriple=x86_64-linux-gnu -mcpu=skylake-avx512 -mattr=+avx512vnni,-avx512dq");
  ASSERT_TRUE(t) << t.error().message;
  EXPECT_TRUE(t->has("avx512f"));
  EXPECT_TRUE(t->has("avx512vnni"));
  EXPECT_FALSE(t->has("avx512dq"));
  EXPECT_EQ(t->vector_bits(), 512);
  EXPECT_EQ(t->native_lanes(DType::f32()), 16);
  EXPECT_EQ(t->native_lanes(DType::i8()), 64);
  EXPECT_EQ(t->triple, "x86_64-unknown-linux-gnu");
}

TEST(Target, ParsesTripleAlone) {
  auto t = Target::parse("aarch64-linux-gnu");
  ASSERT_TRUE(t);
  EXPECT_TRUE(t->is_aarch64());
  EXPECT_TRUE(t->is_cpu());
  EXPECT_TRUE(t->has("neon"));
  EXPECT_FALSE(t->has("dotprod"));
  EXPECT_TRUE(Target::parse("aarch64-linux-gnu -mcpu=neoverse-n1")->has("dotprod"));
}

TEST(Target, BaselineHasNoAvx) {
  auto t = Target::parse("x86_64-linux-gnu");
  ASSERT_TRUE(t);
  EXPECT_EQ(t->vector_bits(), 128);
  EXPECT_FALSE(t->has_fma());
  EXPECT_FALSE(t->has_f16_conversion());
  EXPECT_FALSE(t->has_rounding());
}

TEST(Target, TextRoundTrips) {
  for (const char* text : {"host", "cpu -mcpu=znver4", "opencl -max-threads=256 -shared-bytes=32768",
                           "aarch64-linux-gnu -mattr=+dotprod", "cpu -mcpu=sapphirerapids -mattr=-amx-tile,-avx512f"}) {
    auto t = Target::parse(text);
    ASSERT_TRUE(t) << text;
    auto back = Target::parse(t->str());
    ASSERT_TRUE(back) << t->str();
    EXPECT_EQ(back->str(), t->str());
    EXPECT_EQ(back->features, t->features);
    EXPECT_EQ(back->fingerprint(), t->fingerprint());
  }
}

TEST(Target, FingerprintsDiffer) {
  EXPECT_NE(Target::parse("cpu -mcpu=znver4")->fingerprint(), Target::parse("cpu -mcpu=znver3")->fingerprint());
  EXPECT_EQ(Target::host().fingerprint().size(), 16u);
}

TEST(Target, BadTextIsOneClearLine) {
  for (const char* text :
       {"", "gpu9000", "cpu -mcpu", "cpu --speed=11", "cpu -mattr=avx", "opencl -max-threads=x", "a-b"}) {
    auto t = Target::parse(text);
    ASSERT_FALSE(t) << text;
    EXPECT_EQ(t.error().message.find('\n'), std::string::npos);
  }
}

TEST(Target, MismatchNamesTheFeature) {
  auto compiled = Target::parse("x86_64-linux-gnu -mcpu=cascadelake");
  auto machine = Target::parse("x86_64-linux-gnu -mcpu=haswell");
  auto r = check_runs_on(*compiled, *machine, "lib.so");
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("avx512vnni"), std::string::npos);
  EXPECT_NE(r.error().message.find("haswell"), std::string::npos);
  EXPECT_TRUE(check_runs_on(*machine, *compiled, "lib.so"));
  auto arm = Target::parse("aarch64-linux-gnu");
  EXPECT_FALSE(check_runs_on(*arm, *machine, "lib.so"));
  EXPECT_TRUE(check_runs_on(Target::host(), Target::host(), "lib.so"));
}

TEST(Target, HostFeaturesAreKnown) {
  const auto& known = known_features(host_arch());
  for (const auto& f : host_features()) EXPECT_NE(std::find(known.begin(), known.end(), f), known.end()) << f;
}

}  // namespace
}  // namespace mlc::target
