#include "protocol/generation_params.h"

#include <charconv>
#include <random>

namespace mlc::protocol {
namespace {

uint64_t random_seed() {
  static thread_local std::mt19937_64 source{(uint64_t{std::random_device{}()} << 32) | std::random_device{}()};
  return source();
}

void read_float(Fields& f, const char* name, double low, double high, float* out) {
  if (auto v = f.number(name, low, high)) *out = static_cast<float>(*v);
}

void read_sampling(Fields& f, engine::SamplingParams* s) {
  read_float(f, "temperature", 0, 2, &s->temperature);
  read_float(f, "top_p", 0, 1, &s->top_p);
  read_float(f, "min_p", 0, 1, &s->min_p);
  read_float(f, "presence_penalty", -2, 2, &s->presence_penalty);
  read_float(f, "frequency_penalty", -2, 2, &s->frequency_penalty);
  read_float(f, "repetition_penalty", 0.01, 100, &s->repetition_penalty);
  if (auto k = f.integer("top_k", -1, INT32_MAX)) s->top_k = *k < 0 ? 0 : static_cast<int>(*k);  // -1: no limit, too
}

void read_logit_bias(Fields& f, engine::SamplingParams* s) {
  const Json* bias = f.object("logit_bias");
  if (!bias) return;
  for (const auto& [key, value] : bias->items()) {
    int32_t id = -1;
    const auto [end, fault] = std::from_chars(key.data(), key.data() + key.size(), id);
    if (fault != std::errc() || end != key.data() + key.size() || id < 0) {
      return f.fail(bad_value("logit_bias", fmt::format("keyed by {}", describe(Json(key))), "token ids as keys"));
    }
    const bool ok = value.is_number() && value.get<double>() >= -100 && value.get<double>() <= 100;
    if (!ok) {
      return f.fail(bad_value(fmt::format("logit_bias[\"{}\"]", id), describe(value), "a number from -100 to 100"));
    }
    s->logit_bias[id] = value.get<float>();
  }
}

void read_stop(Fields& f, GenerationParams* p) {
  const std::string expected = fmt::format("a non-empty string or a list of at most {} of them", kMaxStops);
  if (const Json* stop = f.find("stop")) {
    const Json list = stop->is_array() ? *stop : Json::array({*stop});
    if (list.size() > kMaxStops) return f.fail(bad_value("stop", describe(list), expected));
    for (const Json& s : list) {
      if (!s.is_string() || s.get_ref<const std::string&>().empty()) {
        return f.fail(bad_value("stop", describe(s), expected));
      }
      p->stop.push_back(s.get<std::string>());
    }
  }
  if (const Json* ids = f.find("stop_token_ids")) {
    auto parsed = token_ids(*ids, "stop_token_ids");
    if (!parsed) return f.fail(parsed.error());
    p->stop_token_ids = std::move(*parsed);
  }
}

void read_cache_salt(Fields& f, GenerationParams* p) {
  auto salt = f.string("cache_salt");
  if (!salt) return;
  if (salt->empty() || salt->size() > kMaxSaltBytes) {
    return f.fail(bad_value("cache_salt", fmt::format("a string of {} bytes", salt->size()),
                            fmt::format("1 to {} bytes", kMaxSaltBytes)));
  }
  p->cache_salt = std::move(*salt);
}

void read_stream(Fields& f, GenerationParams* p) {
  p->stream = f.boolean("stream").value_or(false);
  const Json* options = f.object("stream_options");
  if (!options) return;
  if (!p->stream) {
    return f.fail(bad_value("stream_options", "given without \"stream\": true", "it only with streaming"));
  }
  Fields inner(*options, "stream_options.");
  p->include_usage = inner.boolean("include_usage").value_or(false);
  if (inner.failed()) f.fail(inner.error());
}

void refuse(Fields& f, const char* name, const std::string& why) {
  f.fail(unsupported(name, fmt::format("'{}' is not supported in this version: {}", name, why)));
}

bool is_empty_container(const Json& v) { return (v.is_array() || v.is_object()) && v.empty(); }

// Fields that would change the answer: taking them silently would be a lie.
void refuse_unsupported(Fields& f) {
  struct Refused {
    const char* name;
    const char* why;
  };
  static constexpr Refused kRefused[] = {
      {"audio", "only text is generated."},
      {"prediction", "leave it out."},
      {"web_search_options", "nothing here searches the web."},
  };
  for (const Refused& r : kRefused) {
    const Json* value = f.find(r.name);
    if (value && !is_empty_container(*value)) refuse(f, r.name, r.why);
  }
}

}  // namespace

GenerationParams read_generation_params(Fields& f, const GenerationDefaults& defaults) {
  GenerationParams p;
  p.sampling = defaults.sampling;
  p.max_tokens = defaults.max_tokens;
  p.model = f.string("model").value_or("");
  (void)f.string("user");  // checked for its type; nothing here depends on it
  read_sampling(f, &p.sampling);
  read_logit_bias(f, &p.sampling);
  read_stop(f, &p);
  read_stream(f, &p);
  p.ignore_eos = f.boolean("ignore_eos").value_or(false);
  p.return_token_ids = f.boolean("return_token_ids").value_or(false);
  p.return_tokens_as_token_ids = f.boolean("return_tokens_as_token_ids").value_or(false);
  p.min_tokens = f.integer("min_tokens", 0, INT32_MAX).value_or(0);
  p.priority = static_cast<int>(f.integer("priority", INT32_MIN, INT32_MAX).value_or(0));
  read_cache_salt(f, &p);
  p.n = p.best_of = static_cast<int>(f.integer("n", 1, kMaxChoices).value_or(1));
  const auto seed = f.integer("seed", INT64_MIN, INT64_MAX);
  p.seed_given = seed.has_value();
  p.sampling.seed = seed ? static_cast<uint64_t>(*seed) : random_seed();
  refuse_unsupported(f);
  return p;
}

void check_limits(Fields& f, const GenerationParams& p) {
  if (p.max_tokens && p.min_tokens > *p.max_tokens) {
    f.fail(bad_value("min_tokens", fmt::format("{}", p.min_tokens),
                     fmt::format("at most the number of tokens asked for, {}", *p.max_tokens)));
  }
}

}  // namespace mlc::protocol
