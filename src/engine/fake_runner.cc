#include "engine/fake_runner.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/random.h"

namespace mlc::engine {
namespace {

struct Slot {
  int32_t token = -1;
  int32_t position = -1;
  uint64_t hash = 0;  // of the tokens up to this one
  int64_t step = -1;  // when it was written
};

uint64_t extend(uint64_t hash, int32_t token) { return mix64(hash * 31 + static_cast<uint64_t>(token) + 1); }

void fill_logits(const FakeRunnerOptions& options, uint64_t hash, const std::vector<int32_t>& history,
                 std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<float>(random_uniform(hash, i) * 8.0 - 4.0);
  if (!options.next_token) return;
  const int32_t favourite = options.next_token(history);
  if (favourite >= 0 && static_cast<size_t>(favourite) < out.size()) out[static_cast<size_t>(favourite)] = 100.0f;
}

class FakeRunner : public ModelRunner {
 public:
  explicit FakeRunner(FakeRunnerOptions options) : options_(std::move(options)) {}

  RunnerLimits limits() const override {
    return {options_.vocab_size, options_.context_window, options_.max_rows, options_.max_logit_rows,
            options_.page_size,  options_.max_kv_pages,   kFakeHiddenSize};
  }

  Result<void> allocate_kv(int64_t num_pages) override {
    if (num_pages > options_.max_kv_pages) return error(ErrorCode::kUnavailable, "no memory for {} pages", num_pages);
    slots_.assign(static_cast<size_t>(num_pages * options_.page_size), Slot{});
    return {};
  }

  Result<std::span<float>> run(const StepPlan& plan) override {
    if (options_.step_delay_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(options_.step_delay_s));
    if (++step_ == options_.fail_at_step) return error(ErrorCode::kIo, "the fake device failed, as asked");
    if (plan.num_rows() > options_.max_rows || plan.num_logit_rows() > options_.max_logit_rows) {
      return error("a step of {} rows and {} logit rows is too large", plan.num_rows(), plan.num_logit_rows());
    }
    for (const PageCopy& copy : plan.copies) MLC_TRY_VOID(copy_page(copy));
    for (int64_t row = 0; row < plan.num_rows(); ++row) MLC_TRY_VOID(write_slot(plan, static_cast<size_t>(row)));
    const auto vocab = static_cast<size_t>(options_.vocab_size);
    logits_.resize(static_cast<size_t>(plan.num_logit_rows()) * vocab);
    hidden_.clear();
    for (size_t row = 0, next = 0; row < plan.token_ids.size(); ++row) {
      MLC_TRY_VOID(read_history(plan, row));
      if (next == plan.logit_rows.size() || plan.logit_rows[next] != static_cast<int32_t>(row)) continue;
      for (const int32_t x : {plan.token_ids[row], plan.positions[row], 1}) hidden_.push_back(static_cast<float>(x));
      fill_logits(options_, hash_, history_, std::span(logits_).subspan(next++ * vocab, vocab));
    }
    return std::span<float>(logits_);
  }
  std::span<const float> hidden() const override { return hidden_; }

 private:
  Result<size_t> slot_of(const StepPlan& plan, size_t row, int64_t position) const {
    const int64_t entry = plan.table_start[row] + position / options_.page_size;
    if (entry < 0 || entry >= static_cast<int64_t>(plan.block_tables.size())) {
      return error("row {}: position {} is outside the block tables", row, position);
    }
    const int64_t slot =
        plan.block_tables[static_cast<size_t>(entry)] * options_.page_size + position % options_.page_size;
    if (slot < 0 || slot >= static_cast<int64_t>(slots_.size())) return error("row {}: slot {} is no slot", row, slot);
    return static_cast<size_t>(slot);
  }

  Result<void> copy_page(const PageCopy& copy) {
    const auto pages = static_cast<int64_t>(slots_.size()) / options_.page_size;
    for (const int32_t page : {copy.from, copy.to}) {
      if (page < 0 || page >= pages) return error("a copy of page {} to page {}, of {}", copy.from, copy.to, pages);
    }
    std::copy_n(slots_.begin() + copy.from * options_.page_size, options_.page_size,
                slots_.begin() + copy.to * options_.page_size);
    return {};
  }

  Result<void> write_slot(const StepPlan& plan, size_t row) {
    const int32_t position = plan.positions[row], token = plan.token_ids[row];
    MLC_TRY(const size_t slot, slot_of(plan, row, position));
    if (static_cast<int32_t>(slot) != plan.slots[row]) {
      return error("row {}: slot {} but its table says {}", row, plan.slots[row], slot);
    }
    if (slots_[slot].step == step_) return error("row {}: slot {} is written twice in a step", row, slot);
    uint64_t hash = 0;
    if (position > 0) {
      MLC_TRY(const size_t before, slot_of(plan, row, position - 1));
      hash = slots_[before].hash;
    }
    slots_[slot] = {token, position, extend(hash, token), step_};
    return {};
  }

  // Checks what the row attends to; leaves its history and hash in the members.
  Result<void> read_history(const StepPlan& plan, size_t row) {
    history_.clear();
    hash_ = 0;
    for (int32_t p = 0; p <= plan.positions[row]; ++p) {
      MLC_TRY(const size_t slot, slot_of(plan, row, p));
      const Slot& s = slots_[slot];
      hash_ = extend(hash_, s.token);
      if (s.position != p || s.hash != hash_) {
        return error("row {}: slot {} should hold its token at position {}, but holds one of position {}", row, slot, p,
                     s.position);
      }
      history_.push_back(s.token);
    }
    return {};
  }

  FakeRunnerOptions options_;
  int64_t step_ = -1;
  std::vector<Slot> slots_;
  std::vector<float> logits_, hidden_;
  std::vector<int32_t> history_;
  uint64_t hash_ = 0;
};

}  // namespace

std::unique_ptr<ModelRunner> make_fake_runner(FakeRunnerOptions options) {
  return std::make_unique<FakeRunner>(std::move(options));
}

std::vector<float> fake_logits(const FakeRunnerOptions& options, const std::vector<int32_t>& history) {
  uint64_t hash = 0;
  for (int32_t token : history) hash = extend(hash, token);
  std::vector<float> logits(static_cast<size_t>(options.vocab_size));
  fill_logits(options, hash, history, logits);
  return logits;
}

}  // namespace mlc::engine
