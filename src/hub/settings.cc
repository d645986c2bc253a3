#include "hub/settings.h"

#include <algorithm>
#include <cstdlib>

#include "base/file.h"
#include "base/knobs.h"
#include "hub/repo_ref.h"

namespace mlc::hub {
namespace {

std::string env(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string trimmed(std::string text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.back())) text.pop_back();
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), space));
  return text;
}

// Where `hf auth login` puts the token.
std::string token_file() {
  if (std::string path = knob("HF_TOKEN_PATH"); !path.empty()) return path;
  if (std::string home = env("HF_HOME"); !home.empty()) return join_path(home, "token");
  if (std::string cache = env("XDG_CACHE_HOME"); !cache.empty()) return join_path(cache, "huggingface/token");
  if (std::string home = env("HOME"); !home.empty()) return join_path(home, ".cache/huggingface/token");
  return "";
}

Result<std::string> find_token() {
  std::string token = trimmed(knob("HF_TOKEN"));
  std::string from = "HF_TOKEN";
  if (token.empty()) {
    from = token_file();
    if (auto text = read_file(from)) token = trimmed(*text);
  }
  const bool printable = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 127; });
  if (!printable) return error("{} holds no token: there are spaces or other characters in it", from);
  return token;
}

Result<Policy> find_policy() {
  const std::string text = knob("MLC_DOWNLOAD_CACHE_POLICY");
  const bool offline = knob_bool("HF_HUB_OFFLINE");
  if (text == "ON") return offline ? Policy::kReadOnly : Policy::kOn;
  if (text == "REDO") return offline ? Policy::kReadOnly : Policy::kRedo;
  if (text == "READONLY") return Policy::kReadOnly;
  if (text == "OFF") return Policy::kOff;
  return error("MLC_DOWNLOAD_CACHE_POLICY is \"{}\", expected ON, OFF, REDO or READONLY", text);
}

std::vector<std::string> split(const std::string& text, const char* marks) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t end = std::min(text.find_first_of(marks, at), text.size());
    if (end > at) out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

}  // namespace

Result<Settings> Settings::from_environment() {
  Settings s;
  s.endpoint = trimmed(knob("HF_ENDPOINT"));
  while (s.endpoint.ends_with('/')) s.endpoint.pop_back();
  if (!s.endpoint.starts_with("https://") && !s.endpoint.starts_with("http://")) {
    return error("HF_ENDPOINT is \"{}\", expected an address such as {}", s.endpoint, kDefaultEndpoint);
  }
  MLC_TRY(s.token, find_token());
  MLC_TRY(s.policy, find_policy());
  s.read_only_caches = split(knob("MLC_LLM_READONLY_WEIGHT_CACHE"), ";:");
  for (const char* name : {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"}) {
    if (s.ca_file.empty()) s.ca_file = env(name);
  }
  s.timeout_s = std::max<long>(1, knob_int("HF_HUB_DOWNLOAD_TIMEOUT"));
  return s;
}

}  // namespace mlc::hub
