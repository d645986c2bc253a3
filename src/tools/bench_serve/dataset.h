// What is asked: made-up prompts of a given length, or conversations from a file.
//
//   MLC_TRY(auto questions, read_sharegpt("sharegpt.json", 0));
//   shuffle(questions, seed);
//
// Made-up prompts are words at random, so that no two share a prefix that a server could have cached.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::tools::bench_serve {

struct Question {
  std::string prompt;
  int64_t max_tokens = 0;
};

// The `index`-th prompt of a seed, `words` long.
std::string random_prompt(uint64_t seed, uint64_t index, int64_t words);

// ShareGPT's form: a list of {"conversations": [{"from": "human", "value": …}, {"from": "gpt", "value": …}, …]}. Of
// each the first question is asked. `max_tokens` 0: a quarter of the first answer's characters, 4 to 1024 tokens.
Result<std::vector<Question>> read_sharegpt(const std::string& file, int64_t max_tokens);

// The same order for the same seed on every machine.
void shuffle(std::vector<Question>& questions, uint64_t seed);

// When requests come, in seconds from the start: evenly likely at any time (Poisson), `rate` per second on average.
std::vector<double> arrivals(uint64_t seed, double rate, size_t count);

}  // namespace mlc::tools::bench_serve
