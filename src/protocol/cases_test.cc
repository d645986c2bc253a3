// Runs tests/protocol/*.txt: requests against a scripted engine, with the expected answers as text. Each case:
//
//   ### name of the case
//   engine: {"reply": "Hi there", "ends": true, "context": 64, "tokenizer": true, "template": true}   (all optional)
//           "tools" and "reasoning" name formats of answers; "jinja": "tools" is a template that shows tools, and what
//           follows "tools" is put at its end; "usage": false leaves the counts out of the comparison; "obeys": true
//           ends an answer with an error where the reply leaves the form that the request asks for
//   POST chat                          or: completion, responses, messages
//   {"messages": [...]}                the body, any number of lines
//   --- 200
//   {...}                              the answer; a stream has one event per line
//
// Ids and times are left out of the comparison. MLC_UPDATE=1 rewrites the answers (read the difference).
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "../tests/support/source_dir.h"
#include "protocol/api.h"
#include "protocol/scripted_engine.h"

namespace mlc::protocol {
namespace {

struct Case {
  std::string name;
  OrderedJson engine = OrderedJson::object();
  std::string endpoint;
  std::string body;
  std::string expected;  // status line and answer
};

std::vector<Case> read_cases(const std::filesystem::path& file, std::string* head) {
  std::ifstream in(file);
  std::vector<Case> cases;
  std::string line;
  bool answer = false;
  while (std::getline(in, line)) {
    if (line.starts_with("### ")) {
      cases.push_back({});
      cases.back().name = line.substr(4);
      answer = false;
    } else if (cases.empty()) {
      *head += line + "\n";
    } else if (line.starts_with("engine: ")) {
      cases.back().engine = OrderedJson::parse(line.substr(8));
    } else if (line.starts_with("POST ")) {
      cases.back().endpoint = line.substr(5);
    } else if (line.starts_with("--- ")) {
      answer = true;
      cases.back().expected = line.substr(4) + "\n";
    } else if (answer) {
      if (!line.empty()) cases.back().expected += line + "\n";
    } else {
      cases.back().body += line + "\n";
    }
  }
  return cases;
}

void write_cases(const std::filesystem::path& file, const std::string& head, const std::vector<Case>& cases) {
  std::ofstream out(file);
  out << head;
  for (const Case& c : cases) {
    out << "### " << c.name << "\n";
    if (!c.engine.empty()) out << "engine: " << c.engine.dump() << "\n";
    out << "POST " << c.endpoint << "\n" << c.body << "--- " << c.expected << "\n";
  }
}

// All that a conversation may hold, in a few characters.
constexpr const char* kToolTemplate =
    "{% for t in tools or [] %}<{{ t | tojson }}>{% endfor %}{% for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{% if m.reasoning_content %}({{ m.reasoning_content }}){% endif %}{% for c in m.tool_calls or [] %}{{ c.id }}:"
    "{{ c.function.name }}({% for k, v in c.function.arguments.items() %}{{ k }}={{ v }};{% endfor %}){% endfor %}"
    "{% if m.role == 'tool' %}#{{ m.tool_call_id }} {{ m.name }}{% endif %}\n{% endfor %}"
    "{% if enable_thinking is defined %}thinking={{ enable_thinking }}{% endif %}"
    "{% if reasoning_effort %}effort={{ reasoning_effort }}{% endif %}[assistant]";

ModelList make_models(const OrderedJson& o) {
  ScriptedEngine::Options options;
  options.reply = o.value("reply", "Hi there");
  options.ends = o.value("ends", true);
  options.context = o.value("context", 256);
  options.fails = o.value("fails", "");
  options.tokens_per_event = o.value("tokens_per_event", 1);
  options.cached_tokens = o.value("cached_tokens", 0);
  options.counts_up = o.value("counts_up", false);
  options.obeys = o.value("obeys", false);
  ServedModel model = toy_model("toy", std::make_shared<ScriptedEngine>(options));
  model.system_prompt = o.value("system_prompt", "");
  if (const std::string jinja = o.value("jinja", ""); jinja.starts_with("tools")) {
    model.chat_template = text::ChatTemplate::from_jinja(kToolTemplate + jinja.substr(5)).value();
  }
  model.answers = make_answer_format({text::find_tool_format(o.value("tools", "")),  // none: no such name
                                      text::find_reasoning_format(o.value("reasoning", ""))},
                                     *model.tokenizer);
  if (!o.value("tokenizer", true)) model.tokenizer.reset();
  if (!o.value("template", true)) model.chat_template.reset();
  ModelList models;
  models.add(std::make_shared<const ServedModel>(std::move(model)));
  if (o.value("second", false)) {
    models.add(std::make_shared<const ServedModel>(toy_model("other", std::make_shared<ScriptedEngine>(options))));
  }
  return models;
}

// The ids of calls are made up, too; how long they are is the format's.
void show_id_sizes(OrderedJson* json) {
  for (auto& child : *json) {
    if (!child.is_structured()) continue;
    show_id_sizes(&child);
    if (!child.is_object() || !child.contains("function") || !child.contains("id")) continue;
    child["id_size"] = child["id"].get<std::string>().size();
  }
}

// Without what is made up for each answer: ids and times.
void drop_ids(OrderedJson* json) {
  for (const char* key : {"id", "created", "created_at", "completed_at", "item_id", "call_id"}) {
    if (json->is_object() && json->contains(key) && !(*json)[key].is_null()) json->erase(key);
  }
  for (auto& child : *json) {
    if (child.is_structured()) drop_ids(&child);
  }
}

std::string clean(const std::string& text, bool usage = true) {
  OrderedJson json = OrderedJson::parse(text);
  if (!usage) json.erase("usage");
  show_id_sizes(&json);
  drop_ids(&json);
  return dump(json) + "\n";
}

Endpoint endpoint_of(const std::string& name) {
  if (name == "chat") return Endpoint::kChat;
  if (name == "responses") return Endpoint::kResponses;
  if (name == "messages") return Endpoint::kMessages;
  return Endpoint::kCompletion;
}

std::string run_case(const Case& c) {
  const ModelList models = make_models(c.engine);
  const Endpoint endpoint = endpoint_of(c.endpoint);
  auto started = start_request(models, endpoint, c.body, [] {});
  if (!started)
    return fmt::format("{}\n{}", started.error().status, clean(dump(error_json(endpoint, started.error()))));
  Answer& g = **started;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!g.finished() && std::chrono::steady_clock::now() < deadline) {
    g.poll();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  EXPECT_TRUE(g.finished()) << c.name;
  if (!g.streaming() && g.failed())
    return fmt::format("{}\n{}", g.failed()->status, clean(dump(g.error_json(*g.failed()))));
  std::string out = "200\n";
  if (!g.streaming()) return out + clean(g.body(), c.engine.value("usage", true));
  std::istringstream lines(g.take_events());
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("data: {")) out += clean(line.substr(6));
  }
  return out;
}

void append_to_message(OrderedJson* message, const OrderedJson& delta) {
  if (delta.contains("reasoning_content")) {
    (*message)["reasoning_content"] =
        message->value("reasoning_content", "") + delta["reasoning_content"].get<std::string>();
  }
  if (delta.contains("function_call")) {
    OrderedJson& call = (*message)["function_call"];
    if (delta["function_call"].contains("name")) call["name"] = delta["function_call"]["name"];
    call["arguments"] = call.value("arguments", "") + delta["function_call"]["arguments"].get<std::string>();
  }
  if (!delta.contains("tool_calls")) return;
  for (const OrderedJson& call : delta["tool_calls"]) {
    OrderedJson& calls = (*message)["tool_calls"];
    const size_t index = call["index"].get<size_t>();
    if (calls.size() == index) {  // a new one: id, type, and name come first
      EXPECT_GE(call.value("id_size", 0), 9);
      calls.push_back(call);
      continue;
    }
    ASSERT_LT(index, calls.size());
    EXPECT_FALSE(call.contains("type"));
    OrderedJson& arguments = calls[index]["function"]["arguments"];
    arguments = arguments.get<std::string>() + call["function"]["arguments"].get<std::string>();
  }
}

// Appends what `from`, a later chunk of the same choice, adds to `to`.
void append_chunk(OrderedJson* to, const OrderedJson& from) {
  OrderedJson& choice = *to;
  if (from.contains("delta")) {
    if (from["delta"].contains("content")) {
      choice["delta"]["content"] = choice["delta"].value("content", "") + from["delta"]["content"].get<std::string>();
    }
    append_to_message(&choice["delta"], from["delta"]);
  } else {
    choice["text"] = choice["text"].get<std::string>() + from["text"].get<std::string>();
  }
  if (from.contains("token_ids")) {
    for (const auto& id : from["token_ids"]) choice["token_ids"].push_back(id);
  }
  if (choice["logprobs"].is_null()) {
    choice["logprobs"] = from["logprobs"];
  } else if (from["logprobs"].is_object()) {
    for (const auto& [key, value] : from["logprobs"].items()) {
      if (!value.is_array()) continue;
      for (const auto& v : value) choice["logprobs"][key].push_back(v);
    }
  }
  choice["finish_reason"] = from["finish_reason"];
}

// How a stream is cut depends on timing; what its chunks add up to does not. Chunks are joined per choice.
std::string join_stream(const std::string& answer) {
  std::istringstream lines(answer);
  std::string line, out, after;
  std::map<int, OrderedJson> choices;
  while (std::getline(lines, line)) {
    OrderedJson event = line.starts_with("{") ? OrderedJson::parse(line) : OrderedJson();
    if (!event.is_object()) {
      out += line + "\n";  // the status
    } else if (!event.contains("choices") || event["choices"].empty()) {
      after += line + "\n";  // an error, or the usage
    } else {
      EXPECT_TRUE(after.empty()) << "a chunk after the end";
      const OrderedJson choice = event["choices"][0];
      const auto [it, first] = choices.emplace(choice["index"].get<int>(), std::move(event));
      if (!first) append_chunk(&it->second["choices"][0], choice);
    }
  }
  for (const auto& [index, event] : choices) out += dump(event) + "\n";
  return out + after;
}

bool is_stream(const Case& c) { return c.body.find("\"stream\": true") != std::string::npos; }

TEST(ProtocolCases, AnswersAreAsWritten) {
  const std::filesystem::path dir = testing::source_file("tests/protocol");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_FALSE(files.empty());
  const bool update = std::getenv("MLC_UPDATE") != nullptr;
  size_t count = 0;
  for (const auto& file : files) {
    std::string head;
    std::vector<Case> cases = read_cases(file, &head);
    for (Case& c : cases) {
      ++count;
      std::string answer = run_case(c);
      if (is_stream(c) && (c.endpoint == "chat" || c.endpoint == "completion")) answer = join_stream(answer);
      if (update) {
        c.expected = answer;
      } else {
        EXPECT_EQ(c.expected, answer) << file.filename() << ": " << c.name;
      }
    }
    if (update) write_cases(file, head, cases);
  }
  EXPECT_GT(count, 40u);
}

// Damaged and rearranged requests are answered or refused, whatever they hold.
TEST(ProtocolCases, DamagedRequestsAreRefusedOrAnswered) {
  const std::vector<std::string> seeds = {
      R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}], "n": 2, "stop": ["x", "é"]})",
      R"({"prompt": [[1, 2], "ab"], "echo": true, "logprobs": 3, "logit_bias": {"5": -1.5}, "max_tokens": 3})",
      R"({"messages": [{"role": "user", "content": "\u00e9"}], "stream": true, "stream_options": {}, "seed": -5})",
      R"({"messages": [{"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f",)"
      R"( "arguments": "{}"}}]}, {"role": "tool", "tool_call_id": "a", "content": "1"}], "tool_choice": {"type":)"
      R"( "function", "function": {"name": "f"}}, "tools": [{"type": "function", "function": {"name": "f"}}]})",
      R"({"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}, {"type": "function_call",)"
      R"( "call_id": "c", "name": "f", "arguments": "{}"}], "text": {"format": {"type": "text"}}, "reasoning": {}})",
      R"({"max_tokens": 5, "system": "s", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"},)"
      R"( {"type": "tool_result", "tool_use_id": "t", "content": "r"}]}], "tool_choice": {"type": "auto"}})"};
  const Endpoint endpoints[] = {Endpoint::kChat, Endpoint::kCompletion, Endpoint::kResponses, Endpoint::kMessages};
  const std::string pieces = "{}[]\",:0123456789.-eEtrufalsn\\/ \n\xc3\xff";
  const ModelList models = make_models(OrderedJson::object());
  std::mt19937 random(7);
  const auto below = [&random](size_t n) { return static_cast<size_t>(random()) % n; };
  size_t answered = 0, refused = 0;
  for (int i = 0; i < 8000; ++i) {
    std::string body = seeds[below(seeds.size())];
    for (size_t edits = below(4); edits-- > 0;) {
      const size_t at = below(body.size());
      const size_t what = below(3);
      if (what == 0) body.erase(at, 1 + below(8));
      if (what == 1) body.insert(at, 1, pieces[below(pieces.size())]);
      if (what == 2) body[at] = pieces[below(pieces.size())];
      if (body.empty()) body = "{";
    }
    auto g = start_request(models, endpoints[below(4)], body, [] {});
    if (!g) {
      ++refused;
      EXPECT_GE(g.error().status, 400);
      EXPECT_FALSE(dump(g.error().json()).empty());
      continue;
    }
    ++answered;
    (*g)->poll();  // and dropped in the middle
  }
  EXPECT_GT(answered, 300u);
  EXPECT_GT(refused, 1000u);
}

}  // namespace
}  // namespace mlc::protocol
