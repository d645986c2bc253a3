// Calls that must come, in every format: whatever the grammar lets through, the format's parser reads as calls of the
// tools with arguments that their schemas accept; and what a model of the format writes is let through.
#include "text/output/call_grammar.h"

#include <gtest/gtest.h>

#include <random>
#include <regex>
#include <unordered_map>

#include "../tests/support/source_dir.h"
#include "text/detokenizer.h"
#include "text/output/lark_writer.h"
#include "text/output/output_parser.h"
#include "text/output/tool_writer.h"
#include "text/test_support.h"
#include "text/utf8.h"

namespace mlc::text {
namespace {

const OrderedJson& tools() {
  static const OrderedJson all = OrderedJson::parse(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "required": ["city", "days"],
      "properties": {"city": {"type": "string", "minLength": 1}, "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
        "days": {"type": "integer", "minimum": 1, "maximum": 14}, "exact": {"type": "boolean"},
        "day": {"type": "string", "format": "date"}, "note": {"anyOf": [{"type": "string", "maxLength": 9}, {"type": "null"}]}}}}},
    {"type": "function", "function": {"name": "get_time"}},
    {"type": "function", "function": {"name": "get", "parameters": {"type": "object", "properties": {
      "code": {"type": "string", "pattern": "^[A-Z]{2}\\d+$"}, "level": {"enum": ["low", "high"]}, "fixed": {"const": 3},
      "place": {"$ref": "#/$defs/place"}}, "required": ["place"],
      "$defs": {"place": {"type": "object", "additionalProperties": false, "required": ["x"], "properties": {
        "x": {"type": "number"}, "names": {"type": "array", "maxItems": 2, "items": {"type": "string"}}}}}}}}])");
  return all;
}

// ---- a validator of its own, for the keywords above ----

bool has_type(const OrderedJson& value, const std::string& type) {
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  return type == "array" ? value.is_array() : value.is_object();
}

bool valid(const OrderedJson& value, const OrderedJson& schema, const OrderedJson& root);

bool valid_text(const std::string& text, const OrderedJson& s) {
  const auto size = static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  if (s.contains("minLength") && size < s["minLength"].get<size_t>()) return false;
  if (s.contains("maxLength") && size > s["maxLength"].get<size_t>()) return false;
  if (s.contains("pattern") && !std::regex_search(text, std::regex(s["pattern"].get<std::string>()))) return false;
  return !s.contains("format") || std::regex_match(text, std::regex("\\d{4}-\\d\\d-\\d\\d"));
}

bool valid_object(const OrderedJson& value, const OrderedJson& s, const OrderedJson& root) {
  for (const OrderedJson& name : s.value("required", OrderedJson::array())) {
    if (!value.contains(name.get<std::string>())) return false;
  }
  for (const auto& [name, member] : value.items()) {
    if (!s.contains("properties") || !s["properties"].contains(name)) return false;
    if (!valid(member, s["properties"][name], root)) return false;
  }
  return true;
}

bool valid(const OrderedJson& value, const OrderedJson& s, const OrderedJson& root) {
  if (s.contains("$ref")) return valid(value, root["$defs"]["place"], root);
  if (s.contains("anyOf")) {
    return std::any_of(s["anyOf"].begin(), s["anyOf"].end(), [&](const auto& one) { return valid(value, one, root); });
  }
  if (s.contains("type") && !has_type(value, s["type"])) return false;
  if (s.contains("const") && value != s["const"]) return false;
  if (s.contains("enum") && std::find(s["enum"].begin(), s["enum"].end(), value) == s["enum"].end()) return false;
  if (s.contains("minimum") && value < s["minimum"]) return false;
  if (s.contains("maximum") && value > s["maximum"]) return false;
  if (value.is_string()) return valid_text(value.get<std::string>(), s);
  if (value.is_object()) return valid_object(value, s, root);
  if (!value.is_array()) return true;
  if (s.contains("maxItems") && value.size() > s["maxItems"].get<size_t>()) return false;
  return std::all_of(value.begin(), value.end(),
                     [&](const auto& item) { return !s.contains("items") || valid(item, s["items"], root); });
}

// ---- tokenizers ----

const Tokenizer& demo() {
  static const Tokenizer kDemo = Tokenizer::from_directory(testing::source_file("models/demo")).value();
  return kDemo;
}

// The demo model's, with the marks of all formats as special tokens.
const Tokenizer& demo_with_marks() {
  static const Tokenizer kMarked = [] {
    Json json = Json::parse(read_file(testing::source_file("models/demo/tokenizer.json")).value());
    int32_t id = demo().vocab_size();
    std::vector<std::string> known;
    const auto add = [&](const std::string& mark) {
      const bool token =
          mark.starts_with("<|") || mark.starts_with("<｜") || mark.starts_with("[") || mark.ends_with(">");
      if (!token || mark.size() < 3 || std::find(known.begin(), known.end(), mark) != known.end()) return;
      known.push_back(mark);
      json["added_tokens"].push_back({{"id", id++},
                                      {"content", mark},
                                      {"single_word", false},
                                      {"lstrip", false},
                                      {"rstrip", false},
                                      {"normalized", false},
                                      {"special", true}});
    };
    for (const ToolFormat& f : tool_formats()) {
      for (const std::string& mark : marks_of({&f, nullptr})) add(mark);
    }
    for (const ReasoningFormat& f : reasoning_formats()) {
      for (const std::string& mark : marks_of({nullptr, &f})) add(mark);
    }
    return Tokenizer::from_json(json.dump()).value();
  }();
  return kMarked;
}

bool has_bit(const std::vector<uint32_t>& bits, size_t i) { return ((bits[i / 32] >> (i % 32)) & 1) != 0; }

// Writes texts of a grammar: at random, or given ones.
class Writer {
 public:
  Writer(const Tokenizer& tokenizer, const Grammar& grammar)
      : tokenizer_(tokenizer),
        state_(grammar.start().value()),
        bits_((static_cast<size_t>(tokenizer.vocab_size()) + 31) / 32),
        stream_(tokenizer, {.keep_special = specials(tokenizer)}) {}

  bool may_stop() const { return state_.may_stop(); }
  bool must_stop() const { return state_.must_stop(); }
  std::string take_text() { return text_ + stream_.flush(); }
  // As much of `text` as is allowed, in the longest tokens; whether that was all.
  bool write(std::string_view text) {
    while (!text.empty()) {
      if (must_stop() || !state_.mask(bits_)) return false;
      const int32_t best = longest(text);
      if (best < 0) return false;
      put(best);
      text.remove_prefix(tokenizer_.token_bytes(best).size());
    }
    return true;
  }
  void write_any(std::mt19937& random) {
    if (must_stop() || !state_.mask(bits_)) return;
    const auto vocab = static_cast<size_t>(tokenizer_.vocab_size());
    const size_t from = random() % vocab;
    for (size_t i = 0; i < vocab; ++i) {
      if (has_bit(bits_, (from + i) % vocab)) return put(static_cast<int32_t>((from + i) % vocab));
    }
    EXPECT_TRUE(may_stop()) << "nothing can follow, and the text may not end: " << text_;
  }
  int num_special() const { return num_special_; }
  void write_forced() {
    for (const int32_t token : state_.forced()) put(token);
  }

 private:
  static std::vector<int32_t> specials(const Tokenizer& tokenizer) {
    std::vector<int32_t> out;
    for (int32_t i = 0; i < tokenizer.vocab_size(); ++i) {
      if (tokenizer.is_special(i)) out.push_back(i);
    }
    return out;
  }
  int32_t longest(std::string_view text) const {
    int32_t best = -1;
    size_t size = 0;
    for (int32_t i = 0; i < tokenizer_.vocab_size(); ++i) {
      if (!has_bit(bits_, static_cast<size_t>(i))) continue;
      const std::string_view token = tokenizer_.token_bytes(i);
      if (token.size() <= size || !text.starts_with(token)) continue;
      best = i;
      size = token.size();
    }
    return best;
  }
  void put(int32_t token) {
    num_special_ += tokenizer_.is_special(token) ? 1 : 0;
    auto ok = state_.accept(token);
    ASSERT_TRUE(ok) << ok.error().message << " after " << text_;
    text_ += stream_.feed(token);
  }

  const Tokenizer& tokenizer_;
  GrammarState state_;
  std::vector<uint32_t> bits_;
  StreamDetokenizer stream_;
  std::string text_;
  int num_special_ = 0;
};

// What ends values and texts, so that a random walk comes to an end.
std::vector<std::string> closers(const ToolFormat& format, const ReasoningFormat* reasoning) {
  std::vector<std::string> out = {"\"", "}", "]", ", ", ")"};
  if (const WrittenSyntax s = written_syntax(format); !s.close.empty()) {
    out.insert(out.end(), {s.close, s.close, s.end + s.close});
  }
  if (format.family == ToolFamily::kTags) out.push_back(written_parameter(format.tags, false).end);
  if (format.family == ToolFamily::kHarmony) out.push_back("<|end|>");
  if (reasoning) out.insert(out.end(), {std::string(reasoning->begin), std::string(reasoning->end)});
  return out;
}

// The text of a random walk; nullopt when it does not end.
std::optional<std::string> walk(const Tokenizer& tokenizer, const CallGrammar& calls, const ReasoningFormat* reasoning,
                                std::mt19937& random) {
  Writer writer(tokenizer, calls.grammar);
  const std::vector<std::string> ends = closers(*calls.format, reasoning);
  for (int n = 0; n < 250; ++n) {
    if (writer.must_stop() || (writer.may_stop() && random() % 2 == 0)) return writer.take_text();
    if (random() % 3 == 0) writer.write_forced();
    if (random() % 2 == 0) {
      (void)writer.write(ends[random() % ends.size()]);
    } else {
      writer.write_any(random);
    }
    if (::testing::Test::HasFatalFailure()) return std::nullopt;
  }
  return std::nullopt;
}

struct Call {
  std::string name, arguments;
};

// The calls of a text; anything else in it but reasoning is a failure.
std::vector<Call> read_calls(const OutputFormat& format, bool open, const std::string& text) {
  OutputParser parser({.format = format, .tools = tools(), .reasoning_open = open});
  std::vector<OutputEvent> events = parser.feed(text);
  for (OutputEvent& e : parser.finish(false)) events.push_back(std::move(e));
  std::vector<Call> calls;
  using Kind = OutputEvent::Kind;
  for (const OutputEvent& e : events) {
    if (e.kind == Kind::kCall) calls.push_back({e.text, ""});
    if (e.kind == Kind::kArguments) calls.back().arguments += e.text;
    EXPECT_NE(e.kind, Kind::kContent) << e.text << "\nin " << text;
    EXPECT_NE(e.kind, Kind::kCallBroken) << e.text << "\nin " << text;
  }
  return calls;
}

void check_call(const Call& call, const std::string& text) {
  const auto tool =
      std::find_if(tools().begin(), tools().end(), [&](const auto& t) { return t["function"]["name"] == call.name; });
  ASSERT_NE(tool, tools().end()) << call.name << "\nin " << text;
  const OrderedJson arguments = OrderedJson::parse(call.arguments, nullptr, false);
  const OrderedJson schema = (*tool)["function"].value("parameters", OrderedJson{{"type", "object"}});
  EXPECT_TRUE(arguments.is_object() && valid(arguments, schema, schema)) << call.arguments << "\nin " << text;
}

void check_walks(const Tokenizer& tokenizer, CallGrammarRequest request, int walks) {
  request.tools = tools();
  auto calls = compile_call_grammar(tokenizer, request);
  ASSERT_TRUE(calls) << calls.error().message;
  EXPECT_EQ(calls->format, request.format.tools);
  std::mt19937 random(5);
  int ended = 0;
  size_t most = 0;
  for (int i = 0; ended < walks && i < 20 * walks; ++i) {
    const auto text = walk(tokenizer, *calls, request.format.reasoning, random);
    if (::testing::Test::HasFailure()) return;
    if (!text) continue;
    ++ended;
    const bool open = request.reasoning == ReasoningState::kOpen;
    const std::vector<Call> found = read_calls(request.format, open, *text);
    EXPECT_FALSE(found.empty()) << *text;
    most = std::max(most, found.size());
    for (const Call& call : found) check_call(call, *text);
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_EQ(ended, walks);
  const bool several = request.parallel && request.format.tools->family != ToolFamily::kHarmony;
  if (!several) {
    EXPECT_EQ(most, 1U);
  }
}

CallGrammarRequest in_format(const ToolFormat& format, bool parallel = true) {
  CallGrammarRequest request;
  request.format = {&format, nullptr};
  request.parallel = parallel;
  return request;
}

TEST(CallGrammar, RandomTextsAreCallsThatFitInEveryFormat) {
  for (const ToolFormat& format : tool_formats()) {
    for (const Tokenizer* tokenizer : {&demo(), &demo_with_marks()}) {
      SCOPED_TRACE(format.name);
      check_walks(*tokenizer, in_format(format), 20);
      check_walks(*tokenizer, in_format(format, /*parallel=*/false), 5);
      if (HasFailure()) return;
    }
  }
}

TEST(CallGrammar, RandomTextsFitWithLargeVocabularies) {
  for (const char* name : {"tokenizers/qwen3", "tokenizers/llama3", "tokenizers/phi3"}) {
    MLC_SKIP_WITHOUT(name);
    const auto tokenizer = Tokenizer::from_directory(testing::data_file(name));
    MLC_ASSERT_OK(tokenizer);
    for (const ToolFormat& format : tool_formats()) {
      SCOPED_TRACE(std::string(name) + " " + std::string(format.name));
      check_walks(*tokenizer, in_format(format), 2);
      if (HasFailure()) return;
    }
  }
}

TEST(CallGrammar, ThinkingMayComeFirst) {
  for (const ReasoningFormat& reasoning : reasoning_formats()) {
    for (const ReasoningState state : {ReasoningState::kMay, ReasoningState::kOpen}) {
      if (reasoning.harmony && state == ReasoningState::kOpen) continue;
      for (const Tokenizer* tokenizer : {&demo(), &demo_with_marks()}) {
        SCOPED_TRACE(reasoning.name);
        CallGrammarRequest request = in_format(*find_tool_format(reasoning.harmony ? "gpt_oss" : "qwen3_coder"));
        request.format.reasoning = &reasoning;
        request.reasoning = state;
        check_walks(*tokenizer, request, 10);
        if (HasFailure()) return;
      }
    }
  }
}

// Whether some of what the format writes around calls is a special token.
bool has_special_marks(const Tokenizer& tokenizer, const ToolFormat& format) {
  const LarkWriter lark(tokenizer);
  const WrittenSyntax s = written_syntax(format);
  std::string all = s.open + s.begin + s.middle + s.end + s.separator + s.close;
  if (format.family == ToolFamily::kTags) all += written_parameter(format.tags, false).end;
  return lark.literal(all).find("<[") != std::string::npos;
}

TEST(CallGrammar, WhatModelsWriteIsLetThrough) {
  const std::vector<WrittenCall> calls = {
      {"get_weather", R"({"city": "Köln", "days": 3, "exact": true})"},
      {"get_time", "{}"},
      {"get", R"({"code": "AB12", "place": {"x": 1.5, "names": ["a </parameter>"]}})"}};
  for (const ToolFormat& format : tool_formats()) {
    SCOPED_TRACE(format.name);
    const size_t count = format.family == ToolFamily::kHarmony ? 1 : calls.size();
    std::string text = write_calls(format, {calls.begin(), calls.begin() + static_cast<std::ptrdiff_t>(count)});
    if (count == 1) text.resize(text.size() - std::string_view("<|call|>").size());  // the token that ends the answer
    CallGrammarRequest request = in_format(format);
    request.tools = tools();
    for (const Tokenizer* tokenizer : {&demo(), &demo_with_marks()}) {
      const auto grammar = compile_call_grammar(*tokenizer, request);
      MLC_ASSERT_OK(grammar);
      Writer writer(*tokenizer, grammar->grammar);
      EXPECT_TRUE(writer.write(text)) << text << "\nstops after " << writer.take_text();
      EXPECT_TRUE(writer.may_stop()) << text;
      const std::vector<Call> found = read_calls(request.format, false, text);
      ASSERT_EQ(found.size(), count) << text;
      for (const Call& call : found) check_call(call, text);
      EXPECT_EQ(writer.num_special() > 0, has_special_marks(*tokenizer, format)) << text;
    }
  }
}

std::string failure(const ToolFormat& format, const std::string& name, const std::string& parameters) {
  CallGrammarRequest request = in_format(format);
  request.tools = {
      {{"type", "function"}, {"function", {{"name", name}, {"parameters", OrderedJson::parse(parameters)}}}}};
  const auto calls = compile_call_grammar(demo(), request);
  return calls ? "in " + std::string(calls->format->name) : calls.error().message;
}

TEST(CallGrammar, WhatAFormatCannotSayIsWrittenAsJson) {
  const ToolFormat &glm = *find_tool_format("glm"), &python = *find_tool_format("pythonic");
  EXPECT_EQ(failure(glm, "f", R"({"properties": {"a": {"type": "string"}}})"), "in glm");
  EXPECT_EQ(failure(glm, "f", R"({"properties": {"a": {"type": "string", "anyOf": [{"pattern": "^a"}]}}})"), "in json");
  EXPECT_EQ(failure(glm, "f", R"({"properties": {"a <b>": {}}})"), "in json");
  EXPECT_EQ(failure(glm, "f", R"({"type": "object"})"), "in json");
  EXPECT_EQ(failure(python, "f", R"({"properties": {"a-b": {}}})"), "in json");
  EXPECT_EQ(failure(python, "f:g", R"({"properties": {"a": {}}})"), "in json");
  EXPECT_EQ(failure(*find_tool_format("functionary_v3_2"), "all", "{}"), "in json");
}

TEST(CallGrammar, WhatNoFormatCanSayIsNamed) {
  for (const ToolFormat& format : tool_formats()) {
    EXPECT_EQ(failure(format, "f", R"({"properties": {"a": {"not": {"type": "string"}}}})"),
              "the parameters of 'f': the keyword 'not' at #/properties/a cannot be honoured");
    EXPECT_EQ(failure(format, "f", R"({"type": "array"})"),
              "the parameters of 'f': 'type' is \"array\"; arguments are always an object");
  }
}

TEST(CallGrammar, PromptsSayWhereReasoningStands) {
  const ReasoningFormat &qwen = *find_reasoning_format("qwen3"), &r1 = *find_reasoning_format("deepseek_r1");
  EXPECT_EQ(reasoning_state(qwen, "<assistant>"), ReasoningState::kMay);
  EXPECT_EQ(reasoning_state(qwen, "<assistant><think>\n"), ReasoningState::kOpen);
  EXPECT_EQ(reasoning_state(qwen, "<assistant><think>\n\n</think>\n\n"), ReasoningState::kNone);
  EXPECT_EQ(reasoning_state(r1, "<assistant>"), ReasoningState::kOpen);
  EXPECT_EQ(reasoning_state(r1, "<assistant></think>"), ReasoningState::kNone);
}

}  // namespace
}  // namespace mlc::text
