#include "runtime/plan_executor.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "base/check.h"
#include "base/knobs.h"
#include "base/span.h"

namespace mlc::runtime {
namespace {

using artifact::BufferKind;
using artifact::Symbol;

int64_t pad_rows(int64_t n) { return (n + artifact::kRowPadding - 1) / artifact::kRowPadding * artifact::kRowPadding; }

// The symbol behind the first dimension of an input or output, by name (artifact/artifact.h).
Symbol symbol_of(std::string_view name) {
  if (name == "block_tables") return Symbol::kBlockTableLength;
  if (name == "logit_rows" || name == "logits" || name == "hidden") return Symbol::kNumLogitRows;
  return Symbol::kNumTokens;
}

Result<Tensor> make_tensor(const std::shared_ptr<Device>& device, const artifact::TensorSpec& spec,
                           const artifact::SymbolValues& max) {
  std::vector<int64_t> shape = spec.shape;
  for (int64_t& d : shape) d = d < 0 ? max[symbol_of(spec.name)] : d;
  return Tensor::create(device, spec.dtype, std::move(shape));
}

// As many parts as the largest step could have, but no more than 64 MB of them: what needs more has work enough for
// all without being split. Memory that no step uses is never touched.
int64_t max_parts(const artifact::Artifact& a, int64_t max_rows, int num_workers) {
  constexpr int64_t kBytes = 64 << 20;
  if (a.plan.segment_tokens == 0 || num_workers == 1) return 0;
  int64_t part_bytes = 1;
  for (const auto& t : a.plan.temps) {
    part_bytes = std::max(part_bytes, t.size_bytes.coefficients[static_cast<int>(Symbol::kNumParts)]);
  }
  const int64_t segments = (a.facts.context_window_size - 1) / a.plan.segment_tokens + 1;
  return std::min(max_rows * segments, kBytes / part_bytes / artifact::kRowPadding * artifact::kRowPadding);
}

}  // namespace

PlanExecutor::PlanExecutor(std::shared_ptr<const Module> module, std::shared_ptr<const ParamStore> params,
                           ThreadPool& pool, const Options& options)
    : module_(std::move(module)),
      params_(std::move(params)),
      pool_(pool),
      profiling_(options.profile || knob_bool("MLC_PROFILE") || trace_enabled()),
      print_at_exit_(knob_bool("MLC_PROFILE")),
      limits_(options.limits) {
  const auto& facts = module_->artifact().facts;
  max_[Symbol::kNumTokens] = pad_rows(facts.prefill_chunk_size);
  max_[Symbol::kNumLogitRows] = pad_rows(facts.max_batch_size);
  max_[Symbol::kBlockTableLength] = pad_rows(std::max<int64_t>(1, options.max_block_table_length));
  max_[Symbol::kNumParts] = max_parts(module_->artifact(), max_[Symbol::kNumTokens], pool.num_workers());
}

Result<std::unique_ptr<PlanExecutor>> PlanExecutor::create(std::shared_ptr<const Module> module,
                                                           std::shared_ptr<const ParamStore> params, ThreadPool& pool,
                                                           const Options& options) {
  MLC_CHECK(params->size() == module->artifact().params.size(), "{} parameters, the artifact has {}", params->size(),
            module->artifact().params.size());
  std::unique_ptr<PlanExecutor> e(new PlanExecutor(std::move(module), std::move(params), pool, options));
  MLC_TRY_VOID(e->allocate());
  MLC_TRY_VOID(e->resolve());
  return e;
}

PlanExecutor::~PlanExecutor() {
  if (print_at_exit_) std::fputs(print_profile(profile()).c_str(), stderr);
}

Result<void> PlanExecutor::allocate() {
  const auto& a = module_->artifact();
  const auto device = make_cpu_device();
  const int64_t bytes = a.plan.temp_bytes.eval(max_);
  for (const auto& t : a.plan.temps) {
    const int64_t offset = t.offset_bytes.eval(max_), size = t.size_bytes.eval(max_);
    if (offset < 0 || offset % 64 != 0 || size < 0 || offset > bytes || size > bytes - offset) {
      return error(ErrorCode::kCorrupt, "{}: the buffer {} at {} + {} is not in the arena of {} bytes", module_->path(),
                   t.name, offset, size, bytes);
    }
  }
  MLC_TRY(arena_, Tensor::create(device, DType::u8(), {bytes}));
  for (const auto& spec : a.inputs) {
    MLC_TRY(Tensor t, make_tensor(device, spec, max_));
    inputs_.push_back(std::move(t));
  }
  for (const auto& spec : a.outputs) {
    MLC_TRY(Tensor t, make_tensor(device, spec, max_));
    outputs_.push_back(std::move(t));
  }
  kv_.assign(a.kv.size(), nullptr);
  return {};
}

void* PlanExecutor::pointer_of(const artifact::BufferRef& ref) const {
  const auto i = static_cast<size_t>(ref.index);
  switch (ref.kind) {
    case BufferKind::kParam:
      return params_->data(i);
    case BufferKind::kTemp:
      return arena_.as<std::byte>() + module_->artifact().plan.temps[i].offset_bytes.eval(max_);
    case BufferKind::kInput:
      return inputs_[i].data();
    case BufferKind::kOutput:
      return outputs_[i].data();
    case BufferKind::kKv:
      return kv_[i];
  }
  MLC_UNREACHABLE("buffer kind {}", static_cast<int>(ref.kind));
}

Result<void> PlanExecutor::resolve() {
  for (const auto& call : module_->artifact().plan.calls) {
    Call c;
    c.rows = call.rows;
    c.when = call.when;
    c.first_variant = static_cast<uint32_t>(variants_.size());
    c.num_variants = static_cast<uint32_t>(call.variants.size());
    c.first_buffer = static_cast<uint32_t>(buffers_.size());
    c.first_size = static_cast<uint32_t>(size_formulas_.size());
    c.num_sizes = static_cast<uint32_t>(call.sizes.size());
    for (const auto& v : call.variants) variants_.push_back({v.max, module_->kernel(v.kernel)});
    for (const auto& b : call.buffers) {
      buffers_.push_back(pointer_of(b));
      c.reads_kv = c.reads_kv || b.kind == BufferKind::kKv;
    }
    c.param_bytes = call.param_bytes;
    c.ops_per_row = call.ops_per_row;
    size_formulas_.insert(size_formulas_.end(), call.sizes.begin(), call.sizes.end());
    calls_.push_back(c);
    profile_.push_back({call.name});
    row_work_.push_back(call_work(module_->artifact(), call, 1));
    reads_context_.push_back(reads_context(module_->artifact(), call));
  }
  if (has_input("positions")) positions_ = input<int32_t>("positions").data();
  sizes_.resize(size_formulas_.size());
  counters_ = std::make_unique<Counter[]>(calls_.size());
  return {};
}

void PlanExecutor::bind_kv(std::span<void* const> kv, int64_t num_pages) {
  MLC_CHECK(kv.size() == kv_.size(), "{} KV buffers, the model has {}", kv.size(), kv_.size());
  kv_.assign(kv.begin(), kv.end());
  num_pages_ = num_pages;
  size_t next = 0;
  for (const auto& call : module_->artifact().plan.calls) {
    for (const auto& b : call.buffers) {
      if (b.kind == BufferKind::kKv) buffers_[next] = pointer_of(b);
      ++next;
    }
  }
}

bool PlanExecutor::has_input(std::string_view name) const {
  const auto& specs = module_->artifact().inputs;
  return std::any_of(specs.begin(), specs.end(), [&](const auto& s) { return s.name == name; });
}

const Tensor& PlanExecutor::find(const std::vector<artifact::TensorSpec>& specs, const std::vector<Tensor>& tensors,
                                 std::string_view name, size_t element_bytes) const {
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name != name) continue;
    MLC_CHECK(static_cast<size_t>(specs[i].dtype.bytes()) == element_bytes, "{} is {}, read as elements of {} bytes",
              name, specs[i].dtype.str(), element_bytes);
    return tensors[i];
  }
  MLC_UNREACHABLE("the model has no input or output called {}", name);
}

// A piece costs some tens of nanoseconds to begin, a microsecond of work is about 20 KB of weights read or 200 K
// operations. Attention's work depends on the contexts of its rows, which may differ much.
int PlanExecutor::chunks_per_worker(const Call& call, int64_t rows) {
  constexpr int64_t kBytes = 1 << 20, kOps = 8 << 20;
  if (call.reads_kv) return 4;
  return call.param_bytes >= kBytes || call.ops_per_row * rows >= kOps ? 8 : 1;
}

// How many parts attention is split into, 0: whole rows. One row of one KV head is a task; whole tasks end when the
// longest one or the last round of them does. Splitting pays where that is later than all workers would need together.
int64_t PlanExecutor::parts_of_step(int64_t rows) const {
  constexpr double kWorthIt = 1.1;
  const int64_t segment = module_->artifact().plan.segment_tokens;
  if (max_[Symbol::kNumParts] == 0 || positions_ == nullptr || rows == 0) return 0;
  int64_t longest = 0, all = 0;
  for (int64_t i = 0; i < rows; ++i) {
    longest = std::max<int64_t>(longest, positions_[i] + 1);
    all += positions_[i] + 1;
  }
  const int64_t segments = (longest - 1) / segment + 1;
  if (segments == 1 || rows * segments > max_[Symbol::kNumParts]) return 0;
  const int64_t workers = pool_.num_workers(), tasks = rows * module_->artifact().facts.num_kv_heads;
  const int64_t rounds = (tasks + workers - 1) / workers;
  const double mean = static_cast<double>(all) / static_cast<double>(rows);
  const double whole = std::max(static_cast<double>(longest), static_cast<double>(rounds) * mean);
  const double share = static_cast<double>(tasks) * mean / static_cast<double>(workers);
  return whole > kWorthIt * share ? rows * segments : 0;
}

// Sizes and kernels of this step, by the calling thread alone.
void PlanExecutor::prepare(const artifact::SymbolValues& symbols) {
  for (size_t i = 0; i < sizes_.size(); ++i) sizes_[i] = size_formulas_[i].eval(symbols);
  const bool split = symbols[Symbol::kNumParts] > 0;
  for (Call& call : calls_) {
    const int64_t rows = symbols[call.rows];
    call.chosen = nullptr;
    if (call.when != artifact::When::kAlways && (call.when == artifact::When::kSplitAttention) != split) continue;
    for (uint32_t v = 0; v < call.num_variants && rows > 0; ++v) {
      const Variant& variant = variants_[call.first_variant + v];
      if (variant.max >= 0 && rows > variant.max) continue;
      call.chosen = variant.fn;
      break;
    }
    call.chunks_per_worker = chunks_per_worker(call, rows);
    counters_[&call - calls_.data()].next.store(pool_.num_workers(), std::memory_order_relaxed);
  }
}

void PlanExecutor::execute(size_t i, int worker, int num_workers) {
  const Call& call = calls_[i];
  void* const* buffers = buffers_.data() + call.first_buffer;
  const int64_t* sizes = sizes_.data() + call.first_size;
  if (call.chunks_per_worker == 1) return call.chosen(buffers, sizes, worker, num_workers);
  const int chunks = call.chunks_per_worker * num_workers;
  for (int chunk = worker; chunk < chunks; chunk = counters_[i].next.fetch_add(1, std::memory_order_relaxed)) {
    call.chosen(buffers, sizes, chunk, chunks);
  }
}

void PlanExecutor::walk(int worker, int num_workers) {
  for (size_t i = 0; i < calls_.size(); ++i) {
    if (calls_[i].chosen == nullptr) continue;
    execute(i, worker, num_workers);
    pool_.barrier();
  }
}

void PlanExecutor::walk_profiled(int worker, int num_workers) {
  auto now = [] { return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1); };
  int64_t last = now();
  for (size_t i = 0; i < calls_.size(); ++i) {
    const Call& call = calls_[i];
    if (call.chosen == nullptr) continue;
    execute(i, worker, num_workers);
    pool_.barrier();
    if (worker != 0) continue;
    const int64_t end = now();
    record_call(i, last, end);
    last = now();
  }
}

void PlanExecutor::record_call(size_t i, int64_t start_ns, int64_t end_ns) {
  Work work = row_work_[i].times(static_cast<double>(rows_[static_cast<int>(calls_[i].rows)]));
  work.weight_bytes = row_work_[i].weight_bytes;  // read once, however many rows
  if (reads_context_[i]) work += attention_;
  CallProfile& p = profile_[i];
  p.calls += 1;
  p.time_ns += end_ns - start_ns;
  p.work += work;
  p.bound_seconds += bound_of(work, limits_).seconds;
  trace_event(p.name, start_ns, end_ns - start_ns,
              {{"rows", static_cast<double>(rows_[static_cast<int>(calls_[i].rows)])},
               {"memory_bytes", work.memory_bytes()},
               {"activation_bytes", work.activation_bytes},
               {"ops", work.ops()}});
}

// Rows of a sequence share a page table and see the context up to their own position.
Work PlanExecutor::attention_of_step(const artifact::SymbolValues& symbols) const {
  if (!has_input("positions") || !has_input("table_start")) return {};
  const auto positions = input<int32_t>("positions"), table = input<int32_t>("table_start");
  const auto rows = static_cast<size_t>(symbols[Symbol::kNumTokens]);
  double pairs = 0, cached = 0, longest = 0;
  for (size_t i = 0; i < rows; ++i) {
    if (i > 0 && table[i] != table[i - 1]) cached += std::exchange(longest, 0);
    pairs += positions[i] + 1;
    longest = std::max(longest, positions[i] + 1.0);
  }
  return attention_work(module_->artifact().facts, pairs, cached + longest);
}

void PlanExecutor::run(artifact::SymbolValues symbols) {
  symbols[Symbol::kNumPages] = num_pages_;
  for (Symbol s : {Symbol::kNumTokens, Symbol::kNumLogitRows, Symbol::kBlockTableLength}) {
    MLC_CHECK(symbols[s] >= 0 && symbols[s] <= max_[s], "symbol {} is {}, at most {}", static_cast<int>(s), symbols[s],
              max_[s]);
  }
  symbols[Symbol::kNumParts] = parts_of_step(symbols[Symbol::kNumTokens]);
  std::copy(std::begin(symbols.values), std::end(symbols.values), rows_);
  prepare(symbols);
  if (profiling_) {
    attention_ = attention_of_step(symbols);
    pool_.run([this](int worker, int n) { walk_profiled(worker, n); });
  } else {
    pool_.run([this](int worker, int n) { walk(worker, n); });
  }
}

std::vector<CallProfile> PlanExecutor::profile() const { return profiling_ ? profile_ : std::vector<CallProfile>{}; }

void PlanExecutor::reset_profile() {
  for (CallProfile& p : profile_) p = {p.name};
}

}  // namespace mlc::runtime
