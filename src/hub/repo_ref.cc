#include "hub/repo_ref.h"

#include <algorithm>
#include <cctype>

namespace mlc::hub {
namespace {

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool starts_with_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), text.begin(), [](char a, char b) {
           return a == std::tolower(static_cast<unsigned char>(b));
         });
}

// A user's or a repository's name as hubs allow it.
bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 96 && is_alnum(text[0]) && text.find("..") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

// A branch, a tag, a commit, or "refs/pr/3".
bool is_revision(std::string_view text) {
  return !text.empty() && text.size() <= 256 && is_alnum(text[0]) && text.back() != '/' &&
         text.find("..") == std::string_view::npos && text.find("//") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_alnum(c) || std::string_view("-_./+").find(c) != std::string_view::npos; });
}

Error bad_name(std::string_view text) {
  return error("\"{}\" names no model; expected HF://USER/REPO, HF://USER/REPO@REVISION or https://HOST/USER/REPO",
               text);
}

// The text before the first `mark`, which is removed with it from `rest`.
std::string_view take(std::string_view& rest, char mark) {
  const size_t at = rest.find(mark);
  const std::string_view head = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return head;
}

std::string_view without_scheme(std::string_view url) { return url.substr(url.find("://") + 3); }

}  // namespace

bool is_hub_name(std::string_view text) {
  return starts_with_ignoring_case(text, "hf://") || starts_with_ignoring_case(text, "https://") ||
         starts_with_ignoring_case(text, "http://");
}

Result<RepoRef> parse_repo_ref(std::string_view text, const std::string& endpoint) {
  RepoRef ref;
  ref.endpoint = endpoint;
  ref.site = "hf";
  std::string_view rest = without_scheme(text);
  if (!starts_with_ignoring_case(text, "hf://")) {
    const std::string_view host = take(rest, '/');
    const bool valid = !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
      return is_alnum(c) || c == '-' || c == '.' || c == ':' || c == '[' || c == ']';
    });
    if (!valid || host.find("..") != std::string_view::npos || host[0] == '.') return bad_name(text);
    // The public hub may have a mirror, and the configured hub may be named by its address.
    const bool configured = host == "huggingface.co" || host == "hf.co" || host == without_scheme(endpoint);
    if (!configured) {
      ref.site = std::string(host);
      ref.endpoint = std::string(text.substr(0, text.find("://") + 3)) + std::string(host);
      std::transform(ref.endpoint.begin(), ref.endpoint.end(), ref.endpoint.begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    }
  }
  const bool revised = rest.find('@') != std::string_view::npos;
  std::string_view path = take(rest, '@');
  if (revised) ref.revision = rest;
  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.ends_with(".git")) path.remove_suffix(4);
  ref.user = take(path, '/');
  ref.repo = take(path, '/');
  if (path.starts_with("tree/") && !revised) {
    ref.revision = path.substr(5);
    path = {};
  }
  if (!is_name(ref.user) || !is_name(ref.repo) || !path.empty() || !is_revision(ref.revision)) return bad_name(text);
  return ref;
}

std::string encode_segment(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = is_alnum(c) || std::string_view("-._~").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string encode_path(std::string_view text) {
  std::string out;
  while (text.find('/') != std::string_view::npos) out += encode_segment(take(text, '/')) + "/";
  return out + encode_segment(text);
}

}  // namespace mlc::hub
