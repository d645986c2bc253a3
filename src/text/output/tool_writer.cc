#include "text/output/tool_writer.h"

namespace mlc::text {
namespace {

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

std::string write_syntax(const CallSyntax& s, const std::vector<WrittenCall>& calls) {
  std::string out(s.open);
  for (size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) out += s.separator;
    out += s.begin;
    out += calls[i].name;
    out += s.middle;
    out += calls[i].arguments;
    out += s.end;
  }
  out += s.close;
  return out;
}

std::string write_python_value(const OrderedJson& value) {
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_null()) return "None";
  if (!value.is_structured()) return dump(value);
  std::string out(1, value.is_object() ? '{' : '[');
  for (const auto& [key, item] : value.items()) {
    if (out.size() > 1) out += ", ";
    if (value.is_object()) out += dump(key) + ": ";
    out += write_python_value(item);
  }
  return out + (value.is_object() ? '}' : ']');
}

std::string write_python(const std::vector<WrittenCall>& calls) {
  std::string out = "[";
  for (const WrittenCall& call : calls) {
    if (out.size() > 1) out += ", ";
    out += call.name + "(";
    const OrderedJson arguments = OrderedJson::parse(call.arguments, nullptr, false);
    bool first = true;
    for (const auto& [key, value] : arguments.items()) {
      if (!std::exchange(first, false)) out += ", ";
      out += key + "=" + write_python_value(value);
    }
    out += ")";
  }
  return out + "]";
}

std::string write_tag(const TagRules& rules, const std::string& key, const OrderedJson& value) {
  const std::string text = value.is_string() ? value.get<std::string>() : dump(value);
  std::string out(rules.key);
  out += key;
  if (rules.key_end == "\">") out += value.is_string() ? "\" string=\"true" : "\" string=\"false";
  out += rules.key_end;
  if (!rules.value.empty()) return out + "\n" + std::string(rules.value) + text + std::string(rules.value_close) + "\n";
  const bool lines = rules.key_end == ">";  // the value on lines of its own
  return out + (lines ? "\n" : "") + text + (lines ? "\n" : "") + std::string(rules.value_close) + "\n";
}

std::string write_tags(const TagRules& rules, const std::vector<WrittenCall>& calls) {
  std::string out;
  const bool each = rules.key_end != "\">";  // DeepSeek: one pair of marks around all
  for (size_t i = 0; i < calls.size(); ++i) {
    if (!out.empty()) out += "\n";
    if (each || i == 0) out += std::string(rules.opens[0]) + (rules.call.empty() ? "" : "\n");
    out += std::string(rules.call) + calls[i].name + std::string(rules.call_end) + "\n";
    const OrderedJson arguments = OrderedJson::parse(calls[i].arguments, nullptr, false);
    for (const auto& [key, value] : arguments.items()) {
      out += write_tag(rules, key, value);
    }
    if (!rules.call_close.empty()) out += std::string(rules.call_close) + "\n";
    if (each || i + 1 == calls.size()) out += rules.closes[0];
  }
  return out;
}

}  // namespace

std::string write_calls(const ToolFormat& format, const std::vector<WrittenCall>& calls) {
  if (calls.empty()) return {};
  if (format.family == ToolFamily::kPython) return write_python(calls);
  if (format.family == ToolFamily::kTags) return write_tags(format.tags, calls);
  return write_syntax(format.syntax, calls);
}

std::string tool_instructions(const ToolFormat& format, const OrderedJson& tools) {
  std::string out = "You can call these functions:\n";
  for (const OrderedJson& tool : tools) out += dump(tool.at("function")) + "\n";
  out += "To call functions, answer with nothing but the calls, in this form:\n";
  out += write_calls(format, {{"NAME", R"({"PARAMETER": "VALUE"})"}});
  return out;
}

}  // namespace mlc::text
