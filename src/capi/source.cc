#include "capi/source.h"

#include <utility>

#include "protocol/embeddings.h"

namespace mlc::capi {
namespace {

using protocol::ApiError;
using protocol::ApiResult;
using Notify = protocol::Generation::Notify;

// Chat and text completions.
class GenerationSource final : public Source {
 public:
  explicit GenerationSource(std::unique_ptr<protocol::Generation> generation) : generation_(std::move(generation)) {}
  void poll() override { generation_->poll(); }
  bool finished() const override { return generation_->finished(); }
  const std::optional<ApiError>& failed() const override { return generation_->failed(); }
  std::vector<std::string> take() override {
    std::vector<std::string> out;
    for (const OrderedJson& chunk : generation_->take_chunks()) {
      if (!chunk.contains("error")) out.push_back(protocol::dump(chunk));  // failed() has that one
    }
    const bool whole = !generation_->streaming() && finished() && !failed();
    if (whole && !std::exchange(given_, true)) out.push_back(protocol::dump(generation_->body_json()));
    return out;
  }
  protocol::AnswerFacts facts() const override {
    const protocol::Usage& usage = generation_->usage();
    return {generation_->model(), usage.prompt_tokens, usage.completion_tokens, generation_->times(), {}};
  }
  std::string id() const override { return generation_->id(); }

 private:
  std::unique_ptr<protocol::Generation> generation_;
  bool given_ = false;
};

// What comes as one body.
class AnswerSource final : public Source {
 public:
  explicit AnswerSource(std::unique_ptr<protocol::Answer> answer) : answer_(std::move(answer)) {}
  void poll() override { answer_->poll(); }
  bool finished() const override { return answer_->finished(); }
  const std::optional<ApiError>& failed() const override { return answer_->failed(); }
  std::vector<std::string> take() override {
    if (!finished() || failed() || std::exchange(given_, true)) return {};
    return {answer_->body()};
  }
  protocol::AnswerFacts facts() const override { return answer_->facts(); }

 private:
  std::unique_ptr<protocol::Answer> answer_;
  bool given_ = false;
};

}  // namespace

ApiResult<std::unique_ptr<Source>> start_source(const protocol::ModelList& models, const std::string& kind,
                                                std::string_view body, Notify notify) {
  const bool chat = kind == "chat.completions";
  if (chat || kind == "completions") {
    const auto endpoint = chat ? protocol::Endpoint::kChat : protocol::Endpoint::kCompletion;
    MLC_TRY(auto generation, protocol::start_generation(models, endpoint, body, std::move(notify)));
    return std::unique_ptr<Source>(std::make_unique<GenerationSource>(std::move(generation)));
  }
  if (kind == "embeddings") {
    MLC_TRY(auto answer, protocol::start_request(models, protocol::Endpoint::kEmbeddings, body, std::move(notify)));
    return std::unique_ptr<Source>(std::make_unique<AnswerSource>(std::move(answer)));
  }
  if (kind == "logits") return start_rows(models.all().front(), engine::Rows::kLogits, body, std::move(notify));
  if (kind == "hidden_states") return start_rows(models.all().front(), engine::Rows::kHidden, body, std::move(notify));
  return protocol::bad_value("kind", kind,
                             "\"chat.completions\", \"completions\", \"embeddings\", \"logits\" or \"hidden_states\"");
}

}  // namespace mlc::capi
