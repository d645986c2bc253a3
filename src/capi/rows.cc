// The logits or final hidden states of a prompt, as start_rows() of capi/source.h gives them.
#include <utility>

#include "capi/source.h"
#include "protocol/output_queue.h"
#include "protocol/prompt.h"

namespace mlc::capi {
namespace {

using protocol::ApiError;
using protocol::ApiResult;
using Model = std::shared_ptr<const protocol::ServedModel>;

struct RowsRequest {
  std::vector<int32_t> prompt;
  bool all = false;
};

ApiResult<std::vector<int32_t>> encode(const protocol::ServedModel& model, const Json& body) {
  if (body.contains("messages")) {
    MLC_TRY(protocol::ChatRequest chat, protocol::parse_chat_request(body, model.defaults));
    return protocol::encode_chat(model, chat);
  }
  MLC_TRY(protocol::CompletionRequest text, protocol::parse_completion_request(body, model.defaults));
  if (text.prompts.size() != 1) {
    return protocol::bad_value("prompt", fmt::format("a list of {} prompts", text.prompts.size()), "one prompt");
  }
  return protocol::encode_prompt(model, text.prompts[0], text.add_special_tokens);
}

ApiResult<RowsRequest> parse(const protocol::ServedModel& model, std::string_view text) {
  MLC_TRY(const Json body, protocol::parse_body(text));
  protocol::Fields fields(body);
  const std::string rows = fields.string("rows").value_or("last");
  if (rows != "last" && rows != "all") {
    fields.fail(protocol::bad_value("rows", fmt::format("\"{}\"", rows), "\"last\" or \"all\""));
  }
  if (fields.failed()) return fields.error();
  RowsRequest r;
  r.all = rows == "all";
  MLC_TRY(r.prompt, encode(model, body));
  return r;
}

class RowsSource final : public Source {
 public:
  RowsSource(Model model, engine::Rows what) : model_(std::move(model)), what_(what) {}
  ~RowsSource() override {
    if (queue_) queue_->close();
    if (id_ != 0 && !done_) model_->engine->cancel(id_);
  }

  std::optional<ApiError> submit(RowsRequest request, protocol::Generation::Notify notify) {
    engine::Request r;
    prompt_tokens_ = static_cast<int64_t>(request.prompt.size());
    r.prompt = std::move(request.prompt);
    r.rows = what_;
    r.all_rows = request.all;
    r.sampling.temperature = 0;
    r.max_tokens = 1;
    queue_ = std::make_shared<protocol::OutputQueue>(1, std::move(notify));
    auto id = model_->engine->submit(std::move(r), [queue = queue_](const engine::Output& o) { queue->push(0, o); });
    if (!id) return protocol::from_error(id.error(), "prompt");
    id_ = *id;
    return std::nullopt;
  }

  void poll() override {
    for (auto& [index, output] : queue_->drain()) {
      if (output.finish_reason == engine::FinishReason::kNone) continue;
      done_ = true;
      if (output.finish_reason == engine::FinishReason::kError) {
        failed_ = protocol::internal_error("The engine failed: " + output.error);
      } else if (output.finish_reason == engine::FinishReason::kCancelled || !output.rows) {
        failed_ = protocol::overloaded("The request was cancelled.");
      } else {
        const bool logits = what_ == engine::Rows::kLogits;
        matrix_.columns = logits ? model_->engine->vocab_size() : model_->engine->hidden_size();
        matrix_.rows = static_cast<int64_t>(output.rows->size()) / matrix_.columns;
        matrix_.values = output.rows;
      }
    }
  }

  std::vector<std::string> take() override {
    if (!done_ || failed_ || std::exchange(given_, true)) return {};
    const char* object = what_ == engine::Rows::kLogits ? "logits" : "hidden_states";
    return {protocol::dump({{"object", object},
                            {"model", model_->id},
                            {"shape", {matrix_.rows, matrix_.columns}},
                            {"usage", {{"prompt_tokens", prompt_tokens_}, {"total_tokens", prompt_tokens_}}}})};
  }
  bool finished() const override { return done_; }
  const std::optional<ApiError>& failed() const override { return failed_; }
  protocol::AnswerFacts facts() const override { return {model_->id, prompt_tokens_, 0, {}, {}}; }
  Matrix matrix() const override { return matrix_; }

 private:
  const Model model_;
  const engine::Rows what_;
  std::shared_ptr<protocol::OutputQueue> queue_;
  engine::RequestId id_ = 0;
  int64_t prompt_tokens_ = 0;
  bool done_ = false, given_ = false;
  Matrix matrix_;
  std::optional<ApiError> failed_;
};

}  // namespace

ApiResult<std::unique_ptr<Source>> start_rows(Model model, engine::Rows what, std::string_view body,
                                              protocol::Generation::Notify notify) {
  if (what == engine::Rows::kHidden && model->engine->hidden_size() == 0) {
    return protocol::unsupported("model",
                                 "This model's library gives no hidden states; compile it again with this version.");
  }
  MLC_TRY(RowsRequest request, parse(*model, body));
  auto source = std::make_unique<RowsSource>(std::move(model), what);
  if (auto e = source->submit(std::move(request), std::move(notify))) return *e;
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace mlc::capi
