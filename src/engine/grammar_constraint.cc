#include "engine/grammar_constraint.h"

#include <algorithm>

namespace mlc::engine {
namespace {

class GrammarConstraint : public TokenConstraint {
 public:
  GrammarConstraint(text::GrammarState state, std::shared_ptr<const std::vector<int32_t>> stop_tokens)
      : state_(std::move(state)), stop_tokens_(std::move(stop_tokens)) {}
  GrammarConstraint(const GrammarConstraint&) = default;

  std::unique_ptr<TokenConstraint> clone() const override { return std::make_unique<GrammarConstraint>(*this); }

  Result<void> mask(std::span<uint32_t> bits) override {
    if (stopped_) {
      std::fill(bits.begin(), bits.end(), 0);
    } else {
      MLC_TRY_VOID(state_.mask(bits));
    }
    if (!may_stop()) return {};
    for (const int32_t token : *stop_tokens_) {
      const auto i = static_cast<size_t>(token);
      if (token >= 0 && i / 32 < bits.size()) bits[i / 32] |= uint32_t{1} << (i % 32);
    }
    return {};
  }

  Result<void> accept(int32_t token) override {
    const bool stops = std::find(stop_tokens_->begin(), stop_tokens_->end(), token) != stop_tokens_->end();
    if (!stops || !may_stop()) return state_.accept(token);
    stopped_ = true;
    return {};
  }

  std::vector<int32_t> forced() override { return stopped_ ? std::vector<int32_t>{} : state_.forced(); }
  bool may_stop() const override { return stopped_ || state_.may_stop(); }
  bool must_stop() const override { return stopped_ || state_.must_stop(); }

 private:
  text::GrammarState state_;
  std::shared_ptr<const std::vector<int32_t>> stop_tokens_;
  bool stopped_ = false;
};

}  // namespace

Result<std::shared_ptr<const TokenConstraint>> make_grammar_constraint(const text::Grammar& grammar,
                                                                       std::vector<int32_t> stop_tokens) {
  MLC_TRY(text::GrammarState state, grammar.start());
  auto tokens = std::make_shared<const std::vector<int32_t>>(std::move(stop_tokens));
  return std::shared_ptr<const TokenConstraint>(
      std::make_shared<GrammarConstraint>(std::move(state), std::move(tokens)));
}

}  // namespace mlc::engine
