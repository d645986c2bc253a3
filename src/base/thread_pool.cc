#include "base/thread_pool.h"

#include <algorithm>
#include <chrono>

#if defined(__x86_64__) || defined(__SSE2__)
#include <immintrin.h>
#define MLC_HAS_MXCSR 1
#endif

#include "base/check.h"
#include "base/cpu_count.h"
#include "base/os.h"

namespace mlc {
namespace {

inline void pause_cpu() {
#ifdef MLC_HAS_MXCSR
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield" ::: "memory");
#endif
}

// True when `value` changed from `old` within the time.
bool spin_until_changed(const std::atomic<uint32_t>& value, uint32_t old, int spin_us) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::microseconds(spin_us);
  do {
    for (int i = 0; i < 32; ++i) {
      if (value.load(std::memory_order_acquire) != old) return true;
      pause_cpu();
    }
  } while (Clock::now() < deadline);
  return false;
}

}  // namespace

FlushDenormals::FlushDenormals() {
#if defined(MLC_HAS_MXCSR)
  saved_ = _mm_getcsr();
  _mm_setcsr(static_cast<unsigned>(saved_) | 0x8040u);
#elif defined(__aarch64__)
  asm volatile("mrs %0, fpcr" : "=r"(saved_));
  asm volatile("msr fpcr, %0" ::"r"(saved_ | (uint64_t{1} << 24)));
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(MLC_HAS_MXCSR)
  _mm_setcsr(static_cast<unsigned>(saved_));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" ::"r"(saved_));
#endif
}

ThreadPool::ThreadPool(int num_workers, const Options& options)
    : num_workers_(std::max(1, num_workers)),
      cpus_(options.cpus),
      // More workers than cores: whoever spins keeps the one that is waited for from running.
      barrier_spin_us_(num_workers > usable_cpu_count() ? 0 : options.barrier_spin_us),
      idle_spin_us_(num_workers > usable_cpu_count() ? 0 : options.idle_spin_us) {
  threads_.reserve(static_cast<size_t>(num_workers_ - 1));
  for (int i = 1; i < num_workers_; ++i) threads_.emplace_back([this, i] { worker_main(i); });
}

ThreadPool::~ThreadPool() {
  MLC_CHECK(!busy_.test_and_set(), "a thread pool was destroyed while it runs");
  job_ = nullptr;
  if (num_workers_ > 1) barrier(0);
  for (std::thread& t : threads_) t.join();
}

// One run is two barriers: the first hands out the job, the second ends it.
void ThreadPool::run_erased(Job job, void* context) {
  MLC_CHECK(!busy_.test_and_set(std::memory_order_acquire), "ThreadPool::run called from two threads or from within");
  {
    FlushDenormals flush;
    job_ = job;
    context_ = context;
    if (num_workers_ > 1) barrier(barrier_spin_us_);
    job(context, 0, num_workers_);
    if (num_workers_ > 1) barrier(barrier_spin_us_);
  }
  busy_.clear(std::memory_order_release);
}

void ThreadPool::adopt_this_thread() const {
  if (!cpus_.empty()) bind_this_thread(cpus_[0]);  // a hint; running elsewhere is fine
}

void ThreadPool::worker_main(int worker) {
  if (static_cast<size_t>(worker) < cpus_.size()) bind_this_thread(cpus_[static_cast<size_t>(worker)]);
  FlushDenormals flush;
  while (true) {
    barrier(idle_spin_us_);
    if (job_ == nullptr) return;
    job_(context_, worker, num_workers_);
    barrier(barrier_spin_us_);
  }
}

void ThreadPool::barrier(int spin_us) {
  if (num_workers_ == 1) return;
  const uint32_t generation = generation_.load(std::memory_order_relaxed);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<uint32_t>(num_workers_)) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.store(generation + 1, std::memory_order_release);
    os::wake_all(generation_);
    return;
  }
  if (spin_us > 0 && spin_until_changed(generation_, generation, spin_us)) return;
  while (generation_.load(std::memory_order_acquire) == generation) os::wait_while(generation_, generation);
}

}  // namespace mlc
