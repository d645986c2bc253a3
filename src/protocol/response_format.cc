#include "protocol/response_format.h"

#include <array>

namespace mlc::protocol {
namespace {

using Kind = text::GrammarSpec::Kind;
using Found = std::optional<RequestedGrammar>;

constexpr const char* kTypes =
    "\"text\", \"json_object\", \"json_schema\", \"regex\", \"choice\", \"lark\", \"ebnf\" or \"grammar\"";

ApiError wrong(const std::string& param, const OrderedJson* found, std::string_view expected) {
  return bad_value(param, found ? describe(Json(*found)) : "missing", expected);
}

const OrderedJson* member(const OrderedJson& object, const std::string& name) {
  const auto it = object.find(name);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

RequestedGrammar grammar(Kind kind, std::string text, const std::string& param) {
  return {{kind, std::move(text), false}, param};
}

// An object, or its text (MLC and vLLM take both).
ApiResult<Found> schema_of(const OrderedJson* schema, const std::string& param, bool lenient) {
  if (!schema || !(schema->is_object() || schema->is_string() || schema->is_boolean())) {
    return wrong(param, schema, "a JSON schema (an object)");
  }
  RequestedGrammar g = grammar(Kind::kJsonSchema, "", param);
  g.spec.text = schema->is_string() ? schema->get<std::string>() : schema->dump();
  g.spec.lenient = lenient;
  return Found(std::move(g));
}

ApiResult<Found> text_of(Kind kind, const OrderedJson* value, const std::string& param, std::string_view expected) {
  if (!value || !value->is_string()) return wrong(param, value, expected);
  return Found(grammar(kind, value->get<std::string>(), param));
}

// EBNF defines rules with ::=, Lark with a colon.
ApiResult<Found> any_grammar(const OrderedJson* value, const std::string& param) {
  const bool ebnf =
      value && value->is_string() && value->get_ref<const std::string&>().find("::=") != std::string::npos;
  return text_of(ebnf ? Kind::kEbnf : Kind::kLark, value, param, "a grammar (a string), EBNF or Lark");
}

ApiResult<Found> choices_of(const OrderedJson* value, const std::string& param) {
  if (!value || !value->is_array() || value->empty()) {
    return wrong(param, value, "a list of at least one string");
  }
  for (size_t i = 0; i < value->size(); ++i) {
    const OrderedJson& one = (*value)[i];
    if (!one.is_string() || one.get_ref<const std::string&>().empty()) {
      return wrong(fmt::format("{}[{}]", param, i), &one, "a non-empty string");
    }
  }
  return Found(grammar(Kind::kChoice, value->dump(), param));
}

// `spec`: the object with name, strict and schema, which is the field `inner` of the request.
ApiResult<Found> json_schema_of(const OrderedJson* spec, const std::string& inner) {
  if (!spec || !spec->is_object()) return wrong(inner, spec, "an object with name and schema");
  const OrderedJson* strict = member(*spec, "strict");
  if (strict && !strict->is_boolean()) return wrong(inner + ".strict", strict, "true or false");
  const OrderedJson* schema = member(*spec, "schema");
  // OpenAI: a name alone is a format without constraints beyond JSON.
  if (!schema) return Found(grammar(Kind::kJsonObject, "", inner));
  return schema_of(schema, inner + ".schema", strict && !strict->get<bool>());
}

// One of vLLM's fields, or of the members of its structured_outputs.
ApiResult<Found> guided(const std::string& name, const OrderedJson& value, const std::string& param) {
  if (name == "json") return schema_of(&value, param, false);
  if (name == "regex") return text_of(Kind::kRegex, &value, param, "a regular expression (a string)");
  if (name == "choice") return choices_of(&value, param);
  if (name == "grammar") return any_grammar(&value, param);
  if (!value.is_boolean()) return wrong(param, &value, "true or false");
  return value.get<bool>() ? Found(grammar(Kind::kJsonObject, "", param)) : Found();
}

constexpr std::array kGuided = {"json", "regex", "choice", "grammar", "json_object"};

ApiResult<Found> structured_outputs(const OrderedJson& value) {
  const std::string param = "structured_outputs";
  if (!value.is_object())
    return wrong(param, &value, "an object with one of json, regex, choice, grammar, json_object");
  if (member(value, "structural_tag")) {
    return unsupported(param + ".structural_tag", "'structured_outputs.structural_tag' is not supported; use grammar.");
  }
  Found found;
  for (const char* name : kGuided) {
    const OrderedJson* one = member(value, name);
    if (!one) continue;
    MLC_TRY(Found next, guided(name, *one, param + "." + name));
    if (found && next) return bad_value(param, "more than one constraint", "one of them");
    if (next) found = std::move(next);
  }
  return found;
}

bool says_anything(const Json& json) {
  for (const char* name : {"response_format", "structured_outputs"}) {
    if (json.contains(name)) return true;
  }
  for (const char* name : kGuided) {
    if (json.contains(std::string("guided_") + name)) return true;
  }
  return false;
}

}  // namespace

ApiResult<Found> read_response_format(const OrderedJson& format, const std::string& param) {
  if (!format.is_object()) return wrong(param, &format, "an object with a type");
  const OrderedJson* type = member(format, "type");
  if (!type || !type->is_string()) return wrong(param + ".type", type, kTypes);
  const std::string name = type->get<std::string>();
  if (name == "text") return Found();
  if (name == "json_object") {
    const OrderedJson* schema = member(format, "schema");
    if (schema) return schema_of(schema, param + ".schema", false);
    return Found(grammar(Kind::kJsonObject, "", param));
  }
  if (name == "json_schema") return json_schema_of(member(format, "json_schema"), param + ".json_schema");
  if (name == "regex") {
    const char* key = member(format, "pattern") ? "pattern" : "regex";
    return text_of(Kind::kRegex, member(format, key), param + "." + key, "a regular expression (a string)");
  }
  if (name == "choice") return choices_of(member(format, "choices"), param + ".choices");
  const OrderedJson* source = member(format, "grammar");
  if (name == "lark") return text_of(Kind::kLark, source, param + ".grammar", "a Lark grammar (a string)");
  if (name == "ebnf") return text_of(Kind::kEbnf, source, param + ".grammar", "an EBNF grammar (a string)");
  if (name == "grammar") return any_grammar(source, param + ".grammar");
  if (name == "structural_tag") {
    return unsupported(param + ".type", fmt::format("'{}.type' is \"structural_tag\", which is not supported; use {}.",
                                                    param, "\"grammar\""));
  }
  return wrong(param + ".type", type, kTypes);
}

ApiResult<Found> read_text_format(const Json& json, std::string_view body) {
  const auto text = json.find("text");
  if (text == json.end() || !text->is_object() || !text->contains("format") || (*text)["format"].is_null()) {
    return Found();
  }
  const OrderedJson ordered = OrderedJson::parse(body, nullptr, false);
  const OrderedJson& format = ordered["text"]["format"];
  const std::string param = "text.format";
  if (!format.is_object() || format.value("type", OrderedJson()) != "json_schema") {
    return read_response_format(format, param);
  }
  return json_schema_of(&format, param);
}

ApiResult<Found> read_grammar(const Json& json, std::string_view body) {
  if (!says_anything(json)) return Found();
  const OrderedJson ordered = OrderedJson::parse(body, nullptr, false);
  if (!ordered.is_object()) return bad_value("body", "not a JSON object", "one");
  Found found;
  const auto add = [&](ApiResult<Found> next) -> std::optional<ApiError> {
    if (!next) return next.error();
    if (found && *next) {
      return bad_value((*next)->param, "given together with '" + found->param + "'", "one of them");
    }
    if (*next) found = std::move(*next);
    return std::nullopt;
  };
  if (const OrderedJson* format = member(ordered, "response_format")) {
    if (auto e = add(read_response_format(*format))) return *e;
  }
  if (const OrderedJson* outputs = member(ordered, "structured_outputs")) {
    if (auto e = add(structured_outputs(*outputs))) return *e;
  }
  for (const char* name : kGuided) {
    const std::string param = std::string("guided_") + name;
    if (const OrderedJson* value = member(ordered, param)) {
      if (auto e = add(guided(name, *value, param))) return *e;
    }
  }
  return found;
}

}  // namespace mlc::protocol
