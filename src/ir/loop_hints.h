// What a pass tells the back ends of a loop, as annotations.
#pragma once

namespace mlc::ir {

// On a serial loop: it stays a loop. Unrolled, its iterations' work would be ordered as a back end likes.
inline constexpr const char* kKeepLoopKey = "keep_loop";

}  // namespace mlc::ir
