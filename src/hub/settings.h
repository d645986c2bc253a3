// How hubs are used, from the environment: the names that Hugging Face's and MLC LLM's programs read.
//
//   MLC_TRY(Settings settings, Settings::from_environment());
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace mlc::hub {

enum class Policy {
  kOn,        // what is there is used without asking; what is not is downloaded
  kRedo,      // what is there is compared with the hub, and what differs is downloaded
  kReadOnly,  // only what is there
  kOff,       // models of hubs are refused
};

struct Settings {
  std::string endpoint;                       // $HF_ENDPOINT, else huggingface.co
  std::string token;                          // $HF_TOKEN, else the file that `hf auth login` writes; may be empty
  Policy policy = Policy::kOn;                // $MLC_DOWNLOAD_CACHE_POLICY, $HF_HUB_OFFLINE
  std::vector<std::string> read_only_caches;  // $MLC_LLM_READONLY_WEIGHT_CACHE
  std::string ca_file;                        // $SSL_CERT_FILE and its kin; empty: the system's
  long timeout_s = 30;                        // $HF_HUB_DOWNLOAD_TIMEOUT: without a byte
  int parallel = 4;                           // files at once

  static Result<Settings> from_environment();
};

}  // namespace mlc::hub
