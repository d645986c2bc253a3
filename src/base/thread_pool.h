// Workers that walk a step's plan together: persistent threads, a barrier that spins briefly and then parks.
//
//   ThreadPool pool(default_num_threads());
//   pool.run([&](int worker, int num_workers) {     // the caller is worker 0; returns when all have returned
//     for (auto& call : plan) { call.fn(worker, num_workers); pool.barrier(); }
//   });
//
// run() neither allocates nor locks. One thread at a time may call it (checked). While they work, all workers flush
// denormals to zero; the caller's floating-point mode is restored afterwards. Functions must not throw.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace mlc {

// Treats denormals as zero on this thread while it lives (x86: MXCSR FTZ and DAZ; AArch64: FPCR FZ; elsewhere: no
// effect).
class FlushDenormals {
 public:
  FlushDenormals();
  ~FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  uint64_t saved_ = 0;
};

class ThreadPool {
 public:
  struct Options {
    std::vector<std::vector<int>> cpus = {};  // of each worker (base/cpu_placement.h); empty: the system's choice
    int barrier_spin_us = 60;                 // before a waiting worker parks
    int idle_spin_us = 200;                   // between two runs
  };
  // num_workers counts the caller; at least 1.
  ThreadPool(int num_workers, const Options& options);
  explicit ThreadPool(int num_workers) : ThreadPool(num_workers, Options{}) {}
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int num_workers() const { return num_workers_; }

  // The calling thread goes where worker 0 belongs. For threads made to call run(): threads that they start in turn
  // would stay there too.
  void adopt_this_thread() const;

  template <typename F>
  void run(F&& fn) {
    using Fn = std::remove_reference_t<F>;
    run_erased([](void* f, int worker, int n) { (*static_cast<Fn*>(f))(worker, n); },
               const_cast<void*>(static_cast<const void*>(&fn)));
  }

  // Inside run(), by every worker: returns when all have called it; what they wrote before is visible to all after.
  void barrier() { barrier(barrier_spin_us_); }

 private:
  using Job = void (*)(void* context, int worker, int num_workers);
  void run_erased(Job job, void* context);
  void barrier(int spin_us);
  void worker_main(int worker);

  const int num_workers_;
  const std::vector<std::vector<int>> cpus_;
  const int barrier_spin_us_, idle_spin_us_;
  std::atomic_flag busy_ = ATOMIC_FLAG_INIT;
  Job job_ = nullptr;  // null tells the workers to leave
  void* context_ = nullptr;
  alignas(64) std::atomic<uint32_t> arrived_{0};
  alignas(64) std::atomic<uint32_t> generation_{0};
  std::vector<std::thread> threads_;
};

}  // namespace mlc
