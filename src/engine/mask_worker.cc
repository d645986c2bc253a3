#include "engine/mask_worker.h"

#include "base/check.h"

namespace mlc::engine {

MaskWorker::~MaskWorker() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::shared_ptr<MaskWorker::Job> MaskWorker::add(std::unique_ptr<TokenConstraint> constraint) {
  auto job = std::make_shared<Job>();
  job->constraint = std::move(constraint);
  job->bits.resize(num_words_);
  start(job);
  return job;
}

void MaskWorker::start(const std::shared_ptr<Job>& job) {
  {
    std::lock_guard lock(mutex_);
    MLC_CHECK(job->state == Job::State::kIdle, "a mask is started twice");
    job->state = Job::State::kQueued;
    queue_.push_back(job);
    if (!thread_.joinable()) thread_ = std::thread([this] { main(); });
  }
  wake_.notify_one();
}

void MaskWorker::compute(Job& job) {
  auto made = job.constraint->mask(job.bits);
  job.failure = made ? std::nullopt : std::optional<Error>(made.error());
}

Result<void> MaskWorker::wait(Job& job) {
  {
    std::unique_lock lock(mutex_);
    MLC_CHECK(job.state != Job::State::kIdle, "waiting for a mask that was not started");
    if (job.state == Job::State::kQueued) {
      job.state = Job::State::kRunning;  // its entry in the queue is skipped
    } else {
      done_.wait(lock, [&] { return job.state == Job::State::kReady; });
      job.state = Job::State::kIdle;
      if (job.failure) return *job.failure;
      return {};
    }
  }
  compute(job);
  std::lock_guard lock(mutex_);
  job.state = Job::State::kIdle;
  if (job.failure) return *job.failure;
  return {};
}

void MaskWorker::main() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    const std::shared_ptr<Job> job = queue_.front().lock();
    queue_.pop_front();
    if (!job || job->state != Job::State::kQueued) continue;
    job->state = Job::State::kRunning;
    lock.unlock();
    compute(*job);
    lock.lock();
    job->state = Job::State::kReady;
    done_.notify_all();
  }
}

}  // namespace mlc::engine
