#include "tune/measure.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <random>
#include <set>

#include "arith/simplify.h"
#include "artifact/artifact.h"
#include "ir/visit.h"
#include "lower/pipeline.h"
#include "schedule/rules/rules.h"

namespace mlc::tune {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int64_t kWeightBytes = 64 << 10;  // read-only buffers from here on are copied, so that they are cold
constexpr size_t kMostSets = 64;
// As runtime/plan_executor.h splits calls with much work.
constexpr int64_t kMuchBytes = 1 << 20;
constexpr int kPieces = 8;

double median(std::vector<double> v) {
  std::sort(v.begin(), v.end());
  return v[v.size() / 2];
}

// Whole tiles of rows: what every buffer of a step has room for (artifact/artifact.h).
int64_t padded(int64_t rows) {
  return (rows + artifact::kRowPadding - 1) / artifact::kRowPadding * artifact::kRowPadding;
}

Result<int64_t> bytes_of(const ir::Buffer& b, const ir::PrimFunc& f, int64_t rows) {
  ir::VarMap sizes;
  for (const ir::Var& v : f.sizes) sizes[v] = ir::Expr(padded(rows));
  int64_t bytes = b->dtype.bytes();
  for (const ir::Expr& d : b->shape) {
    const ir::Expr value = arith::simplify(ir::substitute(d, sizes));
    const int64_t* n = ir::as_const_int(value);
    if (n == nullptr) return error("{}: the shape of {} depends on data", f.name, b->name);
    bytes *= *n;
  }
  return bytes;
}

void loads_of(const ir::Expr& e, std::set<std::string>& out) {
  if (!e) return;
  ir::for_each_expr(e, [&](const ir::Expr& x) {
    if (const auto* l = ir::as<ir::Load>(x)) out.insert(l->buffer->name);
    if (const auto* l = ir::as<ir::LoadBits>(x)) out.insert(l->buffer->name);
  });
}

// Buffers whose values decide which elements are touched: random values would point anywhere.
std::set<std::string> index_buffers(const ir::PrimFunc& f) {
  std::set<std::string> out;
  ir::for_each_expr(f.body, [&](const ir::Expr& e) {
    if (const auto* l = ir::as<ir::Load>(e)) {
      for (const ir::Expr& i : l->indices) loads_of(i, out);
    }
    if (const auto* l = ir::as<ir::LoadBits>(e)) {
      for (const ir::Expr& i : l->indices) loads_of(i, out);
    }
  });
  ir::for_each_stmt(f.body, [&](const ir::Stmt& s) {
    if (const auto* x = ir::as<ir::Store>(s)) {
      for (const ir::Expr& i : x->indices) loads_of(i, out);
    }
    if (const auto* x = ir::as<ir::For>(s)) loads_of(x->min, out), loads_of(x->extent, out);
    if (const auto* x = ir::as<ir::Let>(s)) loads_of(x->value, out);
    if (const auto* x = ir::as<ir::Block>(s)) {
      for (const ir::IterVar& it : x->iters) loads_of(it.binding, out), loads_of(it.extent, out);
    }
  });
  return out;
}

std::set<std::string> written_buffers(const ir::PrimFunc& f) {
  std::set<std::string> out;
  ir::for_each_stmt(f.body, [&](const ir::Stmt& s) {
    if (const auto* x = ir::as<ir::Store>(s)) out.insert(x->buffer->name);
    const auto* b = ir::as<ir::Block>(s);
    if (b == nullptr || !b->init) return;
    ir::for_each_stmt(b->init, [&](const ir::Stmt& i) {
      if (const auto* x = ir::as<ir::Store>(i)) out.insert(x->buffer->name);
    });
  });
  return out;
}

// Floats of moderate size, any bits for integers; but those of 16 bits are zero points, and schedules differ in whether
// they add products to them in 16 or in 32 bits (ir::kHalvesFitKey): with a group's 8 steps of at most 2 * 15 * 128
// these fit, as those of real inputs do.
void fill_random(std::byte* to, int64_t bytes, DType dtype, std::mt19937_64& rng) {
  const auto small = [&] { return static_cast<float>(static_cast<int64_t>(rng() % 2001) - 1000) / 1000.0F; };
  if (!dtype.is_float()) {
    for (int64_t i = 0; i + 8 <= bytes; i += 8) {
      uint64_t bits = rng();
      if (dtype == DType::i16()) {
        bits &= 0x03ff'03ff'03ff'03ff;
      }
      std::memcpy(to + i, &bits, 8);
    }
    return;
  }
  const int64_t n = bytes / dtype.element_bytes();
  for (int64_t i = 0; i < n; ++i) {
    const float v = small();
    if (dtype.bits == 32) {
      std::memcpy(to + i * 4, &v, 4);
    } else if (dtype.bits == 16) {
      const uint16_t half = dtype.is_bfloat() ? f32_to_bf16(v) : f32_to_f16(v);
      std::memcpy(to + i * 2, &half, 2);
    } else {
      const double wide = v;
      std::memcpy(to + i * 8, &wide, 8);
    }
  }
}

}  // namespace

Result<std::unique_ptr<KernelBench>> KernelBench::create(const ir::PrimFunc& f, const target::Target& target,
                                                         const BenchOptions& options, ThreadPool& pool) {
  MLC_TRY_VOID(target::check_runs_on(target, target::Target::host(), "the kernel to measure"));
  std::unique_ptr<KernelBench> bench(new KernelBench(f, target, options, pool));
  MLC_TRY(bench->by_hand_, bench->compile({}));
  MLC_TRY_VOID(bench->allocate());
  bench->run_once(bench->by_hand_.fn);
  bench->after_ = bench->outputs();
  return bench;
}

Result<void> KernelBench::allocate() {
  const auto device = runtime::make_cpu_device();
  const std::set<std::string> indices = index_buffers(func_), written = written_buffers(func_);
  std::mt19937_64 rng(options_.seed);
  std::vector<int64_t> bytes;
  int64_t cold = 0;  // of one copy of the weights
  for (const ir::Buffer& b : func_.buffers) {
    MLC_TRY(const int64_t n, bytes_of(b, func_, options_.rows));
    bytes.push_back(n);
    if (n >= kWeightBytes && written.count(b->name) == 0) cold += n;
  }
  const size_t copies =
      cold == 0 ? 1 : std::clamp<size_t>(static_cast<size_t>((options_.cold_bytes + cold - 1) / cold), 1, kMostSets);
  sets_.resize(copies);
  if (cold >= kMuchBytes) pieces_per_worker_ = kPieces;
  for (size_t i = 0; i < func_.buffers.size(); ++i) {
    const ir::Buffer& b = func_.buffers[i];
    const bool writes = written.count(b->name) > 0;
    const size_t n = bytes[i] >= kWeightBytes && !writes ? copies : 1;
    const std::byte* first = nullptr;
    for (size_t copy = 0; copy < n; ++copy) {
      MLC_TRY(runtime::Tensor t, runtime::Tensor::create(device, DType::u8(), {bytes[i]}));
      auto* data = t.as<std::byte>();
      if (first != nullptr) {
        std::memcpy(data, first, static_cast<size_t>(bytes[i]));
      } else if (indices.count(b->name) == 0) {
        fill_random(data, bytes[i], b->dtype, rng);
      }
      if (first == nullptr) first = data;
      for (size_t set = copy; set < copies; set += n) sets_[set].push_back(data);
      tensors_.push_back(std::move(t));
    }
    if (writes) {
      written_.push_back(i);
      before_.emplace_back(reinterpret_cast<const char*>(first), static_cast<size_t>(bytes[i]));
    }
  }
  sizes_.assign(func_.sizes.size(), options_.rows);
  return {};
}

Result<Candidate> KernelBench::compile(const schedule::Decisions& decisions) const {
  MLC_TRY(schedule::Schedule s, schedule::schedule_func(func_, target_, decisions));
  Candidate c;
  c.decisions = schedule::decisions_of(s.trace());
  c.trace = s.trace();
  c.scheduled = s.func();
  c.scheduled.attrs["stage"] = std::string("scheduled");
  ir::Module m;
  m.functions.push_back(c.scheduled);
  MLC_TRY(m, lower::run(m, target_));
  MLC_TRY(codegen::JitLibrary lib, codegen::JitLibrary::compile(m, target_, {.opt_level = options_.opt_level}));
  c.library = std::make_shared<codegen::JitLibrary>(std::move(lib));
  c.fn = c.library->kernel(func_.name);
  MLC_CHECK(c.fn != nullptr, "{} is not in its own library", func_.name);
  return c;
}

void KernelBench::restore_outputs() {
  for (size_t i = 0; i < written_.size(); ++i) {
    std::memcpy(sets_[0][written_[i]], before_[i].data(), before_[i].size());
  }
}

std::vector<std::string> KernelBench::outputs() const {
  std::vector<std::string> out;
  for (size_t i = 0; i < written_.size(); ++i) {
    out.emplace_back(static_cast<const char*>(sets_[0][written_[i]]), before_[i].size());
  }
  return out;
}

void KernelBench::run_once(artifact::KernelFn fn) {
  restore_outputs();
  pool_.run([&](int worker, int n) { fn(sets_[0].data(), sizes_.data(), worker, n); });
}

bool KernelBench::same_bits(const Candidate& candidate) {
  run_once(candidate.fn);
  return outputs() == after_;
}

void KernelBench::run_call(artifact::KernelFn fn, size_t set, int worker, int n, std::atomic<int>& next) const {
  void* const* buffers = sets_[set].data();
  const int pieces = pieces_per_worker_ * n;
  for (int piece = worker; piece < pieces; piece = next.fetch_add(1, std::memory_order_relaxed)) {
    fn(buffers, sizes_.data(), piece, pieces);
  }
}

double KernelBench::time(artifact::KernelFn fn, int calls) {
  Clock::time_point start, end;
  const size_t first = next_set_;
  std::vector<std::atomic<int>> next(static_cast<size_t>(calls));
  for (std::atomic<int>& piece : next) piece.store(pool_.num_workers(), std::memory_order_relaxed);
  pool_.run([&](int worker, int n) {
    if (worker == 0) start = Clock::now();
    for (int i = 0; i < calls; ++i) {
      const auto call = static_cast<size_t>(i);
      run_call(fn, (first + call) % sets_.size(), worker, n, next[call]);
      pool_.barrier();
    }
    if (worker == 0) end = Clock::now();
  });
  next_set_ = (first + static_cast<size_t>(calls)) % sets_.size();
  return std::chrono::duration<double>(end - start).count() / calls;
}

std::vector<double> KernelBench::measure(const std::vector<const Candidate*>& candidates, int rounds) {
  std::vector<artifact::KernelFn> fns = {by_hand_.fn};
  for (const Candidate* c : candidates) fns.push_back(c->fn);
  restore_outputs();
  const double once = std::max(1e-7, std::min(time(fns[0], 1), time(fns[0], 2)));
  const int calls = static_cast<int>(std::clamp(options_.round_s / once, 1.0, 10'000.0));
  std::vector<std::vector<double>> seconds(fns.size());
  for (int round = 0; round < rounds; ++round) {
    for (size_t i = 0; i < fns.size(); ++i) seconds[i].push_back(time(fns[i], calls));
  }
  std::vector<double> out;
  out.reserve(fns.size());
  for (auto& s : seconds) out.push_back(median(std::move(s)));
  return out;
}

}  // namespace mlc::tune
