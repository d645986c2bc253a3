// mlc_llm bench serve: how a server with OpenAI's API fares under load.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cmath>
#include <filesystem>

#include "base/file.h"
#include "tools/bench_serve/command.h"
#include "tools/bench_serve/dataset.h"
#include "tools/bench_serve/report.h"

namespace mlc::tools {
namespace {

using namespace bench_serve;

struct Options {
  std::string base_url = "http://127.0.0.1:8000", api_key, model, endpoint = "chat", dataset = "synthetic", label;
  int64_t input_tokens = 200, output_tokens = 0, num_requests = 0, warmup = 1, timeout_s = 600;
  std::vector<int64_t> concurrency = {8};
  double request_rate = 0, temperature = 0;
  uint64_t seed = 1;
  bool ignore_eos = true;
  std::vector<std::string> goodput;
  std::string json, html;
};

constexpr int64_t kDefaultOutput = 64;

Result<void> check_outputs(const Options& o) {
  for (auto [flag, file] : {std::pair{"--json", &o.json}, {"--html", &o.html}}) {
    const std::string parent = std::filesystem::path(*file).parent_path().string();
    if (!parent.empty() && !is_directory(parent)) {
      return error("{}: there is no directory \"{}\" to write {} to", flag, parent, *file);
    }
  }
  return {};
}

// The requests of one run. A level takes the next ones, so that no prompt is asked twice.
class Questions {
 public:
  static Result<Questions> create(const Server& server, const Options& o) {
    Questions q(server, o);
    if (o.dataset != "synthetic") {
      MLC_TRY(q.list_, read_sharegpt(o.dataset, o.output_tokens));
      shuffle(q.list_, o.seed);
    } else {
      MLC_TRY_VOID(q.calibrate());
    }
    return q;
  }

  std::string path() const { return chat() ? "/v1/chat/completions" : "/v1/completions"; }
  std::string describe() const {
    if (!list_.empty()) return fmt::format("{} ({} conversations)", o_.dataset, list_.size());
    return fmt::format("made-up prompts of {} words (about {} tokens), {} tokens out", words_, o_.input_tokens,
                       output());
  }
  std::string next() {
    const uint64_t i = next_++;
    if (!list_.empty()) {
      const Question& q = list_[i % list_.size()];
      return body(q.prompt, q.max_tokens);
    }
    return body(random_prompt(o_.seed, i, words_), output());
  }

 private:
  Questions(const Server& server, const Options& o) : server_(server), o_(o) {}

  bool chat() const { return o_.endpoint == "chat"; }
  int64_t output() const { return o_.output_tokens > 0 ? o_.output_tokens : kDefaultOutput; }

  std::string body(const std::string& prompt, int64_t max_tokens) const {
    OrderedJson json = {{"model", o_.model}};
    if (chat()) {
      json["messages"] = {{{"role", "user"}, {"content", prompt}}};
    } else {
      json["prompt"] = prompt;
    }
    json["max_tokens"] = max_tokens;
    json["temperature"] = o_.temperature;
    json["stream"] = true;
    json["stream_options"] = {{"include_usage", true}};
    if (o_.ignore_eos) json["ignore_eos"] = true;
    return json.dump();
  }

  // How many words make the prompt that was asked for: the server's own count of two short ones tells, whatever its
  // tokenizer and its chat template are. Servers without counts get a word per token.
  Result<void> calibrate() {
    words_ = o_.input_tokens;
    const int64_t few = 8, many = 40;
    double tokens[2] = {0, 0};
    for (int i = 0; i < 2; ++i) {
      LoadSpec spec{.path = path(), .bodies = {}, .limit = std::chrono::seconds(o_.timeout_s)};
      spec.bodies = {body(random_prompt(o_.seed, next_++, i == 0 ? few : many), 1)};
      const Sample s = run_load(server_, spec).samples[0];
      if (!s.ok() && s.error != "empty") {
        return error(ErrorCode::kUnavailable, "the server does not answer a first request ({}): {}", s.error, s.detail);
      }
      tokens[i] = static_cast<double>(s.prompt_tokens);
    }
    const double per_word = (tokens[1] - tokens[0]) / static_cast<double>(many - few);
    if (tokens[0] <= 0 || per_word < 0.2) return {};
    const double around = tokens[0] - per_word * static_cast<double>(few);  // the template's
    words_ = std::max<int64_t>(1, std::llround((static_cast<double>(o_.input_tokens) - around) / per_word));
    return {};
  }

  const Server& server_;
  const Options& o_;
  std::vector<Question> list_;
  int64_t words_ = 0;
  uint64_t next_ = 0;
};

Result<std::string> first_model(const Server& server) {
  MLC_TRY(const std::string text, get(server, "/v1/models", std::chrono::seconds(30)));
  const Json json = Json::parse(text, nullptr, false);
  if (json.is_object() && json.contains("data") && json["data"].is_array() && !json["data"].empty()) {
    const Json& first = json["data"][0];
    if (first.is_object() && first.contains("id") && first["id"].is_string()) return first["id"].get<std::string>();
  }
  return error("/v1/models of this server lists no model: name one with --model");
}

Level run_level(const Server& server, Questions& questions, const Options& o, int64_t concurrency) {
  const int64_t usual = o.request_rate > 0 ? 100 : std::max<int64_t>(8, 4 * concurrency);
  const int64_t count = o.num_requests > 0 ? o.num_requests : usual;
  LoadSpec spec{.path = questions.path(), .bodies = {}, .concurrency = concurrency};
  spec.limit = std::chrono::seconds(o.timeout_s);
  for (int64_t i = 0; i < o.warmup; ++i) spec.bodies.push_back(questions.next());
  run_load(server, spec);
  spec.bodies.clear();
  for (int64_t i = 0; i < count; ++i) spec.bodies.push_back(questions.next());
  if (o.request_rate > 0) spec.arrivals = arrivals(o.seed, o.request_rate, spec.bodies.size());
  return {concurrency, o.request_rate, run_load(server, spec)};
}

Result<int> run_bench_serve(Options o) {
  MLC_TRY_VOID(check_outputs(o));
  Report report;
  MLC_TRY(report.goals, parse_goals(o.goodput));
  MLC_TRY(const Server server, Server::parse(o.base_url, o.api_key));
  if (o.model.empty()) {
    MLC_TRY(o.model, first_model(server));
  }
  MLC_TRY(Questions questions, Questions::create(server, o));
  report.time = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  report.url = o.base_url;
  report.path = questions.path();
  report.model = o.model;
  report.dataset = questions.describe();
  report.label = o.label;
  int64_t completed = 0;
  for (const int64_t concurrency : o.concurrency) {
    report.levels.push_back(run_level(server, questions, o, concurrency));
    completed += summarize(report.levels.back().load, {}).completed;
  }
  if (o.json == "-") {
    fmt::print("{}\n", to_json(report).dump(2, ' ', false, OrderedJson::error_handler_t::replace));
  } else {
    fmt::print("{}", table(report));
  }
  if (!o.json.empty() && o.json != "-") {
    const std::string text = to_json(report).dump(1, ' ', false, OrderedJson::error_handler_t::replace);
    MLC_TRY_VOID(write_file_atomic(o.json, text + "\n"));
  }
  if (!o.html.empty()) MLC_TRY_VOID(write_file_atomic(o.html, html(report)));
  return completed > 0 ? 0 : 1;
}

}  // namespace

std::function<Result<int>()> setup_bench_serve(CLI::App& app) {
  auto o = std::make_shared<Options>();
  app.add_option("--base-url", o->base_url, "The server, http://HOST:PORT")->capture_default_str();
  app.add_option("--api-key", o->api_key, "Sent as a bearer token");
  app.add_option("--model", o->model, "The model's name in the requests; default: the first of /v1/models");
  app.add_option("--endpoint", o->endpoint, "chat (/v1/chat/completions) or completions (/v1/completions), streamed")
      ->check(CLI::IsMember({"chat", "completions"}))
      ->capture_default_str();
  app.add_option("--dataset", o->dataset,
                 "synthetic, or a JSON file in ShareGPT's form, of which first questions are asked")
      ->capture_default_str();
  app.add_option(
         "--input-tokens", o->input_tokens,
         "Length of made-up prompts, chat template included; two short requests find out how many words that is")
      ->check(at_least(1))
      ->capture_default_str();
  app.add_option("--output-tokens", o->output_tokens,
                 "Length of answers; 0: 64 for made-up prompts, a quarter of the answer's characters for a file")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_flag("!--no-ignore-eos", o->ignore_eos,
               "Let answers end by themselves (sends no ignore_eos, which OpenAI refuses)");
  app.add_option("--temperature", o->temperature, "Sampling temperature")
      ->check(CLI::Range(0.0, 2.0))
      ->capture_default_str();
  app.add_option("--concurrency", o->concurrency,
                 "Requests in flight at most; several values, separated by commas, are measured one after the other; "
                 "0: no limit")
      ->delimiter(',')
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--request-rate", o->request_rate,
                 "Requests per second, at random times (Poisson); 0: as fast as there is room")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--num-requests", o->num_requests,
                 "Requests per measurement; 0: 4 for each in flight, at least 8; 100 with --request-rate")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--warmup", o->warmup, "Requests before each measurement that do not count")
      ->check(at_least(0))
      ->capture_default_str();
  app.add_option("--seed", o->seed, "Of prompts, their order, and arrival times")->capture_default_str();
  app.add_option("--goodput", o->goodput,
                 "Also count requests that meet all of these: METRIC:MILLISECONDS with ttft, tpot, itl, e2e");
  app.add_option("--timeout", o->timeout_s, "Seconds for one request")->check(at_least(1))->capture_default_str();
  app.add_option("--label", o->label, "A title for the report");
  app.add_option("--json", o->json,
                 "Write all figures and requests to this file; -: to standard output instead of the table");
  app.add_option("--html", o->html, "Write a report with plots to this file");
  return [o]() { return run_bench_serve(*o); };
}

}  // namespace mlc::tools
