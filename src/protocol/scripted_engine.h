// An engine that says what a test tells it to: for tests of protocol/ and serve/, nothing else links it.
//
//   auto engine = std::make_shared<ScriptedEngine>(ScriptedEngine::Options{.reply = "Hello"});
//   auto model = toy_model("toy", engine);     // token ids are bytes, 256 is <|bos|>, 257 <|eos|>
//
// All requests advance together, one token each per step, as continuous batching does. Log-probabilities are made up:
// the i-th token has -(i + 1) / 4, its alternatives are itself and the next ids, each 1 less likely.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "protocol/served_model.h"

namespace mlc::protocol {

class ScriptedEngine : public engine::Engine {
 public:
  struct Options {
    std::string reply{};  // bytes are the tokens; empty: the prompt's tokens, reversed
    bool ends = true;     // <|eos|> after the reply; else it starts over
    int64_t context = 256;
    std::chrono::microseconds step{0};  // how long a step takes
    std::string fails{};                // non-empty: requests end with this error after one token
    int tokens_per_event = 1;           // how many tokens one Output carries
    int64_t cached_tokens = 0;          // that the prefix cache is said to have had
    bool counts_up = false;             // choice c adds c to each token of the reply, and its tokens are c / 8 likelier
    bool obeys = false;                 // a token that the request's constraint does not allow ends it with an error
  };
  static constexpr int32_t kBos = 256, kEos = 257, kVocab = 258;

  explicit ScriptedEngine(Options options) : options_(std::move(options)), thread_([this] { loop(); }) {}
  ~ScriptedEngine() override {
    {
      std::lock_guard lock(mutex_);
      quit_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  Result<engine::RequestId> submit(engine::Request request, engine::OutputCallback on_output) override {
    std::lock_guard lock(mutex_);
    request.id = ++last_id_;
    Running r;
    r.script = script(request);
    r.request = std::move(request);
    r.on_output = std::move(on_output);
    for (int c = 0; c < r.request.num_choices; ++c) {
      r.choice = c;
      if (options_.obeys && r.request.constraint) r.constraint = r.request.constraint->clone();
      running_.emplace(std::pair(last_id_, c), r);
    }
    wake_.notify_all();
    return last_id_;
  }
  void cancel(engine::RequestId id) override {
    std::lock_guard lock(mutex_);
    for (auto& [key, r] : running_) r.cancelled |= key.first == id;
  }
  void cancel(engine::RequestId id, int choice) override {
    std::lock_guard lock(mutex_);
    const auto it = running_.find({id, choice});
    if (it != running_.end()) it->second.cancelled = true;
  }
  engine::EngineStats stats() const override {
    std::lock_guard lock(mutex_);
    engine::EngineStats s;
    s.running = static_cast<int64_t>(running_.size());
    s.finished_requests = finished_;
    s.cancelled_requests = cancelled_;
    s.steps = steps_;
    return s;
  }
  void reset_stats() override {}
  void reset() override {
    std::lock_guard lock(mutex_);
    for (auto& [key, r] : running_) r.cancelled = true;
  }
  int64_t context_window_size() const override { return options_.context; }
  int64_t vocab_size() const override { return kVocab; }

  engine::Request last_request() const {
    std::lock_guard lock(mutex_);
    return last_request_;
  }

 private:
  struct Running {
    engine::Request request;
    int choice = 0;
    engine::OutputCallback on_output;
    std::vector<int32_t> script;
    int64_t made = 0;
    std::shared_ptr<engine::TokenConstraint> constraint{};  // where the choice stands in it
    bool cancelled = false;
  };

  std::vector<int32_t> script(const engine::Request& request) {
    last_request_ = request;
    std::vector<int32_t> tokens;
    if (options_.reply.empty()) {
      tokens.assign(request.prompt.rbegin(), request.prompt.rend());
    } else {
      for (const char c : options_.reply) tokens.push_back(static_cast<unsigned char>(c));
    }
    if (options_.ends) tokens.push_back(kEos);
    return tokens;
  }

  static engine::TokenLogprob logprob(int32_t token, int64_t index, int count) {
    engine::TokenLogprob l{token, -0.25f * static_cast<float>(index + 1), {}};
    for (int k = 0; k < count; ++k) l.top.emplace_back((token + k) % kVocab, l.logprob - static_cast<float>(k));
    return l;
  }

  static void obey(Running& r, int32_t token, engine::Output& out) {
    if (!r.constraint->accept(token)) {
      out.finish_reason = engine::FinishReason::kError;
      out.error = "token " + std::to_string(r.made) + " of the script is not allowed";
    } else if (r.constraint->must_stop()) {
      out.finish_reason = engine::FinishReason::kStop;
    }
  }

  // One event of one request; true when it was the last.
  bool advance(Running& r, engine::Output& out) const {
    out.id = r.request.id;
    out.choice = r.choice;
    out.cached_prompt_tokens = options_.cached_tokens;
    const int64_t prompt = static_cast<int64_t>(r.request.prompt.size());
    out.prompt_tokens = prompt;
    if (r.made == 0 && r.choice == 0 && r.request.prompt_logprobs) {
      for (int64_t i = 1; i < prompt; ++i) {
        out.prompt_logprobs.push_back(
            logprob(r.request.prompt[static_cast<size_t>(i)], i, std::max(0, r.request.num_logprobs)));
      }
    }
    if (r.request.max_tokens == 0) out.finish_reason = engine::FinishReason::kLength;
    for (int i = 0; i < options_.tokens_per_event && out.finish_reason == engine::FinishReason::kNone; ++i) {
      int32_t token = r.script[static_cast<size_t>(r.made) % r.script.size()];
      if (options_.counts_up && token < 256) token += r.choice;
      const auto& stops = r.request.stop_token_ids;
      ++r.made;
      if (r.cancelled) {
        out.finish_reason = engine::FinishReason::kCancelled;
      } else if (r.constraint && !r.constraint->may_stop() && token == kEos) {
        obey(r, token, out);
      } else if (std::find(stops.begin(), stops.end(), token) != stops.end()) {
        out.finish_reason = engine::FinishReason::kStop;
      } else {
        out.tokens.push_back(token);
        if (r.request.num_logprobs >= 0) out.logprobs.push_back(logprob(token, r.made - 1, r.request.num_logprobs));
        if (options_.counts_up && !out.logprobs.empty()) {
          out.logprobs.back().logprob += 0.125f * static_cast<float>(r.choice);
        }
        const bool full = r.made >= r.request.max_tokens || prompt + r.made >= options_.context;
        if (full) out.finish_reason = engine::FinishReason::kLength;
        if (r.constraint) obey(r, token, out);
        if (!options_.fails.empty()) {
          out.finish_reason = engine::FinishReason::kError;
          out.error = options_.fails;
        }
      }
    }
    out.completion_tokens = r.made;
    return out.finish_reason != engine::FinishReason::kNone;
  }

  void loop() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [this] { return quit_ || !running_.empty(); });
      std::vector<std::pair<engine::OutputCallback, engine::Output>> events;
      for (auto it = running_.begin(); it != running_.end();) {
        engine::Output out;
        if (quit_) it->second.cancelled = true;
        const bool last = advance(it->second, out);
        if (last) ++(it->second.cancelled ? cancelled_ : finished_);
        events.emplace_back(it->second.on_output, std::move(out));
        it = last ? running_.erase(it) : std::next(it);
      }
      ++steps_;
      const bool done = quit_;
      lock.unlock();
      for (auto& [callback, output] : events) callback(output);
      events.clear();
      if (done) return;
      if (options_.step.count() > 0) std::this_thread::sleep_for(options_.step);
      lock.lock();
    }
  }

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::pair<engine::RequestId, int>, Running> running_;
  engine::RequestId last_id_ = 0;
  engine::Request last_request_;
  int64_t finished_ = 0, cancelled_ = 0, steps_ = 0;
  bool quit_ = false;
  std::thread thread_;  // last: it uses the rest
};

// tokenizer.json of a byte-level tokenizer without merges: id = byte.
inline std::string toy_tokenizer_json() {
  Json vocab = Json::object();
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const int code = printable ? byte : next++;  // GPT-2's table: bytes without a glyph move to U+0100 and up
    std::string name;
    if (code < 0x80) {
      name = static_cast<char>(code);
    } else {
      name = {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
    }
    vocab[name] = byte;
  }
  const auto special = [](int id, const char* content) {
    return Json{{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
                {"rstrip", false}, {"normalized", false}, {"special", true}};
  };
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  return Json{
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", {special(ScriptedEngine::kBos, "<|bos|>"), special(ScriptedEngine::kEos, "<|eos|>")}},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level},
      {"post_processor", nullptr},
      {"decoder", byte_level},
      {"model",
       {{"type", "BPE"}, {"dropout", nullptr}, {"unk_token", nullptr}, {"vocab", vocab}, {"merges", Json::array()}}}}
      .dump();
}

// "[system]S\n[user]U\n[assistant]": short enough to read in expectations.
inline constexpr const char* kToyTemplate =
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}";

inline ServedModel toy_model(const std::string& id, std::shared_ptr<engine::Engine> engine) {
  ServedModel m;
  m.id = id;
  m.path = "models/" + id + "-dir";
  m.engine = std::move(engine);
  m.tokenizer = text::Tokenizer::from_json(toy_tokenizer_json()).value();
  m.chat_template = text::ChatTemplate::from_jinja(kToyTemplate).value();
  m.stop_token_ids = {ScriptedEngine::kEos};
  m.created = 1700000000;
  return m;
}

}  // namespace mlc::protocol
