// The C library through its header, on the demo model.
#include "mlc_llm/c_api.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "../tests/support/source_dir.h"
#include "base/json.h"
#include "capi/dlpack.h"

namespace mlc::capi {
namespace {

const std::string kModelDir = testing::source_file("models/demo");
const char* const kModel = kModelDir.c_str();

int64_t num_threads() {
  namespace fs = std::filesystem;
  return std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator());
}

std::string taken(char* text) {
  std::string out = text == nullptr ? "" : text;
  mlc_string_free(text);
  return out;
}

// Everything that a request answers, and how it ends.
struct Answers {
  std::vector<Json> bodies;
  mlc_status end = MLC_OK;
};
Answers read_all(mlc_request* request) {
  Answers a;
  char* json = nullptr;
  while ((a.end = mlc_request_next(request, -1, &json)) == MLC_OK) a.bodies.push_back(Json::parse(taken(json)));
  return a;
}

class CApi : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ASSERT_EQ(mlc_engine_create(kModel, R"({"mode": "local"})", &engine_), MLC_OK) << mlc_last_error();
  }
  static void TearDownTestSuite() {
    mlc_engine_destroy(engine_);
    engine_ = nullptr;
  }
  static mlc_request* start(const char* kind, const std::string& body, const char* id = nullptr,
                            const mlc_on_ready* on_ready = nullptr) {
    mlc_request* request = nullptr;
    EXPECT_EQ(mlc_request_start(engine_, kind, body.c_str(), id, on_ready, &request), MLC_OK) << mlc_last_error();
    return request;
  }
  static Answers ask(const char* kind, const std::string& body) {
    mlc_request* request = start(kind, body);
    Answers a = read_all(request);
    mlc_request_free(request);
    return a;
  }
  static mlc_engine* engine_;
};
mlc_engine* CApi::engine_ = nullptr;

const std::string kStory = R"("messages": [{"role": "user", "content": "Tell me a story"}], "temperature": 0)";

TEST_F(CApi, StreamsTheTextOfTheWholeAnswer) {
  const Answers whole = ask("chat.completions", "{" + kStory + R"(, "max_tokens": 20})");
  ASSERT_EQ(whole.bodies.size(), 1u);
  EXPECT_EQ(whole.end, MLC_END);
  const std::string text = whole.bodies[0]["choices"][0]["message"]["content"];
  EXPECT_GT(text.size(), 20u);
  EXPECT_EQ(whole.bodies[0]["usage"]["completion_tokens"], 20);
  const Answers parts = ask("chat.completions", "{" + kStory + R"(, "max_tokens": 20, "stream": true})");
  std::string joined;
  for (const Json& chunk : parts.bodies) {
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    joined += chunk["choices"][0]["delta"].value("content", "");
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(parts.end, MLC_END);
}

TEST_F(CApi, AQueueServesManyRequests) {
  mlc_queue* queue = mlc_queue_create();
  std::vector<mlc_request*> requests;
  for (uint64_t tag = 0; tag < 3; ++tag) {
    const mlc_on_ready on_ready{mlc_queue_push, queue, tag};
    requests.push_back(
        start("completions", R"({"prompt": "Once", "max_tokens": 8, "temperature": 0})", nullptr, &on_ready));
  }
  std::vector<std::string> texts(3);
  std::set<uint64_t> ended;
  while (ended.size() < 3) {
    uint64_t tag = 9;
    ASSERT_EQ(mlc_queue_pop(queue, 60000, &tag), MLC_OK);
    ASSERT_LT(tag, 3u);
    char* json = nullptr;
    mlc_status s = MLC_OK;
    while ((s = mlc_request_next(requests[tag], 0, &json)) == MLC_OK) {
      texts[tag] = Json::parse(taken(json))["choices"][0]["text"];
    }
    if (s == MLC_END) ended.insert(tag);  // its tag may come once more
  }
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_EQ(texts[0], texts[2]);
  for (mlc_request* r : requests) mlc_request_free(r);
  mlc_queue_close(queue);
  uint64_t tag = 0;
  EXPECT_EQ(mlc_queue_pop(queue, -1, &tag), MLC_END);
  mlc_queue_destroy(queue);
}

TEST_F(CApi, LogitsChooseWhatIsGenerated) {
  const std::string prompt = R"("prompt": "Once upon a time there was")";
  const Answers next =
      ask("completions", "{" + prompt + R"(, "max_tokens": 1, "temperature": 0, "return_token_ids": true})");
  mlc_request* request = start("logits", "{" + prompt + R"(, "rows": "all"})");
  const Answers answer = read_all(request);
  ASSERT_EQ(answer.bodies.size(), 1u) << mlc_last_error();
  const int64_t tokens = answer.bodies[0]["usage"]["prompt_tokens"];
  DLManagedTensor* t = nullptr;
  ASSERT_EQ(mlc_request_tensor(request, &t), MLC_OK) << mlc_last_error();
  DLManagedTensorVersioned* v = nullptr;
  ASSERT_EQ(mlc_request_tensor_versioned(request, &v), MLC_OK) << mlc_last_error();
  EXPECT_EQ(v->version.major, 1u);
  EXPECT_EQ(v->dl_tensor.data, t->dl_tensor.data);  // the same memory
  v->deleter(v);
  mlc_request_free(request);  // the tensor outlives it
  ASSERT_EQ(t->dl_tensor.ndim, 2);
  EXPECT_EQ(t->dl_tensor.shape[0], tokens);
  EXPECT_EQ(answer.bodies[0]["shape"], Json::array({tokens, t->dl_tensor.shape[1]}));
  const float* last = static_cast<const float*>(t->dl_tensor.data) + (tokens - 1) * t->dl_tensor.shape[1];
  const auto best = std::max_element(last, last + t->dl_tensor.shape[1]) - last;
  EXPECT_EQ(next.bodies[0]["choices"][0]["token_ids"][0], best);
  t->deleter(t);
}

TEST_F(CApi, HiddenStatesAreWhatEmbeddingsAreMadeOf) {
  mlc_request* request = start("hidden_states", R"({"prompt": "a fox"})");
  ASSERT_EQ(read_all(request).end, MLC_END);
  DLManagedTensor* t = nullptr;
  ASSERT_EQ(mlc_request_tensor(request, &t), MLC_OK);
  const Answers embedding = ask("embeddings", R"({"input": "a fox"})");
  const std::vector<float> e = embedding.bodies.at(0)["data"][0]["embedding"];
  ASSERT_EQ(t->dl_tensor.shape[0], 1);
  ASSERT_EQ(t->dl_tensor.shape[1], static_cast<int64_t>(e.size()));
  const auto* h = static_cast<const float*>(t->dl_tensor.data);
  double square = 0;
  for (size_t i = 0; i < e.size(); ++i) square += static_cast<double>(h[i]) * h[i];
  for (size_t i = 0; i < e.size(); ++i) EXPECT_NEAR(h[i] / std::sqrt(square), e[i], 1e-5);
  t->deleter(t);
  mlc_request_free(request);
}

TEST_F(CApi, AbortByTheIdOfTheAnswer) {
  mlc_request* request = start("completions", R"({"prompt": "Once", "stream": true, "ignore_eos": true})");
  char* json = nullptr;
  ASSERT_EQ(mlc_request_next(request, -1, &json), MLC_OK);
  const std::string id = Json::parse(taken(json))["id"];
  ASSERT_EQ(mlc_engine_abort(engine_, id.c_str()), MLC_OK);
  EXPECT_EQ(read_all(request).end, MLC_CANCELLED);
  EXPECT_STREQ(mlc_last_error(), "The request was aborted.");
  mlc_request_free(request);
}

TEST_F(CApi, ResetEndsWhatRunsAndClearsTheMetrics) {
  mlc_request* request = start("completions", R"({"prompt": "Once", "stream": true, "ignore_eos": true})", "mine");
  ASSERT_EQ(mlc_engine_reset(engine_), MLC_OK);
  EXPECT_EQ(read_all(request).end, MLC_CANCELLED);
  mlc_request_free(request);
  char* json = nullptr;
  ASSERT_EQ(mlc_engine_metrics(engine_, &json), MLC_OK);
  const Json zero = Json::parse(taken(json));
  EXPECT_EQ(zero["running"], 0);
  EXPECT_EQ(zero["completion_tokens_sum"], 0);
  EXPECT_FALSE(zero.contains("last_finished_request"));
  ask("completions", R"({"prompt": "Once", "max_tokens": 5, "ignore_eos": true})");
  ASSERT_EQ(mlc_engine_metrics(engine_, &json), MLC_OK);
  const Json one = Json::parse(taken(json));
  EXPECT_EQ(one["completion_tokens_sum"], 5);
  EXPECT_EQ(one["last_finished_request"]["completion_tokens"], 5);
  EXPECT_GT(one["last_finished_request"]["ttft_s"].get<double>(), 0);
}

TEST_F(CApi, WrongRequestsAreToldApart) {
  mlc_request* request = nullptr;
  EXPECT_EQ(mlc_request_start(engine_, "chat.completions", R"({"messages": 3})", nullptr, nullptr, &request),
            MLC_INVALID_ARGUMENT);
  EXPECT_EQ(request, nullptr);
  EXPECT_NE(std::string(mlc_last_error()).find("messages"), std::string::npos);
  EXPECT_EQ(mlc_request_start(engine_, "poems", "{}", nullptr, nullptr, &request), MLC_INVALID_ARGUMENT);
  EXPECT_NE(std::string(mlc_last_error()).find("hidden_states"), std::string::npos);
  EXPECT_EQ(mlc_request_start(engine_, "completions", "{", nullptr, nullptr, &request), MLC_INVALID_ARGUMENT);
  EXPECT_EQ(mlc_request_start(nullptr, "completions", "{}", nullptr, nullptr, &request), MLC_INVALID_ARGUMENT);
  EXPECT_STREQ(mlc_last_error(), "engine is NULL");
  std::string elsewhere = "unset";
  std::thread([&] { elsewhere = mlc_last_error(); }).join();
  EXPECT_EQ(elsewhere, "");  // each thread has its own
}

TEST_F(CApi, CallsWithoutTheModel) {
  char* json = nullptr;
  ASSERT_EQ(mlc_engine_call(engine_, "tokenize", R"({"prompt": "a fox"})", &json), MLC_OK);
  const Json tokens = Json::parse(taken(json))["tokens"];
  ASSERT_EQ(mlc_engine_call(engine_, "detokenize", Json{{"tokens", tokens}}.dump().c_str(), &json), MLC_OK);
  EXPECT_NE(Json::parse(taken(json))["prompt"].get<std::string>().find("fox"), std::string::npos);
  EXPECT_EQ(mlc_engine_call(engine_, "sing", "{}", &json), MLC_INVALID_ARGUMENT);
  ASSERT_EQ(mlc_engine_info(engine_, &json), MLC_OK);
  EXPECT_GT(Json::parse(taken(json))["vocab_size"], 100);
}

TEST(CApiEngines, DestroyEndsAllThreadsAndLeavesRequestsAnswering) {
  const int64_t before = num_threads();
  mlc_engine* engine = nullptr;
  ASSERT_EQ(mlc_engine_create(kModel, R"({"threads": 2})", &engine), MLC_OK) << mlc_last_error();
  EXPECT_GT(num_threads(), before);
  mlc_request* request = nullptr;
  const char* endless = R"({"prompt": "Once", "stream": true, "ignore_eos": true})";
  ASSERT_EQ(mlc_request_start(engine, "completions", endless, nullptr, nullptr, &request), MLC_OK);
  char* json = nullptr;
  ASSERT_EQ(mlc_request_next(request, -1, &json), MLC_OK);
  mlc_string_free(json);
  mlc_engine_destroy(engine);
  EXPECT_EQ(num_threads(), before);
  EXPECT_EQ(mlc_request_next(request, -1, &json), MLC_CANCELLED);
  EXPECT_STREQ(mlc_last_error(), "The engine was destroyed.");
  mlc_request_free(request);
}

TEST(CApiEngines, WhatCannotBeCreated) {
  mlc_engine* engine = nullptr;
  EXPECT_EQ(mlc_engine_create("/no/such/model", nullptr, &engine), MLC_NOT_FOUND);
  EXPECT_NE(std::string(mlc_last_error()).find("/no/such/model"), std::string::npos);
  EXPECT_EQ(mlc_engine_create(kModel, R"({"max_num_sequences": 4})", &engine), MLC_UNSUPPORTED);
  EXPECT_NE(std::string(mlc_last_error()).find("max_num_sequence"), std::string::npos);
  EXPECT_EQ(mlc_engine_create(kModel, R"({"mode": "fast"})", &engine), MLC_INVALID_ARGUMENT);
  EXPECT_EQ(mlc_engine_create(kModel, R"({"device": "cuda"})", &engine), MLC_UNSUPPORTED);
  EXPECT_EQ(mlc_engine_create(kModel, "[]", &engine), MLC_INVALID_ARGUMENT);
  EXPECT_EQ(engine, nullptr);
  mlc_engine_destroy(nullptr);
  mlc_request_free(nullptr);
}

TEST(CApiLibrary, VersionsAndLogLevels) {
  EXPECT_EQ(mlc_abi_version(), static_cast<uint32_t>(MLC_ABI_VERSION));
  EXPECT_STREQ(mlc_version(), "0.1.0");
  EXPECT_EQ(mlc_set_log_level("loud"), MLC_INVALID_ARGUMENT);
  EXPECT_EQ(mlc_set_log_level("error"), MLC_OK);
}

}  // namespace
}  // namespace mlc::capi
