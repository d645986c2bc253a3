// From a step's logits to its StepResult: what each choice of a request keeps between its tokens (penalties, seed), and
// the check of guessed tokens.
//
//   TokenChooser chooser;
//   chooser.prepare(request, vocab_size);                          // with a grammar: its first mask is begun
//   StepResult result = chooser.choose(plan, logits, scheduler);   // changes the logits
//   chooser.forget(request_id, choice);                            // it has ended
//
// The rows of guesses are looked at in order, each exactly as if it were a step of its own, until one chooses another
// token than was guessed. Masks of grammars are made beside the model (mask_worker.h), and their rows are looked at
// last.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "engine/logits_processor.h"
#include "engine/mask_worker.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"

namespace mlc::engine {

class TokenChooser {
 public:
  void prepare(const Request& request, int64_t vocab_size);
  // logits: [plan.num_logit_rows(), vocab]
  StepResult choose(const StepPlan& plan, std::span<float> logits, const Scheduler& scheduler);
  void forget(RequestId id, int choice) { states_.erase({id, choice}); }
  size_t size() const { return states_.size(); }

 private:
  // Of one choice; made with its first token, kept while it is preempted.
  struct State {
    SamplingParams sampling;
    std::vector<std::unique_ptr<LogitsProcessor>> processors;
    std::shared_ptr<MaskWorker::Job> constrained;  // null without a grammar
  };
  State& state(const Request& request, RequestId id, int choice, size_t vocab_size);
  RowResult sample(const Sequence& s, int choice, uint64_t index, std::span<float> logits);
  void choose(const StepPlan& plan, float* logits, size_t vocab, const Scheduler& scheduler, bool constrained,
              StepResult& result);
  Result<void> follow_grammar(const Sequence& s, State& own, RowResult& result);

  Sampler sampler_;
  std::unique_ptr<MaskWorker> masks_;  // made with the first grammar
  std::map<std::pair<RequestId, int>, State> states_;
  std::vector<float> copy_;
};

}  // namespace mlc::engine
