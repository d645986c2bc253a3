// Calls that must come: tool_choice "required" or a tool's name, as a constraint on the answer's tokens.
//
//   if (request.tools.must_call()) MLC_TRY(calls_in, constrain_calls(model, request, prompt, &params));
//
// response_format does not matter then: an answer of calls has no content that it could be about.
#pragma once

#include <string_view>

#include "protocol/chat_request.h"
#include "protocol/served_model.h"
#include "text/output/tool_format.h"

namespace mlc::protocol {

// Sets params->constraint; params->stop_token_ids must be complete. The format in which the calls will come: the
// model's, or JSON where that cannot follow the tools' schemas. 400 with the tool and the keyword when nothing can.
ApiResult<const text::ToolFormat*> constrain_calls(const ServedModel& model, const ChatRequest& request,
                                                   std::string_view prompt, GenerationParams* params);

}  // namespace mlc::protocol
