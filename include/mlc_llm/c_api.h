/* MLC LLM as a C library: a model directory in, an engine out; requests and answers as JSON, tensors by DLPack.
 *
 *   mlc_engine* engine = NULL;
 *   if (mlc_abi_version() != MLC_ABI_VERSION || mlc_engine_create("models/demo", "{}", &engine) != MLC_OK) {
 *     fprintf(stderr, "%s\n", mlc_last_error());
 *   }
 *   mlc_request* request = NULL;
 *   mlc_request_start(engine, "chat.completions", "{\"messages\": [...], \"stream\": true}", NULL, NULL, &request);
 *   char* json = NULL;
 *   while (mlc_request_next(request, -1, &json) == MLC_OK) {   // one chat.completion.chunk each
 *     puts(json);
 *     mlc_string_free(json);
 *   }
 *   mlc_request_free(request);
 *   mlc_engine_destroy(engine);                                 // every thread of the engine ends here
 *
 * Conventions. Text is UTF-8 and ends with a zero. Functions that can fail return an mlc_status and write their result
 * through the last argument; on failure that is NULL and mlc_last_error() says what was wrong. Strings that the library
 * gives out through `char**` are freed with mlc_string_free(). Functions may be called from any thread; one request is
 * read by one thread at a time. docs/c-api.md has the options, the kinds of requests and what they answer.
 *
 * Stability. Within one MLC_ABI_VERSION functions are only added, and JSON objects only gain fields.
 */
#ifndef MLC_LLM_C_API_H_
#define MLC_LLM_C_API_H_

#include <stdint.h>

#if defined(_WIN32)
#define MLC_API __declspec(dllexport)
#else
#define MLC_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define MLC_ABI_VERSION 1

typedef int32_t mlc_status;
enum {
  MLC_OK = 0,
  MLC_END = 1,     /* the request has nothing more to give; the queue is closed */
  MLC_TIMEOUT = 2, /* nothing within the time given */
  MLC_INVALID_ARGUMENT = -1,
  MLC_NOT_FOUND = -2,
  MLC_CORRUPT = -3, /* data that fails its own description: truncated, wrong checksum */
  MLC_UNSUPPORTED = -4,
  MLC_IO = -5,
  MLC_UNAVAILABLE = -6, /* cannot now: no memory for the cache, shutting down */
  MLC_INTERNAL = -7,
  MLC_CANCELLED = -8 /* aborted, or its engine was destroyed */
};

typedef struct mlc_engine mlc_engine;
typedef struct mlc_request mlc_request;
typedef struct mlc_queue mlc_queue;

/* ---- the library */

MLC_API uint32_t mlc_abi_version(void); /* compare with MLC_ABI_VERSION */
MLC_API const char* mlc_version(void);  /* "0.1.0" */
/* Of this thread's last call that failed; "" before the first. Valid until the thread's next failing call. */
MLC_API const char* mlc_last_error(void);
MLC_API void mlc_string_free(char* text); /* NULL is allowed */
/* trace, debug, info, warn (the default), error or off; $MLC_LOG sets the level at the start. Goes to standard error.
 */
MLC_API mlc_status mlc_set_log_level(const char* level);

/* ---- engines */

/* model: a Hugging Face directory or an MLC model directory. options_json: an object, or NULL; for example
 * {"mode": "server", "max_num_sequence": 16}. What is not cached is converted and compiled first, which takes seconds
 * to minutes. */
MLC_API mlc_status mlc_engine_create(const char* model, const char* options_json, mlc_engine** out);
/* Aborts what runs, ends all threads of the engine and frees it. Its requests stay valid: they answer MLC_CANCELLED
 * until they are freed. No other thread may be in a call with this engine. NULL is allowed. */
MLC_API void mlc_engine_destroy(mlc_engine* engine);
/* {"model", "path", "context_window_size", "vocab_size", "hidden_size"} */
MLC_API mlc_status mlc_engine_info(mlc_engine* engine, char** json);
/* Times, tokens and speeds since the start or the last reset. */
MLC_API mlc_status mlc_engine_metrics(mlc_engine* engine, char** json);
/* Aborts all requests, waits until none runs, and sets the metrics to zero. */
MLC_API mlc_status mlc_engine_reset(mlc_engine* engine);
/* Aborts the requests that were started with this id, or whose answers have it as their "id"; without such a request
 * nothing happens. */
MLC_API mlc_status mlc_engine_abort(mlc_engine* engine, const char* request_id);
/* What needs no step of the model. name: "tokenize", "detokenize", "apply_template" or "models". */
MLC_API mlc_status mlc_engine_call(mlc_engine* engine, const char* name, const char* body_json, char** json);

/* ---- requests */

/* Told when mlc_request_next() may have something. Runs on the engine's thread, so it must only hand over; or on the
 * thread that aborts the request. Never after mlc_request_free() returned. */
typedef struct mlc_on_ready {
  void (*call)(void* context, uint64_t tag);
  void* context;
  uint64_t tag;
} mlc_on_ready;

/* kind: "chat.completions", "completions", "embeddings" (bodies as of OpenAI's API), "logits" or "hidden_states" (of a
 * prompt). request_id: for mlc_engine_abort(), or NULL. on_ready: copied; or NULL. A body that is wrong is an error
 * here. */
MLC_API mlc_status mlc_request_start(mlc_engine* engine, const char* kind, const char* body_json,
                                     const char* request_id, const mlc_on_ready* on_ready, mlc_request** out);
/* The next chunk of a stream, or the whole answer; then MLC_END. Waits at most timeout_ms (negative: without limit). */
MLC_API mlc_status mlc_request_next(mlc_request* request, int64_t timeout_ms, char** json);
/* Ends it within one step of the engine; mlc_request_next() answers MLC_CANCELLED from now on. Any thread. */
MLC_API void mlc_request_abort(mlc_request* request);
/* Aborts it if it still runs. NULL is allowed. */
MLC_API void mlc_request_free(mlc_request* request);

/* Requests of the kinds "logits" and "hidden_states", once mlc_request_next() gave their JSON: the numbers themselves,
 * f32 [tokens, vocabulary] or [tokens, hidden size] in the CPU's memory. Each call gives another handle to the same
 * memory, which lives until the request is freed and every handle's `deleter` was called; the engine may be gone by
 * then. The structs are those of dlpack.h. */
struct DLManagedTensor;
struct DLManagedTensorVersioned;
MLC_API mlc_status mlc_request_tensor(mlc_request* request, struct DLManagedTensor** out);
MLC_API mlc_status mlc_request_tensor_versioned(mlc_request* request, struct DLManagedTensorVersioned** out);

/* ---- queues: one thread waits for many requests */

MLC_API mlc_queue* mlc_queue_create(void);
/* For mlc_on_ready: {mlc_queue_push, queue, tag}. A tag that waits already is not added again. */
MLC_API void mlc_queue_push(void* queue, uint64_t tag);
/* The tag of a request that became ready; read it until it answers MLC_TIMEOUT. MLC_END: closed. */
MLC_API mlc_status mlc_queue_pop(mlc_queue* queue, int64_t timeout_ms, uint64_t* tag);
MLC_API void mlc_queue_close(mlc_queue* queue);   /* mlc_queue_pop() returns MLC_END, also where it waits */
MLC_API void mlc_queue_destroy(mlc_queue* queue); /* after the requests that push into it were freed */

#ifdef __cplusplus
}
#endif

#endif /* MLC_LLM_C_API_H_ */
