#include "text/output/tool_writer.h"

namespace mlc::text {
namespace {

// <parameter name="city" string="true">
bool is_deepseek(const TagRules& rules) { return rules.key_end == "\">"; }

std::string dump(const OrderedJson& json) { return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace); }

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

// name=value, name=value
std::string write_python_arguments(const OrderedJson& arguments) {
  std::string out;
  for (const auto& [key, value] : arguments.items()) {
    out += (out.empty() ? "" : ", ") + key + "=" + write_python_value(value);
  }
  return out;
}

std::string write_parameters(const TagRules& rules, const OrderedJson& arguments) {
  std::string out;
  for (const auto& [key, value] : arguments.items()) {
    const WrittenParameter p = written_parameter(rules, !value.is_string());
    out += p.begin + key + p.middle + (value.is_string() ? value.get<std::string>() : dump(value)) + p.end;
  }
  return out;
}

std::string write_arguments(const ToolFormat& format, const std::string& arguments) {
  if (format.family == ToolFamily::kPython)
    return write_python_arguments(OrderedJson::parse(arguments, nullptr, false));
  if (format.family != ToolFamily::kTags) return arguments;
  return write_parameters(format.tags, OrderedJson::parse(arguments, nullptr, false));
}

WrittenSyntax tag_syntax(const TagRules& r) {
  const std::string mark = std::string(r.opens[0]) + (r.call.empty() ? "" : "\n"), begin(r.call);
  const std::string end = r.call_close.empty() ? "" : std::string(r.call_close) + "\n", close(r.closes[0]);
  const std::string middle = std::string(r.call_end) + "\n";
  // DeepSeek: one pair of marks around all.
  if (is_deepseek(r)) return {mark, begin, middle, end, "\n", close};
  return {"", mark + begin, middle, end + close, "\n", ""};
}

}  // namespace

WrittenSyntax written_syntax(const ToolFormat& format) {
  if (format.family == ToolFamily::kPython) return {"[", "", "(", ")", ", ", "]"};
  if (format.family == ToolFamily::kTags) return tag_syntax(format.tags);
  const auto text = [](std::string_view part) { return std::string(part); };
  const CallSyntax& s = format.syntax;
  return {text(s.open), text(s.begin), text(s.middle), text(s.end), text(s.separator), text(s.close)};
}

WrittenParameter written_parameter(const TagRules& rules, bool json) {
  WrittenParameter p{std::string(rules.key), std::string(rules.key_end), std::string(rules.value_close) + "\n"};
  if (is_deepseek(rules)) {
    p.middle = (json ? "\" string=\"false" : "\" string=\"true") + p.middle;
  } else if (!rules.value.empty()) {
    p.middle += "\n" + std::string(rules.value);
  } else {  // the value on lines of its own
    p.middle += "\n";
    p.end.insert(0, "\n");
  }
  return p;
}

std::string write_calls(const ToolFormat& format, const std::vector<WrittenCall>& calls) {
  if (calls.empty()) return {};
  const WrittenSyntax s = written_syntax(format);
  std::string out = s.open;
  for (size_t i = 0; i < calls.size(); ++i) {
    if (i > 0) out += s.separator;
    out += s.begin + calls[i].name + s.middle + write_arguments(format, calls[i].arguments) + s.end;
  }
  return out + s.close;
}

std::string tool_instructions(const ToolFormat& format, const OrderedJson& tools) {
  std::string out = "You can call these functions:\n";
  for (const OrderedJson& tool : tools) out += dump(tool.at("function")) + "\n";
  out += "To call functions, answer with nothing but the calls, in this form:\n";
  out += write_calls(format, {{"NAME", R"({"PARAMETER": "VALUE"})"}});
  return out;
}

}  // namespace mlc::text
