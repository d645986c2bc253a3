// The arguments of a call as pieces of a Lark grammar: as JSON, as tags with a value per parameter, as Python.
//
//   LarkWriter lark(tokenizer);
//   MLC_TRY(OrderedJson schema, arguments_schema(tool["function"]));
//   MLC_TRY(std::string expression, argument_expression(&lark, *find_tool_format("glm"), schema));
//
// Tags and Python have parameters one by one, so there the schema must list them: `properties` and `required`, no
// alternatives. Their values may have any schema that text (is_text_parameter, tag_parser.h) or JSON can follow. What
// a format cannot follow exactly is an error; a format of JSON can take its place.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "text/output/lark_writer.h"
#include "text/output/tool_format.h"

namespace mlc::text {

// The schema that the arguments follow: the function's parameters, always an object. Without parameters it is an empty
// one, and where the schema names properties and does not say whether there may be others, there are none.
// `function`: as the request has it. An error: the schema allows no object, or is no schema.
Result<OrderedJson> arguments_schema(const OrderedJson& function);

Result<std::string> argument_expression(LarkWriter* lark, const ToolFormat& format, const OrderedJson& schema);

}  // namespace mlc::text
