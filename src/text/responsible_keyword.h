// For tests: the keyword of a schema because of which a grammar refuses an instance.
//
//   responsible_keyword(schema, [&](const OrderedJson& s) { return accepts(s, instance); });
//   // "'pattern' at #/properties/name"
//
// By trial: each keyword is taken out of the schema in turn, the innermost ones first; that without which the instance
// is accepted is named. Several in one place are all named. Then the same with all keywords of one name at once.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace mlc::text {

using AcceptsInstance = std::function<bool(const OrderedJson& schema)>;

namespace responsible_keyword_detail {

struct Keyword {
  OrderedJson::json_pointer holder;
  std::string name;
  int depth = 0;
};

// Members of these are named by the author of the schema.
inline bool holds_names(const std::string& key) {
  static const std::set<std::string> keys = {"properties",  "patternProperties", "$defs",
                                             "definitions", "dependentSchemas",  "dependencies"};
  return keys.contains(key);
}

inline void collect(const OrderedJson& node, const OrderedJson::json_pointer& at, int depth, bool names,
                    std::vector<Keyword>* out) {
  if (node.is_array()) {
    for (size_t i = 0; i < node.size(); ++i) collect(node[i], at / i, depth + 1, false, out);
  }
  if (!node.is_object()) return;
  for (const auto& [key, value] : node.items()) {
    if (!names) out->push_back({at, key, depth});
    collect(value, at / key, depth + 1, !names && holds_names(key), out);
  }
}

inline void remove(const Keyword& keyword, OrderedJson* schema) {
  if (schema->contains(keyword.holder)) (*schema)[keyword.holder].erase(keyword.name);
}

}  // namespace responsible_keyword_detail

inline std::string responsible_keyword(const OrderedJson& schema, const AcceptsInstance& accepts) {
  using responsible_keyword_detail::Keyword;
  std::vector<Keyword> keywords;
  responsible_keyword_detail::collect(schema, OrderedJson::json_pointer(), 0, false, &keywords);
  std::stable_sort(keywords.begin(), keywords.end(),
                   [](const Keyword& a, const Keyword& b) { return a.depth > b.depth; });
  std::string found;
  int depth = 0;
  for (const Keyword& k : keywords) {
    if (!found.empty() && k.depth < depth) break;
    OrderedJson without = schema;
    responsible_keyword_detail::remove(k, &without);
    if (!accepts(without)) continue;
    found += fmt::format("{}'{}' at #{}", found.empty() ? "" : ", ", k.name, k.holder.to_string());
    depth = k.depth;
  }
  if (!found.empty()) return found;
  std::set<std::string> names;
  for (const Keyword& k : keywords) names.insert(k.name);
  for (const std::string& name : names) {
    OrderedJson without = schema;
    for (const Keyword& k : keywords) {
      if (k.name == name) responsible_keyword_detail::remove(k, &without);
    }
    if (accepts(without)) found += fmt::format("{}'{}' in several places", found.empty() ? "" : ", ", name);
  }
  return found.empty() ? "no single keyword" : found;
}

}  // namespace mlc::text
