// One file of a repository, onto the disk: continued where an earlier attempt ended, checked, then given its name.
//
//   Transfer transfer{client, "Qwen/Qwen2-0.5B", url, token, file, "dir/model.safetensors", stop, bytes_done};
//   MLC_TRY_VOID(fetch_file(transfer));
//
// The bytes go to "<to>.<first digits of the checksum>.part", which stays when the transfer fails. No If-Range: the
// address holds the commit, whose content cannot change, and the checksum is the proof.
#pragma once

#include <atomic>
#include <string>

#include "hub/http.h"
#include "hub/listing.h"

namespace mlc::hub {

struct Transfer {
  HttpClient& client;
  std::string model;  // for messages: "Qwen/Qwen2-0.5B"
  std::string url, token;
  const RemoteFile& file;
  std::string to;
  const std::atomic<bool>& stop;      // another file failed: give up
  std::atomic<uint64_t>& bytes_done;  // of all files; goes down when a file begins anew
};

// Errors: kNotFound and kUnavailable as refused() tells them, kCorrupt when the bytes do
// not have the checksum, twice; kIo.
Result<void> fetch_file(const Transfer& transfer);

// What a refusal (401, 403, 404, …) of a hub means and what to do. `what`: "meta-llama/Llama-3.2-1B".
Error refused(const Answer& answer, const std::string& url, const std::string& what, bool has_token);

}  // namespace mlc::hub
