// What each op means, run by the interpreter and compared with the formula written out in C++; and what the graph
// passes promise. Values come from a fixed generator.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "graph/ops/ops.h"
#include "graph/optimize.h"
#include "graph/to_ir.h"
#include "ir/interp.h"
#include "ir/verify.h"

namespace mlc::graph {
namespace {

constexpr Sym kT = Sym::kTokens;

std::vector<float> random_floats(size_t n, uint32_t seed) {
  std::mt19937 gen(seed);
  std::uniform_real_distribution<float> dist(-1, 1);
  std::vector<float> v(n);
  for (float& x : v) x = dist(gen);
  return v;
}

template <typename T>
ir::RawBuffer raw(std::vector<T>& v) {
  return {v.data(), static_cast<int64_t>(v.size() * sizeof(T))};
}

ValueId input(Graph& g, const char* name, DType t, std::vector<Dim> shape) {
  return g.add_value(name, {t, std::move(shape)}, ValueKind::kInput);
}

// The one kernel of a graph of one group, for `rows` rows.
ir::PrimFunc kernel_for(const Graph& g, int64_t rows) {
  const Program p = to_ir(fuse(g));
  EXPECT_EQ(p.calls.size(), 1u);
  for (const CallVariant& v : p.calls[0].variants) {
    if (rows < v.min || (v.max >= 0 && rows > v.max)) continue;
    const ir::PrimFunc* f = p.module.find(v.function);
    auto ok = ir::verify(*f, ir::Level::kGraph);
    EXPECT_TRUE(ok.has_value()) << (ok ? "" : ok.error().message);
    return *f;
  }
  ADD_FAILURE() << "no variant for " << rows << " rows";
  return {};
}

void run(const ir::PrimFunc& f, const std::vector<ir::RawBuffer>& buffers, const std::vector<int64_t>& sizes) {
  auto done = ir::interpret(f, buffers, sizes);
  ASSERT_TRUE(done.has_value()) << done.error().message;
}

TEST(Ops, RmsNorm) {
  const int64_t rows = 3, n = 20, np = 32;
  Graph g;
  const ValueId x = input(g, "x", DType::f32(), {Dim::of(kT), np}), w = input(g, "w", DType::f32(), {np});
  g.add_op({.name = "norm", .op = "rms_norm", .attrs = {{"n", n}, {"eps", 1e-5}}, .inputs = {x, w}}, {"y"});
  auto xs = random_floats(rows * np, 1), ws = random_floats(np, 2);
  std::vector<float> y(rows * np);
  run(kernel_for(g, rows), {raw(xs), raw(ws), raw(y)}, {rows});
  for (int64_t m = 0; m < rows; ++m) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(xs[m * np + i]) * xs[m * np + i];
    const double inverse = 1 / std::sqrt(sum / n + 1e-5);
    for (int64_t i = 0; i < n; ++i) EXPECT_NEAR(y[m * np + i], xs[m * np + i] * inverse * ws[i], 1e-5);
  }
}

TEST(Ops, SiluMulWithAWidthThatIsNoMultipleOfTheLanes) {
  const int64_t rows = 2, n = 20, wide = 48, np = 32;
  Graph g;
  const ValueId x = input(g, "x", DType::f32(), {Dim::of(kT), wide});
  g.add_op({.name = "silu", .op = "silu_mul", .attrs = {{"n", n}}, .inputs = {x}}, {"y"});
  auto xs = random_floats(rows * wide, 3);
  std::vector<float> y(rows * np);
  run(kernel_for(g, rows), {raw(xs), raw(y)}, {rows});
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t i = 0; i < n; ++i) {
      const float gate = xs[m * wide + i], up = xs[m * wide + n + i];
      EXPECT_NEAR(y[m * np + i], gate / (1 + std::exp(-gate)) * up, 1e-6);
    }
  }
}

// silu(gate) * up becomes codes at once, unless somebody else reads it or a group would be cut.
TEST(Expand, SiluIsQuantizedAtOnceForItsOnlyReader) {
  const auto ops_of = [](int64_t k, bool other_reader) {
    const auto w =
        std::make_shared<const quant::PackedLinear>(quant::PackedLinear::create("q4f16_1", "down", 16, k).value());
    Graph g;
    const ValueId x = input(g, "x", DType::f32(), {Dim::of(kT), quant::round_up(2 * k, 16)});
    const ValueId y = g.add_op({.name = "silu", .op = "silu_mul", .attrs = {{"n", k}}, .inputs = {x}}, {"y"})[0];
    Node linear{.name = "down", .op = "linear", .inputs = {y}, .weight = w};
    for (const auto& t : w->tensors()) linear.inputs.push_back(g.add_param(t));
    g.add_op(linear, {"z"});
    if (other_reader) g.add_op({.name = "more", .op = "add", .inputs = {y, y}}, {"more"});
    std::string ops;
    for (const Node& n : expand_linear(g, Activation::kInt8).nodes) ops += n.op + " ";
    return ops;
  };
  EXPECT_EQ(ops_of(64, false), "silu_quantize matmul_int8 ");
  EXPECT_EQ(ops_of(64, true), "silu_mul quantize_rows matmul_int8 add ");
  EXPECT_EQ(ops_of(40, false), "silu_mul quantize_rows matmul_int8 ");
}

struct Quantized {
  std::vector<int32_t> words, zeros;
  std::vector<float> scales;
};

Quantized quantize(std::vector<float> x, int64_t rows, int64_t k, int64_t kp, int64_t zero) {
  const int64_t groups = (k + 31) / 32;
  Graph g;
  const ValueId in = input(g, "x", DType::f32(), {Dim::of(kT), kp});
  g.add_op({.name = "q", .op = "quantize_rows", .attrs = {{"k", k}, {"zero", zero}}, .inputs = {in}}, {"w", "s", "z"});
  Quantized q{std::vector<int32_t>(rows * groups * 8), std::vector<int32_t>(rows * groups),
              std::vector<float>(rows * groups)};
  run(kernel_for(g, rows), {raw(x), raw(q.words), raw(q.scales), raw(q.zeros)}, {rows});
  return q;
}

TEST(Ops, QuantizeRowsRoundsToTheNearestOf255StepsPerGroup) {
  const int64_t rows = 2, k = 40, kp = 48;  // the second group has 8 columns, the rest of it counts as 0
  auto x = random_floats(rows * kp, 4);
  for (int64_t i = 0; i < 32; ++i) x[kp + i] = 0;  // an all-zero group
  const Quantized q = quantize(x, rows, k, kp, 7);
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t group = 0; group < 2; ++group) {
      const float scale = q.scales[m * 2 + group];
      int32_t sum = 0;
      for (int64_t r = 0; r < 32; ++r) {
        const int32_t word = q.words[(m * 2 + group) * 8 + r / 4];
        const auto code = static_cast<int8_t>(word >> (8 * (r % 4)));
        const int64_t column = group * 32 + r;
        EXPECT_NEAR(code * scale, column < k ? x[m * kp + column] : 0.0f, scale / 2 + 1e-6) << m << " " << column;
        sum += code;
      }
      EXPECT_EQ(q.zeros[m * 2 + group], -7 * sum);
    }
  }
  EXPECT_EQ(q.scales[2], 0.0f);
}

TEST(Ops, ZerosOfBothHalvesOfTheWords) {
  const int64_t rows = 3, k = 72, groups = 3;
  auto x = random_floats(rows * 80, 5);
  const Quantized q = quantize(x, rows, k, 80, 7);
  Graph g;
  const ValueId in = input(g, "x", DType::f32(), {Dim::of(kT), 80});
  g.add_op({.name = "q",
            .op = "quantize_rows",
            .attrs = {{"k", k}, {"zero", int64_t{7}}, {"apart", int64_t{1}}},
            .inputs = {in}},
           {"w", "s", "z"});
  std::vector<int32_t> words(q.words.size());
  std::vector<int16_t> zeros(rows * groups * 2);
  std::vector<float> scales(rows * groups);
  run(kernel_for(g, rows), {raw(x), raw(words), raw(scales), raw(zeros)}, {rows});
  EXPECT_EQ(words, q.words);
  for (int64_t i = 0; i < rows * groups; ++i) {
    int32_t sums[2] = {};
    for (int64_t r = 0; r < 32; ++r) sums[r % 4 / 2] += static_cast<int8_t>(words[i * 8 + r / 4] >> (8 * (r % 4)));
    EXPECT_EQ(zeros[i * 2], -7 * sums[0]) << i;
    EXPECT_EQ(zeros[i * 2 + 1], -7 * sums[1]) << i;
  }
}

// Packs codes and scales by the layer's own pack kernels.
struct Packed {
  std::vector<uint32_t> codes;
  std::vector<uint16_t> scales;
};

Packed pack(const quant::PackedLinear& w, std::vector<uint32_t> q_weight, std::vector<uint16_t> q_scale) {
  auto elements = [](const quant::PackedTensor& t) {
    int64_t n = 1;
    for (int64_t d : t.shape) n *= d;
    return static_cast<size_t>(n);
  };
  Packed p{std::vector<uint32_t>(elements(w.tensors()[0])), std::vector<uint16_t>(elements(w.tensors()[1]))};
  run(w.tensors()[0].pack, {raw(q_weight), raw(p.codes)}, {});
  run(w.tensors()[1].pack, {raw(q_scale), raw(p.scales)}, {});
  return p;
}

class Linear : public ::testing::TestWithParam<std::tuple<std::string, int64_t>> {};

// Both ways to compute a quantized linear layer, against code, scale and zero point written out.
TEST_P(Linear, EqualsTheFormula) {
  const auto& [scheme, rows] = GetParam();
  const bool four = scheme == "q4f16_1";
  const int64_t n = 24, k = 72, kp = 80, groups = 3, np = 32, per_word = four ? 8 : 4, zero = four ? 7 : 127;
  auto linear = quant::PackedLinear::create(scheme, "layer", n, k);
  ASSERT_TRUE(linear.has_value());
  const auto w = std::make_shared<const quant::PackedLinear>(*linear);
  std::mt19937 gen(5);
  std::vector<uint32_t> q_weight(n * groups * 32 / per_word);
  std::vector<int> codes(n * groups * 32);
  for (size_t i = 0; i < codes.size(); ++i) {
    codes[i] = static_cast<int>(gen() % (2 * zero + 1));
    q_weight[i / per_word] |= static_cast<uint32_t>(codes[i]) << (32 / per_word * (i % per_word));
  }
  std::vector<uint16_t> q_scale(n * groups);
  for (auto& s : q_scale) s = f32_to_f16(0.001f + static_cast<float>(gen() % 1000) * 1e-5f);
  Packed packed = pack(*w, q_weight, q_scale);
  auto x = random_floats(16 * kp, 6);
  auto weight_at = [&](int64_t row, int64_t col) {
    return (codes[row * groups * 32 + col] - zero) * f16_to_f32(q_scale[row * groups + col / 32]);
  };

  Graph g;
  const ValueId in = input(g, "x", DType::f32(), {Dim::of(kT), kp});
  Node node{.name = "layer", .op = "linear", .inputs = {in}, .weight = w};
  for (const auto& t : w->tensors()) node.inputs.push_back(g.add_param(t));
  g.add_op(node, {"y"});

  const Graph exact = fuse(expand_linear(g, Activation::kFloat32));
  ASSERT_EQ(exact.groups.size(), 1u) << "the dequantization belongs to the matmul's kernel";
  std::vector<float> y(16 * np);
  run(kernel_for(exact, rows), {raw(packed.codes), raw(packed.scales), raw(x), raw(y)}, {rows});
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t col = 0; col < n; ++col) {
      double sum = 0;
      for (int64_t i = 0; i < k; ++i) sum += static_cast<double>(x[m * kp + i]) * weight_at(col, i);
      EXPECT_NEAR(y[m * np + col], sum, 1e-4);
    }
  }

  const Graph integer = fuse(expand_linear(g, Activation::kInt8));
  ASSERT_EQ(integer.groups.size(), 2u);
  Quantized q = quantize(x, 16, k, kp, zero);
  const Program p = to_ir(integer);
  const ir::PrimFunc* f = nullptr;
  for (const CallVariant& v : p.calls[1].variants) {
    if (rows >= v.min && (v.max < 0 || rows <= v.max)) f = p.module.find(v.function);
  }
  ASSERT_NE(f, nullptr);
  run(*f, {raw(q.words), raw(q.scales), raw(q.zeros), raw(packed.codes), raw(packed.scales), raw(y)}, {rows});
  for (int64_t m = 0; m < rows; ++m) {
    for (int64_t col = 0; col < n; ++col) {
      double sum = 0;
      for (int64_t i = 0; i < groups * 32; ++i) {
        const auto a = static_cast<int8_t>(q.words[(m * groups * 32 + i) / 4] >> (8 * (i % 4)));
        sum += static_cast<double>(a) * q.scales[m * groups + i / 32] * weight_at(col, i);
      }
      EXPECT_NEAR(y[m * np + col], sum, 1e-4) << m << " " << col;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Schemes, Linear,
                         ::testing::Combine(::testing::Values("q4f16_1", "q8f16_1"), ::testing::Values(1, 2, 3, 11)),
                         [](const auto& tested) {
                           return std::get<0>(tested.param) + "_" + std::to_string(std::get<1>(tested.param)) + "rows";
                         });

// Rotates, appends to scattered pages and attends; against attention over the whole history.
TEST(Ops, RopeAppendAndAttentionOverScatteredPages) {
  const int64_t heads = 16, kv_heads = 2, dim = 8, tokens = 75, pages = 5, half = dim / 2;
  const int64_t qkv_width = (heads + 2 * kv_heads) * dim;
  Graph g;
  const Dim t = Dim::of(kT), page_dim = Dim::of(Sym::kPages);
  const ValueId qkv = input(g, "qkv", DType::f32(), {t, qkv_width});
  const ValueId cos = input(g, "cos", DType::f32(), {t, half}), sin = input(g, "sin", DType::f32(), {t, half});
  const ValueId slots = input(g, "slots", DType::i32(), {t}), positions = input(g, "positions", DType::i32(), {t});
  const ValueId start = input(g, "start", DType::i32(), {t});
  const ValueId tables = input(g, "tables", DType::i32(), {Dim::of(Sym::kBlockTable)});
  const ValueId kc = g.add_kv("k", {DType::f32(), {page_dim, kv_heads, dim, 16}}, 0);
  const ValueId vc = g.add_kv("v", {DType::f32(), {page_dim, kv_heads, 16, dim}}, 1);
  std::map<std::string, Attr> attrs = {{"heads", heads}, {"kv_heads", kv_heads}, {"head_dim", dim}};
  const ValueId q = g.add_op({.name = "rope",
                              .op = "rope_append",
                              .attrs = attrs,
                              .inputs = {qkv, cos, sin, slots, kc, vc},
                              .outputs = {kc, vc}},
                             {"q"})[0];
  attrs["segment"] = int64_t{1};  // with groups of 8 heads: 2 pages, so that the later rows have three segments
  const std::vector<ValueId> inputs = {q, positions, start, tables, kc, vc};
  const ValueId o = g.add_op({.name = "attend", .op = "attention", .attrs = attrs, .inputs = inputs}, {"o"})[0];
  EXPECT_EQ(ops::segment_tokens(g.nodes.back()), 32);
  const ValueId parts =
      g.add_op({.name = "split", .op = "attention_parts", .attrs = attrs, .inputs = inputs}, {"parts"})[0];
  g.add_op({.name = "combine", .op = "attention_combine", .attrs = attrs, .inputs = {parts, positions}, .outputs = {o}},
           {});
  const Program p = to_ir(fuse(g));
  ASSERT_EQ(p.calls.size(), 4u);

  auto x = random_floats(tokens * qkv_width, 7);
  std::vector<float> cs(tokens * half), sn(tokens * half), qs(tokens * heads * dim), out(tokens * heads * dim);
  std::vector<float> k_cache(pages * kv_heads * dim * 16), v_cache(k_cache.size());
  std::vector<int32_t> slot(tokens), pos(tokens), begin(tokens, 1),
      table = {9, 4, 1, 3, 0, 2};  // entry 0 is another sequence's
  for (int64_t m = 0; m < tokens; ++m) {
    pos[m] = static_cast<int32_t>(m);
    slot[m] = table[1 + m / 16] * 16 + static_cast<int32_t>(m % 16);
    for (int64_t d = 0; d < half; ++d) {
      cs[m * half + d] = std::cos(0.1f * m / (d + 1));
      sn[m * half + d] = std::sin(0.1f * m / (d + 1));
    }
  }
  run(*p.module.find(p.calls[0].variants[0].function),
      {raw(x), raw(cs), raw(sn), raw(slot), raw(k_cache), raw(v_cache), raw(qs)}, {tokens, pages});
  run(*p.module.find(p.calls[1].variants[0].function),
      {raw(qs), raw(pos), raw(begin), raw(table), raw(k_cache), raw(v_cache), raw(out)}, {tokens, 6, pages});

  // In parts, and combined: the same bits.
  const int64_t num_parts = tokens * 3, width = g.values[static_cast<size_t>(parts)].type.shape[1].value;
  std::vector<float> between(num_parts * width, -5e30f), again(out.size());
  run(*p.module.find(p.calls[2].variants[0].function),
      {raw(qs), raw(pos), raw(begin), raw(table), raw(k_cache), raw(v_cache), raw(between)},
      {tokens, 6, pages, num_parts});
  run(*p.module.find(p.calls[3].variants[0].function), {raw(between), raw(pos), raw(again)}, {tokens, num_parts});
  EXPECT_EQ(again, out);

  auto rotated = [&](int64_t m, int64_t base, int64_t d) {
    const int64_t i = d % half;
    const float a = x[m * qkv_width + base + i], b = x[m * qkv_width + base + half + i];
    const float c = cs[m * half + i], s = sn[m * half + i];
    return d < half ? a * c - b * s : b * c + a * s;
  };
  for (int64_t m = 0; m < tokens; ++m) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t kv = h / (heads / kv_heads);
      std::vector<double> weight(m + 1);
      double total = 0;
      for (int64_t j = 0; j <= m; ++j) {
        double score = 0;
        for (int64_t d = 0; d < dim; ++d) score += rotated(m, h * dim, d) * rotated(j, (heads + kv) * dim, d);
        total += weight[j] = std::exp(score / std::sqrt(static_cast<double>(dim)));
      }
      for (int64_t d = 0; d < dim; ++d) {
        double expected = 0;
        for (int64_t j = 0; j <= m; ++j)
          expected += weight[j] / total * x[j * qkv_width + (heads + kv_heads + kv) * dim + d];
        EXPECT_NEAR(out[(m * heads + h) * dim + d], expected, 1e-5) << m << " " << h << " " << d;
      }
    }
  }
}

// What two nodes may write, one in some steps and the other in others, lives from the first on; parts lie behind all
// rows.
TEST(MemoryPlan, SplitAttention) {
  const std::map<std::string, Attr> attrs = {
      {"heads", int64_t{4}}, {"kv_heads", int64_t{1}}, {"head_dim", int64_t{8}}, {"segment", int64_t{4}}};
  Graph g;
  const ValueId x = input(g, "x", DType::f32(), {Dim::of(kT), 32}), w = input(g, "w", DType::f32(), {32});
  const ValueId pos = input(g, "pos", DType::i32(), {Dim::of(kT)});
  const ValueId tables = input(g, "tables", DType::i32(), {Dim::of(Sym::kBlockTable)});
  const ValueId kc = g.add_kv("k", {DType::f32(), {Dim::of(Sym::kPages), 1, 8, 16}}, 0);
  const ValueId vc = g.add_kv("v", {DType::f32(), {Dim::of(Sym::kPages), 1, 16, 8}}, 1);
  auto norm = [&](ValueId from) {
    return g.add_op({.name = "n", .op = "rms_norm", .attrs = {{"n", int64_t{32}}, {"eps", 1e-5}}, .inputs = {from, w}},
                    {"h"})[0];
  };
  const ValueId q = norm(x);
  const std::vector<ValueId> in = {q, pos, pos, tables, kc, vc};
  const ValueId o = g.add_op({.name = "a", .op = "attention", .attrs = attrs, .inputs = in}, {"o"})[0];
  const ValueId parts = g.add_op({.name = "p", .op = "attention_parts", .attrs = attrs, .inputs = in}, {"p"})[0];
  g.add_op({.name = "c", .op = "attention_combine", .attrs = attrs, .inputs = {parts, pos}, .outputs = {o}}, {});
  norm(o);
  const MemoryPlan plan = plan_memory(fuse(g));
  const auto at = [&](ValueId v) { return plan.offset[static_cast<size_t>(v)]; };
  EXPECT_NE(at(q).per_token, at(o).per_token) << "q is read after the whole form has written o";
  EXPECT_EQ(plan.size[static_cast<size_t>(parts)].per_part, 48 * 4);  // 4 heads of 8 values, a top and a total each
  EXPECT_EQ(at(parts).per_token, plan.total.per_token);
  EXPECT_EQ(plan.total.per_part, 48 * 4);
}

TEST(MemoryPlan, ValuesAliveAtTheSameTimeShareNoBytes) {
  Graph g;
  ValueId x = input(g, "x", DType::f32(), {Dim::of(kT), 64});
  const ValueId w = input(g, "w", DType::f32(), {64});
  std::vector<ValueId> made;
  for (int i = 0; i < 6; ++i) {
    const ValueId a = g.add_op(
        {.name = "n", .op = "rms_norm", .attrs = {{"n", int64_t{64}}, {"eps", 1e-5}}, .inputs = {x, w}}, {"a"})[0];
    x = g.add_op({.name = "r", .op = "add", .inputs = {a, x}}, {"b"})[0];
    made.push_back(a);
    made.push_back(x);
  }
  const MemoryPlan plan = plan_memory(fuse(g));
  for (size_t i = 0; i + 1 < made.size(); ++i) {
    const auto a = static_cast<size_t>(made[i]), b = static_cast<size_t>(made[i + 1]);
    const int64_t a0 = plan.offset[a].per_token, b0 = plan.offset[b].per_token;
    EXPECT_TRUE(a0 + plan.size[a].per_token <= b0 || b0 + plan.size[b].per_token <= a0) << i;
  }
  EXPECT_LE(plan.total.per_token, 3 * 256) << "three values are alive at once, not twelve";
}

}  // namespace
}  // namespace mlc::graph
