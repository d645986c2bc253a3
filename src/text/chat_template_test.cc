// Jinja templates byte for byte (by digest) against Jinja2's own output, and MLC's conversation templates against cases
// by hand.
#include "text/chat_template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/hash.h"
#include "base/test_env.h"
#include "text/test_support.h"

namespace mlc::text {
namespace {

OrderedJson user(const std::string& text) { return {{"role", "user"}, {"content", text}}; }
OrderedJson assistant(const std::string& text) { return {{"role", "assistant"}, {"content", text}}; }
OrderedJson system_message(const std::string& text) { return {{"role", "system"}, {"content", text}}; }

OrderedJson read_ordered(const std::string& path) {
  auto text = read_file(path);
  return text ? OrderedJson::parse(*text, nullptr, false) : OrderedJson();
}

struct Tally {
  int same = 0, raised = 0, refused = 0, more = 0, skipped = 0;
};

// One template with one conversation: what Jinja2 rendered, or refused, is what we render, or refuse.
void compare(const ChatTemplate& chat, const std::string& what, const OrderedJson& conversation,
             const OrderedJson& golden, int64_t now, Tally& tally) {
  RenderOptions options;
  options.now = now;
  if (conversation.contains("tools")) options.tools = conversation["tools"];
  if (conversation.contains("add_generation_prompt")) {
    options.add_generation_prompt = conversation["add_generation_prompt"].get<bool>();
  }
  if (conversation.contains("kwargs")) options.extra = conversation["kwargs"];
  bool parts = conversation["messages"][0]["content"].is_array();
  auto got = chat.render(conversation["messages"], options);
  if (parts && !chat.takes_content_parts()) {
    // Jinja2 printed the list, or failed; we join the parts first (see TextPartsBecomeText).
    ++tally.skipped;
    if (got) {
      EXPECT_NE(got->text.find("Part one.\nPart two."), std::string::npos) << what << got->text;
    }
  } else if (golden.contains("sha256")) {
    ASSERT_TRUE(got.has_value()) << what << ": " << got.error().message;
    EXPECT_EQ(sha256_hex(got->text), golden["sha256"].get<std::string>()) << what << " rendered:\n" << got->text;
    ++tally.same;
  } else if (golden.contains("raised")) {
    ASSERT_FALSE(got.has_value()) << what << " rendered: " << got->text;
    EXPECT_EQ(got.error().message, "the chat template refuses these messages: " + golden["raised"].get<std::string>())
        << what;
    ++tally.raised;
  } else if (got) {
    // The template fails in Python (say, it iterates over tools that are none); rendering it here is no harm.
    EXPECT_FALSE(got->text.empty()) << what;
    ++tally.more;
  } else {
    EXPECT_TRUE(got.error().message.starts_with("the chat template cannot render")) << what << got.error().message;
    ++tally.refused;
  }
}

TEST(ChatTemplateTest, TemplatesInTheWildRenderAsJinja2Does) {
  MLC_SKIP_WITHOUT("templates/jinja");
  set_env("TZ", "UTC");
  tzset();
  OrderedJson goldens = read_ordered(golden_path("template_goldens.json"));
  ASSERT_TRUE(goldens.is_object());
  ASSERT_EQ(goldens["templates"].size(), 73u);
  Tally tally;
  for (const auto& [name, results] : goldens["templates"].items()) {
    auto source = read_file(testing::data_file("templates/jinja/" + name));
    MLC_ASSERT_OK(source);
    auto chat = ChatTemplate::from_jinja(*source, Json(goldens["special"]));
    ASSERT_TRUE(chat.has_value()) << name << ": " << chat.error().message;
    for (const auto& [label, golden] : results.items()) {
      compare(*chat, name + " / " + label, goldens["conversations"][label], golden, goldens["now"].get<int64_t>(),
              tally);
    }
  }
  std::printf(
      "%d renderings identical, %d raised alike, %d refused alike, %d rendered where Jinja2 fails, %d with parts "
      "joined\n",
      tally.same, tally.raised, tally.refused, tally.more, tally.skipped);
  EXPECT_EQ(tally.same + tally.raised + tally.refused + tally.more + tally.skipped, 73 * 12);
  EXPECT_GE(tally.same, 680);
}

// Clients send the arguments of calls as JSON text; the prompt is the one that objects give.
TEST(ChatTemplateTest, ArgumentsAsTextRenderLikeObjects) {
  MLC_SKIP_WITHOUT("templates/jinja");
  set_env("TZ", "UTC");
  tzset();
  const OrderedJson goldens = read_ordered(golden_path("template_goldens.json"));
  ASSERT_TRUE(goldens.is_object());
  int same = 0;
  for (const char* label : {"tool_turns", "parallel_calls", "reasoning_turns"}) {
    OrderedJson conversation = goldens["conversations"][label];
    for (OrderedJson& message : conversation["messages"]) {
      if (!message.contains("tool_calls")) continue;
      for (OrderedJson& call : message["tool_calls"]) {
        const std::string text = call["function"]["arguments"].dump();
        call["function"]["arguments"] = text;
      }
    }
    for (const auto& [name, results] : goldens["templates"].items()) {
      if (!results[label].contains("sha256")) continue;
      auto source = read_file(testing::data_file("templates/jinja/" + name));
      MLC_ASSERT_OK(source);
      auto chat = ChatTemplate::from_jinja(*source, Json(goldens["special"]));
      MLC_ASSERT_OK(chat);
      RenderOptions options;
      options.now = goldens["now"].get<int64_t>();
      options.tools = conversation["tools"];
      auto got = chat->render(conversation["messages"], options);
      ASSERT_TRUE(got.has_value()) << name << " / " << label << ": " << got.error().message;
      EXPECT_EQ(sha256_hex(got->text), results[label]["sha256"].get<std::string>()) << name << " / " << label;
      ++same;
    }
  }
  EXPECT_GE(same, 140);
}

TEST(ChatTemplateTest, TextPartsBecomeText) {
  auto plain = ChatTemplate::from_jinja("{% for m in messages %}[{{ m.content + '' }}]{% endfor %}");
  MLC_ASSERT_OK(plain);
  EXPECT_FALSE(plain->takes_content_parts());
  OrderedJson parts = OrderedJson::array({{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", "b"}}});
  OrderedJson message = {{"role", "user"}, {"content", parts}};
  EXPECT_EQ(plain->render(OrderedJson::array({message})).value().text, "[a\nb]");
  auto listing = ChatTemplate::from_jinja("{% for p in messages[0].content %}<{{ p.text }}>{% endfor %}");
  MLC_ASSERT_OK(listing);
  EXPECT_TRUE(listing->takes_content_parts());
  EXPECT_EQ(listing->render(OrderedJson::array({message})).value().text, "<a><b>");
}

TEST(ChatTemplateTest, ToolArgumentsComeAsObjectsOrAsText) {
  OrderedJson call = {{"type", "function"}, {"function", {{"name", "f"}, {"arguments", R"({"b": 1, "a": [2]})"}}}};
  OrderedJson messages = OrderedJson::array(
      {user("x"), {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", OrderedJson::array({call})}}});
  auto wants_object = ChatTemplate::from_jinja(
      "{% for m in messages if m.tool_calls %}{% for k, v in m.tool_calls[0].function.arguments.items() %}{{ k }}={{ v "
      "}};{% endfor %}{% endfor %}");
  MLC_ASSERT_OK(wants_object);
  EXPECT_EQ(wants_object->render(messages).value().text, "b=1;a=[2];");
  auto wants_text = ChatTemplate::from_jinja(
      "{% for m in messages if m.tool_calls %}{{ 'call ' + m.tool_calls[0].function.arguments }}{% endfor %}");
  MLC_ASSERT_OK(wants_text);
  EXPECT_EQ(wants_text->render(messages).value().text, R"(call {"b": 1, "a": [2]})");
}

TEST(ChatTemplateTest, ExtraVariablesToolsAndClock) {
  auto chat = ChatTemplate::from_jinja(
      "{{ bos_token }}{% if enable_thinking is defined and not enable_thinking %}quick {% endif %}"
      "{{ strftime_now('%d %b %Y') }} {{ tools | tojson }}",
      Json{{"bos_token", {{"content", "<s>"}}}});
  MLC_ASSERT_OK(chat);
  set_env("TZ", "UTC");
  tzset();
  RenderOptions options;
  options.now = 1753027200;
  options.extra = {{"enable_thinking", false}};
  options.tools = OrderedJson::parse(R"([{"type": "function", "function": {"z": 1, "a": "<é>"}}])");
  EXPECT_EQ(chat->render(OrderedJson::array(), options).value().text,
            R"(<s>quick 20 Jul 2025 [{"type": "function", "function": {"z": 1, "a": "<é>"}}])");
}

TEST(ChatTemplateTest, NamedTemplatesOfATokenizerConfig) {
  Json config = {{"chat_template",
                  {{{"name", "default"}, {"template", "plain"}}, {{"name", "tool_use"}, {"template", "with tools"}}}}};
  auto chat = ChatTemplate::from_tokenizer_config(config);
  MLC_ASSERT_OK(chat);
  EXPECT_EQ(chat->render(OrderedJson::array({user("x")})).value().text, "plain");
  RenderOptions options;
  options.tools = OrderedJson::array({OrderedJson{{"type", "function"}}});
  EXPECT_EQ(chat->render(OrderedJson::array({user("x")}), options).value().text, "with tools");
}

TEST(ChatTemplateTest, ModelDirectoriesAndFiles) {
  MLC_SKIP_WITHOUT("models/tinytalk-3m-gptneo-hf");
  auto chat = ChatTemplate::from_directory(testing::data_file("models/tinytalk-3m-gptneo-hf"));
  MLC_ASSERT_OK(chat);
  EXPECT_EQ(chat->render(OrderedJson::array({user("Hi"), assistant("Yo"), user("?")})).value().text,
            "User: Hi\nBot: Yo<|endoftext|>User: ?\nBot:");
  auto none = ChatTemplate::from_directory(testing::data_file("models/tinystories-656k-llama"));
  ASSERT_FALSE(none.has_value());
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  auto chatml = ChatTemplate::from_file(testing::data_file("templates/jinja/chatml.jinja"));
  MLC_ASSERT_OK(chatml);
  EXPECT_NE(chatml->render(OrderedJson::array({user("Hi")})).value().text.find("<|im_start|>user\nHi<|im_end|>"),
            std::string::npos);
}

TEST(ChatTemplateTest, BadTemplatesAndInputsAreErrors) {
  auto syntax = ChatTemplate::from_jinja("{% for m in messages %}");
  ASSERT_FALSE(syntax.has_value());
  EXPECT_EQ(syntax.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(syntax.error().message.find("chat_template:1"), std::string::npos) << syntax.error().message;
  EXPECT_EQ(ChatTemplate::from_jinja("caf\xE9").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(ChatTemplate::from_tokenizer_config(Json{{"chat_template", 7}}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(ChatTemplate::from_file("/nonexistent/x.jinja").error().code, ErrorCode::kNotFound);

  auto chat = ChatTemplate::from_jinja("{{ messages[0].content | nosuchfilter }}");
  if (chat) {
    EXPECT_FALSE(chat->render(OrderedJson::array({user("x")})).has_value());
  }
  auto refuses = ChatTemplate::from_jinja("{{ raise_exception('Only user and assistant roles are supported!') }}");
  MLC_ASSERT_OK(refuses);
  auto refused = refuses->render(OrderedJson::array({user("x")}));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message,
            "the chat template refuses these messages: Only user and assistant roles are supported!");
  EXPECT_FALSE(refuses->render(OrderedJson{{"role", "user"}}).has_value());
  // Bytes that are not UTF-8 in a message are replaced, not passed on and not fatal.
  auto echo = ChatTemplate::from_jinja("{{ messages[0].content }}");
  MLC_ASSERT_OK(echo);
  EXPECT_EQ(echo->render(OrderedJson::array({user("a\xFF")})).value().text, "a\xEF\xBF\xBD");
  // Endless recursion ends with an error.
  auto deep =
      ChatTemplate::from_jinja("{% macro f(x) %}{{ f(x) }}{% endmacro %}{% if messages %}{{ f(1) }}{% endif %}");
  MLC_ASSERT_OK(deep);
  EXPECT_FALSE(deep->render(OrderedJson::array({user("x")})).has_value());
}

TEST(ChatTemplateTest, OneTemplateServesManyThreads) {
  auto chat = ChatTemplate::from_jinja("{% for m in messages %}{{ m.role }}:{{ m.content | trim }};{% endfor %}");
  MLC_ASSERT_OK(chat);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::string text = std::to_string(t);
      for (int i = 0; i < 200; ++i) {
        wrong += chat->render(OrderedJson::array({user(" " + text)})).value().text != "user:" + text + ";";
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// ---- MLC's conversation templates ----

class MlcTemplateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MLC_SKIP_WITHOUT("mlc/conv_templates.json");
    auto all = read_json_file(testing::data_file("mlc/conv_templates.json"));
    MLC_ASSERT_OK(all);
    templates_ = std::move(*all);
  }
  RenderedPrompt render(const std::string& name, const OrderedJson& messages, const RenderOptions& options = {}) {
    auto chat = ChatTemplate::from_mlc_conv_template(templates_.at(name));
    EXPECT_TRUE(chat.has_value()) << name << ": " << (chat ? "" : chat.error().message);
    if (!chat) return {};
    auto prompt = chat->render(messages, options);
    EXPECT_TRUE(prompt.has_value()) << name << ": " << (prompt ? "" : prompt.error().message);
    return prompt ? *prompt : RenderedPrompt{};
  }
  Json templates_;
  OrderedJson turns_ = OrderedJson::array({user("Hi"), assistant("Yo"), user("Bye")});
};

TEST_F(MlcTemplateTest, AllRenderAConversation) {
  EXPECT_EQ(templates_.size(), 53u);
  for (const auto& [name, value] : templates_.items()) {
    RenderedPrompt prompt = render(name, turns_);
    const Json& field = value;
    EXPECT_NE(prompt.text.find("Bye"), std::string::npos) << name;
    std::string end = field["roles"]["assistant"].get<std::string>() + field["role_empty_sep"].get<std::string>();
    EXPECT_TRUE(prompt.text.ends_with(end)) << name;
  }
}

TEST_F(MlcTemplateTest, Llama3) {
  EXPECT_EQ(
      render("llama-3", turns_).text,
      "<|start_header_id|>system<|end_header_id|>\n\nYou are a helpful, respectful and honest assistant.<|eot_id|>"
      "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_id|>"
      "<|start_header_id|>user<|end_header_id|>\n\nBye<|eot_id|>"
      "<|start_header_id|>assistant<|end_header_id|>\n\n");
}

TEST_F(MlcTemplateTest, Llama2LeavesOutTheFirstRole) {
  RenderedPrompt prompt =
      render("llama-2", OrderedJson::array({system_message("Be brief."), user("Hi"), assistant("Yo"), user("Bye")}));
  EXPECT_EQ(prompt.text, "[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi [/INST] Yo </s><s>[INST] Bye [/INST] ");
  EXPECT_EQ(prompt.prefix_ids, (std::vector<int32_t>{1}));
}

TEST_F(MlcTemplateTest, ChatMl) {
  EXPECT_EQ(render("chatml", OrderedJson::array({system_message("S"), user("Hi")})).text,
            "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n");
  RenderOptions history;
  history.add_generation_prompt = false;
  EXPECT_EQ(render("chatml_nosystem", OrderedJson::array({user("Hi"), assistant("Yo")}), history).text,
            "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n");
}

TEST_F(MlcTemplateTest, MistralDefault) {
  RenderedPrompt prompt =
      render("mistral_default", OrderedJson::array({system_message("S."), user("Hi"), assistant("Yo"), user("Bye")}));
  EXPECT_EQ(prompt.text, "[INST] S.Hi [/INST] Yo [INST] Bye [/INST]");
  EXPECT_EQ(prompt.prefix_ids, (std::vector<int32_t>{1}));
}

TEST_F(MlcTemplateTest, FunctionsGoToTheLastMark) {
  Json json = templates_.at("chatml");
  json["role_templates"]["user"] = "{function_string}|{user_message}";
  auto chat = ChatTemplate::from_mlc_conv_template(json);
  MLC_ASSERT_OK(chat);
  RenderOptions options;
  options.tools = OrderedJson::parse(R"([{"type": "function", "function": {"name": "f", "description": "d"}}])");
  EXPECT_EQ(chat->render(OrderedJson::array({system_message(""), user("a"), assistant("b"), user("c")}), options)
                .value()
                .text,
            "<|im_start|>system\n<|im_end|>\n<|im_start|>user\n|a<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n"
            "<|im_start|>user\n[{\"name\": \"f\", \"description\": \"d\"}]|c<|im_end|>\n<|im_start|>assistant\n");
}

TEST_F(MlcTemplateTest, ReasoningLeavesTheHistory) {
  Json json = templates_.at("chatml_nosystem");
  json["strip_reasoning_in_history"] = true;
  auto chat = ChatTemplate::from_mlc_conv_template(json);
  MLC_ASSERT_OK(chat);
  auto text =
      chat->render(OrderedJson::array({user("a"), assistant("<think>\nhm\n</think>\n\nyes"), user("b")})).value().text;
  EXPECT_NE(text.find("assistant\nyes<|im_end|>"), std::string::npos) << text;
}

TEST_F(MlcTemplateTest, WrongInputsAreErrors) {
  auto chat = ChatTemplate::from_mlc_conv_template(templates_.at("chatml"));
  MLC_ASSERT_OK(chat);
  auto role = chat->render(OrderedJson::array({{{"role", "tool"}, {"content", "x"}}}));
  ASSERT_FALSE(role.has_value());
  EXPECT_NE(role.error().message.find("role \"tool\""), std::string::npos) << role.error().message;
  OrderedJson image = OrderedJson::array({{{"type", "image_url"}, {"image_url", {{"url", "data:"}}}}});
  EXPECT_EQ(chat->render(OrderedJson::array({{{"role", "user"}, {"content", image}}})).error().code,
            ErrorCode::kUnsupported);
  EXPECT_FALSE(chat->render(OrderedJson::array({"not a message"})).has_value());
  Json broken = templates_.at("chatml");
  broken["seps"] = Json::array();
  EXPECT_EQ(ChatTemplate::from_mlc_conv_template(broken).error().code, ErrorCode::kCorrupt);
  broken = templates_.at("chatml");
  broken["roles"] = 3;
  EXPECT_EQ(ChatTemplate::from_mlc_conv_template(broken).error().code, ErrorCode::kCorrupt);
}

TEST_F(MlcTemplateTest, StopsAndPrefixAreKnown) {
  auto chat = ChatTemplate::from_mlc_conv_template(templates_.at("chatml"));
  MLC_ASSERT_OK(chat);
  EXPECT_EQ(chat->stop_strings(), (std::vector<std::string>{"<|im_end|>"}));
  EXPECT_EQ(chat->stop_token_ids(), (std::vector<int32_t>{2}));
  MLC_SKIP_WITHOUT("tokenizers/tinyllama");
  auto tokenizer = Tokenizer::from_directory(testing::data_file("tokenizers/tinyllama"));
  MLC_ASSERT_OK(tokenizer);
  RenderedPrompt prompt = render("llama-2", OrderedJson::array({user("Hi")}));
  auto ids = prompt.encode(*tokenizer);
  MLC_ASSERT_OK(ids);
  EXPECT_EQ(ids->front(), 1);
  EXPECT_NE((*ids)[1], 1);
}

}  // namespace
}  // namespace mlc::text
