#include "tools/bench/spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "artifact/artifact.h"
#include "base/file.h"
#include "base/json.h"

namespace mlc::tools::bench {
namespace {

constexpr int64_t kMostTokens = int64_t{1} << 24;  // more is a slip of the pen, and sums stay small
constexpr int64_t kDefaultPrompt = 512;

Result<void> check_list(const std::vector<int64_t>& values, const char* name, int64_t least) {
  for (int64_t v : values) {
    if (v < least || v > kMostTokens) {
      return error("{}: found {}, expected whole numbers from {} to {}", name, v, least, kMostTokens);
    }
  }
  return {};
}

// Takes the fields of one suite entry, and reports what it does not know.
class Entry {
 public:
  Entry(const Json& body, std::string where) : body_(body), where_(std::move(where)) {}

  template <typename T>
  Result<void> take(const char* key, T& value, const char* expected) {
    known_.emplace_back(key);
    if (!body_.contains(key)) return {};
    const Json& v = body_.at(key);
    bool right = false;
    if constexpr (std::is_same_v<T, std::string>) {
      right = v.is_string();
    } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
      right = v.is_array() && std::all_of(v.begin(), v.end(), [](const Json& e) { return e.is_string(); });
    } else if constexpr (std::is_same_v<T, std::vector<int64_t>>) {
      right = v.is_array() && std::all_of(v.begin(), v.end(), [](const Json& e) { return e.is_number_integer(); });
    } else {
      right = v.is_number_integer();
    }
    if (!right) return error("{}: \"{}\" is {}, expected {}", where_, key, v.dump(), expected);
    value = v.get<T>();
    return {};
  }

  Result<void> nothing_else() const {
    for (const auto& [key, value] : body_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      return error("{}: there is no field \"{}\"; the fields are {}", where_, key, fmt::join(known_, ", "));
    }
    return {};
  }

 private:
  const Json& body_;
  std::string where_;
  std::vector<std::string> known_;
};

Result<Spec> read_entry(const Json& body, const std::string& where, const Spec& defaults) {
  if (!body.is_object()) return error("{}: found {}, expected an object", where, body.dump());
  Spec s = defaults;
  Entry e(body, where);
  const char *text = "a string", *number = "a whole number", *numbers = "an array of whole numbers";
  int64_t threads = s.flags.threads;
  MLC_TRY_VOID(e.take("name", s.name, text));
  MLC_TRY_VOID(e.take("model", s.flags.model, text));
  MLC_TRY_VOID(e.take("preset", s.preset, text));
  MLC_TRY_VOID(e.take("quantization", s.flags.quantization, text));
  MLC_TRY_VOID(e.take("activation", s.flags.activation, text));
  MLC_TRY_VOID(e.take("threads", threads, number));
  MLC_TRY_VOID(e.take("prompt_lengths", s.prompt_lengths, numbers));
  MLC_TRY_VOID(e.take("depth", s.depths, numbers));
  MLC_TRY_VOID(e.take("batch", s.batches, numbers));
  MLC_TRY_VOID(e.take("generate", s.generate, number));
  MLC_TRY_VOID(e.take("runs", s.runs, number));
  MLC_TRY_VOID(e.take("against", s.against, "an array of strings"));
  MLC_TRY_VOID(e.nothing_else());
  if (threads < 0 || threads > 1024) return error("{}: \"threads\" is {}, expected 0 to 1024", where, threads);
  s.flags.threads = static_cast<int>(threads);
  s.synthetic = !s.preset.empty();
  if (auto ok = check(s); !ok) return error("{}: {}", where, ok.error().message);
  return s;
}

}  // namespace

std::string Phase::label() const {
  switch (kind) {
    case PhaseKind::kPrefill:
      return depth == 0 ? fmt::format("prefill {}", tokens) : fmt::format("prefill {} at {}", tokens, depth);
    case PhaseKind::kDecode:
      return fmt::format("decode at {}", depth);
    case PhaseKind::kBatch:
      return fmt::format("decode {} x at {}", sequences, depth);
  }
  return "";
}

Result<void> check(const Spec& s) {
  if (s.preset.empty() == s.flags.model.empty()) return error("give a model directory, or --preset NAME --synthetic");
  if (!s.preset.empty() && !s.synthetic) {
    return error("--preset {} names only a shape: add --synthetic to measure it with random weights", s.preset);
  }
  if (s.preset.empty() && s.synthetic) {
    return error("--synthetic makes weights for a --preset; {} has its own", s.flags.model);
  }
  if (!s.preset.empty() && s.flags.quantization.empty()) return error("--preset needs --quantization");
  MLC_TRY_VOID(check_list(s.prompt_lengths, "--prompt-lengths", 0));
  MLC_TRY_VOID(check_list(s.depths, "--depth", 0));
  MLC_TRY_VOID(check_list(s.batches, "--batch", 1));
  MLC_TRY_VOID(check_list({s.generate}, "--generate", 0));
  MLC_TRY_VOID(check_list({s.runs}, "--runs", 1));
  if (s.depths.empty()) return error("--depth: found nothing, expected one number or more");
  if (!s.batches.empty() && s.generate == 0) return error("--batch measures decoding: it needs --generate 1 or more");
  const bool prefills = std::any_of(s.prompt_lengths.begin(), s.prompt_lengths.end(), [](int64_t n) { return n > 0; });
  if (!prefills && !s.prompt_lengths.empty() && s.generate == 0) {
    return error("nothing to measure: --prompt-lengths and --generate are both 0");
  }
  return {};
}

std::vector<Phase> phases_of(const Spec& s, int64_t context) {
  std::vector<Phase> phases;
  auto add = [&](const Phase& p) {
    if (p.tokens > 0 && std::find(phases.begin(), phases.end(), p) == phases.end()) phases.push_back(p);
  };
  for (int64_t depth : s.depths) {
    if (s.prompt_lengths.empty()) {
      add({PhaseKind::kPrefill, std::min(kDefaultPrompt, context - depth), depth});
    }
    for (int64_t n : s.prompt_lengths) add({PhaseKind::kPrefill, n, depth});
    add({PhaseKind::kDecode, s.generate, depth});
    for (int64_t n : s.batches) add({PhaseKind::kBatch, s.generate, depth, n});
  }
  return phases;
}

int64_t longest_sequence(const std::vector<Phase>& phases) {
  int64_t most = 0;
  for (const Phase& p : phases) most = std::max(most, p.depth + p.tokens);
  return most;
}

int64_t cached_tokens(const std::vector<Phase>& phases) {
  int64_t most = 0;
  for (const Phase& p : phases) {
    const int64_t pages = (p.depth + p.tokens + artifact::kPageSize - 1) / artifact::kPageSize;
    most = std::max(most, p.sequences * pages * artifact::kPageSize);
  }
  return most;
}

Result<std::vector<Spec>> read_suite(const std::string& file, const Spec& defaults) {
  MLC_TRY(Json body, read_json_file(file));
  if (!body.is_array() || body.empty()) {
    return error("{}: expected an array of objects, one for each model to measure", file);
  }
  std::vector<Spec> specs;
  for (size_t i = 0; i < body.size(); ++i) {
    MLC_TRY(Spec s, read_entry(body[i], fmt::format("{}: entry {}", file, i + 1), defaults));
    specs.push_back(std::move(s));
  }
  return specs;
}

}  // namespace mlc::tools::bench
