#include "text/output/argument_grammar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "text/output/tag_parser.h"
#include "text/output/tool_writer.h"
#include "text/schema_rewrite.h"

namespace mlc::text {
namespace {

const OrderedJson* member(const OrderedJson& object, std::string_view name) {
  const auto it = object.find(std::string(name));
  return it == object.end() ? nullptr : &*it;
}

bool requires_name(const OrderedJson& schema, const std::string& name) {
  const OrderedJson* list = member(schema, "required");
  return list && list->is_array() && std::find(list->begin(), list->end(), name) != list->end();
}

bool all_required_are_named(const OrderedJson& schema) {
  const OrderedJson* list = member(schema, "required");
  if (!list || !list->is_array()) return true;
  return std::all_of(list->begin(), list->end(), [&schema](const OrderedJson& name) {
    return name.is_string() && schema["properties"].contains(name.get<std::string>());
  });
}

// ---- values that are written as text ----

// The formats of JSON Schema that llguidance enforces in JSON (docs/structured-output.md), each in a form that every
// reading of its RFC accepts.
constexpr std::string_view kDate =
    "[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))";
constexpr std::string_view kTime =
    "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
constexpr std::string_view kLabels = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?){0,3}";

std::optional<std::string> format_pattern(std::string_view name) {
  if (name == "date") return std::string(kDate);
  if (name == "time") return std::string(kTime);
  if (name == "date-time") return fmt::format("({})T({})", kDate, kTime);
  if (name == "duration") return "P([0-9]{1,9}D(T[0-9]{1,9}H)?|[0-9]{1,9}W|T[0-9]{1,9}[HMS])";
  if (name == "email") return fmt::format("[A-Za-z0-9_+-]{{1,30}}(\\.[A-Za-z0-9_+-]{{1,30}})?@{}", kLabels);
  if (name == "hostname") return std::string(kLabels);
  if (name == "ipv4") {
    constexpr std::string_view kByte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
    return fmt::format("{0}\\.{0}\\.{0}\\.{0}", kByte);
  }
  if (name == "uri")
    return "[a-z][a-z0-9+.-]{0,20}:\\/\\/[A-Za-z0-9._~\\/-]+(\\?[A-Za-z0-9._~=&-]*)?(#[A-Za-z0-9._~-]*)?";
  if (name == "uuid") return "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
  return std::nullopt;
}

// A pattern of JSON Schema (it may match anywhere) as a terminal that matches the whole text.
std::string pattern_terminal(std::string_view pattern) {
  const bool from_start = pattern.starts_with('^');
  if (from_start) pattern.remove_prefix(1);
  bool to_end = pattern.ends_with('$');
  if (to_end) {
    size_t slashes = 0;
    while (slashes + 1 < pattern.size() && pattern[pattern.size() - 2 - slashes] == '\\') ++slashes;
    to_end = slashes % 2 == 0;
    if (to_end) pattern.remove_suffix(1);
  }
  std::string out = from_start ? "/(" : "/(?s:.*)(";
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const char next = c == '\\' && i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (next == 'd' || next == 'w') {  // of ASCII, as in ECMA-262
      out += next == 'd' ? "[0-9]" : "[0-9A-Za-z_]";
      ++i;
    } else if (next != '\0') {
      out += pattern.substr(i++, 2);
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c == '/' ? "\\/" : std::string(1, c);
    }
  }
  return out + (to_end ? ")/" : ")(?s:.*)/");
}

std::string one_of(const OrderedJson& values) {
  std::string out;
  for (const OrderedJson& value : values) {
    if (value.is_string()) out += (out.empty() ? "" : " | ") + lark_string(value.get<std::string>());
  }
  return out.empty() ? out : "(" + out + ")";
}

// The terminal of a text; an error when it cannot say what the schema says.
Result<std::string> text_terminal(const OrderedJson& schema) {
  std::string out(kAnyText);
  if (!schema.is_object()) return out;
  for (const auto& [key, value] : schema.items()) {
    for (const std::string_view hard : {"anyOf", "oneOf", "allOf", "$ref", "not", "if"}) {
      if (key == hard) return error("a text with '{}'", key);
    }
    std::string part;
    if (key == "enum" || key == "const") {
      part = one_of(key == "enum" ? value : OrderedJson::array({value}));
      if (part.empty()) return error("'{}' without a text", key);
    } else if (key == "pattern" && value.is_string()) {
      part = pattern_terminal(value.get_ref<const std::string&>());
    } else if (key == "minLength" && value.is_number_unsigned()) {
      part = fmt::format("/(?s:.){{{},}}/", value.get<uint64_t>());
    } else if (key == "maxLength" && value.is_number_unsigned()) {
      part = fmt::format("/(?s:.){{0,{}}}/", value.get<uint64_t>());
    } else if (key == "format" && value.is_string()) {  // names that nobody knows are gone already (rewrite_schema)
      const auto pattern = format_pattern(value.get_ref<const std::string&>());
      if (!pattern) return error("a text with the format {}", value.dump());
      part = "/" + *pattern + "/";
    }
    if (!part.empty()) out += " & " + part;
  }
  return out;
}

// ---- parameters one by one ----

struct Parameter {
  std::string name;
  OrderedJson schema;
  bool required;
};

// The parameters, when they are all that the schema is about.
Result<std::vector<Parameter>> parameters_of(const OrderedJson& schema) {
  constexpr std::string_view kPlain[] = {
      "type", "properties",  "required", "additionalProperties", "title",    "default", "examples", "$schema",
      "$id",  "description", "$defs",    "definitions",          "$comment", "strict"};
  for (const auto& [key, value] : schema.items()) {
    if (std::find(std::begin(kPlain), std::end(kPlain), key) == std::end(kPlain)) return error("'{}'", key);
  }
  const OrderedJson* properties = member(schema, "properties");
  const OrderedJson* more = member(schema, "additionalProperties");
  if (!properties && !(more && *more == false)) return error("parameters without names");
  std::vector<Parameter> out;
  if (!properties) return out;
  if (!all_required_are_named(schema)) return error("'required' names what 'properties' does not");
  for (const auto& [name, value] : properties->items()) {
    if (value == false) continue;  // can never be given
    OrderedJson whole = value.is_object() ? value : OrderedJson::object();
    for (const char* key : {"$defs", "definitions"}) {
      if (schema.contains(key) && !whole.contains(key)) whole[key] = schema[key];
    }
    out.push_back({name, std::move(whole), requires_name(schema, name)});
  }
  return out;
}

bool is_tag_name(std::string_view name) {
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_-.:$@").find(c) != std::string_view::npos;
  });
}

Result<std::string> tag_value(LarkWriter* lark, const TagRules& rules, const Parameter& parameter) {
  const bool json = !is_text_parameter(&parameter.schema);
  const WrittenParameter w = written_parameter(rules, json);
  const std::string before = lark->literal(w.begin + parameter.name + w.middle) + " ";
  if (json) return before + lark->json(parameter.schema) + " " + lark->literal(w.end);
  MLC_TRY(const std::string pattern, text_terminal(parameter.schema));
  return before + lark->text_before(w.end, {rules.value_close}, pattern);
}

Result<std::string> tag_arguments(LarkWriter* lark, const TagRules& rules, const OrderedJson& schema) {
  MLC_TRY(const std::vector<Parameter> parameters, parameters_of(schema));
  std::string out;
  for (const Parameter& p : parameters) {
    if (!is_tag_name(p.name)) return error("the name '{}' in a tag", p.name);
    MLC_TRY(const std::string value, tag_value(lark, rules, p));
    out += (out.empty() ? "" : " ") + lark->rule(value) + (p.required ? "" : "?");
  }
  return out.empty() ? "\"\"" : out;
}

bool is_python_name(std::string_view name) {
  return !name.empty() && !std::isdigit(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; });
}

// Python's words for what JSON writes otherwise; inside of lists and dicts JSON's stand (python_literal.h reads both).
std::string python_value(LarkWriter* lark, const OrderedJson& schema) {
  const OrderedJson* type = member(schema, "type");
  const bool plain = !member(schema, "enum") && !member(schema, "const");
  if (type && *type == "boolean" && plain) return "(\"True\" | \"False\")";
  if (type && *type == "null") return "\"None\"";
  return lark->json(schema);
}

// Commas stand between those that are there: `first` begins with one of the parameters from i on or is empty, `rest`
// has a comma before each.
Result<std::string> python_arguments(LarkWriter* lark, const OrderedJson& schema) {
  MLC_TRY(const std::vector<Parameter> parameters, parameters_of(schema));
  std::string first = "\"\"", rest = "\"\"";
  for (auto p = parameters.rbegin(); p != parameters.rend(); ++p) {
    if (!is_python_name(p->name)) return error("the name '{}' in Python", p->name);
    const std::string one = lark->rule(lark->literal(p->name + "=") + " " + python_value(lark, p->schema));
    const std::string here = one + " " + rest, later = lark->literal(", ") + " " + one + " " + rest;
    first = lark->rule(p->required ? here : here + " | " + first);
    rest = lark->rule(p->required ? later : later + " | " + rest);
  }
  return first;
}

}  // namespace

Result<OrderedJson> arguments_schema(const OrderedJson& function) {
  const OrderedJson* parameters = member(function, "parameters");
  if (!parameters || parameters->is_null()) {
    return OrderedJson{{"type", "object"}, {"properties", OrderedJson::object()}, {"additionalProperties", false}};
  }
  MLC_TRY(const std::string text,
          rewrite_schema(parameters->dump(-1, ' ', false, OrderedJson::error_handler_t::replace)));
  OrderedJson schema = OrderedJson::parse(text);
  if (const OrderedJson* type = member(schema, "type")) {
    const bool fits =
        *type == "object" || (type->is_array() && std::find(type->begin(), type->end(), "object") != type->end());
    if (!fits) return error("'type' is {}; arguments are always an object", type->dump());
  }
  schema["type"] = "object";
  const OrderedJson* properties = member(schema, "properties");
  if (!properties || !properties->is_object()) return schema;
  for (const char* key : {"additionalProperties", "patternProperties", "unevaluatedProperties", "anyOf", "oneOf",
                          "allOf", "$ref", "if", "minProperties"}) {
    if (schema.contains(key)) return schema;
  }
  if (all_required_are_named(schema)) schema["additionalProperties"] = false;
  return schema;
}

Result<std::string> argument_expression(LarkWriter* lark, const ToolFormat& format, const OrderedJson& schema) {
  if (format.family == ToolFamily::kTags) return tag_arguments(lark, format.tags, schema);
  if (format.family == ToolFamily::kPython) return python_arguments(lark, schema);
  return lark->json(schema);
}

}  // namespace mlc::text
