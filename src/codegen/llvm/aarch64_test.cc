// Cross compilation: kernels for AArch64, compiled and linked here, run under emulation, compared with the interpreter.
// Needs aarch64-linux-gnu-gcc for a driver program and qemu-aarch64-static; says so and skips where they are missing.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "codegen/llvm/link.h"
#include "codegen/llvm/test_util.h"
#include "ir/intrinsics.h"
#include "ir/random_program.h"
#include "lower/pipeline.h"

namespace mlc::codegen {
namespace {

using namespace testing;  // NOLINT
using target::Target;

// Reads calls from argv[2], makes them in the library argv[1], writes the buffers back. All numbers are i64.
//   number of calls; per call: length and bytes of the name, workers, number of sizes, sizes, number of buffers, then
//   per buffer: bytes, contents
const char* const kDriver = R"(
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static FILE* in;
static int64_t number(void) { int64_t v; if (fread(&v, 8, 1, in) != 1) exit(3); return v; }
static void* bytes(int64_t n) {
  char* p = aligned_alloc(64, (n + 127) / 64 * 64);
  if (n && fread(p, n, 1, in) != 1) exit(4);
  return p;
}
int main(int argc, char** argv) {
  (void)argc;
  void* lib = dlopen(argv[1], RTLD_NOW);
  if (!lib) { fprintf(stderr, "%s\n", dlerror()); return 1; }
  in = fopen(argv[2], "rb");
  FILE* out = fopen(argv[3], "wb");
  for (int64_t calls = number(); calls > 0; --calls) {
    int64_t length = number();
    char* name = bytes(length);
    name[length] = 0;
    int64_t workers = number(), num_sizes = number();
    int64_t* sizes = bytes(num_sizes * 8);
    int64_t num_buffers = number();
    void* buffers[64];
    int64_t lengths[64];
    for (int64_t i = 0; i < num_buffers; ++i) { lengths[i] = number(); buffers[i] = bytes(lengths[i]); }
    void (*kernel)(void* const*, const int64_t*, int32_t, int32_t) = dlsym(lib, name);
    if (!kernel) { fprintf(stderr, "no %s\n", name); return 2; }
    for (int64_t w = 0; w < workers; ++w) kernel(buffers, sizes, (int32_t)w, (int32_t)workers);
    for (int64_t i = 0; i < num_buffers; ++i) fwrite(buffers[i], 1, lengths[i], out);
  }
  return fclose(out);
}
)";

struct KernelCall {
  ir::PrimFunc func;
  std::vector<int64_t> sizes;
  std::vector<std::vector<uint8_t>> buffers;
};

class Emulator {
 public:
  Emulator() {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("mlc-aarch64-{}", ::getpid());
    std::filesystem::create_directories(directory_);
  }
  ~Emulator() { std::filesystem::remove_all(directory_); }

  static bool available() {
    return std::system(
               "command -v aarch64-linux-gnu-gcc qemu-aarch64-static >/dev/null 2>&1 && test -d "
               "/usr/aarch64-linux-gnu") == 0;
  }

  // The buffers of all calls after they ran on `target`.
  std::vector<std::vector<std::vector<uint8_t>>> run(const std::vector<KernelCall>& calls, const Target& target) {
    ir::Module m;
    for (const auto& c : calls) m.functions.push_back(c.func);
    auto lowered = lower::run(m, target);
    MLC_CHECK(lowered, "{}", lowered.error().message);
    auto object = emit_object(*lowered, target);
    MLC_CHECK(object, "{}", object.error().message);
    auto linked = link_shared({*object}, path("lib.so"));
    MLC_CHECK(linked, "{}", linked.error().message);
    write_calls(calls);
    std::ofstream(path("driver.c")) << kDriver;
    command(fmt::format("aarch64-linux-gnu-gcc -O1 {} -o {} -ldl", path("driver.c"), path("driver")));
    command(fmt::format("qemu-aarch64-static -cpu max -L /usr/aarch64-linux-gnu {} {} {} {}", path("driver"),
                        path("lib.so"), path("in"), path("out")));
    return read_results(calls);
  }

 private:
  std::string path(const char* name) const { return (directory_ / name).string(); }
  static void command(const std::string& line) {
    const int status = std::system(line.c_str());
    MLC_CHECK(status == 0, "`{}` ended with {}", line, status);
  }
  void write_calls(const std::vector<KernelCall>& calls) const {
    std::ofstream out(path("in"), std::ios::binary);
    const auto number = [&](size_t v) { out.write(reinterpret_cast<const char*>(&v), 8); };
    number(calls.size());
    for (size_t i = 0; i < calls.size(); ++i) {
      const auto& c = calls[i];
      number(c.func.name.size());
      out << c.func.name;
      number(1 + i % 3);
      number(c.sizes.size());
      for (const int64_t s : c.sizes) number(static_cast<size_t>(s));
      number(c.buffers.size());
      for (const auto& b : c.buffers) {
        number(b.size());
        out.write(reinterpret_cast<const char*>(b.data()), static_cast<std::streamsize>(b.size()));
      }
    }
  }
  std::vector<std::vector<std::vector<uint8_t>>> read_results(const std::vector<KernelCall>& calls) const {
    std::ifstream in(path("out"), std::ios::binary);
    std::vector<std::vector<std::vector<uint8_t>>> results;
    for (const auto& c : calls) {
      results.push_back(c.buffers);
      for (auto& b : results.back()) in.read(reinterpret_cast<char*>(b.data()), static_cast<std::streamsize>(b.size()));
    }
    MLC_CHECK(static_cast<bool>(in), "the driver wrote too little");
    return results;
  }
  std::filesystem::path directory_;
};

void expect_as_interpreted(const std::vector<KernelCall>& calls, const Target& target, double max_ulp) {
  Emulator emulator;
  const auto results = emulator.run(calls, target);
  for (size_t i = 0; i < calls.size(); ++i) {
    auto want = calls[i].buffers;
    auto ok = ir::interpret(calls[i].func, ir::raw_buffers(want), calls[i].sizes);
    ASSERT_TRUE(ok) << ok.error().message;
    for (size_t b = 0; b < want.size(); ++b) {
      const DType t = calls[i].func.buffers[b]->dtype;
      ASSERT_EQ(ir::first_difference(t, want[b], results[i][b], max_ulp), -1) << target.str() << "\n"
                                                                              << ir::print(calls[i].func);
    }
  }
}

std::vector<uint8_t> noise(size_t bytes, uint32_t seed) {
  std::vector<uint8_t> out(bytes);
  for (auto& b : out) b = static_cast<uint8_t>((seed = seed * 1664525u + 1013904223u) >> 24);
  return out;
}

// C[8, 16] += A[8, 32] (i8) x B: four columns to a vector, by the dot product instruction.
ir::PrimFunc dot_kernel() {
  return ir::parse_func(R"(
func gemm(W: i8[4, 8, 16], X: i8[8, 8, 4], C: i32[8, 16]) {
  for m in 0 +: 8 parallel {
    for n in 0 +: 4 unrolled {
      for k in 0 +: 8 {
        C[m, ramp(n * 4, 1, 4)] = @arm.sdot<i32x4>(C[m, ramp(n * 4, 1, 4)], load_bits<i8x16>(W[n, k, 0]), reinterpret<i8x16>(broadcast(load_bits<i32>(X[m, k, 0]), 4)))
      }
    }
  }
})")
      .value();
}

TEST(AArch64, DotProductKernelRunsUnderEmulation) {
  if (!Emulator::available()) GTEST_SKIP() << "needs gcc-aarch64-linux-gnu and qemu-user-static";
  const Target t = Target::parse("aarch64-linux-gnu -mattr=+dotprod").value();
  const auto f = dot_kernel();
  auto assembly = emit_assembly(lower::run(module_of(f), t).value(), t);
  ASSERT_TRUE(assembly) << assembly.error().message;
  EXPECT_NE(assembly->find("sdot"), std::string::npos);
  expect_as_interpreted({{f, {}, {noise(512, 1), noise(256, 2), noise(512, 3)}}}, t, 0);
}

TEST(AArch64, InstructionsMatchTheirMeaning) {
  if (!Emulator::available()) GTEST_SKIP() << "needs gcc-aarch64-linux-gnu and qemu-user-static";
  const Target t = Target::parse("aarch64-linux-gnu -mcpu=neoverse-v1").value();
  std::vector<KernelCall> calls;
  for (const auto& hw : ir::all_instructions()) {
    if (!ir::feature_satisfied(hw.feature, [&](std::string_view f) { return t.has(f); })) continue;
    KernelCall c;
    std::vector<ir::Expr> args;
    const auto whole = [](DType d) { return std::vector<ir::Expr>{ir::ramp(0, 1, d.lanes)}; };
    for (size_t i = 0; i < hw.args.size(); ++i) {
      c.func.buffers.push_back(ir::buffer("a" + std::to_string(i), hw.args[i].scalar(), {hw.args[i].lanes}));
      args.push_back(ir::load(c.func.buffers.back(), whole(hw.args[i])));
      c.buffers.push_back(noise(static_cast<size_t>(hw.args[i].bytes()), static_cast<uint32_t>(i)));
    }
    c.func.buffers.push_back(ir::buffer("c", hw.result.scalar(), {hw.result.lanes}));
    c.buffers.push_back(noise(static_cast<size_t>(hw.result.bytes()), 9));
    c.func.name = fmt::format("hw{}", calls.size());
    c.func.body = ir::store(c.func.buffers.back(), whole(hw.result), ir::call(hw.result, hw.name, args));
    calls.push_back(std::move(c));
  }
  EXPECT_GE(calls.size(), 4u);
  expect_as_interpreted(calls, t, 0);
}

TEST(AArch64, RandomProgramsAgree) {
  if (!Emulator::available()) GTEST_SKIP() << "needs gcc-aarch64-linux-gnu and qemu-user-static";
  for (const char* text : {"aarch64-linux-gnu", "aarch64-linux-gnu -mcpu=neoverse-n1"}) {
    std::vector<KernelCall> calls;
    ir::RandomOptions options;
    options.lowered = false;
    for (uint64_t seed = 300000; seed < 300060; ++seed) {
      auto p = ir::random_program(seed, options);
      p.func.name = fmt::format("f{}", seed);
      calls.push_back({p.func, p.sizes, p.buffers});
    }
    expect_as_interpreted(calls, Target::parse(text).value(), 0);
  }
}

}  // namespace
}  // namespace mlc::codegen
