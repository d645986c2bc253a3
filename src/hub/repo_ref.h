// The name of a model on a hub: where it is, whose it is, which version.
//
//   HF://mlc-ai/Llama-3-8B-Instruct-q4f16_1-MLC            main of the hub of $HF_ENDPOINT, else huggingface.co
//   hf://meta-llama/Llama-3.2-1B@4e20de3                   a branch, a tag or a commit
//   https://huggingface.co/Qwen/Qwen2-0.5B/tree/main       as the browser shows it
//
//   if (is_hub_name(text)) { MLC_TRY(RepoRef ref, parse_repo_ref(text, "https://huggingface.co")); … }
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mlc::hub {

inline constexpr const char* kDefaultEndpoint = "https://huggingface.co";

struct RepoRef {
  std::string endpoint;  // "https://huggingface.co", without a slash at the end
  std::string site;      // "hf" for the configured hub, else the host: keeps the hubs apart in the cache
  std::string user, repo;
  std::string revision = "main";

  std::string id() const { return user + "/" + repo; }
  // "user/repo", with "@revision" unless it is main.
  std::string display() const { return revision == "main" ? id() : id() + "@" + revision; }
};

// Whether a model argument names a hub rather than a directory: HF://…, hf://…, https://…, http://….
bool is_hub_name(std::string_view text);

// Names that cannot be are refused with the form that is expected; nothing of a name can leave the cache's directory.
Result<RepoRef> parse_repo_ref(std::string_view text, const std::string& endpoint);

// One path segment of a URL: all but letters, digits and "-._~" as %XX.
std::string encode_segment(std::string_view text);
// The same for a path of segments, whose slashes stay.
std::string encode_path(std::string_view text);

}  // namespace mlc::hub
