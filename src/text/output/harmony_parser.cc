#include "text/output/harmony_parser.h"

namespace mlc::text {
namespace {

constexpr size_t kMaxHeader = 400;

// "… to=functions.get_weather …" -> "functions.get_weather"
std::string recipient(std::string_view header) {
  const size_t at = header.find("to=");
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + 3);
  return std::string(rest.substr(0, rest.find_first_of(" \t\r\n<")));
}

std::string first_word(std::string_view text) {
  const size_t at = text.find_first_not_of(kSpaces);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at);
  return std::string(text.substr(0, text.find_first_of(" \t\r\n<")));
}

}  // namespace

HarmonyParser::HarmonyParser(EventList* out)
    : ToolParser(out),
      tokens_{"<|start|>", "<|channel|>", "<|message|>", "<|constrain|>", "<|end|>", "<|call|>", "<|return|>"} {}

void HarmonyParser::put(char c) {
  held_ += c;
  if (is_one_of(held_, tokens_)) return put_token(std::exchange(held_, {}));
  if (begins_one_of(held_, tokens_)) return;
  const std::string text = std::exchange(held_, {});
  put_text(text[0]);
  for (const char later : std::string_view(text).substr(1)) put(later);
}

void HarmonyParser::put_token(std::string_view token) {
  if (state_ == State::kBody) {
    const bool quoted = body_ == Body::kCall && scanner_.in_string();
    if (quoted || token == "<|message|>" || token == "<|constrain|>") {
      for (const char c : token) put_text(c);  // not where these belong: text
      return;
    }
    close_body(false);
  }
  if (token == "<|message|>") return open_body();
  if (token == "<|channel|>") {
    header_ += token;
    in_channel_ = true;
    channel_.clear();
  } else if (token == "<|constrain|>") {
    header_ += token;
    if (in_channel_) channel_ += ' ';
  } else {
    // A header that ends without <|message|>; what it held is text, unless it is the usual beginning.
    if (header_ != "<|start|>assistant") out_.content(header_);
    header_ = token == "<|start|>" ? std::string(token) : "";
    channel_.clear();
    in_channel_ = false;
  }
}

void HarmonyParser::put_text(char c) {
  if (state_ == State::kHeader) {
    header_ += c;
    if (in_channel_) channel_ += c;
    if (header_.size() > kMaxHeader) give_up();
    return;
  }
  if (body_ == Body::kCall) return put_argument(c);
  if (body_ == Body::kReasoning) return out_.reasoning({&c, 1});
  out_.content({&c, 1});
}

// A header that does not end: all of it is text.
void HarmonyParser::give_up() {
  out_.content(std::exchange(header_, {}));
  channel_.clear();
  in_channel_ = false;
  state_ = State::kBody;
  body_ = Body::kContent;
}

void HarmonyParser::open_body() {
  const std::string to = recipient(header_);
  const std::string channel = first_word(channel_);
  state_ = State::kBody;
  body_ = !to.empty() && to != "all" ? Body::kCall : channel == "analysis" ? Body::kReasoning : Body::kContent;
  constexpr std::string_view kPrefix = "functions.";
  name_ = to.starts_with(kPrefix) ? to.substr(kPrefix.size()) : to;
  raw_ = std::exchange(header_, {}) + "<|message|>";
  channel_.clear();
  in_channel_ = false;
  scanner_ = JsonScanner();
  told_ = false;
  if (body_ == Body::kCall && name_.empty()) body_ = Body::kContent;
}

void HarmonyParser::put_argument(char c) {
  std::string text;
  const bool begins = !told_ && !is_space(c);
  const bool more = scanner_.status() == JsonScanner::Status::kMore;
  const bool wrong = begins && c != '{';
  if (wrong || (more ? !scanner_.put(c, &text) : !is_space(c))) {
    raw_ += c;
    body_ = Body::kContent;
    if (!told_) return out_.content(std::exchange(raw_, {}));
    // After a whole object: the call stands, what follows it is text.
    if (!more) return out_.content({&c, 1});
    return out_.break_call(std::exchange(raw_, {}));
  }
  raw_ += c;
  if (begins) {
    out_.begin_call(name_);
    told_ = true;
  }
  out_.arguments(text);
  if (more && scanner_.status() == JsonScanner::Status::kDone) out_.end_call();
}

void HarmonyParser::close_body(bool truncated) {
  state_ = State::kHeader;
  if (body_ != Body::kCall) return;
  const bool open = scanner_.status() != JsonScanner::Status::kDone;
  if (!told_ && !truncated) {
    out_.begin_call(name_);
    out_.arguments("{}");
    out_.end_call();
  } else if (open && !truncated) {
    out_.break_call(std::exchange(raw_, {}));
  }
}

void HarmonyParser::end(bool truncated) {
  for (const char c : std::exchange(held_, {})) put_text(c);
  if (state_ == State::kBody) {
    close_body(truncated);
  } else if (header_ != "<|start|>assistant" && (!truncated || header_.find("<|") == std::string::npos)) {
    out_.content(std::exchange(header_, {}));  // text without a header, or a header without text
  }
}

}  // namespace mlc::text
