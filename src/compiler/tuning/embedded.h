// The data files of defaults/, compiled in: one per instruction set.
#pragma once

#include <string_view>

namespace mlc::compiler {

extern const std::string_view kAvx512VnniDefaults;  // x86_64-avx512vnni.jsonl
extern const std::string_view kAvx2Defaults;        // x86_64-avx2.jsonl

}  // namespace mlc::compiler
