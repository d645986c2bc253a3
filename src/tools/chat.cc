// mlc_llm chat: a conversation in the terminal, one answer for --prompt, or one for a prompt on standard input.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>

#include "protocol/local_chat.h"
#include "tools/command.h"
#include "tools/line_reader.h"
#include "tools/load_flags.h"
#include "tools/overrides.h"

namespace mlc::tools {
namespace {

struct Options {
  loader::LoadOptions load;
  std::string overrides;
  std::optional<std::string> prompt;
  std::optional<float> temperature, top_p;
  std::optional<int64_t> max_tokens;
  std::optional<int64_t> seed;
};

// Set by Ctrl-C; ends the answer, not the program.
std::atomic<bool> g_stop{false};
extern "C" void on_interrupt(int) { g_stop = true; }

constexpr const char* kHelp =
    "  /help               this list\n"
    "  /exit               leave (also Ctrl-D)\n"
    "  /stats              speed of the last answer and of the session\n"
    "  /metrics            counters of the engine\n"
    "  /reset              forget the conversation\n"
    "  /set k=v;k=v        temperature, top_p, top_k, min_p, repetition_penalty, presence_penalty, frequency_penalty,\n"
    "                      max_tokens, seed, stop=a,b\n"
    "  Ctrl-C              end an answer\n";

void print_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

double rate(int64_t tokens, double seconds) { return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0; }

class ChatLoop {
 public:
  ChatLoop(std::shared_ptr<const protocol::ServedModel> model, protocol::GenerationParams params)
      : model_(std::move(model)), chat_(model_, std::move(params)) {}

  Result<void> answer(const std::string& text) {
    g_stop = false;
    auto turn =
        model_->chat_template ? chat_.ask(text, print_text, &g_stop) : chat_.complete(text, print_text, &g_stop);
    if (!turn) return turn.error();
    last_ = *turn;
    print_text("\n");
    if (turn->finish == engine::FinishReason::kLength) note_length(*turn);
    return {};
  }

  // False: leave.
  bool command(const std::string& line) {
    if (line == "/exit" || line == "/quit") return false;
    if (line == "/help") {
      print_text(kHelp);
      print_text(LineReader::help());
    } else if (line == "/stats") {
      stats();
    } else if (line == "/metrics") {
      metrics();
    } else if (line == "/reset") {
      chat_.reset();
      print_text("the conversation is forgotten\n");
    } else if (line.rfind("/set ", 0) == 0) {
      set(line.substr(5));
    } else {
      print_text("unknown command; /help lists them\n");
    }
    return true;
  }

 private:
  // On standard error, so that what a script reads is the answer and nothing else.
  void note_length(const protocol::ChatTurn& turn) {
    const auto limit = chat_.params().max_tokens;
    if (limit && turn.completion_tokens >= *limit) {
      fmt::print(stderr, "[stopped after {} tokens, the most that were asked for]\n", turn.completion_tokens);
    } else {
      fmt::print(stderr, "[stopped: the context is full; {}]\n",
                 model_->chat_template ? "/reset forgets the conversation" : "give a shorter prompt");
    }
  }

  void stats() {
    print_text(fmt::format("prefill: {:.1f} tok/s, decode: {:.1f} tok/s ({} prompt tokens, {} generated)\n",
                           rate(last_.prompt_tokens, last_.prefill_s),
                           rate(last_.completion_tokens - 1, last_.decode_s), last_.prompt_tokens,
                           last_.completion_tokens));
  }

  void metrics() {
    const engine::EngineStats s = model_->engine->stats();
    print_text(
        fmt::format("prefill_tokens {}\ncached_prompt_tokens {}\ndecode_tokens {}\nprefill_tokens_per_s {:.1f}\n"
                    "decode_tokens_per_s {:.1f}\nkv_pages_free {}\nkv_pages_total {}\nsteps {}\n",
                    s.prefill_tokens, s.cached_prompt_tokens, s.decode_tokens, rate(s.prefill_tokens, s.prefill_s),
                    rate(s.decode_tokens, s.decode_s), s.kv_pages_free, s.kv_pages_total, s.steps));
    if (s.drafts.steps == 0) return;
    print_text(fmt::format("drafted_tokens {}\naccepted_tokens {}\naccepted_per_guess {:.2f}\n", s.drafts.drafted,
                           s.drafts.accepted,
                           static_cast<double>(s.drafts.accepted) / static_cast<double>(s.drafts.steps)));
  }

  void set(const std::string& list) {
    std::stringstream items(list);
    for (std::string item; std::getline(items, item, ';');) {
      const size_t eq = item.find('=');
      const std::string key = item.substr(0, eq), value = eq == std::string::npos ? "" : item.substr(eq + 1);
      if (!set_one(key, value)) print_text(fmt::format("cannot set \"{}\"; /help lists what can be set\n", item));
    }
  }

  bool set_one(const std::string& key, const std::string& value) {
    auto& p = chat_.params();
    struct Number {
      const char* key;
      float* field;
      float low, high;
    };
    const Number numbers[] = {
        {"temperature", &p.sampling.temperature, 0, 2},
        {"top_p", &p.sampling.top_p, 0, 1},
        {"min_p", &p.sampling.min_p, 0, 1},
        {"repetition_penalty", &p.sampling.repetition_penalty, 0.01f, 10},
        {"presence_penalty", &p.sampling.presence_penalty, -2, 2},
        {"frequency_penalty", &p.sampling.frequency_penalty, -2, 2},
    };
    for (const Number& n : numbers) {
      if (key != n.key) continue;
      char* end = nullptr;
      const float number = std::strtof(value.c_str(), &end);
      if (value.empty() || *end != '\0' || !(number >= n.low && number <= n.high)) return false;
      *n.field = number;
      return true;
    }
    if (key == "stop") {
      p.stop.clear();
      std::stringstream items(value);
      for (std::string s; std::getline(items, s, ',');) p.stop.push_back(s);
      return true;
    }
    int64_t number = 0;
    auto [end, ec] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (ec != std::errc() || end != value.data() + value.size() || number < 0) return false;
    if (key == "max_tokens") {
      p.max_tokens = number;
    } else if (key == "seed") {
      p.sampling.seed = static_cast<uint64_t>(number);
      p.seed_given = true;
    } else if (key == "top_k") {
      p.sampling.top_k = static_cast<int>(number);
    } else {
      return false;
    }
    return true;
  }

  std::shared_ptr<const protocol::ServedModel> model_;
  protocol::LocalChat chat_;
  protocol::ChatTurn last_;
};

Result<int> run_chat(Options o) {
  MLC_TRY(auto overrides, parse_overrides(o.overrides, {"context_window_size", "prefill_chunk_size"}));
  if (overrides.count("context_window_size")) o.load.model.context_window_size = overrides["context_window_size"];
  if (overrides.count("prefill_chunk_size")) o.load.model.prefill_chunk_size = overrides["prefill_chunk_size"];
  o.load.mode = "interactive";
  const bool terminal = isatty(0) != 0;
  if (!o.prompt && !terminal) {
    o.prompt.emplace(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
    while (!o.prompt->empty() && o.prompt->back() == '\n') o.prompt->pop_back();
    if (o.prompt->empty()) return error("the prompt on standard input is empty");
  }
  MLC_TRY(protocol::ServedModel loaded, loader::load_model(o.load));
  const auto model = std::make_shared<const protocol::ServedModel>(std::move(loaded));
  if (!model->tokenizer)
    return error("{} has no tokenizer, so it cannot chat; serve takes prompts of token ids", model->id);
  protocol::GenerationParams params = protocol::LocalChat::default_params(*model);
  if (o.temperature) params.sampling.temperature = *o.temperature;
  if (o.top_p) params.sampling.top_p = *o.top_p;
  if (o.max_tokens) params.max_tokens = *o.max_tokens;
  if (o.seed) {
    params.sampling.seed = static_cast<uint64_t>(*o.seed);
    params.seed_given = true;
  }
  ChatLoop loop(model, params);
  std::signal(SIGINT, on_interrupt);
  if (o.prompt) {
    MLC_TRY_VOID(loop.answer(*o.prompt));
    return 0;
  }
  print_text(fmt::format("{}: type a message, or /help\n", model->id));
  LineReader reader;
  while (auto line = reader.read()) {
    if (line->empty()) continue;
    if ((*line)[0] == '/') {
      if (!loop.command(*line)) break;
      continue;
    }
    auto done = loop.answer(*line);
    if (!done) print_text(fmt::format("error: {}\n", done.error().message));
  }
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_chat(CLI::App& app) {
  auto o = std::make_shared<Options>();
  add_load_flags(app, o->load, "model,--model");
  app.add_option("--prompt", o->prompt, "Answer this once and exit; without it, a prompt that is piped in is answered");
  app.add_option("--overrides", o->overrides, "k=v;k=v with context_window_size, prefill_chunk_size");
  app.add_option("--temperature", o->temperature, "0 is greedy; default: the model's")->check(CLI::Range(0.0, 2.0));
  app.add_option("--top-p", o->top_p, "Default: the model's")->check(CLI::Range(0.0, 1.0));
  app.add_option("--max-tokens", o->max_tokens, "The most tokens of an answer")->check(at_least(1));
  app.add_option("--seed", o->seed, "Makes sampling reproducible")->check(at_least(0));
  return [o]() { return run_chat(*o); };
}

}  // namespace mlc::tools
