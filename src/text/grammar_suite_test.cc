// JSON schemas and instances of others, token by token through the masks of a real 128 K vocabulary:
//   grammar/maskbench               schemas from the field, instances valid and not
//   grammar/JSON-Schema-Test-Suite  the official suite, draft 2020-12
//
// What must hold: no invalid instance is accepted. What is counted: the schemas that compile, the valid instances that
// pass, the keyword or reason of what does not, the time of a mask. Instances are put into the order of the schema
// first, for that order is the grammar's.
//
// A fixed sample runs by default. MLC_GRAMMAR_SUITES=all runs everything, prints each valid instance that is refused
// with the keyword of the schema that does it, and writes the table to the file MLC_GRAMMAR_REPORT.
#include <gtest/gtest.h>

#include <time.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "text/grammar.h"
#include "text/responsible_keyword.h"
#include "text/schema_order.h"
#include "text/test_support.h"

namespace mlc::text {
namespace {

// CPU time of this thread, or of all (the compiler has its own): what else the machine does is not measured.
double now_us(clockid_t clock = CLOCK_THREAD_CPUTIME_ID) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) * 1e-3;
}

double percentile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(share * static_cast<double>(values.size())))];
}

struct Totals {
  int schemas = 0, compiled = 0;
  int valid = 0, valid_accepted = 0, valid_without_schema = 0;
  int invalid = 0, invalid_refused = 0, invalid_without_schema = 0;
  std::map<std::string, int> schema_refusals;  // reason -> schemas
  std::vector<std::string> instance_refusals;
  std::vector<std::string> wrongly_accepted;
  std::vector<double> compile_us, mask_us, accept_us;
};

bool runs_all() {
  const char* which = std::getenv("MLC_GRAMMAR_SUITES");
  return which != nullptr && std::string_view(which) == "all";
}

bool has_bit(const std::vector<uint32_t>& bits, int32_t i) {
  return ((bits[static_cast<size_t>(i) / 32] >> (i % 32)) & 1) != 0;
}

class Runner {
 public:
  explicit Runner(Tokenizer tokenizer)
      : tokenizer_(std::move(tokenizer)), bits_((static_cast<size_t>(tokenizer_.vocab_size()) + 31) / 32) {}

  // Follows `text` through the grammar. Empty: it is accepted; else how far it came.
  std::string refusal(const Grammar& grammar, const std::string& text, Totals* totals) {
    auto state = grammar.start();
    if (!state) return state.error().message;
    auto tokens = tokenizer_.encode(text, false);
    if (!tokens) return tokens.error().message;
    size_t at = 0;  // bytes of `text` that were accepted
    const auto where = [&] {
      return fmt::format("after {}", text.substr(at > 60 ? at - 60 : 0, std::min<size_t>(at, 60)));
    };
    for (size_t i = 0; i < tokens->size();) {
      if (state->must_stop()) return where();
      const auto start = now_us();
      if (auto ok = state->mask(bits_); !ok) return ok.error().message + " " + where();
      const auto masked = now_us();
      int32_t token = (*tokens)[i];
      if (!has_bit(bits_, token)) {
        // Another way to cut the same text: forced tokens may split it differently.
        token = longest_allowed(std::string_view(text).substr(at));
        if (token < 0) return where();
        auto rest = tokenizer_.encode(text.substr(at + tokenizer_.token_bytes(token).size()), false);
        if (!rest) return rest.error().message;
        tokens = std::move(rest);
        i = 0;
      } else {
        ++i;
      }
      const auto accepting = now_us();
      if (auto ok = state->accept(token); !ok) return ok.error().message + " " + where();
      totals->mask_us.push_back(masked - start);
      totals->accept_us.push_back(now_us() - accepting);
      at += tokenizer_.token_bytes(token).size();
    }
    return state->may_stop() ? "" : "it may not end there, " + where();
  }

  void run(const std::string& name, const OrderedJson& schema, const OrderedJson& tests, Totals* totals) {
    ++totals->schemas;
    const double start = now_us(CLOCK_PROCESS_CPUTIME_ID);
    auto grammar = Grammar::compile(tokenizer_, {GrammarSpec::Kind::kJsonSchema, schema.dump()});
    totals->compile_us.push_back(now_us(CLOCK_PROCESS_CPUTIME_ID) - start);
    if (!grammar) {
      ++totals->schema_refusals[reason(grammar.error().message)];
      for (const OrderedJson& test : tests) {
        test["valid"].get<bool>() ? ++totals->valid_without_schema : ++totals->invalid_without_schema;
      }
      return;
    }
    ++totals->compiled;
    const SchemaOrder order(schema);
    for (const OrderedJson& test : tests) {
      const bool valid = test["valid"].get<bool>();
      const std::string text = order.apply(test["data"]).dump();
      const std::string why = refusal(*grammar, text, totals);
      const std::string title = name + ": " + test.value("description", "");
      if (valid) {
        ++totals->valid;
        if (why.empty()) ++totals->valid_accepted;
        if (!why.empty()) {
          totals->instance_refusals.push_back(fmt::format("{}: {}; {}", title, blamed(schema, test["data"]), why));
        }
      } else {
        ++totals->invalid;
        if (!why.empty()) ++totals->invalid_refused;
        if (why.empty()) totals->wrongly_accepted.push_back(title + ": " + text.substr(0, 200));
      }
    }
  }

  const Tokenizer& tokenizer() const { return tokenizer_; }

 private:
  std::string blamed(const OrderedJson& schema, const OrderedJson& instance) {
    return responsible_keyword(schema, [&](const OrderedJson& changed) {
      auto grammar = Grammar::compile(tokenizer_, {GrammarSpec::Kind::kJsonSchema, changed.dump()});
      Totals uncounted;
      return grammar && refusal(*grammar, SchemaOrder(changed).apply(instance).dump(), &uncounted).empty();
    });
  }

  // The message without what is particular to one schema.
  static std::string reason(const std::string& message) {
    std::string out, rest = message.substr(0, message.find('\n'));
    for (const std::string& part : split_on(rest, "; ")) {
      const size_t at = part.find(" at #");
      const size_t end = part.find(" cannot be honoured");
      std::string one = part;
      if (at != std::string::npos && end != std::string::npos && at < end) one.erase(at, end - at);
      out += (out.empty() ? "" : "; ") + one;
    }
    return out.substr(0, 160);
  }

  int32_t longest_allowed(std::string_view text) const {
    int32_t best = -1;
    for (int32_t i = 0; i < tokenizer_.vocab_size(); ++i) {
      const std::string_view bytes = tokenizer_.token_bytes(i);
      const bool longer = best < 0 || bytes.size() > tokenizer_.token_bytes(best).size();
      if (longer && !bytes.empty() && text.starts_with(bytes) && has_bit(bits_, i)) best = i;
    }
    return best;
  }

  Tokenizer tokenizer_;
  std::vector<uint32_t> bits_;
};

void report(const std::string& suite, const Totals& t) {
  std::string out = fmt::format(
      "{}: {} schemas, {} compiled ({:.1f}%)\n"
      "  valid instances: {} accepted of {} (and {} of refused schemas)\n"
      "  invalid instances: {} refused of {} (and {} of refused schemas)\n"
      "  compile: p50 {:.0f} us, p99 {:.0f} us; mask: p50 {:.1f} us, p90 {:.1f} us, p99 {:.1f} us, max {:.0f} us "
      "({} masks); accept: p50 {:.1f} us, p99 {:.1f} us\n",
      suite, t.schemas, t.compiled, 100.0 * t.compiled / std::max(1, t.schemas), t.valid_accepted, t.valid,
      t.valid_without_schema, t.invalid_refused, t.invalid, t.invalid_without_schema, percentile(t.compile_us, 0.5),
      percentile(t.compile_us, 0.99), percentile(t.mask_us, 0.5), percentile(t.mask_us, 0.9),
      percentile(t.mask_us, 0.99), percentile(t.mask_us, 1), t.mask_us.size(), percentile(t.accept_us, 0.5),
      percentile(t.accept_us, 0.99));
  if (runs_all()) {
    std::vector<std::pair<int, std::string>> reasons;
    for (const auto& [why, count] : t.schema_refusals) reasons.emplace_back(-count, why);
    std::sort(reasons.begin(), reasons.end());
    for (const auto& [count, why] : reasons) out += fmt::format("  schemas refused: {:4} {}\n", -count, why);
    for (const std::string& one : t.instance_refusals) out += "  valid, refused: " + one + "\n";
  }
  for (const std::string& one : t.wrongly_accepted) out += "  INVALID, ACCEPTED: " + one + "\n";
  std::fputs(out.c_str(), stdout);
  if (const char* path = std::getenv("MLC_GRAMMAR_REPORT")) std::ofstream(path, std::ios::app) << out;
}

Result<OrderedJson> read_ordered(const std::string& path) {
  MLC_TRY(const std::string text, read_file(path));
  OrderedJson json = OrderedJson::parse(text, nullptr, false);
  if (json.is_discarded()) return error("{}: not JSON", path);
  return json;
}

std::vector<std::string> files_in(const std::string& dir) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.is_regular_file() && entry.path().extension() == ".json") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class GrammarSuites : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (!path_exists(testing::data_file("tokenizers/llama3"))) return;
    auto tokenizer = Tokenizer::from_directory(testing::data_file("tokenizers/llama3"));
    ASSERT_TRUE(tokenizer.has_value()) << tokenizer.error().message;
    runner_ = std::make_unique<Runner>(*tokenizer);
  }
  static void TearDownTestSuite() { runner_.reset(); }

  static std::unique_ptr<Runner> runner_;
};

std::unique_ptr<Runner> GrammarSuites::runner_;

TEST_F(GrammarSuites, MaskBench) {
  MLC_SKIP_WITHOUT("grammar/maskbench");
  MLC_SKIP_WITHOUT("tokenizers/llama3");
  ASSERT_GT(runner_->tokenizer().vocab_size(), 128000);
  const std::vector<std::string> files = files_in(testing::data_file("grammar/maskbench"));
  ASSERT_FALSE(files.empty());
  Totals totals;
  const size_t step = runs_all() ? 1 : 12;
  for (size_t i = 0; i < files.size(); i += step) {
    auto bench = read_ordered(files[i]);
    MLC_ASSERT_OK(bench);
    runner_->run(std::filesystem::path(files[i]).filename().string(), (*bench)["schema"], (*bench)["tests"], &totals);
  }
  report("maskbench", totals);
  EXPECT_TRUE(totals.wrongly_accepted.empty());
  EXPECT_GE(totals.compiled * 100, totals.schemas * 75);
  EXPECT_GE(totals.valid_accepted * 100, totals.valid * 95);
}

TEST_F(GrammarSuites, JsonSchemaTestSuite) {
  MLC_SKIP_WITHOUT("grammar/JSON-Schema-Test-Suite");
  MLC_SKIP_WITHOUT("tokenizers/llama3");
  const std::vector<std::string> files =
      files_in(testing::data_file("grammar/JSON-Schema-Test-Suite/tests/draft2020-12"));
  ASSERT_FALSE(files.empty());
  Totals totals;
  size_t next = 0;
  for (const std::string& file : files) {
    auto groups = read_ordered(file);
    MLC_ASSERT_OK(groups);
    for (const OrderedJson& group : *groups) {
      if (!runs_all() && next++ % 4 != 0) continue;
      const std::string name = std::filesystem::path(file).filename().string() + ": " + group.value("description", "");
      runner_->run(name, group["schema"], group["tests"], &totals);
    }
  }
  report("JSON-Schema-Test-Suite draft2020-12", totals);
  EXPECT_TRUE(totals.wrongly_accepted.empty());
}

}  // namespace
}  // namespace mlc::text
