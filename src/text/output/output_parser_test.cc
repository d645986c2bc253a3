// Every format's calls: as the models write them, as they get them wrong, and as plain text that only looks like them.
// Whatever the text, cutting it differently changes nothing.
#include "text/output/output_parser.h"

#include <gtest/gtest.h>

#include <random>

#include "text/test_support.h"
#include "text/utf8.h"

namespace mlc::text {
namespace {

using Kind = OutputEvent::Kind;

const OrderedJson& tools() {
  static const OrderedJson all = OrderedJson::parse(R"([
    {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {
      "city": {"type": "string"}, "days": {"type": "array", "items": {"type": "integer"}}, "exact": {"type": "boolean"},
      "limit": {"type": ["integer", "null"]}}}}},
    {"type": "function", "function": {"name": "get_time"}},
    {"type": "function", "function": {"name": "math.sum", "parameters": {"type": "object", "properties": {
      "numbers": {"type": "array"}}}}}])");
  return all;
}

OutputParserOptions options(const std::string& tool_format, const std::string& reasoning = "", bool open = false) {
  OutputParserOptions o;
  o.format = {find_tool_format(tool_format), find_reasoning_format(reasoning)};
  if (!tool_format.empty()) o.tools = tools();
  o.reasoning_open = open;
  return o;
}

std::vector<OutputEvent> parse(const OutputParserOptions& o, const std::vector<std::string>& pieces,
                               bool truncated = false) {
  OutputParser parser(o);
  std::vector<OutputEvent> events;
  const auto add = [&events](std::vector<OutputEvent> more) { events.insert(events.end(), more.begin(), more.end()); };
  for (const std::string& piece : pieces) add(parser.feed(piece));
  add(parser.finish(truncated));
  return join_events(std::move(events));
}

// One line per event, for expectations: "say: …", "think: …", "call get_weather {…}", "broken: …".
std::string show(const std::vector<OutputEvent>& events) {
  std::string out;
  for (const OutputEvent& e : events) {
    switch (e.kind) {
      case Kind::kContent:
        out += "say: " + e.text + "\n";
        break;
      case Kind::kReasoning:
        out += "think: " + e.text + "\n";
        break;
      case Kind::kCall:
        out += "call " + e.text + (e.id.empty() ? "" : " #" + e.id) + " ";
        break;
      case Kind::kArguments:
        out += e.text;
        break;
      case Kind::kCallEnd:
        out += "\n";
        break;
      case Kind::kCallBroken:
        out += " broken: " + e.text + "\n";
        break;
    }
  }
  return out;
}

std::vector<std::string> split_bytes(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) out.emplace_back(1, c);
  return out;
}

// The text whole, byte by byte, and cut in two at every place.
void expect_parse(const OutputParserOptions& o, const std::string& text, const std::string& expected,
                  bool truncated = false) {
  const auto whole = parse(o, {text}, truncated);
  EXPECT_EQ(show(whole), expected) << text;
  EXPECT_EQ(parse(o, split_bytes(text), truncated), whole) << text;
  for (size_t at = 1; at < text.size(); ++at) {
    ASSERT_EQ(parse(o, {text.substr(0, at), text.substr(at)}, truncated), whole) << text << " cut at " << at;
  }
}

struct Case {
  const char* text;
  const char* expected;
};

void expect_all(const std::string& format, const std::vector<Case>& cases) {
  for (const Case& c : cases) expect_parse(options(format), c.text, c.expected);
}

constexpr const char* kKoeln = "call get_weather {\"city\": \"Köln\"}\n";
constexpr const char* kBoth = "call get_weather {\"city\": \"Köln\"}\ncall get_time {}\n";

TEST(ToolParserTest, Hermes) {
  expect_all(
      "hermes",
      {{"<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>", kKoeln},
       {"Let me see.\n\n<tool_call>\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}\n</tool_call>\n"
        "<tool_call>{\"name\": \"get_time\", \"arguments\": {}}</tool_call>",
        "say: Let me see.\ncall get_weather {\"city\": \"Köln\"}\ncall get_time {}\n"},
       // Keys in another order, arguments as text, none, nested as OpenAI nests them.
       {"<tool_call>{\"arguments\": {\"city\": \"Köln\"}, \"name\": \"get_weather\"}</tool_call>", kKoeln},
       {"<tool_call>{\"name\": \"get_weather\", \"arguments\": \"{\\\"city\\\": \\\"Köln\\\"}\"}</tool_call>", kKoeln},
       {"<tool_call>{\"name\": \"get_time\"}</tool_call>", "call get_time {}\n"},
       {"<tool_call>{\"name\": \"get_time\", \"arguments\": null}</tool_call>", "call get_time {}\n"},
       {"<tool_call>{\"type\": \"function\", \"function\": {\"name\": \"get_time\", \"arguments\": {}}}</tool_call>",
        "call get_time {}\n"},
       // Tools that nobody offered are calls all the same: the client can answer that.
       {"<tool_call>{\"name\": \"fly\", \"arguments\": {\"to\": [1, {\"a\": null}]}}</tool_call>",
        "call fly {\"to\": [1, {\"a\": null}]}\n"},
       // Forgotten brackets and closing marks.
       {"<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}\n</tool_call>", kKoeln},
       {"<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}", kKoeln},
       {"<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}", kKoeln},
       {"<tool_call>{'name': 'get_weather', 'arguments': {'city': 'Köln',},}</tool_call>", kKoeln},
       {"<tool_call>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}, {\"name\": "
        "\"get_time\"}]</tool_call>",
        kBoth},
       // Text after a call is content.
       {"<tool_call>{\"name\": \"get_time\"}</tool_call> Done.", "call get_time {}\nsay:  Done.\n"},
       // Not calls.
       {"a < b, <tool, <tool_call, <tool_call>", "say: a < b, <tool, <tool_call, <tool_call>\n"},
       {"<tool_call>I would call it</tool_call> ok", "say: <tool_call>I would call it</tool_call> ok\n"},
       {"<tool_call>{\"name\": 7}</tool_call>", "say: <tool_call>{\"name\": 7}</tool_call>\n"},
       {"<tool_call>{\"arguments\": {}}</tool_call>", "say: <tool_call>{\"arguments\": {}}</tool_call>\n"},
       {"<tool_call><tool_call>{\"name\": \"get_time\"}</tool_call>", "say: <tool_call>\ncall get_time {}\n"},
       {"{\"name\": \"get_time\"}", "say: {\"name\": \"get_time\"}\n"},
       {"  plain text \n", "say:   plain text \n\n"},
       // A call that goes wrong after it has begun.
       {"<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": Köln}}</tool_call>",
        "call get_weather {\"city\":  broken: <tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": K\n"
        "say: öln}}</tool_call>\n"}});
}

TEST(ToolParserTest, ATextThatIsCutOffKeepsWhatItHas) {
  const std::string open = "<tool_call>{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Kö";
  expect_parse(options("hermes"), open, "call get_weather {\"city\": \"Kö", true);
  expect_parse(options("hermes"), open, "call get_weather {\"city\": \"Kö broken: " + open + "\n");
  expect_parse(options("hermes"), "<tool_call>{\"name\": \"get_w", "say: <tool_call>{\"name\": \"get_w\n", true);
}

TEST(ToolParserTest, Llama3Json) {
  expect_all("llama3_json",
             {{"{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Köln\"}}", kKoeln},
              {"\n{\"type\": \"function\", \"name\": \"get_weather\", \"parameters\": {\"city\": \"Köln\"}}", kKoeln},
              {"<|python_tag|>{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Köln\"}}", kKoeln},
              {"{\"name\": \"get_weather\", \"parameters\": {\"city\": \"Köln\"}}; {\"name\": \"get_time\", "
               "\"parameters\": {}}",
               kBoth},
              {"{\"name\": \"get_time\"};", "call get_time {}\n"},
              // JSON that is the answer.
              {"{\"name\": \"Bob\", \"age\": 7}", "say: {\"name\": \"Bob\", \"age\": 7}\n"},
              {"{\"name\": \"fly\", \"parameters\": {}}", "say: {\"name\": \"fly\", \"parameters\": {}}\n"},
              {"{\"answer\": [1, 2]} and more", "say: {\"answer\": [1, 2]} and more\n"},
              {"The call {\"name\": \"get_time\"} is text", "say: The call {\"name\": \"get_time\"} is text\n"},
              {"{", "say: {\n"},
              {"[1, 2]", "say: [1, 2]\n"},
              {"<|python_tag|>print(1)", "say: <|python_tag|>print(1)\n"}});
}

TEST(ToolParserTest, Pythonic) {
  expect_all(
      "pythonic",
      {{"[get_weather(city=\"Köln\")]", kKoeln},
       {"[get_weather(city='Köln'), get_time()]", kBoth},
       {"<|python_start|>[get_weather(city=\"Köln\"), get_time()]<|python_end|>", kBoth},
       {"<|tool_call_start|>[get_weather(\"Köln\"), get_time( )]<|tool_call_end|>Wait.",
        "call get_weather {\"city\": \"Köln\"}\ncall get_time {}\nsay: Wait.\n"},
       {"get_weather(city=\"Köln\")", kKoeln},
       {"[get_weather(city=\"a, b) (\\\"x\\\"\", days=[1, (2)], exact=False, limit=None)]",
        "call get_weather {\"city\": \"a, b) (\\\"x\\\"\", \"days\": [1,2], \"exact\": false, \"limit\": null}\n"},
       {"[get_weather(city='''it's\n''', days=(1, 2,), limit=0x1F), math.sum(numbers=[1e3, -.5, 1_000])]",
        "call get_weather {\"city\": \"it's\\n\", \"days\": [1,2], \"limit\": 31}\n"
        "call math.sum {\"numbers\": [1000.0,-0.5,1000]}\n"},
       {"[get_weather(city='')]", "call get_weather {\"city\": \"\"}\n"},
       // Not calls.
       {"[get_weather] is a list", "say: [get_weather] is a list\n"},
       {"[fly(to=1)]", "say: [fly(to=1)]\n"},
       {"[1, 2, 3]", "say: [1, 2, 3]\n"},
       {"get well soon", "say: get well soon\n"},
       {"Use get_time() now", "say: Use get_time() now\n"},
       {"[get_weather(city=town)]", "call get_weather { broken: [get_weather(city=town)\nsay: ]\n"}});
}

TEST(ToolParserTest, Mistral) {
  expect_all(
      "mistral",
      {{"[TOOL_CALLS] [{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}, {\"name\": \"get_time\", "
        "\"arguments\": {}}]",
        kBoth},
       {"[TOOL_CALLS][{\"name\": \"get_time\", \"arguments\": {}, \"id\": \"abcdefgh1\"}]", "call get_time {}\n"},
       {"[TOOL_CALLS]get_weather[ARGS]{\"city\": \"Köln\"}[TOOL_CALLS]get_time[ARGS]{}", kBoth},
       {"[TOOL_CALLS]get_weather[CALL_ID]abcdefgh1[ARGS]{\"city\": \"Köln\"}",
        "call get_weather #abcdefgh1 {\"city\": \"Köln\"}\n"},
       {"Sure. [TOOL_CALLS]get_weather{\"city\": \"Köln\"}", "say: Sure.\ncall get_weather {\"city\": \"Köln\"}\n"},
       {"[TOOL_CALLS]no, not now", "say: [TOOL_CALLS]no, not now\n"},
       {"[TOOL_CALLS][]", "say: [TOOL_CALLS][]\n"},
       {"[TOOL_CALLS]get_time[ARGS]none", "say: [TOOL_CALLS]get_time[ARGS]none\n"}});
}

TEST(ToolParserTest, DeepSeek) {
  expect_all(
      "deepseek_v3",
      {{"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n{\"city\": "
        "\"Köln\"}\n```"
        "<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>get_time\n```json\n{}\n```<｜tool▁call▁end｜>"
        "<｜tool▁calls▁end｜>",
        kBoth},
       {"Yes.<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>{\"city\": "
        "\"Köln\"}<｜tool▁call▁end｜>"
        "<｜tool▁call▁begin｜>get_time<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>",
        "say: Yes.\ncall get_weather {\"city\": \"Köln\"}\ncall get_time {}\n"},
       {"<｜tool▁calls▁begin｜>hello", "say: <｜tool▁calls▁begin｜>hello\n"},
       {"<｜tool▁call▁begin｜>get_time<｜tool▁sep｜>now", "say: <｜tool▁call▁begin｜>get_time<｜tool▁sep｜>now\n"}});
  expect_all("deepseek_v32",
             {{"<｜DSML｜function_calls>\n<｜DSML｜invoke name=\"get_weather\">\n<｜DSML｜parameter name=\"city\" "
               "string=\"true\">Köln</｜DSML｜parameter>\n<｜DSML｜parameter name=\"days\" string=\"false\">[1, 2]"
               "</｜DSML｜parameter>\n</｜DSML｜invoke>\n<｜DSML｜invoke name=\"get_time\">\n</｜DSML｜invoke>\n"
               "</｜DSML｜function_calls>",
               "call get_weather {\"city\": \"Köln\", \"days\": [1, 2]}\ncall get_time {}\n"}});
}

TEST(ToolParserTest, PhiFirefunctionGranite) {
  expect_all("phi4",
             {{"functools[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}]", kKoeln},
              {" functools[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}, {\"name\": \"get_time\", "
               "\"arguments\": {}}]",
               kBoth},
              {"<|tool_call|>[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}]<|/tool_call|>", kKoeln},
              {"import functools\nfunctools.reduce", "say: import functools\nfunctools.reduce\n"}});
}

TEST(ToolParserTest, Functionary) {
  expect_all("functionary_v3_1",
             {{"<function=get_weather>{\"city\": \"Köln\"}</function><function=get_time>{}</function>", kBoth},
              {"The <function=f tag", "say: The <function=f tag\n"}});
  // The prompt has ">>>" already.
  expect_all("functionary_v3_2", {{"get_weather\n{\"city\": \"Köln\"}>>>get_time\n{}", kBoth},
                                  {"all\nLet me see.\n>>>get_weather\n{\"city\": \"Köln\"}",
                                   "say: Let me see.\ncall get_weather {\"city\": \"Köln\"}\n"},
                                  {"all\n>>> 1 + 1\n2", "say: >>> 1 + 1\n2\n"},
                                  {"hello there", "say: hello there\n"}});
}

TEST(ToolParserTest, GptOss) {
  expect_all(
      "gpt_oss",
      {{"<|channel|>analysis<|message|>Weather, then.<|end|><|start|>assistant<|channel|>commentary "
        "to=functions.get_weather <|constrain|>json<|message|>{\"city\": \"Köln\"}<|call|>",
        "think: Weather, then.\ncall get_weather {\"city\": \"Köln\"}\n"},
       {"<|channel|>analysis<|message|>Easy.<|end|><|start|>assistant<|channel|>final<|message|>It is 4.<|return|>",
        "think: Easy.\nsay: It is 4.\n"},
       {" to=functions.get_weather<|channel|>commentary json<|message|>{\"city\": \"Köln\"}<|call|>", kKoeln},
       {"<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant<|channel|>commentary "
        "to=functions.get_time "
        "json<|message|><|call|>",
        "say: I will look.\ncall get_time {}\n"},
       {"<|channel|>final<|message|>cut off", "say: cut off\n"},
       {"just text", "say: just text\n"},
       {"<|channel|>commentary to=python<|message|>print(1)<|call|>",
        "say: <|channel|>commentary to=python<|message|>print(1)\n"}});
  // Without tools the channels are there all the same.
  expect_parse(options("", "gpt_oss"),
               "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Hi",
               "think: Hm.\nsay: Hi\n");
}

TEST(ToolParserTest, OthersInTheWild) {
  expect_all("kimi_k2",
             {{"<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0<|tool_call_argument_begin|>"
               "{\"city\": \"Köln\"}<|tool_call_end|><|tool_calls_section_end|>",
               "call get_weather #functions.get_weather:0 {\"city\": \"Köln\"}\n"}});
  expect_all(
      "cohere",
      {{"<|START_ACTION|>[\n {\"tool_call_id\": \"0\", \"tool_name\": \"get_weather\", \"parameters\": {\"city\": "
        "\"Köln\"}}\n]<|END_ACTION|>",
        "call get_weather #0 {\"city\": \"Köln\"}\n"}});
  expect_all(
      "qwen3_coder",
      {{"Now.\n<tool_call>\n<function=get_weather>\n<parameter=city>\nKöln\n</parameter>\n<parameter=days>\n[1, 2]\n"
        "</parameter>\n<parameter=exact>\nTrue\n</parameter>\n</function>\n</tool_call>",
        "say: Now.\ncall get_weather {\"city\": \"Köln\", \"days\": [1, 2], \"exact\": true}\n"},
       {"<function=get_time>\n</function>\n</tool_call>", "call get_time {}\n"},
       {"<tool_call>\nnothing\n</tool_call>", "say: <tool_call>\nnothing\n</tool_call>\n"}});
  expect_all(
      "glm",
      {{"<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Köln</arg_value>\n<arg_key>limit</arg_key>\n"
        "<arg_value>3</arg_value>\n</tool_call>\n<tool_call>get_time</tool_call>",
        "call get_weather {\"city\": \"Köln\", \"limit\": 3}\ncall get_time {}\n"}});
  expect_all("json",
             {{"{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}", kKoeln},
              {"[{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}, {\"name\": \"get_time\"}]", kBoth},
              {"```json\n{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\"}}\n```", kKoeln},
              {"```json\n{\"a\": 1}\n```", "say: ```json\n{\"a\": 1}\n```\n"}});
}

TEST(ReasoningTest, SplitsWhatTheModelThinks) {
  expect_parse(options("", "qwen3"), "<think>\nTwo and two.\n</think>\n\nIt is 4.",
               "think: Two and two.\nsay: It is 4.\n");
  expect_parse(options("", "qwen3", true), "Two and two.\n</think>\n\nIt is 4.",
               "think: Two and two.\nsay: It is 4.\n");
  expect_parse(options("", "deepseek_r1", true), "<think>\nHm </thin </think>4", "think: Hm </thin\nsay: 4\n");
  expect_parse(options("", "qwen3"), "No thoughts, <think> is text here.", "say: No thoughts, <think> is text here.\n");
  expect_parse(options("", "qwen3"), "<think>cut off", "think: cut off\n", true);
  expect_parse(options("", "qwen3"), "<think></think>Yes", "say: Yes\n");
  expect_parse(options("", "mistral"), "[THINK]a[/THINK] b", "think: a\nsay: b\n");
  expect_parse(options("", "gemma4"), "<|channel>thought\na\n<channel|>b", "think: a\nsay: b\n");
  expect_parse(options("hermes", "qwen3"),
               "<think>\nCall it.\n</think>\n\n<tool_call>\n{\"name\": \"get_time\", \"arguments\": {}}\n</tool_call>",
               "think: Call it.\ncall get_time {}\n");
  // A tag in the thoughts is no call.
  expect_parse(options("hermes", "qwen3"), "<think><tool_call>{\"name\": \"get_time\"}</tool_call></think>ok",
               "think: <tool_call>{\"name\": \"get_time\"}</tool_call>\nsay: ok\n");
}

TEST(ReasoningTest, KnowsWhichCharactersAreReasoning) {
  OutputParser parser(options("", "qwen3"));
  const std::string text = "<think>äö</think>\n\n4";
  parser.feed(text);
  size_t count = 0;
  for (size_t i = 0; i < 40; ++i) count += parser.is_reasoning(i) ? 1 : 0;
  EXPECT_EQ(count, 17u);
  EXPECT_TRUE(parser.is_reasoning(0));
  EXPECT_FALSE(parser.is_reasoning(19));
  EXPECT_TRUE(reasoning_is_open(*find_reasoning_format("qwen3"), "<|im_start|>assistant\n<think>\n"));
  EXPECT_FALSE(reasoning_is_open(*find_reasoning_format("qwen3"), "assistant\n<think>\n\n</think>\n\n"));
  EXPECT_TRUE(reasoning_is_open(*find_reasoning_format("deepseek_r1"), "<｜Assistant｜>"));
  EXPECT_FALSE(reasoning_is_open(*find_reasoning_format("deepseek_r1"), "<｜Assistant｜><think></think>"));
}

// Soup of marks, calls and damage: however it is cut, the outcome is the same; nothing is lost; arguments of calls that
// ended are JSON objects.
TEST(ToolParserTest, AnyCutOfAnyTextGivesTheSame) {
  const std::vector<std::string> common = {
      "{\"name\": \"get_weather\", \"arguments\": {\"city\": \"Köln\", \"days\": [1, 2.5e3, -0]}}",
      "{\"name\": \"get_time\"}",
      "{\"arguments\": {}, \"name\": \"math.sum\"}",
      "[",
      "]",
      "{",
      "}",
      ",",
      ";",
      "\n",
      " ",
      "text",
      "ä😀",
      "get_weather",
      "get_time",
      "get_weather(city=\"Köln\", days=[1])",
      "get_time()",
      "(",
      ")",
      "\"",
      "'",
      "\\",
      "\\u12",
      "\\ud83d\\ude00",
      "\\ud83d",
      "{\"a\": True, 'b': None,}",
      "null",
      "1e5",
      "\x01",
      "<",
      "functions.get_time:0",
      "all\n",
      " to=functions.get_time ",
      "analysis",
      "commentary",
      "final",
      "<function=get_weather>",
      "</function>",
      "<parameter=city>\n",
      "\n</parameter>",
      "name",
      "<think>",
      "</think>",
      ">>>",
      "```json\n"};
  std::mt19937 random(5);
  const auto below = [&random](size_t n) { return static_cast<size_t>(random()) % n; };
  size_t calls = 0, broken = 0;
  for (const ToolFormat& format : tool_formats()) {
    std::vector<std::string> parts = common;
    for (const std::string& mark : marks_of({&format, nullptr})) parts.insert(parts.end(), 4, mark);
    for (int round = 0; round < 3000; ++round) {
      OutputParserOptions o = options(std::string(format.name), below(3) == 0 ? "qwen3" : "", below(4) == 0);
      if (!o.format.reasoning) o.reasoning_open = false;
      std::string text;
      for (size_t n = 1 + below(10); n-- > 0;) text += parts[below(parts.size())];
      for (size_t edits = below(3); edits-- > 0 && !text.empty();) text.erase(below(text.size()), 1 + below(3));
      const bool truncated = below(2) == 0;
      const auto whole = parse(o, {text}, truncated);
      ASSERT_EQ(parse(o, split_bytes(text), truncated), whole) << format.name << ": " << text;
      std::vector<std::string> cuts;
      for (size_t at = 0; at < text.size();) {
        const size_t n = 1 + below(9);
        cuts.push_back(text.substr(at, n));
        at += n;
      }
      ASSERT_EQ(parse(o, cuts, truncated), whole) << format.name << ": " << text;
      std::string arguments, content;
      bool only_content = true;
      for (const OutputEvent& e : whole) {
        if (e.kind == Kind::kContent) content += e.text;
        only_content = only_content && e.kind == Kind::kContent;
        if (e.kind == Kind::kCall) arguments.clear();
        if (e.kind == Kind::kArguments) arguments += e.text;
        if (e.kind == Kind::kCallBroken) ++broken;
        if (e.kind != Kind::kCallEnd) continue;
        ++calls;
        const std::string shown = replace_invalid(arguments);
        ASSERT_TRUE(Json::parse(shown, nullptr, false).is_object())
            << format.name << ": " << text << " -> " << arguments;
      }
      // Channels, recipients and the marks of thoughts say something without a call.
      const bool speaks = format.name == "gpt_oss" || format.name == "functionary_v3_2" || o.format.reasoning;
      if (only_content && !speaks) {
        ASSERT_EQ(content, text) << format.name;
      }
    }
  }
  EXPECT_GT(calls, 500u);
  EXPECT_GT(broken, 50u);
}

TEST(ToolFormatTest, TemplatesInTheWildSayWhatTheirModelsWrite) {
  MLC_SKIP_WITHOUT("templates/jinja");
  const std::pair<const char*, std::pair<const char*, const char*>> kExpected[] = {
      {"Qwen-Qwen2.5-7B-Instruct", {"hermes", ""}},
      {"Qwen-Qwen3-0.6B", {"hermes", "qwen3"}},
      {"Qwen-QwQ-32B", {"hermes", "qwen3"}},
      {"Qwen3-Coder", {"qwen3_coder", ""}},
      {"Qwen3.5-4B", {"qwen3_coder", "qwen3"}},
      {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use", {"hermes", ""}},
      {"meta-llama-Llama-3.1-8B-Instruct", {"llama3_json", ""}},
      {"meta-llama-Llama-3.2-3B-Instruct", {"llama3_json", ""}},
      {"meta-llama-Llama-3.3-70B-Instruct", {"llama3_json", ""}},
      {"mistralai-Mistral-Nemo-Instruct-2407", {"mistral", ""}},
      {"Mistral-Small-3.2-24B-Instruct-2506", {"mistral_v11", ""}},
      {"mistralai-Ministral-3-14B-Reasoning-2512", {"mistral_v11", "mistral"}},
      {"deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", {"deepseek_v3", "qwen3"}},
      {"deepseek-ai-DeepSeek-V3.1", {"deepseek_v31", "qwen3"}},
      {"deepseek-ai-DeepSeek-V3.2", {"deepseek_v32", "qwen3"}},
      {"meetkai-functionary-medium-v3.1", {"functionary_v3_1", ""}},
      {"meetkai-functionary-medium-v3.2", {"functionary_v3_2", ""}},
      {"openai-gpt-oss-120b", {"gpt_oss", "gpt_oss"}},
      {"fireworks-ai-llama-3-firefunction-v2", {"functools", ""}},
      {"granite-3.0-instruct", {"granite", ""}},
      {"moonshotai-Kimi-K2", {"kimi_k2", ""}},
      {"GLM-4.6", {"glm", "qwen3"}},
      {"ByteDance-Seed-OSS", {"seed_oss", "seed_oss"}},
      {"CohereForAI-c4ai-command-r7b-12-2024-tool_use", {"cohere", "cohere"}},
      {"LFM2-8B-A1B", {"pythonic", ""}},
      {"zephyr", {"json", ""}},
  };
  for (const auto& [name, formats] : kExpected) {
    auto source = read_file(testing::data_file(std::string("templates/jinja/") + name + ".jinja"));
    MLC_ASSERT_OK(source);
    const OutputFormat found = detect_formats(*source);
    EXPECT_EQ(found.tools->name, formats.first) << name;
    EXPECT_EQ(found.reasoning ? found.reasoning->name : "", formats.second) << name;
  }
}

}  // namespace
}  // namespace mlc::text
