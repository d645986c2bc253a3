#include "tools/bench_serve/dataset.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "base/file.h"
#include "base/json.h"

namespace mlc::tools::bench_serve {
namespace {

// Common words, so that a token is about a word in most vocabularies.
constexpr std::array kWords = {
    "time",  "year",   "people", "way",     "day",     "man",     "thing",    "woman",   "life",       "child",
    "world", "school", "state",  "family",  "student", "group",   "country",  "problem", "hand",       "part",
    "place", "case",   "week",   "company", "system",  "program", "question", "work",    "government", "number",
    "night", "point",  "home",   "water",   "room",    "mother",  "area",     "money",   "story",      "fact",
    "month", "lot",    "right",  "study",   "book",    "eye",     "job",      "word",    "business",   "issue",
    "side",  "kind",   "head",   "house",   "service", "friend",  "father",   "power",   "hour",       "game",
    "line",  "end",    "member", "law"};

uint64_t mixed(uint64_t a, uint64_t b) {
  return a * 0x9E3779B97F4A7C15ULL + b * 0xD1B54A32D192ED03ULL + 0x94D049BB133111EBULL;
}

// (0, 1]; the standard's distributions differ between libraries.
double uniform(std::mt19937_64& source) { return (static_cast<double>(source() >> 11) + 1) / 9007199254740992.0; }

}  // namespace

std::string random_prompt(uint64_t seed, uint64_t index, int64_t words) {
  std::mt19937_64 source(mixed(seed, index));
  std::string out;
  for (int64_t i = 0; i < words; ++i) {
    if (i > 0) out += ' ';
    out += kWords[source() % kWords.size()];
  }
  return out;
}

Result<std::vector<Question>> read_sharegpt(const std::string& file, int64_t max_tokens) {
  MLC_TRY(const std::string text, read_file(file));
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_array()) return error("{}: expected a JSON list of conversations (ShareGPT's form)", file);
  std::vector<Question> out;
  for (const Json& entry : json) {
    if (!entry.is_object() || !entry.contains("conversations") || !entry["conversations"].is_array()) continue;
    const Json& turns = entry["conversations"];
    const auto value = [&turns](size_t i) {
      const bool there =
          i < turns.size() && turns[i].is_object() && turns[i].contains("value") && turns[i]["value"].is_string();
      return there ? turns[i]["value"].get<std::string>() : std::string();
    };
    const std::string prompt = value(0), answer = value(1);
    if (prompt.empty() || answer.empty()) continue;
    const auto guessed = std::clamp<int64_t>(static_cast<int64_t>(answer.size()) / 4, 4, 1024);
    out.push_back({prompt, max_tokens > 0 ? max_tokens : guessed});
  }
  if (out.empty()) {
    return error("{}: none of its {} entries has \"conversations\" with a question and an answer", file, json.size());
  }
  return out;
}

void shuffle(std::vector<Question>& questions, uint64_t seed) {
  std::mt19937_64 source(mixed(seed, 0));
  for (size_t i = questions.size(); i > 1; --i) std::swap(questions[i - 1], questions[source() % i]);
}

std::vector<double> arrivals(uint64_t seed, double rate, size_t count) {
  std::mt19937_64 source(mixed(seed, 1));
  std::vector<double> out;
  double at = 0;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(at);
    at -= std::log(uniform(source)) / rate;
  }
  return out;
}

}  // namespace mlc::tools::bench_serve
