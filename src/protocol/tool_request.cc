#include "protocol/tool_request.h"

#include <algorithm>
#include <cctype>

namespace mlc::protocol {
namespace {

constexpr size_t kMaxTools = 128;
constexpr size_t kMaxName = 128;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-' || c == '.' || c == ':';
  });
}

std::optional<ApiError> check_function(const Json& function, const std::string& where) {
  if (!function.is_object()) return bad_value(where, describe(function), "an object with a name");
  const auto name = function.find("name");
  const char* expected = "a name of letters, digits, '_', '-', '.' and ':'";
  if (name == function.end()) return bad_value(where + ".name", "missing", expected);
  if (!name->is_string() || !is_name(name->get_ref<const std::string&>())) {
    return bad_value(where + ".name", describe(*name), expected);
  }
  const auto parameters = function.find("parameters");
  if (parameters != function.end() && !parameters->is_null() && !parameters->is_object()) {
    return bad_value(where + ".parameters", describe(*parameters), "a JSON schema, an object");
  }
  const auto description = function.find("description");
  if (description != function.end() && !description->is_null() && !description->is_string()) {
    return bad_value(where + ".description", describe(*description), "a string");
  }
  return std::nullopt;
}

std::optional<ApiError> check_tool(const Json& tool, const std::string& where) {
  if (!tool.is_object()) return bad_value(where, describe(tool), "an object with a type");
  const auto type = tool.find("type");
  if (type == tool.end() || *type != "function") {
    return unsupported(where + ".type", fmt::format("'{}.type' is {}; only \"function\" tools are supported.", where,
                                                    type == tool.end() ? "missing" : describe(*type)));
  }
  const auto function = tool.find("function");
  if (function == tool.end()) return bad_value(where + ".function", "missing", "an object with a name");
  return check_function(*function, where + ".function");
}

std::optional<ApiError> check_unique(const OrderedJson& tools) {
  std::vector<std::string> names;
  for (const OrderedJson& tool : tools) {
    names.push_back(tool["function"]["name"].get<std::string>());
    if (std::count(names.begin(), names.end(), names.back()) > 1) {
      return bad_value(fmt::format("tools[{}].function.name", names.size() - 1), "\"" + names.back() + "\" once more",
                       "names that differ");
    }
  }
  return std::nullopt;
}

template <typename List>
ApiResult<OrderedJson> tool_list(const Json& list, const List& ordered, const std::string& field, bool functions) {
  const std::string expected = fmt::format("a list of at most {}", kMaxTools);
  if (!list.is_array() || list.size() > kMaxTools) return bad_value(field, describe(list), expected);
  OrderedJson out = OrderedJson::array();
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string where = fmt::format("{}[{}]", field, i);
    if (auto e = functions ? check_function(list[i], where) : check_tool(list[i], where)) return *e;
    OrderedJson function(functions ? OrderedJson(ordered[i]) : OrderedJson(ordered[i]["function"]));
    out.push_back({{"type", "function"}, {"function", std::move(function)}});
  }
  if (auto e = check_unique(out)) return *e;
  return out;
}

bool has_tool(const OrderedJson& tools, const std::string& name) {
  return std::any_of(tools.begin(), tools.end(),
                     [&name](const OrderedJson& t) { return t["function"]["name"] == name; });
}

ApiResult<ToolChoice> named(const ToolRequest& request, const Json& holder, const std::string& where) {
  const auto name = holder.find("name");
  if (name == holder.end() || !name->is_string()) {
    return bad_value(where + ".name", name == holder.end() ? "missing" : describe(*name),
                     "the name of one of the tools");
  }
  if (!has_tool(request.tools, *name)) {
    return bad_value(where + ".name", describe(*name), "the name of one of the tools");
  }
  return ToolChoice{ToolChoice::Mode::kNamed, name->get<std::string>()};
}

// {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name"}}]}}
std::optional<ApiError> allow_only(ToolRequest* request, const Json& choice) {
  const std::string where = "tool_choice.allowed_tools";
  const auto allowed = choice.find("allowed_tools");
  const Json& holder = allowed != choice.end() && allowed->is_object() ? *allowed : choice;
  const auto mode = holder.find("mode"), list = holder.find("tools");
  if (mode == holder.end() || (*mode != "auto" && *mode != "required")) {
    return bad_value(where + ".mode", mode == holder.end() ? "missing" : describe(*mode), "\"auto\" or \"required\"");
  }
  if (list == holder.end() || !list->is_array()) {
    return bad_value(where + ".tools", list == holder.end() ? "missing" : describe(*list), "a list of tools");
  }
  OrderedJson kept = OrderedJson::array();
  for (const OrderedJson& tool : request->tools) {
    const bool wanted = std::any_of(list->begin(), list->end(), [&tool](const Json& one) {
      const Json& named = one.is_object() && one.contains("function") ? one["function"] : one;
      return named.is_object() && named.contains("name") && named["name"].is_string() &&
             tool["function"]["name"] == named["name"].get_ref<const std::string&>();
    });
    if (wanted) kept.push_back(tool);
  }
  if (kept.empty()) return bad_value(where + ".tools", "a list without any of the tools", "names of the tools");
  request->tools = std::move(kept);
  request->choice.mode = *mode == "auto" ? ToolChoice::Mode::kAuto : ToolChoice::Mode::kRequired;
  return std::nullopt;
}

std::optional<ApiError> read_choice(const Json& choice, const std::string& field, ToolRequest* request) {
  const char* expected = "\"none\", \"auto\", \"required\" or the name of a tool in an object";
  if (choice == "none" || choice == "auto") {
    request->choice.mode = choice == "none" ? ToolChoice::Mode::kNone : ToolChoice::Mode::kAuto;
    return std::nullopt;
  }
  if (choice == "required" || choice == "any") {
    if (request->tools.empty()) return bad_value(field, describe(choice), "tools to choose from in 'tools'");
    request->choice.mode = ToolChoice::Mode::kRequired;
    return std::nullopt;
  }
  if (!choice.is_object()) return bad_value(field, describe(choice), expected);
  const auto type = choice.find("type");
  if (type != choice.end() && *type == "allowed_tools") return allow_only(request, choice);
  const bool typed = field == "tool_choice";
  if (typed && (type == choice.end() || *type != "function")) {
    return bad_value(field + ".type", type == choice.end() ? "missing" : describe(*type), "\"function\"");
  }
  const auto function = choice.find("function");
  const bool nested = typed && function != choice.end() && function->is_object();
  auto chosen = named(*request, nested ? *function : choice, nested ? field + ".function" : field);
  if (!chosen) return chosen.error();
  request->choice = std::move(*chosen);
  return std::nullopt;
}

}  // namespace

ApiResult<ToolRequest> parse_tools(const Json& body, const OrderedJson* ordered) {
  ToolRequest request;
  Fields f(body);
  const Json* tools = f.find("tools");
  const Json* functions = f.find("functions");
  const bool any_tools = tools && !(tools->is_array() && tools->empty());
  const bool any_functions = functions && !(functions->is_array() && functions->empty());
  if (any_tools && any_functions) {
    return bad_value("functions", "given together with 'tools'", "one of the two; 'tools' is the newer one");
  }
  request.legacy = any_functions;
  if (any_tools || any_functions) {
    const std::string field = any_tools ? "tools" : "functions";
    const Json& list = any_tools ? *tools : *functions;
    auto parsed = ordered ? tool_list(list, (*ordered)[field], field, any_functions)
                          : tool_list(list, list, field, any_functions);
    if (!parsed) return parsed.error();
    request.tools = std::move(*parsed);
  }
  for (const char* field : {"tool_choice", "function_call"}) {
    if (const Json* choice = f.find(field)) {
      if (auto e = read_choice(*choice, field, &request)) return *e;
    }
  }
  request.parallel = f.boolean("parallel_tool_calls").value_or(true) && !request.legacy &&
                     request.choice.mode != ToolChoice::Mode::kNamed;
  if (f.failed()) return f.error();
  return request;
}

}  // namespace mlc::protocol
