// From a step's logits to its StepResult: what each choice of a request keeps between its tokens (penalties, seed), and
// the check of guessed tokens.
//
//   TokenChooser chooser;
//   StepResult result = chooser.choose(plan, logits, scheduler);   // changes the logits
//   chooser.forget(request_id, choice);                            // it has ended
//
// The rows of guesses are looked at in order, each exactly as if it were a step of its own, until one chooses another
// token than was guessed.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "engine/logits_processor.h"
#include "engine/sampler.h"
#include "engine/scheduler.h"

namespace mlc::engine {

class TokenChooser {
 public:
  // logits: [plan.num_logit_rows(), vocab]
  StepResult choose(const StepPlan& plan, std::span<float> logits, const Scheduler& scheduler);
  void forget(RequestId id, int choice) { states_.erase({id, choice}); }
  size_t size() const { return states_.size(); }

 private:
  // Of one choice; made with its first token, kept while it is preempted.
  struct State {
    SamplingParams sampling;
    std::vector<std::unique_ptr<LogitsProcessor>> processors;
  };
  State& state(const Sequence& s, int choice);
  RowResult sample(const Sequence& s, int choice, uint64_t index, std::span<float> logits);

  Sampler sampler_;
  std::map<std::pair<RequestId, int>, State> states_;
  std::vector<float> copy_;
};

}  // namespace mlc::engine
