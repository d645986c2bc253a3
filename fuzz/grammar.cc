#include <array>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "fuzz/targets.h"
#include "protocol/scripted_engine.h"
#include "text/grammar.h"

namespace mlc::fuzz {
namespace {

using text::Grammar;
using text::GrammarSpec;
using text::GrammarState;

const text::Tokenizer& tokenizer() {
  static const auto kTokenizer = text::Tokenizer::from_json(protocol::toy_tokenizer_json());
  return kTokenizer.value();
}

// A few tokens through the grammar: what the mask allows must be accepted.
void follow(const Grammar& grammar, uint32_t seed) {
  auto state = grammar.start();
  if (!state) return;
  std::mt19937 random(seed);
  std::vector<uint32_t> bits((static_cast<size_t>(tokenizer().vocab_size()) + 31) / 32);
  for (int step = 0; step < 12 && !state->must_stop(); ++step) {
    if (!state->mask(bits)) return;  // too complex, or a dead end: ends the request
    std::vector<int32_t> allowed;
    for (int32_t i = 0; i < tokenizer().vocab_size(); ++i) {
      if ((bits[static_cast<size_t>(i) / 32] >> (i % 32)) & 1) allowed.push_back(i);
    }
    if (allowed.empty()) {
      MLC_CHECK(state->may_stop(), "no token is allowed, nor the end");
      return;
    }
    GrammarState copy(*state);
    const std::vector<int32_t> forced = copy.forced();
    for (size_t i = 0; i < forced.size() && i < 100; ++i) {
      if (!copy.accept(forced[i])) break;
    }
    const int32_t token = allowed[random() % allowed.size()];
    if (!state->accept(token)) return;
  }
}

}  // namespace

// The first byte says of which kind the grammar is.
void grammar(std::string_view input) {
  if (input.size() < 2 || input.size() > (8 << 10)) return;
  using Kind = GrammarSpec::Kind;
  constexpr std::array kKinds = {Kind::kJsonSchema, Kind::kRegex, Kind::kLark, Kind::kEbnf, Kind::kChoice};
  GrammarSpec spec;
  const auto first = static_cast<unsigned char>(input[0]);
  spec.kind = kKinds[first % kKinds.size()];
  spec.lenient = (first & 0x80) != 0;
  spec.text = std::string(input.substr(1));
  auto compiled = Grammar::compile(tokenizer(), spec);
  if (!compiled) {
    MLC_CHECK(!compiled.error().message.empty(), "a refusal without a reason");
    return;
  }
  follow(*compiled, static_cast<uint32_t>(input.size()));
}

}  // namespace mlc::fuzz
