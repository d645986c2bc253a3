#include "text/schema_rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <vector>

#include "base/json.h"

namespace mlc::text {
namespace {

constexpr int kMaxDepth = 100;  // of arrays and objects

bool is_one_of(std::string_view key, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), key) != list.end();
}

// Calls `visit` for every schema directly inside `schema`, with its place. J: OrderedJson, const or not.
template <typename J, typename Visit>
void for_each_child(J& schema, const Visit& visit) {
  for (auto& [key, value] : schema.items()) {
    if (is_one_of(key, {"additionalProperties", "items", "additionalItems", "contains", "not", "if", "then", "else",
                        "propertyNames", "unevaluatedItems", "unevaluatedProperties"}) &&
        !value.is_array()) {
      visit(value, "/" + key);
    } else if (is_one_of(key, {"allOf", "anyOf", "oneOf", "prefixItems", "items"}) && value.is_array()) {
      for (size_t i = 0; i < value.size(); ++i) visit(value[i], fmt::format("/{}/{}", key, i));
    } else if (is_one_of(key, {"properties", "patternProperties", "$defs", "definitions", "dependentSchemas",
                               "dependencies"}) &&
               value.is_object()) {
      for (auto& [name, child] : value.items()) visit(child, "/" + key + "/" + name);
    }
  }
}

// Where the first schema is that `matches`; empty: nowhere.
std::string find_place(const OrderedJson& schema, const std::function<bool(const OrderedJson&)>& matches,
                       const std::string& place = "#") {
  if (!schema.is_object()) return "";
  if (matches(schema)) return place;
  std::string found;
  for_each_child(schema, [&](const OrderedJson& child, const std::string& step) {
    if (found.empty()) found = find_place(child, matches, place + step);
  });
  return found;
}

// `format` is an annotation where the validator does not know the name: schemas of the field hold "url", "topic",
// "code". Those that JSON Schema defines, but llguidance does not enforce, are refused there.
bool is_defined_format(std::string_view name) {
  return is_one_of(name, {"date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname",
                          "ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template",
                          "json-pointer", "relative-json-pointer", "regex"});
}

void drop_unknown_formats(OrderedJson* schema) {
  if (!schema->is_object()) return;
  const auto format = schema->find("format");
  if (format != schema->end() && format->is_string() && !is_defined_format(format->get_ref<const std::string&>())) {
    schema->erase("format");
  }
  for_each_child(*schema, [](OrderedJson& child, const std::string&) { drop_unknown_formats(&child); });
}

std::string in_words(const OrderedJson& schema, const std::string& keyword, const std::string& why,
                     const std::function<bool(const OrderedJson&)>& matches) {
  const std::string place = find_place(schema, matches);
  return fmt::format("the keyword '{}'{} cannot be honoured{}", keyword, place.empty() ? "" : " at " + place,
                     why.empty() ? "" : ": " + why);
}

std::string in_words(const OrderedJson& schema, const std::string& keyword, const std::string& why) {
  return in_words(schema, keyword, why, [&](const OrderedJson& s) { return s.contains(keyword); });
}

}  // namespace

Result<std::string> rewrite_schema(std::string_view schema) {
  OrderedJson parsed;
  bool deep = false;
  const auto limit = [&](int depth, OrderedJson::parse_event_t, OrderedJson&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  try {
    parsed = OrderedJson::parse(schema, limit);
  } catch (const OrderedJson::exception& e) {
    return error("the schema is not valid JSON: {}", e.what());
  }
  if (deep) return error("the schema is nested deeper than {}", kMaxDepth);
  if (parsed.is_boolean() && parsed.get<bool>()) return std::string("{}");
  if (!parsed.is_object()) return error("the schema is {}; expected an object", parsed.type_name());
  drop_unknown_formats(&parsed);
  return parsed.dump();
}

std::string explain_schema_error(std::string_view schema, const std::string& failure) {
  const OrderedJson parsed = OrderedJson::parse(schema, nullptr, false);
  constexpr std::string_view kKeys = "Unimplemented keys: ";
  if (const size_t at = failure.find(kKeys); at != std::string::npos) {
    const size_t from = at + kKeys.size();
    const OrderedJson keys =
        OrderedJson::parse(failure.substr(from, failure.find(']', from) + 1 - from), nullptr, false);
    std::string out;
    if (keys.is_array()) {
      for (const auto& key : keys) {
        out += (out.empty() ? "" : "; ") + in_words(parsed, key.is_string() ? key.get<std::string>() : key.dump(), "");
      }
    }
    if (!out.empty()) return out;
  }
  constexpr std::string_view kFormat = "Unknown format: ";
  if (const size_t at = failure.find(kFormat); at != std::string::npos) {
    const std::string name = failure.substr(at + kFormat.size());
    const std::string format = name.substr(0, name.find('\n'));
    return in_words(parsed, "format", fmt::format("the format \"{}\" is unknown", format),
                    [&](const OrderedJson& s) { return s.contains("format") && s["format"] == format; });
  }
  if (failure.find("oneOf constraints are not supported") != std::string::npos) {
    return in_words(parsed, "oneOf", "its alternatives may overlap, and a grammar cannot exclude that; use anyOf");
  }
  if (failure.find("min/maxProperties only supported") != std::string::npos) {
    const auto has = [&](const char* key) {
      return !find_place(parsed, [&](const OrderedJson& s) { return s.contains(key); }).empty();
    };
    return in_words(parsed, has("maxProperties") ? "maxProperties" : "minProperties",
                    "properties can only be counted where all named ones are required");
  }
  return failure;
}

}  // namespace mlc::text
