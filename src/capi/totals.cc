#include "capi/totals.h"

namespace mlc::capi {
namespace {

double per_second(int64_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0; }

OrderedJson last_request(const protocol::AnswerFacts& facts, double seconds) {
  OrderedJson last = {{"prompt_tokens", facts.prompt_tokens},
                      {"completion_tokens", facts.completion_tokens},
                      {"end_to_end_latency_s", seconds}};
  if (facts.times.first_token < 0) return last;  // nothing was generated
  const double decode_s = seconds - facts.times.first_token;
  last["ttft_s"] = facts.times.first_token;
  last["prefill_tokens_per_s"] = per_second(facts.prompt_tokens, facts.times.first_token);
  if (facts.completion_tokens > 1) {
    last["inter_token_latency_s"] = decode_s / static_cast<double>(facts.completion_tokens - 1);
    last["decode_tokens_per_s"] = per_second(facts.completion_tokens - 1, decode_s);
  }
  return last;
}

}  // namespace

void Totals::finished(const protocol::AnswerFacts& facts, double seconds) {
  std::lock_guard lock(mutex_);
  ++requests_;
  prompt_tokens_ += facts.prompt_tokens;
  completion_tokens_ += facts.completion_tokens;
  last_ = Last{facts, seconds};
}

void Totals::reset() {
  std::lock_guard lock(mutex_);
  prompt_tokens_ = completion_tokens_ = requests_ = 0;
  last_.reset();
}

OrderedJson Totals::json(const engine::EngineStats& s) const {
  std::lock_guard lock(mutex_);
  OrderedJson out = {{"engine_prefill_time_sum", s.prefill_s},
                     {"engine_decode_time_sum", s.decode_s},
                     {"prompt_tokens_sum", prompt_tokens_},
                     {"completion_tokens_sum", completion_tokens_},
                     {"prefill_tokens_sum", s.prefill_tokens},
                     {"decode_tokens_sum", s.decode_tokens},
                     {"prefill_tokens_per_s", per_second(s.prefill_tokens, s.prefill_s)},
                     {"decode_tokens_per_s", per_second(s.decode_tokens, s.decode_s)},
                     {"cached_prompt_tokens_sum", s.cached_prompt_tokens},
                     {"finished_requests_sum", requests_},
                     {"cancelled_sequences_sum", s.cancelled_requests},
                     {"preemptions_sum", s.preemptions},
                     {"engine_steps_sum", s.steps},
                     {"running", s.running},
                     {"waiting", s.waiting},
                     {"kv_pages_total", s.kv_pages_total},
                     {"kv_pages_free", s.kv_pages_free}};
  if (last_) out["last_finished_request"] = last_request(last_->facts, last_->seconds);
  if (s.drafts.drafted > 0) {
    out["spec_decode"] = {{"steps", s.drafts.steps},
                          {"draft_tokens", s.drafts.drafted},
                          {"accepted_tokens", s.drafts.accepted},
                          {"draft_time_sum", s.draft_s},
                          {"accept_rate", per_second(s.drafts.accepted, static_cast<double>(s.drafts.drafted))}};
  }
  return out;
}

}  // namespace mlc::capi
