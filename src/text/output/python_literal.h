// A Python literal as JSON, without Python.
//
//   python_literal("{'a': (1, 2.5), 'b': None}")     // {"a": [1, 2.5], "b": null}
//   python_literal("f(x)")                           // nullopt: not a literal
//
// Strings with all their prefixes, quotes and escapes (bytes are refused), joined strings, numbers of any base, lists,
// tuples, sets and dicts with keys of text or numbers; also JSON's true, false and null, which models write.
#pragma once

#include <optional>
#include <string_view>

#include "base/json.h"

namespace mlc::text {

std::optional<OrderedJson> python_literal(std::string_view text);

}  // namespace mlc::text
