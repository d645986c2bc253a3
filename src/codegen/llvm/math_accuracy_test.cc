// The polynomials of lower's expand_math against the C library in double precision, over the whole range of float.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "codegen/llvm/test_util.h"
#include "lower/pipeline.h"

namespace mlc::codegen {
namespace {

using namespace testing;  // NOLINT

constexpr int64_t kCount = 1 << 20;

class MathKernel {
 public:
  MathKernel(const std::string& function, const target::Target& target) {
    auto f = ir::parse_func(
        fmt::format("func math(A: f32[{0}], C: f32[{0}]) {{ for i in 0 +: {1} {{ for v in 0 +: 16 vectorized {{ "
                    "C[i * 16 + v] = @{2}<f32>(A[i * 16 + v]) }} }} }}",
                    kCount, kCount / 16, function));
    auto lib = JitLibrary::compile(lower::run(module_of(f.value()), target).value(), target);
    lib_ = std::make_unique<JitLibrary>(lib.value());
  }
  void run(std::vector<Bytes>& buffers) { run_kernel(lib_->kernel("math"), buffers, {}); }

 private:
  std::unique_ptr<JitLibrary> lib_;
};

// Units in the last place of the float nearest to `exact` (normal results).
double ulp_error(float got, double exact) {
  const auto nearest = static_cast<float>(exact);
  if (std::isinf(nearest) || nearest == 0.0f) return got == nearest ? 0 : std::numeric_limits<double>::infinity();
  int exponent = 0;
  std::frexp(exact, &exponent);
  const double ulp = std::ldexp(1.0, std::max(exponent, -125) - 24);
  return std::fabs(static_cast<double>(got) - exact) / ulp;
}

struct Worst {
  double ulp = 0;
  float at = 0;
};

// Every 1031st float, in chunks; `accept` says which arguments count.
template <typename Exact, typename Accept>
Worst worst_error(const std::string& function, const target::Target& target, Exact exact, Accept accept) {
  MathKernel kernel(function, target);
  std::vector<Bytes> buffers(2, Bytes(kCount * 4));
  Worst worst;
  uint64_t bits = 0;
  while (bits < (uint64_t{1} << 32)) {
    for (int64_t i = 0; i < kCount; ++i, bits += 1031) {
      const auto b = static_cast<uint32_t>(std::min<uint64_t>(bits, 0xffffffffu));
      std::memcpy(buffers[0].as<float>() + i, &b, 4);
    }
    kernel.run(buffers);
    for (int64_t i = 0; i < kCount; ++i) {
      const float x = buffers[0].as<float>()[i], y = buffers[1].as<float>()[i];
      if (std::isnan(x)) {
        EXPECT_TRUE(std::isnan(y)) << function << "(NaN) = " << y;
        if (!std::isnan(y)) return {1e9, x};
        continue;
      }
      if (!accept(x)) continue;
      const double want = exact(static_cast<double>(x));
      if (std::fabs(want) < 1.17549435e-38) {  // denormal results may be zero
        if (std::fabs(y) > 1.1754946e-38f) return {1e9, x};
        continue;
      }
      const double e = std::isnan(want) ? (std::isnan(y) ? 0 : 1e9) : ulp_error(y, want);
      if (e > worst.ulp) worst = {e, x};
    }
  }
  return worst;
}

const auto kAll = [](float) { return true; };

class MathAccuracy : public ::testing::TestWithParam<const char*> {
 protected:
  target::Target target() const {
    const std::string name = GetParam();
    return name == "host" ? host() : target::Target::parse(name).value();
  }
  template <typename Exact, typename Accept>
  void expect_within(double bound, const char* function, Exact exact, Accept accept) {
    const Worst w = worst_error(function, target(), exact, accept);
    RecordProperty(function, std::to_string(w.ulp));
    EXPECT_LE(w.ulp, bound) << function << " at " << w.at;
  }
};

TEST_P(MathAccuracy, Exp) {
  expect_within(2, "exp", [](double x) { return std::exp(x); }, kAll);
}
TEST_P(MathAccuracy, Exp2) {
  expect_within(2, "exp2", [](double x) { return std::exp2(x); }, kAll);
}
TEST_P(MathAccuracy, Log) {
  expect_within(2, "log", [](double x) { return std::log(x); }, kAll);
}
TEST_P(MathAccuracy, Tanh) {
  expect_within(2, "tanh", [](double x) { return std::tanh(x); }, kAll);
}
TEST_P(MathAccuracy, SinCos) {
  const auto in_range = [](float x) { return std::fabs(x) < 268435456.0f; };
  expect_within(2, "sin", [](double x) { return std::sin(x); }, in_range);
  expect_within(2, "cos", [](double x) { return std::cos(x); }, in_range);
}
TEST_P(MathAccuracy, Roots) {
  expect_within(0.5, "sqrt", [](double x) { return std::sqrt(x); }, [](float x) { return x >= 1.2e-38f || x == 0; });
  expect_within(2, "rsqrt", [](double x) { return 1 / std::sqrt(x); }, [](float x) { return x >= 1.2e-38f; });
}
TEST_P(MathAccuracy, RoundingIsExact) {
  expect_within(0, "round", [](double x) { return std::nearbyint(x); }, kAll);
  expect_within(0, "floor", [](double x) { return std::floor(x); }, kAll);
  expect_within(0, "ceil", [](double x) { return std::ceil(x); }, kAll);
}

#if defined(__x86_64__)
INSTANTIATE_TEST_SUITE_P(Targets, MathAccuracy, ::testing::Values("host", "x86_64-linux-gnu"),
                         [](const auto& row) { return std::string(row.index == 0 ? "host" : "baseline"); });
#else
INSTANTIATE_TEST_SUITE_P(Targets, MathAccuracy, ::testing::Values("host"));
#endif

// The edges that softmax and its kin rely on.
TEST(MathEdges, Exp) {
  MathKernel kernel("exp", host());
  const float inf = std::numeric_limits<float>::infinity();
  std::vector<Bytes> buffers(2, Bytes(kCount * 4));
  const float in[] = {0.0f, -0.0f, -inf, inf, 88.72283f, 88.722839f, -87.3f, -88.0f, -1000.0f, 1e30f, -1e30f, NAN};
  for (int64_t i = 0; i < kCount; ++i) buffers[0].as<float>()[i] = in[i % 12];
  kernel.run(buffers);
  const float* out = buffers[1].as<float>();
  EXPECT_EQ(out[0], 1.0f);
  EXPECT_EQ(out[1], 1.0f);
  EXPECT_EQ(out[2], 0.0f);
  EXPECT_EQ(out[3], inf);
  EXPECT_TRUE(std::isfinite(out[4]));
  EXPECT_EQ(out[5], inf);
  EXPECT_GT(out[6], 0.0f);
  EXPECT_EQ(out[7], 0.0f);
  EXPECT_EQ(out[8], 0.0f);
  EXPECT_EQ(out[9], inf);
  EXPECT_EQ(out[10], 0.0f);
  EXPECT_TRUE(std::isnan(out[11]));
}

TEST(MathEdges, LogOfDenormalsAndBadArguments) {
  MathKernel kernel("log", host());
  std::vector<Bytes> buffers(2, Bytes(kCount * 4));
  const float in[] = {0.0f, -0.0f, -1.0f, std::numeric_limits<float>::infinity(), 1.0f, 1e-40f, 1.17549435e-38f, 1e38f};
  for (int64_t i = 0; i < kCount; ++i) buffers[0].as<float>()[i] = in[i % 8];
  kernel.run(buffers);
  const float* out = buffers[1].as<float>();
  EXPECT_EQ(out[0], -std::numeric_limits<float>::infinity());
  EXPECT_EQ(out[1], -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(out[2]));
  EXPECT_EQ(out[3], std::numeric_limits<float>::infinity());
  EXPECT_EQ(out[4], 0.0f);
  EXPECT_NEAR(out[5], -92.1034f, 1e-3f);
  EXPECT_NEAR(out[6], -87.3365f, 1e-3f);
  EXPECT_NEAR(out[7], 87.4982f, 1e-3f);
}

// f64 against the C library, whose own error is below one unit.
TEST(MathF64, WithinItsBoundAndAtTheEdges) {
  struct Case {
    const char* name;
    double (*exact)(double);
    double lowest, highest, ulp;
  };
  const Case cases[] = {{"exp", std::exp, -700, 700, 3},         {"exp2", std::exp2, -1000, 1000, 3},
                        {"log", std::log, 1e-300, 1e300, 3},     {"log", std::log, 0.5, 2, 3},
                        {"tanh", std::tanh, -25, 25, 4},         {"tanh", std::tanh, -0.3, 0.3, 4},
                        {"sin", std::sin, -1048575, 1048575, 3}, {"cos", std::cos, -10, 10, 3}};
  constexpr int kPoints = 65536;
  const double inf = std::numeric_limits<double>::infinity();
  const double edges[] = {0, -0.0, inf, -inf, NAN, 1e308, -1e308, 5e-324};
  for (const Case& c : cases) {
    auto f =
        ir::parse_func(fmt::format("func math(A: f64[{0}], C: f64[{0}]) {{ for i in 0 +: {1} {{ for v in 0 +: 8 "
                                   "vectorized {{ C[i * 8 + v] = @{2}<f64>(A[i * 8 + v]) }} }} }}",
                                   kPoints, kPoints / 8, c.name));
    auto lib = JitLibrary::compile(lower::run(module_of(f.value()), host()).value(), host());
    ASSERT_TRUE(lib) << lib.error().message;
    std::vector<Bytes> buffers(2, Bytes(kPoints * 8));
    double* in = buffers[0].as<double>();
    for (int i = 0; i < kPoints; ++i) in[i] = c.lowest + (c.highest - c.lowest) * (i + 0.37) / kPoints;
    std::memcpy(in, edges, sizeof(edges));
    run_kernel(lib->kernel("math"), buffers, {});
    const bool periodic = c.name[0] == 's' || c.name[0] == 'c';
    for (int i = 0; i < kPoints; ++i) {
      const double want = c.exact(in[i]), got = buffers[1].as<double>()[i];
      if (periodic && std::fabs(in[i]) >= 1048576) continue;  // beyond: NaN, as documented
      if (std::isnan(want) || std::isinf(want) || want == 0) {
        EXPECT_TRUE(std::isnan(want) ? std::isnan(got) : want == got) << c.name << "(" << in[i] << ") = " << got;
        continue;
      }
      const double ulp = std::nextafter(std::fabs(want), inf) - std::fabs(want);
      ASSERT_LE(std::fabs(got - want), c.ulp * ulp) << c.name << "(" << in[i] << ")";
    }
  }
}

}  // namespace
}  // namespace mlc::codegen
