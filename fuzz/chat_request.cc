#include <chrono>
#include <thread>

#include "fuzz/targets.h"
#include "protocol/api.h"
#include "protocol/scripted_engine.h"
#include "protocol/text_api.h"

namespace mlc::fuzz {
namespace {

using protocol::Endpoint;

const protocol::ModelList& models() {
  static const protocol::ModelList list = [] {
    protocol::ModelList made;
    auto engine =
        std::make_shared<protocol::ScriptedEngine>(protocol::ScriptedEngine::Options{.reply = "{\"a\": [1, 2]}"});
    made.add(std::make_shared<const protocol::ServedModel>(protocol::toy_model("toy", std::move(engine))));
    return made;
  }();
  return list;
}

void check_json(const OrderedJson& json) {
  const std::string text = protocol::dump(json);
  MLC_CHECK(!OrderedJson::parse(text, nullptr, false).is_discarded(), "not JSON: {}", text);
}

}  // namespace

void chat_request(std::string_view input) {
  for (const Endpoint endpoint : {Endpoint::kChat, Endpoint::kCompletion, Endpoint::kResponses, Endpoint::kMessages}) {
    auto answer = protocol::start_request(models(), endpoint, input, [] {});
    if (!answer) {
      MLC_CHECK(answer.error().status >= 400, "status {}", answer.error().status);
      check_json(protocol::error_json(endpoint, answer.error()));
      continue;
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (!(*answer)->finished() && std::chrono::steady_clock::now() < deadline) {
      (*answer)->poll();
      (void)(*answer)->take_events();
      std::this_thread::yield();
    }
    if ((*answer)->streaming() || !(*answer)->finished()) continue;
    if ((*answer)->failed()) {
      check_json((*answer)->error_json(*(*answer)->failed()));
    } else {
      check_json(OrderedJson::parse((*answer)->body()));
    }
  }
  for (const auto ask : {protocol::tokenize, protocol::detokenize, protocol::apply_template, protocol::count_tokens}) {
    const auto reply = ask(models(), input);
    check_json(reply ? *reply : reply.error().json());
  }
}

}  // namespace mlc::fuzz
