// Imports checkpoints of llama2.c (https://github.com/karpathy/llama2.c, the float32 format "version 0": seven int32 of
// header, then the tensors one after the other) as a Hugging Face directory.
//
//   MLC_TRY_VOID(import_llama2c("stories260K.bin", "out"));    // out/config.json, out/model.safetensors (float32)
//
// llama2.c rotates neighbouring pairs of a head's dimensions, Hugging Face the two halves: rows of wq and wk are
// reordered, which leaves every result the same. The tokenizer (tok512.bin) is converted by the text module.
#pragma once

#include <string>

#include "base/result.h"

namespace mlc::weights {

// Creates out_dir if needed. A failure leaves nothing behind.
Result<void> import_llama2c(const std::string& checkpoint, const std::string& out_dir);

}  // namespace mlc::weights
