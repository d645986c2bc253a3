// The calls of the Berkeley Function-Calling Leaderboard's answers, written the way each format's models write them,
// and read back, cut at random: every call of every case comes back with its name and its arguments.
#include <gtest/gtest.h>

#include <random>
#include <sstream>

#include "text/output/output_parser.h"
#include "text/output/tool_writer.h"
#include "text/test_support.h"

namespace mlc::text {
namespace {

struct BfclCase {
  std::string id;
  OrderedJson tools;  // OpenAI's form
  std::vector<WrittenCall> calls;
};

// The file's Python names for JSON Schema's types.
void rename_types(OrderedJson* schema) {
  for (auto& [key, value] : schema->items()) {
    if (value.is_structured()) rename_types(&value);
    if (key != "type" || !value.is_string()) continue;
    if (value == "dict") value = "object";
    if (value == "float") value = "number";
    if (value == "tuple") value = "array";
    if (value == "any") value = "string";
  }
}

// Values are lists of alternatives, at every level of an object; "" stands for a parameter that may be left out.
OrderedJson first_answer(const OrderedJson& alternatives) {
  for (const OrderedJson& one : alternatives) {
    if (one == "") continue;
    if (!one.is_object()) return one;
    OrderedJson out = OrderedJson::object();
    for (const auto& [key, inner] : one.items()) {
      const OrderedJson value = inner.is_array() ? first_answer(inner) : inner;
      if (!value.is_discarded()) out[key] = value;
    }
    return out;
  }
  return OrderedJson(OrderedJson::value_t::discarded);
}

std::vector<OrderedJson> read_lines(const std::string& path) {
  std::vector<OrderedJson> out;
  auto text = read_file(path);
  if (!text) return out;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty()) out.push_back(OrderedJson::parse(line));
  }
  return out;
}

std::vector<BfclCase> read_cases(const std::string& name) {
  const auto questions = read_lines(testing::data_file("api/bfcl/BFCL_v4_" + name + ".json"));
  const auto answers = read_lines(testing::data_file("api/bfcl/possible_answer/BFCL_v4_" + name + ".json"));
  std::vector<BfclCase> cases;
  for (size_t i = 0; i < questions.size(); ++i) {
    BfclCase c{questions[i]["id"].get<std::string>(), OrderedJson::array(), {}};
    for (OrderedJson function : questions[i]["function"]) {
      rename_types(&function);
      c.tools.push_back({{"type", "function"}, {"function", function}});
    }
    if (!answers.empty()) {
      EXPECT_EQ(answers.at(i)["id"], c.id);
      for (const OrderedJson& call : answers[i]["ground_truth"]) {
        OrderedJson arguments = OrderedJson::object();
        for (const auto& [key, alternatives] : call.begin().value().items()) {
          const OrderedJson value = first_answer(alternatives);
          if (!value.is_discarded()) arguments[key] = value;
        }
        c.calls.push_back({call.begin().key(), arguments.dump()});
      }
    }
    cases.push_back(std::move(c));
  }
  return cases;
}

struct ReadBack {
  std::vector<WrittenCall> calls;
  std::string content;
  bool broken = false;
};

ReadBack read_back(const ToolFormat& format, const OrderedJson& tools, const std::string& text, std::mt19937* random) {
  OutputParser parser({.format = {&format, nullptr}, .tools = tools});
  ReadBack out;
  const auto take = [&out](const std::vector<OutputEvent>& events) {
    for (const OutputEvent& e : events) {
      if (e.kind == OutputEvent::Kind::kContent) out.content += e.text;
      if (e.kind == OutputEvent::Kind::kCall) out.calls.push_back({e.text, ""});
      if (e.kind == OutputEvent::Kind::kArguments) out.calls.back().arguments += e.text;
      if (e.kind == OutputEvent::Kind::kCallBroken) out.broken = true;
    }
  };
  for (size_t at = 0; at < text.size();) {
    const size_t n = 1 + (*random)() % 12;
    take(parser.feed(std::string_view(text).substr(at, n)));
    at += n;
  }
  take(parser.finish(false));
  return out;
}

// In formats whose values are plain text a number and a text that looks like it are told apart by the schema alone.
bool fits_schema(const OrderedJson& tools, const WrittenCall& call) {
  for (const OrderedJson& tool : tools) {
    const OrderedJson& f = tool["function"];
    if (f["name"] != call.name) continue;
    const OrderedJson arguments = OrderedJson::parse(call.arguments), properties = f["parameters"]["properties"];
    for (const auto& [key, value] : arguments.items()) {
      if (!properties.contains(key)) return false;
      const bool text = properties[key].value("type", "string") == "string";
      if (text != value.is_string()) return false;
    }
    return true;
  }
  return false;
}

TEST(BfclTest, CallsOfAllFormatsComeBack) {
  MLC_SKIP_WITHOUT("api/bfcl");
  std::mt19937 random(3);
  size_t num_calls = 0, num_cases = 0, left_out = 0;
  for (const char* name : {"simple_python", "multiple", "parallel"}) {
    const auto cases = read_cases(name);
    ASSERT_GE(cases.size(), 199u);
    for (const BfclCase& c : cases) {
      ++num_cases;
      for (const ToolFormat& format : tool_formats()) {
        const bool fits = std::all_of(c.calls.begin(), c.calls.end(),
                                      [&c](const WrittenCall& call) { return fits_schema(c.tools, call); });
        if (format.family == ToolFamily::kTags && !fits) {
          ++left_out;
          continue;
        }
        std::string text = write_calls(format, c.calls);
        const ReadBack got = read_back(format, c.tools, text, &random);
        ASSERT_EQ(got.content, "") << format.name << " " << c.id << "\n" << text;
        ASSERT_FALSE(got.broken) << format.name << " " << c.id << "\n" << text;
        ASSERT_EQ(got.calls.size(), c.calls.size()) << format.name << " " << c.id << "\n" << text;
        for (size_t i = 0; i < c.calls.size(); ++i) {
          ASSERT_EQ(got.calls[i].name, c.calls[i].name) << format.name << " " << c.id;
          ASSERT_EQ(Json::parse(got.calls[i].arguments, nullptr, false), Json::parse(c.calls[i].arguments))
              << format.name << " " << c.id << "\n"
              << text << "\n"
              << got.calls[i].arguments;
          ++num_calls;
        }
      }
    }
  }
  std::printf(
      "%zu cases, %zu calls read back in %zu formats (%zu left out: a value that is not of its schema's type)\n",
      num_cases, num_calls, tool_formats().size(), left_out);
  EXPECT_GT(num_calls, 15000u);
  EXPECT_LT(left_out, 300u);
}

// Questions that no tool answers: the text stays a text in every format.
TEST(BfclTest, TextWithoutCallsStaysAsItIs) {
  MLC_SKIP_WITHOUT("api/bfcl");
  std::mt19937 random(4);
  for (const OrderedJson& line : read_lines(testing::data_file("api/bfcl/BFCL_v4_irrelevance.json"))) {
    OrderedJson tools = OrderedJson::array();
    for (const OrderedJson& f : line["function"]) tools.push_back({{"type", "function"}, {"function", f}});
    const std::string text = line["question"][0][0]["content"].get<std::string>();
    for (const ToolFormat& format : tool_formats()) {
      const ReadBack got = read_back(format, tools, text, &random);
      ASSERT_TRUE(got.calls.empty()) << format.name << ": " << text;
      ASSERT_EQ(got.content, text) << format.name;
    }
  }
}

// The same for turns of conversations, whose answers are Python calls with and without names of arguments.
TEST(BfclTest, PythonCallsOfConversationsComeBack) {
  MLC_SKIP_WITHOUT("api/bfcl");
  std::mt19937 random(5);
  const ToolFormat& format = *find_tool_format("pythonic");
  size_t calls = 0;
  for (const OrderedJson& line :
       read_lines(testing::data_file("api/bfcl/possible_answer/BFCL_v4_multi_turn_base.json"))) {
    for (const OrderedJson& turn : line["ground_truth"]) {
      OrderedJson tools = OrderedJson::array();
      std::string text;
      for (const OrderedJson& call : turn) {
        const std::string source = call.get<std::string>(), name = source.substr(0, source.find('('));
        OrderedJson properties = OrderedJson::object();
        for (const char* place : {"first", "second", "third"}) properties[place] = {{"type", "string"}};
        tools.push_back(
            {{"type", "function"}, {"function", {{"name", name}, {"parameters", {{"properties", properties}}}}}});
        text += (text.empty() ? "[" : ", ") + source;
      }
      if (text.empty()) continue;
      const ReadBack got = read_back(format, tools, text + "]", &random);
      ASSERT_EQ(got.content, "") << text;
      ASSERT_FALSE(got.broken) << text;
      ASSERT_EQ(got.calls.size(), turn.size()) << text;
      for (size_t i = 0; i < turn.size(); ++i) {
        ASSERT_TRUE(Json::parse(got.calls[i].arguments, nullptr, false).is_object()) << text;
        ASSERT_TRUE(turn[i].get<std::string>().starts_with(got.calls[i].name + "("));
        ++calls;
      }
    }
  }
  EXPECT_GT(calls, 1000u);
}

}  // namespace
}  // namespace mlc::text
