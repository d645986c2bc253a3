#include "protocol/embeddings.h"

#include <openssl/evp.h>

#include <cmath>

#include "protocol/output_queue.h"
#include "protocol/prompt.h"

namespace mlc::protocol {
namespace {

constexpr size_t kMostInputs = 2048;  // as OpenAI's

struct EmbeddingsRequest {
  std::vector<Prompt> inputs;
  engine::Pooling pooling = engine::Pooling::kLast;
  bool base64 = false;
  std::optional<int64_t> dimensions;
};

// A string, a list of token ids, or a list of either.
ApiResult<std::vector<Prompt>> parse_inputs(const Json& body) {
  const auto input = body.find("input");
  const std::string expected =
      fmt::format("a string, a list of token ids, or a list of at most {} of these", kMostInputs);
  if (input == body.end() || input->is_null()) return bad_value("input", "missing", expected);
  if (input->is_string()) return std::vector<Prompt>{input->get<std::string>()};
  if (!input->is_array() || input->empty()) return bad_value("input", describe(*input), expected);
  if ((*input)[0].is_number()) {
    MLC_TRY(auto ids, token_ids(*input, "input"));
    return std::vector<Prompt>{std::move(ids)};
  }
  if (input->size() > kMostInputs) return bad_value("input", describe(*input), expected);
  std::vector<Prompt> out;
  for (size_t i = 0; i < input->size(); ++i) {
    const std::string where = fmt::format("input[{}]", i);
    const Json& each = (*input)[i];
    if (each.is_string()) {
      out.emplace_back(each.get<std::string>());
    } else if (each.is_array()) {
      MLC_TRY(auto ids, token_ids(each, where));
      out.emplace_back(std::move(ids));
    } else {
      return bad_value(where, describe(each), "a string or a list of token ids");
    }
  }
  return out;
}

ApiResult<EmbeddingsRequest> parse_request(const Json& body, int64_t width) {
  EmbeddingsRequest r;
  MLC_TRY(r.inputs, parse_inputs(body));
  Fields f(body);
  const std::string format = f.string("encoding_format").value_or("float");
  if (format != "float" && format != "base64") {
    f.fail(bad_value("encoding_format", fmt::format("\"{}\"", format), "\"float\" or \"base64\""));
  }
  r.base64 = format == "base64";
  r.dimensions = f.integer("dimensions", 1, width);
  const std::string pooling = f.string("pooling").value_or("last");
  if (pooling != "last" && pooling != "mean") {
    f.fail(bad_value("pooling", fmt::format("\"{}\"", pooling), "\"last\" or \"mean\""));
  }
  if (pooling == "mean") r.pooling = engine::Pooling::kMean;
  (void)f.string("user");
  if (f.failed()) return f.error();
  return r;
}

void normalize(std::vector<float>* v) {
  double square = 0;
  for (const float x : *v) square += static_cast<double>(x) * x;
  if (square <= 0) return;
  const auto scale = static_cast<float>(1 / std::sqrt(square));
  for (float& x : *v) x *= scale;
}

// The floats as little-endian bytes, as OpenAI's clients decode them.
std::string base64(const std::vector<float>& v) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(v.data());
  const size_t size = v.size() * sizeof(float);
  std::string out((size + 2) / 3 * 4 + 1, '\0');  // and the zero that EVP_EncodeBlock ends with
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size));
  out.resize(static_cast<size_t>(length));
  return out;
}

class EmbeddingsAnswer final : public Answer {
 public:
  EmbeddingsAnswer(std::shared_ptr<const ServedModel> model, EmbeddingsRequest request)
      : model_(std::move(model)), request_(std::move(request)), vectors_(request_.inputs.size()) {}
  ~EmbeddingsAnswer() override {
    if (queue_) queue_->close();
    for (const engine::RequestId id : running_) {
      if (id != 0) model_->engine->cancel(id);
    }
  }

  std::optional<ApiError> submit(Generation::Notify notify) {
    std::vector<std::vector<int32_t>> prompts;
    for (size_t i = 0; i < request_.inputs.size(); ++i) {
      const std::string param = request_.inputs.size() == 1 ? "input" : fmt::format("input[{}]", i);
      auto ids = encode_prompt(*model_, request_.inputs[i], true, 1, param);
      if (!ids) return ids.error();
      prompt_tokens_ += static_cast<int64_t>(ids->size());
      prompts.push_back(std::move(*ids));
    }
    queue_ = std::make_shared<OutputQueue>(prompts.size(), std::move(notify));
    running_.assign(prompts.size(), 0);
    open_ = prompts.size();
    for (size_t i = 0; i < prompts.size(); ++i) {
      engine::Request r;
      r.prompt = std::move(prompts[i]);
      r.pooling = request_.pooling;
      r.sampling.temperature = 0;
      r.max_tokens = 1;
      auto id =
          model_->engine->submit(std::move(r), [queue = queue_, i](const engine::Output& o) { queue->push(i, o); });
      if (!id) return from_error(id.error(), "input");
      running_[i] = *id;
    }
    return std::nullopt;
  }

  bool streaming() const override { return false; }
  bool finished() const override { return failed_ || open_ == 0; }
  const std::optional<ApiError>& failed() const override { return failed_; }
  std::string take_events() override { return ""; }

  void poll() override {
    for (auto& [index, output] : queue_->drain()) {
      if (output.finish_reason == engine::FinishReason::kNone || running_[index] == 0) continue;
      running_[index] = 0;
      --open_;
      if (output.finish_reason == engine::FinishReason::kError) {
        failed_ = internal_error("The engine failed: " + output.error);
      } else if (output.finish_reason == engine::FinishReason::kCancelled) {
        failed_ = overloaded("The request was cancelled: the server is shutting down.");
      }
      vectors_[index] = std::move(output.embedding);
    }
  }

  std::string body() override {
    OrderedJson data = OrderedJson::array();
    for (size_t i = 0; i < vectors_.size(); ++i) {
      std::vector<float>& v = vectors_[i];
      if (request_.dimensions) v.resize(static_cast<size_t>(*request_.dimensions));
      normalize(&v);
      data.push_back({{"object", "embedding"}, {"index", i}});
      if (request_.base64) {
        data.back()["embedding"] = base64(v);
      } else {
        data.back()["embedding"] = v;
      }
    }
    return dump({{"object", "list"},
                 {"data", std::move(data)},
                 {"model", model_->id},
                 {"usage", {{"prompt_tokens", prompt_tokens_}, {"total_tokens", prompt_tokens_}}}});
  }

  AnswerFacts facts() const override { return {model_->id, prompt_tokens_, 0, {}, {}}; }

 private:
  const std::shared_ptr<const ServedModel> model_;
  const EmbeddingsRequest request_;
  std::vector<std::vector<float>> vectors_;
  std::vector<engine::RequestId> running_;  // 0: ended, or never begun
  std::shared_ptr<OutputQueue> queue_;
  size_t open_ = 0;
  int64_t prompt_tokens_ = 0;
  std::optional<ApiError> failed_;
};

}  // namespace

ApiResult<std::unique_ptr<Answer>> start_embeddings(std::shared_ptr<const ServedModel> model, const Json& body,
                                                    Generation::Notify notify) {
  const int64_t width = model->engine->hidden_size();
  if (width == 0) {
    return unsupported("model", "This model's library gives no hidden states; compile it again with this version.");
  }
  MLC_TRY(EmbeddingsRequest request, parse_request(body, width));
  auto answer = std::make_unique<EmbeddingsAnswer>(std::move(model), std::move(request));
  if (auto e = answer->submit(std::move(notify))) return *e;
  return std::unique_ptr<Answer>(std::move(answer));
}

}  // namespace mlc::protocol
