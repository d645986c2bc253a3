#include "text/grammar.h"

#include <algorithm>

#include "text/ebnf.h"
#include "text/grammar_cache.h"
#include "text/schema_rewrite.h"

namespace mlc::text {
namespace {

constexpr size_t kMaxCached = 32;                    // grammars per tokenizer
constexpr size_t kMaxCachedSource = 128 << 10;       // larger ones are not kept
constexpr size_t kMaxLexerBytes = size_t{32} << 20;  // what a kept grammar may have learnt
constexpr int kMaxNesting = 200;                     // of brackets in a Lark grammar

struct Source {
  uint32_t kind;
  std::string text;
};

Result<void> check_size(const GrammarSpec& spec) {
  const size_t limit = spec.kind == GrammarSpec::Kind::kJsonSchema ? kMaxSchemaBytes : kMaxGrammarBytes;
  if (spec.text.size() > limit) return error("the grammar has {} bytes; at most {}", spec.text.size(), limit);
  return {};
}

// The parser of Lark grammars is recursive. Brackets in strings are counted too: no real grammar comes near the limit.
Result<void> check_nesting(std::string_view lark) {
  int depth = 0;
  for (const char c : lark) {
    if (c == '\n') depth = std::max(depth, 0);
    if (c == '(' || c == '[' || c == '{') ++depth;
    if ((c == ')' || c == ']' || c == '}') && depth > 0) --depth;
    if (depth > kMaxNesting) return error("the grammar's brackets are nested deeper than {}", kMaxNesting);
  }
  return {};
}

// ^…$ around an expression that matches the whole answer anyway. "\$" is a dollar sign.
std::string without_anchors(std::string_view regex) {
  if (regex.starts_with('^')) regex.remove_prefix(1);
  if (regex.ends_with('$')) {
    const size_t last = regex.find_last_not_of('\\', regex.size() - 2);
    const size_t backslashes = regex.size() - 1 - (last == std::string_view::npos ? 0 : last + 1);
    if (regex.size() == 1 || backslashes % 2 == 0) regex.remove_suffix(1);
  }
  return std::string(regex);
}

Result<std::string> lark_of_choice(const std::string& text) {
  MLC_TRY(const Json list, parse_json(text, "the choices"));
  if (!list.is_array() || list.empty()) return error("the choices must be a list of at least one string");
  std::string lark = "start: CHOICE\nCHOICE: ";
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_string() || list[i].get_ref<const std::string&>().empty()) {
      return error("choice {} is {}; expected a non-empty string", i, list[i].is_string() ? "empty" : "not a string");
    }
    lark += (i == 0 ? "" : " | ") + list[i].dump();
  }
  return lark + "\n";
}

Result<Source> to_source(const GrammarSpec& spec) {
  MLC_TRY_VOID(check_size(spec));
  switch (spec.kind) {
    case GrammarSpec::Kind::kJsonObject:
      return Source{MLC_RS_GRAMMAR_JSON_OBJECT, ""};
    case GrammarSpec::Kind::kJsonSchema: {
      MLC_TRY(std::string schema, rewrite_schema(spec.text));
      return Source{MLC_RS_GRAMMAR_JSON_SCHEMA, std::move(schema)};
    }
    case GrammarSpec::Kind::kRegex:
      if (spec.text.empty()) return error("the regular expression is empty");
      return Source{MLC_RS_GRAMMAR_REGEX, without_anchors(spec.text)};
    case GrammarSpec::Kind::kLark:
      if (spec.text.find_first_not_of(" \t\r\n") == std::string::npos) return error("the grammar is empty");
      MLC_TRY_VOID(check_nesting(spec.text));
      return Source{MLC_RS_GRAMMAR_LARK, spec.text};
    case GrammarSpec::Kind::kEbnf: {
      MLC_TRY(std::string lark, lark_of_ebnf(spec.text));
      return Source{MLC_RS_GRAMMAR_LARK, std::move(lark)};
    }
    case GrammarSpec::Kind::kChoice: {
      MLC_TRY(std::string lark, lark_of_choice(spec.text));
      return Source{MLC_RS_GRAMMAR_LARK, std::move(lark)};
    }
  }
  return error("unknown kind of grammar {}", static_cast<int>(spec.kind));
}

}  // namespace

struct Grammar::Impl {
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { mlc_rs_grammar_free(rust); }

  MlcRsGrammar* rust = nullptr;
  std::string warnings;
};

struct GrammarState::Handle {
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { mlc_rs_matcher_free(rust); }

  MlcRsMatcher* rust = nullptr;
  std::string failure;  // why there is no matcher: a clone that failed
};

Result<void> GrammarCache::build_env() {
  std::call_once(once_, [this] {
    RustBytes failure;
    if (mlc_rs_grammar_env_new(tokenizer_, &env_, failure.out()) != MLC_RS_OK) {
      env_ = nullptr;
      failure_ = failure.str();
    }
  });
  if (env_ == nullptr) return error("this model's tokenizer cannot be used with grammars: {}", failure_);
  return {};
}

const Grammar* GrammarCache::find(uint32_t kind, const std::string& source, bool lenient) {
  const auto same = [&](const Entry& e) { return e.kind == kind && e.lenient == lenient && e.source == source; };
  const auto it = std::find_if(entries_.begin(), entries_.end(), same);
  if (it == entries_.end()) return nullptr;
  if (!mlc_rs_grammar_usable(it->grammar.impl_->rust, kMaxLexerBytes)) {
    entries_.erase(it);  // the sequences that use it keep it
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, it);
  return &it->grammar;
}

Result<Grammar> GrammarCache::get(uint32_t kind, const std::string& source, bool lenient) {
  MLC_TRY_VOID(build_env());
  {
    std::lock_guard lock(mutex_);
    if (const Grammar* known = find(kind, source, lenient)) return *known;
  }
  auto impl = std::make_shared<Grammar::Impl>();
  RustBytes warnings, failure;
  if (mlc_rs_grammar_new(env_, kind, bytes_of(source), source.size(), lenient, &impl->rust, warnings.out(),
                         failure.out()) != MLC_RS_OK) {
    return error("{}", failure.view());
  }
  impl->warnings = warnings.str();
  Grammar grammar(std::move(impl));
  if (source.size() <= kMaxCachedSource) {
    std::lock_guard lock(mutex_);
    if (const Grammar* known = find(kind, source, lenient)) return *known;  // another thread was faster
    entries_.push_front({kind, lenient, source, grammar});
    if (entries_.size() > kMaxCached) entries_.pop_back();
  }
  return grammar;
}

Result<Grammar> Grammar::compile(const Tokenizer& tokenizer, const GrammarSpec& spec) {
  MLC_TRY(const Source source, to_source(spec));
  auto grammar = tokenizer.grammars().get(source.kind, source.text, spec.lenient);
  if (grammar || source.kind != MLC_RS_GRAMMAR_JSON_SCHEMA) return grammar;
  return error("{}", explain_schema_error(spec.text, grammar.error().message));
}

const std::string& Grammar::warnings() const { return impl_->warnings; }

Result<GrammarState> Grammar::start() const {
  auto handle = std::make_unique<GrammarState::Handle>();
  RustBytes failure;
  if (mlc_rs_matcher_new(impl_->rust, &handle->rust, failure.out()) != MLC_RS_OK) return error("{}", failure.view());
  GrammarState state(std::move(handle));
  MLC_TRY_VOID(state.read_state());
  return state;
}

GrammarState::GrammarState(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
GrammarState::GrammarState(GrammarState&&) noexcept = default;
GrammarState& GrammarState::operator=(GrammarState&&) noexcept = default;
GrammarState::~GrammarState() = default;

GrammarState::GrammarState(const GrammarState& other)
    : handle_(std::make_unique<Handle>()), may_stop_(other.may_stop_), must_stop_(other.must_stop_) {
  handle_->failure = other.handle_->failure;
  if (other.handle_->rust == nullptr) return;
  RustBytes failure;
  if (mlc_rs_matcher_clone(other.handle_->rust, &handle_->rust, failure.out()) != MLC_RS_OK) {
    handle_->rust = nullptr;
    handle_->failure = failure.str();
  }
}

Result<void> GrammarState::read_state() {
  uint32_t flags = 0;
  RustBytes failure;
  if (mlc_rs_matcher_state(handle_->rust, &flags, failure.out()) != MLC_RS_OK) return error("{}", failure.view());
  may_stop_ = (flags & MLC_RS_MAY_STOP) != 0;
  must_stop_ = (flags & MLC_RS_MUST_STOP) != 0;
  return {};
}

Result<void> GrammarState::mask(std::span<uint32_t> bits) {
  if (handle_->rust == nullptr) return error("{}", handle_->failure);
  if (must_stop_) {
    std::fill(bits.begin(), bits.end(), 0);
    return {};
  }
  RustBytes failure;
  if (mlc_rs_matcher_mask(handle_->rust, bits.data(), bits.size(), failure.out()) != MLC_RS_OK) {
    return error("{}", failure.view());
  }
  return {};
}

Result<void> GrammarState::accept(int32_t token) {
  if (handle_->rust == nullptr) return error("{}", handle_->failure);
  if (must_stop_) return error("token {} after the end of the grammar", token);
  RustBytes failure;
  if (mlc_rs_matcher_accept(handle_->rust, static_cast<uint32_t>(token), failure.out()) != MLC_RS_OK) {
    return error("{}", failure.view());
  }
  return read_state();
}

std::vector<int32_t> GrammarState::forced() {
  RustIds ids;
  RustBytes failure;
  if (handle_->rust == nullptr || must_stop_) return {};
  if (mlc_rs_matcher_forced(handle_->rust, ids.out(), failure.out()) != MLC_RS_OK) return {};
  return std::vector<int32_t>(ids.data(), ids.data() + ids.size());
}

}  // namespace mlc::text
