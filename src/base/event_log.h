// Log lines with fields, for programs that read logs.
//
//   log::set_format(log::Format::kJson);                              // before other threads log
//   log::event("request", {{"status", 200}, {"model", "llama"}});     // level info
//
// As text:  info request status=200 model=llama
// As JSON:  {"ts":"2026-11-22T12:00:00.123Z","level":"info","msg":"request","status":200,"model":"llama"}
// In JSON, the lines of base/log.h become objects too.
#pragma once

#include <string>

#include "base/json.h"

namespace mlc::log {

enum class Format { kText, kJson };

// Of the default logger; after log::init().
void set_format(Format format);
// `fields` must be an object; null values are left out of text lines.
void event(const std::string& message, const OrderedJson& fields);

}  // namespace mlc::log
