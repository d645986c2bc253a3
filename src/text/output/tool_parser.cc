#include "text/output/tool_parser.h"

#include <algorithm>

#include "text/output/harmony_parser.h"
#include "text/output/markup_parser.h"
#include "text/output/python_parser.h"
#include "text/output/tag_parser.h"

namespace mlc::text {

ToolNames::ToolNames(const OrderedJson& tools) {
  for (const OrderedJson& tool : tools) {
    const OrderedJson& function = tool.at("function");
    names_.push_back(function.at("name").get<std::string>());
    OrderedJson properties = OrderedJson::object();
    if (function.contains("parameters") && function["parameters"].is_object()) {
      const OrderedJson& parameters = function["parameters"];
      if (parameters.contains("properties") && parameters["properties"].is_object()) {
        properties = parameters["properties"];
      }
    }
    properties_.push_back(std::move(properties));
  }
}

const OrderedJson* ToolNames::find(std::string_view name) const {
  const auto it = std::find(names_.begin(), names_.end(), name);
  return it == names_.end() ? nullptr : &properties_[static_cast<size_t>(it - names_.begin())];
}

bool ToolNames::any_begins_with(std::string_view text) const {
  return std::any_of(names_.begin(), names_.end(), [text](const std::string& name) { return name.starts_with(text); });
}

const OrderedJson* ToolNames::parameter(std::string_view tool, std::string_view name) const {
  const OrderedJson* properties = find(tool);
  if (!properties) return nullptr;
  const auto it = properties->find(std::string(name));
  return it == properties->end() ? nullptr : &*it;
}

std::string ToolNames::parameter_at(std::string_view tool, size_t index) const {
  const OrderedJson* properties = find(tool);
  if (!properties || index >= properties->size()) return {};
  auto it = properties->begin();
  std::advance(it, index);
  return it.key();
}

std::unique_ptr<ToolParser> make_tool_parser(const ToolFormat& format, const ToolNames& tools, EventList* out) {
  switch (format.family) {
    case ToolFamily::kMarkup:
      return std::make_unique<MarkupParser>(format.markup, tools, out);
    case ToolFamily::kTags:
      return std::make_unique<TagParser>(format.tags, tools, out);
    case ToolFamily::kPython:
      return std::make_unique<PythonParser>(format.python, tools, out);
    case ToolFamily::kHarmony:
      break;
  }
  return std::make_unique<HarmonyParser>(out);
}

}  // namespace mlc::text
