// Kernels of random shapes, scheduled by their rules, lowered and compiled, compute what the interpreter says of the
// unscheduled function: linear layers of every scheme and row range, activation quantization, rotary embedding with
// cache append, attention. For this machine and for lesser CPUs that it can stand in for. MLC_PROPERTY_CASES sets how
// many shapes (16 by default), MLC_PROPERTY_SEED where they start.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "codegen/llvm/host.h"
#include "codegen/llvm/jit.h"
#include "graph/ops/ops.h"
#include "graph/optimize.h"
#include "graph/to_ir.h"
#include "lower/pipeline.h"
#include "schedule/fuzzer.h"
#include "schedule/rules/rules.h"
#include "schedule/testing.h"

namespace mlc::compiler {
namespace {

using graph::Dim;
using graph::Sym;
using graph::ValueId;
using graph::ValueKind;
using schedule::testing::Bytes;
using target::Target;

using Rng = std::mt19937;
int64_t pick(Rng& rng, int64_t low, int64_t high) { return low + static_cast<int64_t>(rng() % (high - low + 1)); }

struct Case {
  unsigned seed;
  std::string told;
  ir::Module module;
  int64_t segment = 0;  // tokens of a segment of attention
  size_t columns = 0;   // of its result, without padding
};

// Values of the size parameters.
struct Sizes {
  int64_t rows, table, pages, parts;
  std::vector<int64_t> of(const ir::PrimFunc& f) const {
    std::vector<int64_t> out;
    for (const ir::Var& v : f.sizes) {
      const std::string& name = v.name();
      out.push_back(name == "rows" ? rows : name == "P" ? table : name == "Q" ? parts : pages);
    }
    return out;
  }
};
Sizes random_sizes(const Case& c, Rng& rng) {
  const int64_t rows = pick(rng, 1, 19), table = pick(rng, 8, 14);
  const int64_t segments = c.segment == 0 ? 0 : ((table - 1) * 16 - 1) / c.segment + 1;  // of the last position
  return {rows, table, table + 3, rows * segments};
}

Case linear_case(unsigned seed) {
  Rng rng(seed);
  static const char* const kSchemes[] = {"q0f32", "q0f16", "q0bf16", "q4f16_1", "q4f32_1", "q8f16_1"};
  const std::string scheme = kSchemes[rng() % std::size(kSchemes)];
  const bool integer = rng() % 2 == 0, residual = rng() % 2 == 0;
  const int64_t n = pick(rng, 1, 150), k = pick(rng, 1, 20) * 8;
  auto linear = quant::PackedLinear::create(scheme, "layer", n, k);
  MLC_CHECK(linear.has_value(), "{}", linear.error().message);
  const auto w = std::make_shared<const quant::PackedLinear>(*linear);
  graph::Graph g;
  const Dim rows = Dim::of(Sym::kTokens);
  const ValueId x = g.add_value("x", {DType::f32(), {rows, quant::round_up(k, quant::kLanes)}}, ValueKind::kInput);
  graph::Node node{.name = "layer", .op = "linear", .inputs = {x}, .weight = w};
  for (const auto& t : w->tensors()) node.inputs.push_back(g.add_param(t));
  const ValueId y = g.add_op(node, {"y"})[0];
  if (residual) {
    const ValueId r = g.add_value("r", {DType::f32(), {rows, w->n_padded()}}, ValueKind::kInput);
    g.add_op({.name = "sum", .op = "add", .inputs = {y, r}}, {"z"});
  }
  const auto activation = integer ? graph::Activation::kInt8 : graph::Activation::kFloat32;
  const bool apart = rng() % 2 == 0;
  const int64_t tile = rng() % 2 == 0 ? 4 : graph::Tiling{}.largest_tile;  // as for vectors of 256 bits, and of others
  return {seed, fmt::format("{} {}x{} int8 {} residual {}", scheme, n, k, integer, residual),
          graph::to_ir(graph::fuse(graph::expand_linear(g, activation, true, apart)), {.largest_tile = tile}).module};
}

Case attention_case(unsigned seed) {
  Rng rng(seed);
  const int64_t kv_heads = pick(rng, 1, 3), group = pick(rng, 1, 8), dim = 8 * pick(rng, 1, 6);
  const int64_t heads = kv_heads * group;
  const DType kv = std::array{DType::f16(), DType::bf16(), DType::f32(), DType::i8()}[rng() % 4];
  graph::Graph g;
  const Dim t = Dim::of(Sym::kTokens), pages = Dim::of(Sym::kPages);
  auto input = [&](const char* name, DType type, std::vector<Dim> shape) {
    return g.add_value(name, {type, std::move(shape)}, ValueKind::kInput);
  };
  const ValueId qkv = input("qkv", DType::f32(), {t, quant::round_up((heads + 2 * kv_heads) * dim, quant::kLanes)});
  const ValueId cos = input("cos", DType::f32(), {t, dim / 2}), sin = input("sin", DType::f32(), {t, dim / 2});
  const ValueId slots = input("slots", DType::i32(), {t}), positions = input("positions", DType::i32(), {t});
  const ValueId start = input("start", DType::i32(), {t});
  const ValueId tables = input("tables", DType::i32(), {Dim::of(Sym::kBlockTable)});
  std::vector<ValueId> cache = {g.add_kv("k", {kv, {pages, kv_heads, dim, 16}}, 0),
                                g.add_kv("v", {kv, {pages, kv_heads, 16, dim}}, 1)};
  if (kv == DType::i8()) {
    cache.push_back(g.add_kv("k_scale", {DType::f32(), {pages, kv_heads, 16}}, 2));
    cache.push_back(g.add_kv("v_scale", {DType::f32(), {pages, kv_heads, 16}}, 3));
  }
  auto with_cache = [&](std::vector<ValueId> inputs) {
    inputs.insert(inputs.end(), cache.begin(), cache.end());
    return inputs;
  };
  std::map<std::string, graph::Attr> attrs = {{"heads", heads}, {"kv_heads", kv_heads}, {"head_dim", dim}};
  const ValueId q = g.add_op({.name = "rope",
                              .op = "rope_append",
                              .attrs = attrs,
                              .inputs = with_cache({qkv, cos, sin, slots}),
                              .outputs = cache},
                             {"q"})[0];
  attrs["segment"] = pick(rng, 1, 8);
  const auto inputs = with_cache({q, positions, start, tables});
  const ValueId o = g.add_op({.name = "attend", .op = "attention", .attrs = attrs, .inputs = inputs}, {"o"})[0];
  const int64_t segment = graph::ops::segment_tokens(g.nodes.back());
  const ValueId parts =
      g.add_op({.name = "split", .op = "attention_parts", .attrs = attrs, .inputs = inputs}, {"parts"})[0];
  g.add_op({.name = "combine", .op = "attention_combine", .attrs = attrs, .inputs = {parts, positions}, .outputs = {o}},
           {});
  return {seed, fmt::format("heads {} kv {} dim {} {} segment {}", heads, kv_heads, dim, kv.str(), segment),
          graph::to_ir(graph::fuse(g), {.register_sums = pick(rng, 1, 16)}).module, segment,
          static_cast<size_t>(heads * dim)};
}

void set_ints(Bytes& bytes, const std::function<int32_t(size_t)>& value) {
  for (size_t i = 0; i < bytes.size() / 4; ++i) {
    const int32_t v = value(i);
    std::memcpy(&bytes[4 * i], &v, 4);
  }
}

// Arguments that the kernel may get: indices within their tables, slots that differ, codes over their whole range.
std::vector<Bytes> arguments(const ir::PrimFunc& f, const std::vector<int64_t>& sizes, int64_t pages, int64_t segment,
                             Rng& rng) {
  std::vector<Bytes> out;
  for (const ir::Buffer& b : f.buffers) out.push_back(schedule::testing::random_buffer(b, f, sizes, rng));
  if (f.name.find("rope_append") != std::string::npos) {
    std::vector<int32_t> slots(static_cast<size_t>(pages) * 16);
    std::iota(slots.begin(), slots.end(), 0);
    std::shuffle(slots.begin(), slots.end(), rng);
    set_ints(out[3], [&](size_t i) { return slots[i]; });
  } else if (f.name.find("attention_combine") != std::string::npos) {
    const int32_t last = static_cast<int32_t>(sizes[1] / sizes[0]) - 1;  // segment
    for (size_t i = 0; i + 4 <= out[0].size(); i += 4) {                 // totals are positive
      float v;
      std::memcpy(&v, &out[0][i], 4);
      v = 1.5f + v / 2;
      std::memcpy(&out[0][i], &v, 4);
    }
    set_ints(out[1], [&](size_t) { return static_cast<int32_t>(rng() % (last + 1)) * static_cast<int32_t>(segment); });
  } else if (f.name.find("attention") != std::string::npos) {
    const int32_t table = static_cast<int32_t>(out[3].size() / 4);
    set_ints(out[2], [&](size_t) { return static_cast<int32_t>(rng() % 2); });                   // where tables start
    set_ints(out[1], [&](size_t) { return static_cast<int32_t>(rng() % ((table - 1) * 16)); });  // positions
    set_ints(out[3], [&](size_t) { return static_cast<int32_t>(rng() % pages); });
  } else if (f.name.find("matmul_int8") != std::string::npos) {
    for (const size_t words : {size_t{0}, size_t{3}}) {
      for (uint8_t& byte : out[words]) byte = static_cast<uint8_t>(rng());
    }
    for (uint8_t& byte : out[0]) byte = byte == 0x80 ? 0x81 : byte;  // activations are -127 … 127
  }
  return out;
}

// Kernels take buffers on 64 byte boundaries.
struct Aligned {
  std::vector<uint8_t> storage;
  uint8_t* data = nullptr;
  explicit Aligned(const Bytes& b) : storage(b.size() + 128) {
    data = storage.data() + (64 - reinterpret_cast<uintptr_t>(storage.data()) % 64) % 64;
    std::memcpy(data, b.data(), b.size());
  }
};

void check(const Case& c, const ir::PrimFunc& f, const std::vector<codegen::JitLibrary>& libraries,
           const std::vector<Target>& targets) {
  Rng rng(c.seed);
  const Sizes s = random_sizes(c, rng);
  const std::vector<int64_t> sizes = s.of(f);
  const std::vector<Bytes> args = arguments(f, sizes, s.pages, c.segment, rng);
  std::vector<Bytes> want = args;
  std::vector<ir::RawBuffer> raw;
  for (Bytes& b : want) raw.push_back({b.data(), static_cast<int64_t>(b.size())});
  auto interpreted = ir::interpret(f, raw, sizes);
  ASSERT_TRUE(interpreted) << c.told << " " << f.name << ": " << interpreted.error().message;
  for (size_t t = 0; t < targets.size(); ++t) {
    const artifact::KernelFn kernel = libraries[t].kernel(f.name);
    ASSERT_NE(kernel, nullptr) << f.name;
    std::vector<Aligned> got;
    std::vector<void*> pointers;
    for (const Bytes& b : args) got.emplace_back(b);
    for (Aligned& b : got) pointers.push_back(b.data);
    for (int w = 0; w < 3; ++w) kernel(pointers.data(), sizes.data(), w, 3);
    for (size_t i = 0; i < want.size(); ++i) {
      const Bytes bytes(got[i].data, got[i].data + want[i].size());
      ASSERT_TRUE(schedule::testing::close(f.buffers[i], want[i], bytes))
          << "seed " << c.seed << ", " << c.told << ", " << f.name << ", " << s.rows << " rows, " << targets[t].str();
    }
  }
}

// This machine, and what it can run of: AVX-512 without dot products, AVX2, the baseline.
std::vector<Target> runnable_targets() {
  std::vector<Target> out;
  auto native = codegen::native_target();
  MLC_CHECK(native.has_value(), "{}", native.error().message);
  out.push_back(*native);
  for (const char* text :
       {"x86_64-linux-gnu -mcpu=skylake-avx512", "x86_64-linux-gnu -mcpu=haswell", "x86_64-linux-gnu"}) {
    if (!native->is_x86_64()) break;
    auto parsed = Target::parse(text);
    MLC_CHECK(parsed.has_value(), "{}", parsed.error().message);
    auto resolved = codegen::resolve_target(*parsed);
    MLC_CHECK(resolved.has_value(), "{}", resolved.error().message);
    const bool fits =
        std::all_of(resolved->features.begin(), resolved->features.end(), [&](const std::string& feature) {
          return feature.find("tuning") != std::string::npos || native->has(feature);
        });
    if (fits) out.push_back(*resolved);
  }
  return out;
}

// Further checks of a case, compiled for one target.
using Also = std::function<void(const Case& c, const codegen::JitLibrary& library, const Target& t)>;

void run_cases(const std::function<Case(unsigned)>& make, const Also& also = {}) {
  const int cases = schedule::testing::setting("MLC_PROPERTY_CASES", 16);
  const int first = schedule::testing::setting("MLC_PROPERTY_SEED", 0);
  const std::vector<Target> targets = runnable_targets();
  for (int i = first; i < first + cases; ++i) {
    const Case c = make(static_cast<unsigned>(i));
    std::vector<codegen::JitLibrary> libraries;
    for (const Target& t : targets) {
      auto scheduled = schedule::schedule_all(c.module, t);
      ASSERT_TRUE(scheduled) << c.told << ": " << scheduled.error().message;
      auto lowered = lower::run(*scheduled, t);
      ASSERT_TRUE(lowered) << c.told << ": " << lowered.error().message;
      auto lib = codegen::JitLibrary::compile(*lowered, t);
      ASSERT_TRUE(lib) << c.told << ": " << lib.error().message;
      libraries.push_back(std::move(*lib));
    }
    for (const ir::PrimFunc& f : c.module.functions) {
      check(c, f, libraries, targets);
      if (::testing::Test::HasFatalFailure()) return;
    }
    for (size_t t = 0; also && t < targets.size(); ++t) {
      also(c, libraries[t], targets[t]);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

// The function of a case whose name ends so.
const ir::PrimFunc& function(const Case& c, const std::string& end) {
  for (const ir::PrimFunc& f : c.module.functions) {
    if (f.name.ends_with(end)) return f;
  }
  MLC_UNREACHABLE("no kernel {}", end);
}

void run_kernel(const codegen::JitLibrary& library, const ir::PrimFunc& f, const Sizes& s, std::vector<void*> buffers,
                int workers) {
  const std::vector<int64_t> sizes = s.of(f);
  const artifact::KernelFn kernel = library.kernel(f.name);
  for (int w = 0; w < workers; ++w) kernel(buffers.data(), sizes.data(), w, workers);
}

// Whole rows, or parts that are combined: bit for bit the same, however many workers there are.
void check_split(const Case& c, const codegen::JitLibrary& library, const Target& target) {
  Rng rng(c.seed);
  Sizes s = random_sizes(c, rng);
  const ir::PrimFunc& whole = function(c, "_attention");
  const ir::PrimFunc& split = function(c, "_attention_parts");
  const ir::PrimFunc& combine = function(c, "_attention_combine");
  std::vector<Aligned> in;
  for (const Bytes& b : arguments(whole, s.of(whole), s.pages, c.segment, rng)) in.emplace_back(b);
  std::vector<void*> buffers;
  for (Aligned& b : in) buffers.push_back(b.data);
  const size_t size = in.back().storage.size() - 128;
  run_kernel(library, whole, s, buffers, 3);
  const Bytes want(in.back().data, in.back().data + size);
  ASSERT_GT(s.parts, 0);
  for (const int workers : {1, 2, 5}) {
    // Room for the parts and, as nothing that they leave unwritten may be used, NaN in them.
    Aligned parts(schedule::testing::random_buffer(split.buffers.back(), split, s.of(split), rng));
    std::memset(parts.data, 0xff, parts.storage.size() - 128);
    std::memset(in.back().data, 0xff, size);
    buffers.back() = parts.data;
    run_kernel(library, split, s, buffers, workers);
    run_kernel(library, combine, s, {parts.data, in[1].data, in.back().data}, workers);
    buffers.back() = in.back().data;
    for (int64_t m = 0; m < s.rows; ++m) {
      const size_t row = static_cast<size_t>(m) * size / static_cast<size_t>(s.rows);
      ASSERT_EQ(std::memcmp(&want[row], in.back().data + row, c.columns * 4), 0)
          << "seed " << c.seed << ", " << c.told << ", row " << m << ", " << workers << " workers, " << target.str();
    }
  }
}

// silu(gate) * up and its quantization, apart and as one.
Case silu_case(unsigned seed) {
  Rng rng(seed);
  const int64_t k = 32 * pick(rng, 1, 9), zero = rng() % 2 == 0 ? 7 : 127;
  graph::Graph g;
  const ValueId x = g.add_value("x", {DType::f32(), {Dim::of(Sym::kTokens), 2 * k}}, ValueKind::kInput);
  const std::map<std::string, graph::Attr> attrs = {{"k", k}, {"zero", zero}};
  const ValueId y = g.add_op({.name = "silu", .op = "silu_mul", .attrs = {{"n", k}}, .inputs = {x}}, {"y"})[0];
  g.add_op({.name = "apart", .op = "quantize_rows", .attrs = attrs, .inputs = {y}}, {"w", "s", "z"});
  g.add_op({.name = "one", .op = "silu_quantize", .attrs = attrs, .inputs = {x}}, {"w", "s", "z"});
  return {seed, fmt::format("silu {} zero {}", k, zero), graph::to_ir(graph::fuse(g)).module};
}

// A code may differ from the interpreter's, whose exp is another one; the two forms do not differ in a bit.
TEST(RandomKernels, SiluIsQuantizedAlikeApartAndAsOne) {
  const int cases = schedule::testing::setting("MLC_PROPERTY_CASES", 16);
  const int first = schedule::testing::setting("MLC_PROPERTY_SEED", 0);
  for (const Target& t : runnable_targets()) {
    for (int i = first; i < first + cases; ++i) {
      const Case c = silu_case(static_cast<unsigned>(i));
      auto scheduled = schedule::schedule_all(c.module, t);
      ASSERT_TRUE(scheduled) << scheduled.error().message;
      auto lowered = lower::run(*scheduled, t);
      ASSERT_TRUE(lowered) << lowered.error().message;
      auto library = codegen::JitLibrary::compile(*lowered, t);
      ASSERT_TRUE(library) << library.error().message;
      Rng rng(c.seed);
      const Sizes s = random_sizes(c, rng);
      const ir::PrimFunc &silu = function(c, "_silu_mul"), &apart = function(c, "_quantize_rows"),
                         &one = function(c, "_silu_quantize");
      std::vector<Aligned> a, b;
      for (const ir::Buffer& buffer : silu.buffers) {
        a.emplace_back(schedule::testing::random_buffer(buffer, silu, s.of(silu), rng));
      }
      std::vector<Bytes> out;
      for (size_t k = 1; k < one.buffers.size(); ++k) {
        out.push_back(schedule::testing::random_buffer(one.buffers[k], one, s.of(one), rng));
        a.emplace_back(out.back());
        b.emplace_back(out.back());
      }
      run_kernel(*library, silu, s, {a[0].data, a[1].data}, 2);
      run_kernel(*library, apart, s, {a[1].data, a[2].data, a[3].data, a[4].data}, 3);
      run_kernel(*library, one, s, {a[0].data, b[0].data, b[1].data, b[2].data}, 5);
      for (size_t k = 0; k < out.size(); ++k) {
        ASSERT_EQ(std::memcmp(a[k + 2].data, b[k].data, out[k].size()), 0) << c.told << " " << k << " " << t.str();
        ASSERT_NE(std::memcmp(b[k].data, out[k].data(), out[k].size()), 0) << "nothing was written";
      }
    }
  }
}

TEST(RandomKernels, LinearLayersOfEverySchemeAndRowRange) { run_cases(linear_case); }
TEST(RandomKernels, RopeAppendAndAttentionWholeAndSplit) { run_cases(attention_case, check_split); }

}  // namespace
}  // namespace mlc::compiler
