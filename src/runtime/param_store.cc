#include "runtime/param_store.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <numeric>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/os.h"
#include "base/span.h"
#include "runtime/packed_file.h"
#include "weights/synthetic.h"

namespace mlc::runtime {
namespace {

using artifact::Param;

weights::TensorInfo info_of(const artifact::TensorSpec& spec) { return {spec.name, spec.dtype, spec.shape}; }

// Packs all parameters of a module to `base` + their offsets.
class Packer {
 public:
  Packer(const Module& module, const weights::TensorSource& source, const PackedLayout& layout, std::byte* base,
         const ParamOptions& options)
      : module_(module), source_(source), layout_(layout), base_(base), options_(options) {
    for (const auto& e : layout.entries) total_ += e.bytes;
    order_.resize(layout.entries.size());
    std::iota(order_.begin(), order_.end(), size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](size_t a, size_t b) { return layout.entries[a].bytes > layout.entries[b].bytes; });
  }

  // Workers take whole parameters, largest first. Those so large that the others would wait for the one that has it are
  // packed by all workers together, before.
  Result<void> run(ThreadPool& pool) {
    size_t first = 0;
    const int64_t large = total_ / (2 * pool.num_workers());
    for (; first < order_.size() && pool.num_workers() > 1; ++first) {
      const size_t i = order_[first];
      if (layout_.entries[i].bytes <= std::max<int64_t>(large, 1 << 20)) break;
      MLC_TRY_VOID(pack_together(pool, i));
    }
    std::atomic<size_t> next{first};
    pool.run([&](int, int) {
      for (size_t k = next.fetch_add(1); k < order_.size() && !failed_; k = next.fetch_add(1)) {
        record(pack_alone(order_[k]));
      }
    });
    std::lock_guard lock(mutex_);
    return std::move(result_);
  }

 private:
  struct Loaded {
    std::vector<void*> buffers;  // sources, then the packed tensor
    std::vector<weights::TensorData> held;
    std::vector<std::unique_ptr<std::byte[], void (*)(std::byte*)>> copies;
  };

  Result<Loaded> load(const Param& param) const {
    Loaded out;
    for (const auto& spec : param.sources) {
      MLC_TRY(auto data, source_.read(spec.name));
      if (static_cast<int64_t>(data.bytes.size()) != spec.bytes()) {
        return error(ErrorCode::kCorrupt, "{}: {} has {} bytes, expected {}", source_.where(), spec.name,
                     data.bytes.size(), spec.bytes());
      }
      out.buffers.push_back(const_cast<std::byte*>(data.bytes.data()));
      // Kernels want 64-byte alignment; files promise none.
      if (reinterpret_cast<uintptr_t>(data.bytes.data()) % 64 != 0 && !param.pack_kernel.empty()) {
        const size_t bytes = (data.bytes.size() + 127) / 64 * 64;
        constexpr std::align_val_t kAlign{64};
        out.copies.emplace_back(static_cast<std::byte*>(::operator new(bytes, kAlign, std::nothrow)),
                                [](std::byte* p) { ::operator delete(p, kAlign); });
        if (out.copies.back() == nullptr) return error(ErrorCode::kUnavailable, "no memory to pack {}", spec.name);
        std::memcpy(out.copies.back().get(), data.bytes.data(), data.bytes.size());
        out.buffers.back() = out.copies.back().get();
      }
      out.held.push_back(std::move(data));
    }
    return out;
  }

  void done(const Param& param, size_t i) {
    for (const auto& spec : param.sources) source_.release(spec.name);
    std::lock_guard lock(mutex_);
    done_ += layout_.entries[i].bytes;
    if (options_.progress) options_.progress(done_, total_);
  }

  void record(Result<void> r) {
    if (r) return;
    std::lock_guard lock(mutex_);
    if (result_) result_ = std::move(r);
    failed_ = true;
  }

  Result<void> pack_alone(size_t i) {
    const Param& param = module_.artifact().params[i];
    MLC_TRY(Loaded loaded, load(param));
    std::byte* to = base_ + layout_.entries[i].offset;
    if (param.pack_kernel.empty()) {
      std::memcpy(to, loaded.buffers[0], static_cast<size_t>(layout_.entries[i].bytes));
    } else {
      loaded.buffers.push_back(to);
      module_.kernel(param.pack_kernel)(loaded.buffers.data(), nullptr, 0, 1);
    }
    done(param, i);
    return {};
  }

  Result<void> pack_together(ThreadPool& pool, size_t i) {
    const Param& param = module_.artifact().params[i];
    if (param.pack_kernel.empty()) return pack_alone(i);
    MLC_TRY(Loaded loaded, load(param));
    loaded.buffers.push_back(base_ + layout_.entries[i].offset);
    const artifact::KernelFn fn = module_.kernel(param.pack_kernel);
    pool.run([&](int worker, int n) { fn(loaded.buffers.data(), nullptr, worker, n); });
    done(param, i);
    return {};
  }

  const Module& module_;
  const weights::TensorSource& source_;
  const PackedLayout& layout_;
  std::byte* base_;
  const ParamOptions& options_;
  std::vector<size_t> order_;
  int64_t total_ = 0;
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // done_, result_, progress
  int64_t done_ = 0;
  Result<void> result_;
};

PackedLayout layout_of(const artifact::Artifact& a) {
  std::vector<int64_t> bytes;
  for (const Param& p : a.params) bytes.push_back(p.packed.bytes());
  return plan_packed_file(bytes);
}

// What became of the cache file: mapped (as it was, or just built), or why it cannot be used. The error of the outer
// Result is the weights' own.
struct CacheOutcome {
  std::shared_ptr<MappedFile> file;
  bool built = false;
  std::string unusable;
};

Result<CacheOutcome> open_or_build(const Module& module, const weights::TensorSource& source, ThreadPool& pool,
                                   const ParamOptions& options, const PackedLayout& layout) {
  const std::string key = param_cache_key(module.artifact(), options.source_key);
  auto unusable = [](const Error& e) { return CacheOutcome{nullptr, false, e.message}; };
  auto try_open = [&] { return open_packed_file(options.cache_file, key, layout, pool); };
  if (auto file = try_open()) return CacheOutcome{*file, false, {}};
  auto lock = FileLock::acquire(options.lock_file.empty() ? options.cache_file + ".lock" : options.lock_file);
  if (!lock) return unusable(lock.error());
  auto again = try_open();  // another process may have built it meanwhile
  if (again) return CacheOutcome{*again, false, {}};
  if (again.error().code == ErrorCode::kCorrupt) log::warn("{}; packing the weights again", again.error().message);
  auto writer = PackedWriter::create(options.cache_file, layout);
  if (!writer) return unusable(writer.error());
  MLC_TRY_VOID(Packer(module, source, layout, (*writer)->data(), options).run(pool));
  if (auto finished = (*writer)->finish(key, pool); !finished) return unusable(finished.error());
  auto file = MappedFile::open(options.cache_file);
  if (!file) return unusable(file.error());
  return CacheOutcome{*file, true, {}};
}

}  // namespace

std::string param_cache_key(const artifact::Artifact& a, const std::string& source_key) {
  std::string text = fmt::format("{}\n{}\n{}\n", kPackedVersion, a.layout_id, source_key);
  auto add = [&](const artifact::TensorSpec& s) { text += info_of(s).name + " " + info_of(s).str() + "\n"; };
  for (const Param& p : a.params) {
    add(p.packed);
    for (const auto& s : p.sources) add(s);
    text += p.pack_kernel + "\n";
  }
  return sha256_hex(text);
}

Result<void> check_sources(const artifact::Artifact& a, const weights::TensorSource& source) {
  for (const Param& p : a.params) {
    for (const auto& spec : p.sources) {
      const weights::TensorInfo* found = source.find(spec.name);
      if (found == nullptr) {
        return error(ErrorCode::kNotFound, "{}: the tensor {} is missing", source.where(), spec.name);
      }
      if (found->dtype != spec.dtype || found->shape != spec.shape) {
        return error(ErrorCode::kCorrupt, "{}: {} is {}, but the compiled model expects {}", source.where(), spec.name,
                     found->str(), info_of(spec).str());
      }
    }
  }
  return {};
}

Result<std::shared_ptr<const ParamStore>> ParamStore::open(const Module& module, const weights::TensorSource& source,
                                                           ThreadPool& pool, const ParamOptions& options) {
  MLC_SPAN("runtime.load_params");
  MLC_TRY_VOID(check_sources(module.artifact(), source));
  const PackedLayout layout = layout_of(module.artifact());
  std::shared_ptr<ParamStore> store(new ParamStore);
  std::byte* base = nullptr;
  if (!options.cache_file.empty()) {
    MLC_TRY(CacheOutcome outcome, open_or_build(module, source, pool, options, layout));
    if (outcome.file != nullptr) {
      base = const_cast<std::byte*>(outcome.file->bytes().data());
      store->from_cache_ = !outcome.built;
      store->owner_ = outcome.file;
    } else {
      log::warn("{}; keeping the packed weights in memory only", outcome.unusable);
    }
  }
  if (base == nullptr) {
    MLC_TRY(Tensor memory, Tensor::create(make_cpu_device(), DType::u8(), {layout.file_bytes}));
    base = memory.as<std::byte>();
    store->owner_ = std::make_shared<Tensor>(std::move(memory));
    MLC_TRY_VOID(Packer(module, source, layout, base, options).run(pool));
  }
  for (const auto& e : layout.entries) {
    store->pointers_.push_back(base + e.offset);
    store->total_bytes_ += e.bytes;
  }
  if (options.lock_memory && !os::lock_pages(base, static_cast<size_t>(layout.file_bytes))) {
    log::warn("cannot lock {} MiB of weights in memory: {}; raise the limit (ulimit -l) or drop --mlock",
              layout.file_bytes >> 20, std::strerror(errno));
  }
  return std::shared_ptr<const ParamStore>(std::move(store));
}

Result<std::shared_ptr<const ParamStore>> ParamStore::synthetic(const Module& module, ThreadPool& pool, uint64_t seed) {
  std::map<std::string, weights::SyntheticSpec> specs;  // several parameters may read one source
  for (const Param& p : module.artifact().params) {
    for (const auto& s : p.sources) {
      weights::Fill fill = weights::default_fill(s.name, s.shape);
      if (s.dtype == DType::u32())
        fill = weights::Fill::codes4();
      else if (s.name.ends_with("scale"))
        fill = weights::Fill::uniform(0.01, 0.005);
      else if (!weights::is_float_weight(s.dtype)) {
        return error(ErrorCode::kUnsupported, "no random values for {}: {}", s.name, info_of(s).str());
      }
      specs[s.name] = {info_of(s), fill};
    }
  }
  std::vector<weights::SyntheticSpec> list;
  for (auto& [name, spec] : specs) list.push_back(std::move(spec));
  return open(module, weights::SyntheticSource(std::move(list), seed), pool, {});
}

}  // namespace mlc::runtime
