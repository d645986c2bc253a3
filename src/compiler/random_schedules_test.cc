// Random legal schedules, lowered and compiled for this machine, compute what the interpreter says of the function
// before scheduling. MLC_PROPERTY_CASES sets how many (500 by default), MLC_PROPERTY_SEED where they start.
#include <gtest/gtest.h>

#include <cstring>

#include "codegen/llvm/host.h"
#include "codegen/llvm/jit.h"
#include "lower/pipeline.h"
#include "schedule/fuzzer.h"
#include "schedule/testing.h"

namespace mlc::compiler {
namespace {

using schedule::testing::Bytes;

struct Case {
  int seed = 0;
  int64_t size = 0;  // of every symbolic dimension
  ir::PrimFunc before, after;
  std::string told;
};

// Kernels take buffers on 64 byte boundaries.
struct Aligned {
  std::vector<uint8_t> storage;
  uint8_t* data = nullptr;
  explicit Aligned(const Bytes& b) : storage(b.size() + 128) {
    data = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64) % 64;
    std::memcpy(data, b.data(), b.size());
  }
};

void check(const Case& c, artifact::KernelFn kernel, int workers) {
  ASSERT_NE(kernel, nullptr);
  const std::vector<int64_t> sizes(c.before.sizes.size(), c.size);
  std::mt19937 rng(static_cast<unsigned>(c.seed));
  std::vector<Bytes> want;
  std::vector<Aligned> got;
  std::vector<ir::RawBuffer> raw;
  std::vector<void*> pointers;
  for (const ir::Buffer& b : c.before.buffers) {
    want.push_back(schedule::testing::random_buffer(b, c.before, sizes, rng));
    got.emplace_back(want.back());
  }
  for (Bytes& b : want) raw.push_back({b.data(), static_cast<int64_t>(b.size())});
  for (Aligned& b : got) pointers.push_back(b.data);
  auto interpreted = ir::interpret(c.before, raw, sizes);
  ASSERT_TRUE(interpreted) << interpreted.error().message;
  for (int w = 0; w < workers; ++w) kernel(pointers.data(), nullptr, w, workers);
  for (size_t i = 0; i < want.size(); ++i) {
    const Bytes bytes(got[i].data, got[i].data + want[i].size());
    ASSERT_TRUE(schedule::testing::close(c.before.buffers[i], want[i], bytes)) << "seed " << c.seed << "\n" << c.told;
  }
}

TEST(RandomSchedules, InterpreterAndMachineAgree) {
  const int cases = schedule::testing::setting("MLC_PROPERTY_CASES", 500);
  const int first = schedule::testing::setting("MLC_PROPERTY_SEED", 0);
  auto target = codegen::native_target();
  ASSERT_TRUE(target) << target.error().message;
  constexpr int kBatch = 25;
  for (int begin = first; begin < first + cases; begin += kBatch) {
    std::vector<Case> batch;
    ir::Module m;
    for (int i = begin; i < std::min(first + cases, begin + kBatch); ++i) {
      auto [before, s] = schedule::testing::random_schedule(static_cast<unsigned>(i), false);
      // Intermediates of kernels have constant sizes: the symbolic ones are fixed after scheduling.
      const int64_t size = 1 + i % 9;
      ir::VarMap fixed;
      const ir::PrimFunc scheduled = s.func();
      for (const ir::Var& v : scheduled.sizes) fixed[v] = ir::Expr(size);
      ir::PrimFunc f = ir::specialize(s.func(), fixed);
      f.name = "f" + std::to_string(i);
      batch.push_back({i, size, before, f, print(s.trace()) + ir::print(f)});
      m.functions.push_back(f);
    }
    auto lowered = lower::run(m, *target);
    ASSERT_TRUE(lowered) << lowered.error().message;
    auto lib = codegen::JitLibrary::compile(*lowered, *target);
    ASSERT_TRUE(lib) << lib.error().message;
    for (size_t k = 0; k < batch.size(); ++k) {
      batch[k].told += "lowered:\n" + ir::print(lowered->functions[k]);
      check(batch[k], lib->kernel(batch[k].after.name), 1 + static_cast<int>(k % 3));
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace mlc::compiler
