// Which files of a repository a model needs: its configuration, its tokenizer, and its weights once. Repositories often
// hold the same weights several times (PyTorch, ONNX, GGUF, consolidated files); one format is taken.
//
//   auto small = select_descriptions(listing);           // config.json, tokenizer.json, indexes …: downloaded first
//   MLC_TRY(auto large, select_weights(listing, index)); // what the index, if there is one, names
//
// The order of formats is that of weights/open.h: MLC's shards, then safetensors.
#pragma once

#include <string>
#include <vector>

#include "hub/listing.h"

namespace mlc::hub {

// In the order of the listing. Only files at the top of the repository.
std::vector<RemoteFile> select_descriptions(const Listing& listing);

// The file that says which files hold the weights; empty: there is none, the weights are one file.
std::string weight_index(const Listing& listing);

// `index`: the text of weight_index(), empty without one. Errors: kNotFound when there are no weights in a format that
// is read here, saying which there are; kCorrupt when the index names files that are not there.
Result<std::vector<RemoteFile>> select_weights(const Listing& listing, const std::string& index);

}  // namespace mlc::hub
