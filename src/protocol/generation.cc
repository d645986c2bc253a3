#include "protocol/generation.h"

#include <algorithm>
#include <limits>

#include "protocol/call_constraint.h"

namespace mlc::protocol {
namespace {

void join_calls(std::vector<CallDelta>* to, std::vector<CallDelta> more) {
  for (CallDelta& call : more) {
    const auto same = [&call](const CallDelta& c) { return c.index == call.index; };
    const auto it = std::find_if(to->begin(), to->end(), same);
    if (call.broken) {
      std::erase_if(*to, same);
    } else if (it == to->end()) {
      to->push_back(std::move(call));
    } else {
      it->arguments += call.arguments;
    }
  }
}

void join(Piece* to, Piece piece) {
  to->text += piece.text;
  to->reasoning += piece.reasoning;
  join_calls(&to->calls, std::move(piece.calls));
  to->called = piece.called;
  std::move(piece.tokens.begin(), piece.tokens.end(), std::back_inserter(to->tokens));
  to->finish = piece.finish;
}

}  // namespace

Generation::Generation(Model model, GenerationParams params, bool chat)
    : model_(std::move(model)), params_(std::move(params)), names_(*model_, params_.return_tokens_as_token_ids) {
  shape_ = {chat, params_.num_logprobs >= 0, params_.return_token_ids};
  head_ = {(chat ? "chatcmpl-" : "cmpl-") + random_hex(), model_->id, model_->fingerprint, unix_seconds()};
}

Generation::~Generation() {
  if (queue_) queue_->close();
  for (const Choice& choice : choices_) {
    if (!choice.closed) model_->engine->cancel(choice.request, choice.index);
  }
}

ApiResult<std::unique_ptr<Generation>> Generation::start(Model model, const ChatRequest& request, Notify notify) {
  if (auto e = check_ids(*model, request.params)) return *e;
  std::string prompt;
  MLC_TRY(auto ids, encode_chat(*model, request, &prompt));
  std::unique_ptr<Generation> g(new Generation(model, request.params, true));
  g->shape_.legacy_calls = request.tools.legacy;
  g->shape_.named_call = request.tools.choice.mode == ToolChoice::Mode::kNamed;
  g->add_ends(request);
  const text::ToolFormat* calls = &tool_format(*model);
  if (request.tools.must_call()) {
    MLC_TRY(calls, constrain_calls(*model, request, prompt, &g->params_));
  } else if (auto e = compile_grammar(*model, &g->params_)) {
    return *e;
  }
  g->add_prompt(std::move(ids), nullptr, false);
  if (MessageParser::needed(*model, request)) g->parse_answers(request, prompt, *calls);
  if (auto e = g->submit(false, std::move(notify))) return *e;
  return g;
}

ApiResult<std::unique_ptr<Generation>> Generation::start(Model model, const CompletionRequest& request, Notify notify) {
  if (auto e = check_ids(*model, request.params)) return *e;
  std::unique_ptr<Generation> g(new Generation(model, request.params, false));
  if (auto e = compile_grammar(*model, &g->params_)) return *e;
  const int64_t answer_tokens = request.params.max_tokens == 0 ? 0 : 1;
  for (const Prompt& prompt : request.prompts) {
    const std::string param = request.prompts.size() == 1 ? "prompt" : fmt::format("prompt[{}]", g->prompts_.size());
    MLC_TRY(auto ids, encode_prompt(*model, prompt, request.add_special_tokens, answer_tokens, param));
    g->add_prompt(std::move(ids), std::get_if<std::string>(&prompt), request.echo);
  }
  if (auto e = g->submit(request.echo, std::move(notify))) return *e;
  return g;
}

void Generation::add_prompt(std::vector<int32_t> ids, const std::string* text, bool echo) {
  EncodedPrompt prompt;
  if (echo) {
    std::optional<text::StreamDetokenizer> stream;
    if (model_->tokenizer) stream.emplace(*model_->tokenizer);
    size_t characters = 0;
    for (const int32_t id : ids) {
      prompt.tokens.push_back({id, characters, std::nullopt});
      if (!stream) continue;
      const std::string piece = stream->feed(id);
      characters += count_characters(piece);
      prompt.text += piece;
    }
    if (stream) prompt.text += stream->flush();
    if (text) prompt.text = *text;
  }
  usage_.prompt_tokens += static_cast<int64_t>(ids.size());
  prompt.ids = std::move(ids);
  const size_t base = count_characters(prompt.text);
  for (int i = 0; i < params_.best_of; ++i) {
    Choice choice{prompts_.size(), i, 0, ChoiceText(*model_, params_, !shape_.chat, base)};
    choices_.push_back(std::move(choice));
  }
  prompts_.push_back(std::move(prompt));
}

// Tokens that end answers in the model's format of calls.
void Generation::add_ends(const ChatRequest& request) {
  const AnswerFormat& answers = model_->answers;
  const bool parsed =
      MessageParser::needed(*model_, request) && text::needs_parsing(answers.format, request.tools.offered());
  if (!parsed || params_.ignore_eos) return;
  params_.stop_token_ids.insert(params_.stop_token_ids.end(), answers.ends.begin(), answers.ends.end());
}

void Generation::parse_answers(const ChatRequest& request, const std::string& prompt, const text::ToolFormat& calls) {
  const AnswerFormat& answers = model_->answers;
  std::vector<int32_t> marks = answers.reasoning_marks;
  const bool tools = text::needs_parsing(answers.format, request.tools.offered());
  if (tools) marks.insert(marks.end(), answers.tool_marks.begin(), answers.tool_marks.end());
  if (answers.format.reasoning) usage_.reasoning_tokens = 0;
  for (Choice& choice : choices_) {
    choice.text = ChoiceText(*model_, params_, false, 0, marks);
    choice.parser.emplace(*model_, request, prompt, calls);
  }
}

std::optional<ApiError> Generation::submit(bool echo, Notify notify) {
  echo_ = echo;
  queue_ = std::make_shared<OutputQueue>(choices_.size(), std::move(notify));
  for (Choice& choice : choices_) choice.closed = true;  // nothing to cancel yet
  for (size_t first = 0; first < choices_.size(); first += static_cast<size_t>(params_.best_of)) {
    engine::Request request = make_request(*model_, params_, prompts_[choices_[first].prompt].ids);
    request.name = head_.id;
    if (first > 0) request.name += fmt::format(".{}", choices_[first].prompt);
    request.prompt_logprobs = echo && shape_.logprobs;
    auto id = model_->engine->submit(std::move(request), [queue = queue_, first](const engine::Output& output) {
      queue->push(first + static_cast<size_t>(output.choice), output);
    });
    if (!id) return from_error(id.error(), shape_.chat ? "messages" : "prompt");
    for (size_t i = first; i < first + static_cast<size_t>(params_.best_of); ++i) {
      choices_[i].request = *id;
      choices_[i].closed = false;
    }
  }
  return std::nullopt;
}

bool Generation::finished() const {
  return failed_ || std::all_of(choices_.begin(), choices_.end(), [](const Choice& c) { return c.closed; });
}

void Generation::fail(ApiError failure) {
  if (!failed_) failed_ = std::move(failure);
}

void Generation::poll() {
  if (finished()) return;
  if (shape_.chat && params_.stream) {
    for (size_t i = 0; i < choices_.size(); ++i) {
      if (!std::exchange(choices_[i].opened, true)) add_event(role_choice(static_cast<int>(i)));
    }
  }
  for (const auto& [index, output] : queue_->drain()) {
    if (failed_) break;
    if (!choices_[index].closed) feed(index, output);
  }
  if (params_.stream && finished()) finish_stream();
}

void Generation::feed(size_t index, const engine::Output& output) {
  Choice& choice = choices_[index];
  if (times_.first_token < 0 && !output.tokens.empty()) {
    times_.first_token = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun_).count();
  }
  if (times_.queued < 0 && output.finish_reason != engine::FinishReason::kNone) {
    times_.queued = std::max(0.0, times_.first_token - output.prefill_s);
  }
  EncodedPrompt& prompt = prompts_[choice.prompt];
  std::copy(output.prompt_logprobs.begin(), output.prompt_logprobs.end(), std::back_inserter(prompt.logprobs));
  usage_.cached_tokens += std::max<int64_t>(0, output.cached_prompt_tokens - prompt.cached_tokens);
  prompt.cached_tokens = std::max(prompt.cached_tokens, output.cached_prompt_tokens);
  choice.text.feed(output);
  if (choice.text.finished()) {
    choice.closed = true;
    usage_.completion_tokens += choice.text.completion_tokens();
    if (output.finish_reason == engine::FinishReason::kNone) model_->engine->cancel(choice.request, choice.index);
  }
  const bool open = choice.opened || ready_to_open(choice);
  if (!open) return;  // the echoed prompt goes first, when its log-probabilities are complete
  if (!choice.opened) {
    choice.opened = true;
    if (params_.stream) {
      if (echo_) stream_piece(index, opening(choice));
    } else {
      choice.all = opening(choice);
    }
  }
  auto piece = choice.text.take();
  if (!piece) return;
  if (choice.parser) parse(&choice, &*piece);
  if (piece->finish == engine::FinishReason::kError) return fail(internal_error("The engine failed: " + piece->error));
  if (piece->finish == engine::FinishReason::kCancelled) {
    return fail(overloaded("The request was cancelled: the server is shutting down."));
  }
  if (params_.stream) return stream_piece(index, std::move(*piece));
  join(&choice.all, std::move(*piece));
}

// The text of the piece becomes what it means.
void Generation::parse(Choice* choice, Piece* piece) {
  choice->parser->apply(piece);
  if (choice->parser->enough() && !choice->closed) {  // the only call that was asked for is complete
    choice->closed = true;
    usage_.completion_tokens += choice->text.completion_tokens();
    model_->engine->cancel(choice->request, choice->index);
    piece->finish = engine::FinishReason::kStop;
  }
  if (piece->finish == engine::FinishReason::kNone || !usage_.reasoning_tokens) return;
  *usage_.reasoning_tokens += choice->parser->reasoning_tokens();
}

bool Generation::ready_to_open(const Choice& choice) const {
  if (!echo_ || !shape_.logprobs) return true;
  const EncodedPrompt& prompt = prompts_[choice.prompt];  // the choices of one share its scores
  return choice.closed || prompt.logprobs.size() + 1 >= prompt.ids.size();
}

// What comes before the generated text: nothing, or the prompt.
Piece Generation::opening(const Choice& choice) const {
  Piece piece;
  if (!echo_) return piece;
  const EncodedPrompt& prompt = prompts_[choice.prompt];
  piece.text = prompt.text;
  piece.tokens = prompt.tokens;
  piece.num_prompt_tokens = prompt.tokens.size();
  for (size_t i = 1; i < piece.tokens.size() && i <= prompt.logprobs.size(); ++i) {
    piece.tokens[i].logprob = prompt.logprobs[i - 1];
  }
  return piece;
}

void Generation::stream_piece(size_t index, Piece piece) {
  Choice& choice = choices_[index];
  if (choice.parser) {
    // What has nothing to show yet (half a mark) waits for what comes next; its tokens go with that.
    join(&choice.all, std::move(piece));
    const Piece& all = choice.all;
    if (all.text.empty() && all.reasoning.empty() && all.calls.empty() && all.finish == engine::FinishReason::kNone) {
      return;
    }
    piece = std::exchange(choice.all, {});
  }
  if (shape_.chat && !piece.calls.empty() && piece.finish != engine::FinishReason::kNone) {
    // As OpenAI's servers do: their clients complete only those calls that they have seen before the reason.
    Piece end;
    end.finish = std::exchange(piece.finish, engine::FinishReason::kNone);
    end.called = piece.called;
    add_event(chunk_choice(shape_, names_, static_cast<int>(index), piece));
    piece = std::move(end);
  }
  add_event(chunk_choice(shape_, names_, static_cast<int>(index), piece));
}

void Generation::add_event(OrderedJson choice) {
  OrderedJson body = response_body(head_, shape_.chat, true, OrderedJson::array({std::move(choice)}));
  if (params_.include_usage) body["usage"] = nullptr;
  chunks_.push_back(std::move(body));
}

void Generation::finish_stream() {
  if (std::exchange(stream_ended_, true)) return;
  if (failed_) {
    chunks_.push_back(failed_->json());
  } else if (params_.include_usage) {
    OrderedJson body = response_body(head_, shape_.chat, true, OrderedJson::array());
    body["usage"] = usage_.json();
    chunks_.push_back(std::move(body));
  }
}

std::vector<OrderedJson> Generation::take_chunks() { return std::exchange(chunks_, {}); }

// Of each prompt's choices, the n with the highest mean log-probability of their tokens, the best one first.
std::vector<size_t> Generation::best_choices() const {
  const auto mean = [this](size_t i) {
    const Piece& all = choices_[i].all;
    double sum = 0;
    size_t count = 0;
    for (size_t t = all.num_prompt_tokens; t < all.tokens.size(); ++t) {
      if (!all.tokens[t].logprob) continue;
      sum += static_cast<double>(all.tokens[t].logprob->logprob);
      ++count;
    }
    return count == 0 ? -std::numeric_limits<double>::infinity() : sum / static_cast<double>(count);
  };
  std::vector<size_t> out;
  for (size_t first = 0; first < choices_.size(); first += static_cast<size_t>(params_.best_of)) {
    std::vector<std::pair<double, size_t>> ranked;  // ascending: the best has the smallest
    for (size_t i = first; i < first + static_cast<size_t>(params_.best_of); ++i) ranked.emplace_back(-mean(i), i);
    if (params_.best_of > params_.n) std::sort(ranked.begin(), ranked.end());
    for (int i = 0; i < params_.n; ++i) out.push_back(ranked[static_cast<size_t>(i)].second);
  }
  return out;
}

OrderedJson Generation::body_json() {
  OrderedJson list = OrderedJson::array();
  for (const size_t i : best_choices()) {
    OrderedJson choice = whole_choice(shape_, names_, static_cast<int>(list.size()), choices_[i].all);
    if (shape_.token_ids) choice["prompt_token_ids"] = prompts_[choices_[i].prompt].ids;
    list.push_back(std::move(choice));
  }
  OrderedJson body = response_body(head_, shape_.chat, false, std::move(list));
  body["usage"] = usage_.json();
  return body;
}

}  // namespace mlc::protocol
