// The dialects: one function per file of this folder, one line here.
#pragma once

#include "codegen/c_style/dialect.h"

namespace mlc::codegen::dialects {

const CDialect& opencl();

inline constexpr const CDialect& (*kDialects[])() = {opencl};

}  // namespace mlc::codegen::dialects
