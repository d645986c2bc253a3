// For tests: JSON instances with their properties in the order in which a schema names them, as the grammars of
// grammar.h write them.
#pragma once

#include <algorithm>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace mlc::text {

class SchemaOrder {
 public:
  explicit SchemaOrder(const OrderedJson& root) : root_(root) {}

  OrderedJson apply(const OrderedJson& instance) const { return apply({&root_}, instance, 0); }

 private:
  using Schemas = std::vector<const OrderedJson*>;

  const OrderedJson* resolve(const std::string& ref) const {
    if (!ref.starts_with("#")) return nullptr;
    try {
      return &root_.at(OrderedJson::json_pointer(ref.substr(1)));
    } catch (const OrderedJson::exception&) {
      return nullptr;
    }
  }

  // The schemas that apply in place, in the order in which they appear.
  void expand(const OrderedJson* schema, int depth, Schemas* out) const {
    if (!schema->is_object() || depth > 20) return;
    bool added = false;
    for (const auto& [key, value] : schema->items()) {
      if (key == "$ref" && value.is_string()) {
        if (const OrderedJson* target = resolve(value.get<std::string>())) expand(target, depth + 1, out);
      } else if ((key == "allOf" || key == "anyOf" || key == "oneOf") && value.is_array()) {
        for (const OrderedJson& option : value) expand(&option, depth + 1, out);
      } else if (!added) {
        added = true;
        out->push_back(schema);
      }
    }
  }

  static bool matches(const std::string& pattern, const std::string& name) {
    try {
      return std::regex_search(name, std::regex(pattern));
    } catch (const std::regex_error&) {
      return false;
    }
  }

  static const OrderedJson* member(const OrderedJson& schema, const char* key) {
    const auto it = schema.find(key);
    return it == schema.end() ? nullptr : &*it;
  }

  OrderedJson apply(const Schemas& roots, const OrderedJson& instance, int depth) const {
    if (depth > 100 || !(instance.is_object() || instance.is_array())) return instance;
    Schemas all;
    for (const OrderedJson* root : roots) expand(root, 0, &all);
    OrderedJson out = instance.is_object() ? OrderedJson::object() : OrderedJson::array();
    if (instance.is_array()) {
      for (size_t i = 0; i < instance.size(); ++i) {
        out.push_back(apply(of_item(all, i), instance[i], depth + 1));
      }
      return out;
    }
    std::vector<std::string> names;
    const auto add = [&](const std::string& name) {
      if (instance.contains(name) && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    };
    for (const OrderedJson* s : all) {
      const OrderedJson* properties = member(*s, "properties");
      if (!properties || !properties->is_object()) continue;
      for (const auto& [name, value] : properties->items()) add(name);
    }
    for (const OrderedJson* s : all) {
      const OrderedJson* required = member(*s, "required");
      if (!required || !required->is_array()) continue;
      for (const OrderedJson& name : *required) {
        if (name.is_string()) add(name.get<std::string>());
      }
    }
    for (const auto& [name, value] : instance.items()) add(name);
    for (const std::string& name : names) out[name] = apply(of_property(all, name), instance[name], depth + 1);
    return out;
  }

  static Schemas of_property(const Schemas& all, const std::string& name) {
    Schemas out;
    for (const OrderedJson* s : all) {
      bool named = false;
      if (const OrderedJson* p = member(*s, "properties"); p && p->is_object() && p->contains(name)) {
        out.push_back(&(*p)[name]);
        named = true;
      }
      if (const OrderedJson* patterns = member(*s, "patternProperties"); patterns && patterns->is_object()) {
        for (const auto& [pattern, schema] : patterns->items()) {
          if (!matches(pattern, name)) continue;
          out.push_back(&schema);
          named = true;
        }
      }
      if (const OrderedJson* rest = member(*s, "additionalProperties"); rest && !named) out.push_back(rest);
    }
    return out;
  }

  static Schemas of_item(const Schemas& all, size_t i) {
    Schemas out;
    for (const OrderedJson* s : all) {
      const OrderedJson* items = member(*s, "items");
      const OrderedJson* prefix = member(*s, "prefixItems");
      const OrderedJson* rest = items;
      if (items && items->is_array()) {
        prefix = items;
        rest = member(*s, "additionalItems");
      }
      if (prefix && prefix->is_array() && i < prefix->size()) {
        out.push_back(&(*prefix)[i]);
      } else if (rest) {
        out.push_back(rest);
      }
    }
    return out;
  }

  const OrderedJson& root_;
};

}  // namespace mlc::text
