// The functions of mlc_llm/c_api.h: null checks and exceptions end here, everything else is in the classes beside it.
#include "mlc_llm/c_api.h"

#include <cstdlib>
#include <cstring>
#include <exception>
#include <mutex>

#include "base/build_id.h"
#include "base/log.h"
#include "capi/dlpack.h"
#include "capi/engine.h"
#include "capi/options.h"
#include "capi/queue.h"
#include "loader/progress.h"

struct mlc_engine {
  mlc::capi::Engine engine;
};
struct mlc_request {
  std::shared_ptr<mlc::capi::Request> request;
};
struct mlc_queue {
  mlc::capi::ReadyQueue queue;
};

namespace mlc::capi {
namespace {

// A program that links the library has its own logging; this one's goes to standard error.
void init_log_once() {
  static std::once_flag once;
  std::call_once(once, [] { log::init(log::Level::kWarn); });
}

// Nothing that is thrown (memory that ran out, a third party's exception) may cross into C.
template <typename F>
mlc_status guarded(F&& body) {
  try {
    return body();
  } catch (const std::exception& e) {
    return fail({MLC_INTERNAL, e.what()});
  } catch (...) {
    return fail({MLC_INTERNAL, "an unknown exception"});
  }
}

mlc_status missing(const char* argument) { return fail({MLC_INVALID_ARGUMENT, fmt::format("{} is NULL", argument)}); }

mlc_status give(const std::string& text, char** out) {
  *out = static_cast<char*>(std::malloc(text.size() + 1));
  if (*out == nullptr) return fail({MLC_INTERNAL, "out of memory"});
  std::memcpy(*out, text.c_str(), text.size() + 1);
  return MLC_OK;
}

mlc_status no_matrix() {
  return fail({MLC_INVALID_ARGUMENT,
               "the request has no tensor to give: its kind is not logits or hidden_states, or it is not finished"});
}

}  // namespace
}  // namespace mlc::capi

using namespace mlc::capi;  // NOLINT: the functions below are these classes in C

uint32_t mlc_abi_version(void) { return MLC_ABI_VERSION; }
const char* mlc_version(void) {
  static const std::string text(mlc::version());
  return text.c_str();
}
const char* mlc_last_error(void) { return last_error(); }
void mlc_string_free(char* text) { std::free(text); }

mlc_status mlc_set_log_level(const char* level) {
  if (level == nullptr) return missing("level");
  return guarded([&] {
    init_log_once();
    const auto known = mlc::log::level_named(level);
    if (!known) {
      return fail({MLC_INVALID_ARGUMENT,
                   fmt::format("the log level is \"{}\"; expected trace, debug, info, warn, error or off", level)});
    }
    mlc::log::set_level(*known);
    return mlc_status{MLC_OK};
  });
}

mlc_status mlc_engine_create(const char* model, const char* options_json, mlc_engine** out) {
  if (out == nullptr) return missing("out");
  *out = nullptr;
  if (model == nullptr) return missing("model");
  return guarded([&] {
    init_log_once();
    auto options = parse_options(options_json == nullptr ? "" : options_json);
    if (!options) return fail(Failure::of(options.error()));
    options->load.model.model = model;
    mlc::loader::Progress::show(options->verbose);
    auto loaded = mlc::loader::load_model(options->load);
    if (!loaded) return fail(Failure::of(loaded.error()));
    *out = new mlc_engine{.engine = Engine(std::move(*loaded))};
    return mlc_status{MLC_OK};
  });
}

void mlc_engine_destroy(mlc_engine* engine) { delete engine; }

mlc_status mlc_engine_info(mlc_engine* engine, char** json) {
  if (engine == nullptr || json == nullptr) return missing(engine == nullptr ? "engine" : "json");
  *json = nullptr;
  return guarded([&] { return give(engine->engine.info(), json); });
}

mlc_status mlc_engine_metrics(mlc_engine* engine, char** json) {
  if (engine == nullptr || json == nullptr) return missing(engine == nullptr ? "engine" : "json");
  *json = nullptr;
  return guarded([&] { return give(engine->engine.metrics(), json); });
}

mlc_status mlc_engine_reset(mlc_engine* engine) {
  if (engine == nullptr) return missing("engine");
  return guarded([&] {
    engine->engine.reset();
    return mlc_status{MLC_OK};
  });
}

mlc_status mlc_engine_abort(mlc_engine* engine, const char* request_id) {
  if (engine == nullptr || request_id == nullptr) return missing(engine == nullptr ? "engine" : "request_id");
  return guarded([&] {
    engine->engine.abort(request_id);
    return mlc_status{MLC_OK};
  });
}

mlc_status mlc_engine_call(mlc_engine* engine, const char* name, const char* body_json, char** json) {
  if (json == nullptr) return missing("json");
  *json = nullptr;
  if (engine == nullptr || name == nullptr) return missing(engine == nullptr ? "engine" : "name");
  return guarded([&] {
    auto answer = engine->engine.call(name, body_json == nullptr ? "{}" : body_json);
    return answer ? give(mlc::protocol::dump(*answer), json) : fail(Failure::of(answer.error()));
  });
}

mlc_status mlc_request_start(mlc_engine* engine, const char* kind, const char* body_json, const char* request_id,
                             const mlc_on_ready* on_ready, mlc_request** out) {
  if (out == nullptr) return missing("out");
  *out = nullptr;
  if (engine == nullptr) return missing("engine");
  if (kind == nullptr || body_json == nullptr) return missing(kind == nullptr ? "kind" : "body_json");
  return guarded([&] {
    std::shared_ptr<Request> request;
    const std::string id = request_id == nullptr ? "" : request_id;
    if (auto failure = engine->engine.start(kind, body_json, id, on_ready, &request)) return fail(*failure);
    *out = new mlc_request{std::move(request)};
    return mlc_status{MLC_OK};
  });
}

mlc_status mlc_request_next(mlc_request* request, int64_t timeout_ms, char** json) {
  if (json == nullptr) return missing("json");
  *json = nullptr;
  if (request == nullptr) return missing("request");
  return guarded([&] {
    std::string text;
    const Failure got = request->request->next(timeout_ms, &text);
    if (got.status < 0) return fail(got);
    return got.status == MLC_OK ? give(text, json) : got.status;
  });
}

void mlc_request_abort(mlc_request* request) {
  if (request != nullptr) request->request->abort("The request was aborted.");
}

void mlc_request_free(mlc_request* request) {
  if (request == nullptr) return;
  request->request->forget_listener();
  request->request->abort("The request was freed.");
  delete request;
}

mlc_status mlc_request_tensor(mlc_request* request, DLManagedTensor** out) {
  if (request == nullptr || out == nullptr) return missing(request == nullptr ? "request" : "out");
  *out = nullptr;
  return guarded([&] {
    Matrix matrix = request->request->matrix();
    if (!matrix.values) return no_matrix();
    *out = to_dlpack(std::move(matrix));
    return mlc_status{MLC_OK};
  });
}

mlc_status mlc_request_tensor_versioned(mlc_request* request, DLManagedTensorVersioned** out) {
  if (request == nullptr || out == nullptr) return missing(request == nullptr ? "request" : "out");
  *out = nullptr;
  return guarded([&] {
    Matrix matrix = request->request->matrix();
    if (!matrix.values) return no_matrix();
    *out = to_dlpack_versioned(std::move(matrix));
    return mlc_status{MLC_OK};
  });
}

mlc_queue* mlc_queue_create(void) { return new mlc_queue{}; }
void mlc_queue_push(void* queue, uint64_t tag) { static_cast<mlc_queue*>(queue)->queue.push(tag); }
mlc_status mlc_queue_pop(mlc_queue* queue, int64_t timeout_ms, uint64_t* tag) {
  if (queue == nullptr || tag == nullptr) return missing(queue == nullptr ? "queue" : "tag");
  return queue->queue.pop(timeout_ms, tag);
}
void mlc_queue_close(mlc_queue* queue) { queue->queue.close(); }
void mlc_queue_destroy(mlc_queue* queue) { delete queue; }
