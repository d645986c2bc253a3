// What one stage tells later ones of a loop or a function, as annotations and attributes.
#pragma once

namespace mlc::ir {

// On a serial loop: it stays a loop. Unrolled, its iterations' work would be ordered as a back end likes.
inline constexpr const char* kKeepLoopKey = "keep_loop";

// On a function: where a sum of byte products starts with two 16-bit parts added, the first with the products of bytes
// 0 and 1 of all steps, and the second with those of bytes 2 and 3, each fit 16 bits.
inline constexpr const char* kHalvesFitKey = "halves_fit_i16";

// On a function: it serves any number of rows. Others of its kind serve as few as one turn of their row loop takes.
inline constexpr const char* kManyRowsKey = "many_rows";

}  // namespace mlc::ir
