// The environment variables that the program reads, in one table; docs/knobs.md is generated from it.
//
//   if (!knob("MLC_TRACE").empty()) …          // the value, or the table's default when unset or empty
//   int64_t n = knob_int("MLC_THREADS");       // the default also when it is no number, with a warning
//
// A name that is not in the table is our own bug (MLC_CHECK). A test compares docs/knobs.md with knobs_markdown();
// MLC_UPDATE_GOLDENS=1 rewrites it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mlc {

struct Knob {
  const char* name;
  const char* default_value;
  const char* help;
};

std::span<const Knob> all_knobs();
std::string knob(std::string_view name);
int64_t knob_int(std::string_view name);
bool knob_bool(std::string_view name);  // anything but "", "0", "off", "false", "no"
std::string knobs_markdown();

}  // namespace mlc
