#include "protocol/local_chat.h"

#include <gtest/gtest.h>

#include "protocol/output_queue.h"
#include "protocol/scripted_engine.h"

namespace mlc::protocol {
namespace {

std::shared_ptr<const ServedModel> make_model(ScriptedEngine::Options options,
                                              std::shared_ptr<ScriptedEngine>* engine) {
  *engine = std::make_shared<ScriptedEngine>(std::move(options));
  ServedModel model = toy_model("toy", *engine);
  model.system_prompt = "Be brief.";
  return std::make_shared<const ServedModel>(std::move(model));
}

TEST(LocalChat, KeepsTheConversation) {
  std::shared_ptr<ScriptedEngine> engine;
  const auto model = make_model({.reply = "Hello you"}, &engine);
  LocalChat chat(model, LocalChat::default_params(*model));
  std::string streamed;
  auto turn = chat.ask("Hi", [&](std::string_view text) { streamed += text; });
  ASSERT_TRUE(turn) << turn.error().message;
  EXPECT_EQ(turn->text, "Hello you");
  EXPECT_EQ(streamed, "Hello you");
  EXPECT_EQ(turn->finish, engine::FinishReason::kStop);
  EXPECT_EQ(turn->completion_tokens, 10);
  ASSERT_TRUE(chat.ask("Again", [](std::string_view) {}));
  const std::vector<int32_t> prompt = engine->last_request().prompt;
  EXPECT_EQ(std::string(prompt.begin(), prompt.end()),
            "[system]Be brief.\n[user]Hi\n[assistant]Hello you\n[user]Again\n[assistant]");
  EXPECT_EQ(chat.messages().size(), 5u);
  chat.reset();
  EXPECT_EQ(chat.messages().size(), 1u);
}

TEST(LocalChat, AConversationTooLongForTheContextIsAnErrorAndChangesNothing) {
  std::shared_ptr<ScriptedEngine> engine;
  const auto model = make_model({.reply = "x", .context = 48}, &engine);
  LocalChat chat(model, LocalChat::default_params(*model));
  const auto turn = chat.ask(std::string(100, 'a'), [](std::string_view) {});
  ASSERT_FALSE(turn);
  EXPECT_NE(turn.error().message.find("the model's context holds 48"), std::string::npos) << turn.error().message;
  EXPECT_EQ(chat.messages().size(), 1u);
}

TEST(LocalChat, StopsWhenToldTo) {
  std::shared_ptr<ScriptedEngine> engine;
  const auto model = make_model(
      {.reply = "on and on ", .ends = false, .context = 1 << 20, .step = std::chrono::milliseconds(1)}, &engine);
  LocalChat chat(model, LocalChat::default_params(*model));
  std::atomic<bool> stop{false};
  size_t characters = 0;
  const auto turn = chat.ask(
      "Go",
      [&](std::string_view text) {
        characters += text.size();
        if (characters > 20) stop = true;
      },
      &stop);
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->finish, engine::FinishReason::kCancelled);
  EXPECT_GT(turn->text.size(), 20u);
  for (int i = 0; i < 1000 && engine->stats().running > 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(engine->stats().running, 0);
  EXPECT_EQ(engine->stats().cancelled_requests, 1);
}

TEST(LocalChat, CompletesText) {
  std::shared_ptr<ScriptedEngine> engine;
  const auto model = make_model({.reply = " world"}, &engine);
  LocalChat chat(model, LocalChat::default_params(*model));
  const auto turn = chat.complete("Hello", [](std::string_view) {});
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->text, " world");
}

TEST(OutputQueue, JoinsWhatWasNotTakenAndNotifiesOnce) {
  int notified = 0;
  OutputQueue queue(2, [&] { ++notified; });
  engine::Output a;
  a.tokens = {1, 2};
  queue.push(1, a);
  a.tokens = {3};
  a.finish_reason = engine::FinishReason::kLength;
  queue.push(1, a);
  EXPECT_EQ(notified, 1);
  const auto taken = queue.drain();
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].first, 1u);
  EXPECT_EQ(taken[0].second.tokens, (std::vector<int32_t>{1, 2, 3}));
  EXPECT_EQ(taken[0].second.finish_reason, engine::FinishReason::kLength);
  EXPECT_TRUE(queue.drain().empty());
  queue.push(0, a);
  EXPECT_EQ(notified, 2);
  queue.close();
  queue.push(0, a);
  EXPECT_EQ(notified, 2);
}

}  // namespace
}  // namespace mlc::protocol
