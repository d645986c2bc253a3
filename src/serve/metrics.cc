#include "serve/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>

#include "serve/process_metrics.h"

namespace mlc::serve {
namespace {

using prometheus::ClientMetric;
using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Histogram;
using prometheus::Labels;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Buckets = Histogram::BucketBoundaries;

// vLLM's boundaries, so that the same queries and dashboards fit.
const Buckets kFirstToken = {.001, .005, .01, .02, .04, .06, .08, .1, .25, .5,  .75,
                             1,    2.5,  5,   7.5, 10,  20,  40,  80, 160, 640, 2560};
const Buckets kBetweenTokens = {.001, .0025, .005, .01, .025, .05, .075, .1, .15, .2, .3,
                                .4,   .5,    .75,  1,   2.5,  5,   7.5,  10, 20,  40, 80};
const Buckets kWholeRequest = {.01, .05, .1, .3, .5, .8, 1,   1.5, 2,   2.5, 5,    10,
                               15,  20,  30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680};
const Buckets kTokens = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
const Buckets kHttp = {.001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300};
const Buckets kBytes = {100, 1000, 10000, 100000, 1000000, 10000000};

// Ours on the left; vLLM's for --metrics-compat=vllm.
const std::map<std::string, std::string> kVllmNames = {
    {"mlc_num_requests_running", "vllm:num_requests_running"},
    {"mlc_num_requests_waiting", "vllm:num_requests_waiting"},
    {"mlc_kv_cache_usage_ratio", "vllm:kv_cache_usage_perc"},
    {"mlc_prefix_cache_queries_total", "vllm:prefix_cache_queries_total"},
    {"mlc_prefix_cache_hits_total", "vllm:prefix_cache_hits_total"},
    {"mlc_prompt_tokens_total", "vllm:prompt_tokens_total"},
    {"mlc_generation_tokens_total", "vllm:generation_tokens_total"},
    {"mlc_time_to_first_token_seconds", "vllm:time_to_first_token_seconds"},
    {"mlc_inter_token_latency_seconds", "vllm:inter_token_latency_seconds"},
    {"mlc_e2e_request_latency_seconds", "vllm:e2e_request_latency_seconds"},
    {"mlc_request_queue_time_seconds", "vllm:request_queue_time_seconds"},
    {"mlc_request_prefill_time_seconds", "vllm:request_prefill_time_seconds"},
    {"mlc_request_decode_time_seconds", "vllm:request_decode_time_seconds"},
    {"mlc_request_inference_time_seconds", "vllm:request_inference_time_seconds"},
    {"mlc_request_prompt_tokens", "vllm:request_prompt_tokens"},
    {"mlc_request_generation_tokens", "vllm:request_generation_tokens"},
    {"mlc_request_params_max_tokens", "vllm:request_params_max_tokens"},
    {"mlc_request_success_total", "vllm:request_success_total"},
    {"mlc_num_preemptions_total", "vllm:num_preemptions_total"},
    {"mlc_spec_decode_drafts_total", "vllm:spec_decode_num_drafts_total"},
    {"mlc_spec_decode_draft_tokens_total", "vllm:spec_decode_num_draft_tokens_total"},
    {"mlc_spec_decode_accepted_tokens_total", "vllm:spec_decode_num_accepted_tokens_total"},
};

// Values that others count, read at each scrape.
class Snapshot {
 public:
  void add(const std::string& name, const char* help, MetricType type, const Labels& labels, double value) {
    if (families_.empty() || families_.back().name != name) families_.push_back({name, help, type, {}});
    ClientMetric m;
    for (const auto& [key, text] : labels) m.label.push_back({key, text});
    (type == MetricType::Counter ? m.counter.value : m.gauge.value) = value;
    families_.back().metric.push_back(std::move(m));
  }
  std::vector<MetricFamily> take() { return std::move(families_); }

 private:
  std::vector<MetricFamily> families_;
};

struct EngineMetric {
  const char* name;
  const char* help;
  MetricType type;
  double (*value)(const engine::EngineStats&);
};

constexpr auto kGauge = MetricType::Gauge;
constexpr auto kCounter = MetricType::Counter;

const EngineMetric kEngineMetrics[] = {
    {"mlc_num_requests_running", "Sequences whose tokens are being computed.", kGauge,
     [](const engine::EngineStats& s) { return static_cast<double>(s.running); }},
    {"mlc_num_requests_waiting", "Sequences that wait for their first step.", kGauge,
     [](const engine::EngineStats& s) { return static_cast<double>(s.waiting); }},
    {"mlc_kv_cache_usage_ratio", "Share of the KV cache's pages that running sequences hold, 0 to 1.", kGauge,
     [](const engine::EngineStats& s) {
       const auto used = static_cast<double>(s.kv_pages_total - s.kv_pages_free);
       return s.kv_pages_total > 0 ? used / static_cast<double>(s.kv_pages_total) : 0;
     }},
    {"mlc_prefix_cache_queries_total", "Prompt tokens that were looked up in the prefix cache.", kCounter,
     [](const engine::EngineStats& s) { return static_cast<double>(s.prompt_tokens); }},
    {"mlc_prefix_cache_hits_total", "Prompt tokens that the prefix cache had.", kCounter,
     [](const engine::EngineStats& s) { return static_cast<double>(s.cached_prompt_tokens); }},
    {"mlc_computed_prompt_tokens_total", "Prompt tokens computed, those computed again after a preemption included.",
     kCounter, [](const engine::EngineStats& s) { return static_cast<double>(s.prefill_tokens); }},
    {"mlc_num_preemptions_total", "Sequences put back because the KV cache was full.", kCounter,
     [](const engine::EngineStats& s) { return static_cast<double>(s.preemptions); }},
    {"mlc_spec_decode_drafts_total", "Guesses that were checked, of one or more tokens each.", kCounter,
     [](const engine::EngineStats& s) { return static_cast<double>(s.drafts.steps); }},
    {"mlc_spec_decode_draft_tokens_total", "Tokens guessed.", kCounter,
     [](const engine::EngineStats& s) { return static_cast<double>(s.drafts.drafted); }},
    {"mlc_spec_decode_accepted_tokens_total", "Tokens guessed rightly.", kCounter,
     [](const engine::EngineStats& s) { return static_cast<double>(s.drafts.accepted); }},
    {"mlc_engine_steps_total", "Steps of the engine.", kCounter,
     [](const engine::EngineStats& s) { return static_cast<double>(s.steps); }},
};

Labels of_model(const std::string& name) { return {{"model_name", name}}; }

}  // namespace

struct Metrics::Families {
  prometheus::Registry registry;

  Family<Histogram>& histogram(const char* name, const char* help) {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
  Family<Counter>& counter(const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  }
  Family<Gauge>& gauge(const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
  }

  Family<Gauge>& build_info = gauge("mlc_build_info", "The program's version; always 1.");
  Family<Gauge>& load_seconds = gauge("mlc_model_load_seconds", "How long loading the model took.");
  Family<Counter>& prompt_tokens = counter("mlc_prompt_tokens_total", "Prompt tokens of ended sequences.");
  Family<Counter>& output_tokens = counter("mlc_generation_tokens_total", "Tokens generated.");
  Family<Histogram>& first_token = histogram("mlc_time_to_first_token_seconds", "From submission to the first token.");
  Family<Histogram>& between_tokens =
      histogram("mlc_inter_token_latency_seconds", "Between two tokens of one sequence.");
  Family<Histogram>& per_token = histogram("mlc_request_time_per_output_token_seconds",
                                           "Mean time per token after the first, of each ended sequence.");
  Family<Histogram>& whole = histogram("mlc_e2e_request_latency_seconds", "From submission to the last token.");
  Family<Histogram>& queue = histogram("mlc_request_queue_time_seconds", "From submission to the first step.");
  Family<Histogram>& prefill = histogram("mlc_request_prefill_time_seconds", "From the first step to the first token.");
  Family<Histogram>& decode = histogram("mlc_request_decode_time_seconds", "From the first to the last token.");
  Family<Histogram>& inference =
      histogram("mlc_request_inference_time_seconds", "From the first step to the last token.");
  Family<Histogram>& prompt_sizes = histogram("mlc_request_prompt_tokens", "Prompt tokens per sequence.");
  Family<Histogram>& output_sizes = histogram("mlc_request_generation_tokens", "Generated tokens per sequence.");
  Family<Histogram>& max_tokens =
      histogram("mlc_request_params_max_tokens", "The max_tokens of requests that gave one.");
  Family<Counter>& success =
      counter("mlc_request_success_total", "Answers that ended well, by finish_reason, one per choice.");
  Family<Counter>& failure = counter("mlc_request_failure_total", "Requests answered with an error, by reason.");
  Family<Counter>& rejected =
      counter("mlc_admission_rejections_total", "Requests turned away before any work, by reason.");
  Family<Counter>& cancelled = counter("mlc_request_cancelled_total", "Answers whose client left.");
  Family<Counter>& http = counter("mlc_http_requests_total", "HTTP requests answered.");
  Family<Histogram>& http_seconds =
      histogram("mlc_http_request_duration_seconds", "From the first byte of a request to the end of its answer.");
  Family<Histogram>& http_bytes = histogram("mlc_http_request_size_bytes", "Size of request bodies.");
};

namespace {

class ModelMetrics final : public Metrics::Model {
 public:
  template <typename Families>
  ModelMetrics(std::shared_ptr<Families> owner, const Labels& labels) : ModelMetrics(*owner, labels) {
    owner_ = std::move(owner);
  }

  template <typename Families>
  ModelMetrics(Families& f, const Labels& labels)
      : first_token_(f.first_token.Add(labels, kFirstToken)),
        between_tokens_(f.between_tokens.Add(labels, kBetweenTokens)),
        per_token_(f.per_token.Add(labels, kBetweenTokens)),
        whole_(f.whole.Add(labels, kWholeRequest)),
        queue_(f.queue.Add(labels, kWholeRequest)),
        prefill_(f.prefill.Add(labels, kWholeRequest)),
        decode_(f.decode.Add(labels, kWholeRequest)),
        inference_(f.inference.Add(labels, kWholeRequest)),
        prompt_sizes_(f.prompt_sizes.Add(labels, kTokens)),
        output_sizes_(f.output_sizes.Add(labels, kTokens)),
        max_tokens_(f.max_tokens.Add(labels, kTokens)),
        prompt_tokens_(f.prompt_tokens.Add(labels)),
        output_tokens_(f.output_tokens.Add(labels)) {}

  void first_token(double seconds) override {
    first_token_.Observe(seconds);
    output_tokens_.Increment();
  }
  void next_tokens(double seconds, int64_t count) override {
    const double each = seconds / static_cast<double>(count);
    for (int64_t i = 0; i < count; ++i) between_tokens_.Observe(each);
    output_tokens_.Increment(static_cast<double>(count));
  }
  void sequence_ended(const SequenceTimes& t) override {
    whole_.Observe(t.whole);
    queue_.Observe(t.queue);
    prefill_.Observe(t.prefill);
    decode_.Observe(t.decode);
    inference_.Observe(t.prefill + t.decode);
    prompt_sizes_.Observe(static_cast<double>(t.prompt_tokens));
    output_sizes_.Observe(static_cast<double>(t.output_tokens));
    if (t.max_tokens > 0) max_tokens_.Observe(static_cast<double>(t.max_tokens));
    if (t.output_tokens > 1) per_token_.Observe(t.decode / static_cast<double>(t.output_tokens - 1));
    prompt_tokens_.Increment(static_cast<double>(t.prompt_tokens));
  }

 private:
  std::shared_ptr<void> owner_;
  Histogram &first_token_, &between_tokens_, &per_token_, &whole_, &queue_, &prefill_, &decode_, &inference_,
      &prompt_sizes_, &output_sizes_, &max_tokens_;
  Counter &prompt_tokens_, &output_tokens_;
};

void add_process(Snapshot& out) {
  const ProcessMetrics p = read_process_metrics();
  out.add("process_cpu_seconds_total", "Processor time used, user and system.", kCounter, {}, p.cpu_seconds);
  out.add("process_resident_memory_bytes", "Memory that is in use.", kGauge, {}, p.resident_bytes);
  out.add("process_virtual_memory_bytes", "Address space.", kGauge, {}, p.virtual_bytes);
  out.add("process_start_time_seconds", "When the process began, in seconds since 1970.", kGauge, {}, p.start_time);
  out.add("process_open_fds", "Open files and sockets.", kGauge, {}, p.open_fds);
  out.add("process_max_fds", "How many may be open.", kGauge, {}, p.max_fds);
  out.add("process_threads", "Threads.", kGauge, {}, p.threads);
}

void add_vllm_names(std::vector<MetricFamily>* families) {
  std::vector<MetricFamily> more;
  for (const MetricFamily& f : *families) {
    const auto name = kVllmNames.find(f.name);
    if (name == kVllmNames.end()) continue;
    more.push_back(f);
    more.back().name = name->second;
  }
  families->insert(families->end(), more.begin(), more.end());
}

}  // namespace

Metrics::Metrics(Options options) : options_(std::move(options)), families_(std::make_shared<Families>()) {
  families_->build_info.Add({{"version", options_.version}, {"backend", "cpu"}}).Set(1);
  // Counters begin at 0, not at their first event: increase() does not see the step from nothing to 1.
  for (const char* reason : {"invalid", "error"}) families_->failure.Add({{"reason", reason}});
  for (const char* reason : {"queue_full", "loading", "draining"}) families_->rejected.Add({{"reason", reason}});
}
Metrics::~Metrics() = default;

std::shared_ptr<Metrics::Model> Metrics::model(const std::string& name) {
  families_->cancelled.Add(of_model(name));
  return std::make_shared<ModelMetrics>(families_, of_model(name));
}

void Metrics::request_succeeded(const std::string& model, const std::string& reason) {
  families_->success.Add({{"model_name", model}, {"finished_reason", reason}}).Increment();
}
void Metrics::request_failed(const std::string& reason) { families_->failure.Add({{"reason", reason}}).Increment(); }
void Metrics::request_rejected(const std::string& reason) { families_->rejected.Add({{"reason", reason}}).Increment(); }
void Metrics::request_cancelled(const std::string& model) { families_->cancelled.Add(of_model(model)).Increment(); }

void Metrics::http_request(const std::string& method, const std::string& route, int status, double seconds,
                           size_t bytes) {
  families_->http.Add({{"method", method}, {"handler", route}, {"code", std::to_string(status)}}).Increment();
  const Labels labels = {{"method", method}, {"handler", route}};
  families_->http_seconds.Add(labels, kHttp).Observe(seconds);
  families_->http_bytes.Add(labels, kBytes).Observe(static_cast<double>(bytes));
}

void Metrics::model_loaded(const std::string& model, double seconds) {
  families_->load_seconds.Add(of_model(model)).Set(seconds);
}

std::string Metrics::text(const protocol::ModelList& models, ServerState state) const {
  std::vector<MetricFamily> all = families_->registry.Collect();
  Snapshot now;
  for (const EngineMetric& m : kEngineMetrics) {
    for (const auto& model : models.all()) {
      now.add(m.name, m.help, m.type, of_model(model->id), m.value(model->engine->stats()));
    }
  }
  for (const auto& model : models.all()) {
    const engine::EngineStats s = model->engine->stats();
    now.add("mlc_cache_config_info", "Size of the KV cache; always 1.", kGauge,
            {{"model_name", model->id}, {"num_blocks", std::to_string(s.kv_pages_total)}}, 1);
  }
  for (const ServerState each : {ServerState::kLoading, ServerState::kReady, ServerState::kDraining}) {
    now.add("mlc_server_state", "1 for the state that the server is in.", kGauge, {{"state", name_of(each)}},
            each == state ? 1 : 0);
  }
  add_process(now);
  for (MetricFamily& family : now.take()) all.push_back(std::move(family));
  std::erase_if(all, [](const MetricFamily& f) { return f.metric.empty(); });
  if (options_.vllm_names) add_vllm_names(&all);
  return prometheus::TextSerializer().Serialize(all);
}

}  // namespace mlc::serve
