// Masks of constrained sequences, computed on a thread of their own while the model runs.
//
//   MaskWorker worker(vocab_size);
//   auto job = worker.add(request.constraint->clone());    // begins with the mask of the first token
//   …                                                      // the model runs
//   MLC_TRY_VOID(worker.wait(*job));                       // computes it here if nobody has begun
//   apply_mask(job->bits, logits);  …
//   job->constraint->accept(token);                        // the job is the caller's between wait() and start()
//   worker.start(job);                                     // the next one
//
// The thread is started with the first job. Dropping a job that is under way is safe.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/constraint.h"

namespace mlc::engine {

class MaskWorker {
 public:
  struct Job {
    std::unique_ptr<TokenConstraint> constraint;
    std::vector<uint32_t> bits;  // valid after wait()

   private:
    friend class MaskWorker;
    enum class State { kIdle, kQueued, kRunning, kReady };
    State state = State::kIdle;
    std::optional<Error> failure;
  };

  explicit MaskWorker(int64_t vocab_size) : num_words_((static_cast<size_t>(vocab_size) + 31) / 32) {}
  ~MaskWorker();
  MaskWorker(const MaskWorker&) = delete;
  MaskWorker& operator=(const MaskWorker&) = delete;

  std::shared_ptr<Job> add(std::unique_ptr<TokenConstraint> constraint);
  void start(const std::shared_ptr<Job>& job);
  Result<void> wait(Job& job);

 private:
  void main();
  static void compute(Job& job);

  const size_t num_words_;
  std::mutex mutex_;  // the members below, and every job's state
  std::condition_variable wake_, done_;
  std::deque<std::weak_ptr<Job>> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace mlc::engine
