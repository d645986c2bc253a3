// What one request of the C library draws its answer from: JSON texts as they become ready, in the end perhaps numbers.
//
//   MLC_TRY(auto source, start_source(models, "chat.completions", body, [] { wake(); }));
//   on wake: source->poll();  for (std::string& json : source->take()) …;       until source->finished()
//
// One thread at a time. Destroying it cancels what still runs in the engine.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/api.h"

namespace mlc::capi {

// f32 [rows, columns]
struct Matrix {
  std::shared_ptr<std::vector<float>> values;
  int64_t rows = 0, columns = 0;
};

class Source {
 public:
  virtual ~Source() = default;
  virtual void poll() = 0;
  virtual std::vector<std::string> take() = 0;  // after poll(): chunks, or the whole answer once finished() and well
  virtual bool finished() const = 0;
  virtual const std::optional<protocol::ApiError>& failed() const = 0;
  virtual protocol::AnswerFacts facts() const = 0;
  virtual std::string id() const { return ""; }  // "chatcmpl-…", where answers carry one
  virtual Matrix matrix() const { return {}; }   // of logits and hidden states, once finished
};

// kind: as mlc_request_start() takes it. `notify` runs on the engine's thread.
protocol::ApiResult<std::unique_ptr<Source>> start_source(const protocol::ModelList& models, const std::string& kind,
                                                          std::string_view body, protocol::Generation::Notify notify);
// Of a prompt: {"prompt": text or ids | "messages": […], "rows": "last" | "all"}.
protocol::ApiResult<std::unique_ptr<Source>> start_rows(std::shared_ptr<const protocol::ServedModel> model,
                                                        engine::Rows what, std::string_view body,
                                                        protocol::Generation::Notify notify);

}  // namespace mlc::capi
