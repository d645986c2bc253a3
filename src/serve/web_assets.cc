#include "serve/web_assets.h"

#include <fmt/format.h>

#include <algorithm>

namespace mlc::serve {
namespace {

constexpr const char* kPolicy =
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'";

std::string_view trim(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

// Calls `use` for each item of a comma-separated header, until it returns true.
template <typename Use>
bool any_item(std::string_view header, Use use) {
  while (!header.empty()) {
    const size_t comma = std::min(header.find(','), header.size());
    if (use(trim(header.substr(0, comma)))) return true;
    header.remove_prefix(std::min(comma + 1, header.size()));
  }
  return false;
}

// "gzip", "gzip;q=0.5" or "*", but not "gzip;q=0".
bool takes_gzip(std::string_view accept_encoding) {
  return any_item(accept_encoding, [](std::string_view item) {
    const size_t semicolon = std::min(item.find(';'), item.size());
    const std::string_view name = trim(item.substr(0, semicolon)), rest = item.substr(semicolon);
    if (name != "gzip" && name != "x-gzip" && name != "*") return false;
    const size_t q = rest.find("q=");
    return q == std::string_view::npos || rest.find_first_of("123456789", q) != std::string_view::npos;
  });
}

bool names(std::string_view if_none_match, std::string_view tag) {
  return any_item(if_none_match, [tag](std::string_view item) {
    if (item.starts_with("W/")) item.remove_prefix(2);
    return item == tag || item == "*";
  });
}

}  // namespace

const WebAsset* find_web_asset(std::string_view path) {
  const auto& all = web_assets();
  const auto it = std::find_if(all.begin(), all.end(), [path](const WebAsset& a) { return a.path == path; });
  return it == all.end() ? nullptr : &*it;
}

HttpReply web_reply(const WebAsset& asset, const HttpRequest& request) {
  const bool gzip = takes_gzip(request.accept_encoding);
  const std::string tag = fmt::format("\"{}{}\"", asset.digest, gzip ? "-gzip" : "");
  HttpReply reply;
  reply.content_type = asset.content_type;
  reply.headers = {{"ETag", tag},
                   {"Cache-Control", "no-cache"},  // kept, and asked about: the next version of the program differs
                   {"Vary", "Accept-Encoding"},
                   {"Content-Security-Policy", kPolicy},
                   {"X-Content-Type-Options", "nosniff"},
                   {"Referrer-Policy", "no-referrer"},
                   {"Cross-Origin-Opener-Policy", "same-origin"}};
  if (names(request.if_none_match, tag)) {
    reply.status = 304;
    reply.content_type.clear();
    return reply;
  }
  if (gzip) reply.headers.emplace_back("Content-Encoding", "gzip");
  reply.body = gzip ? asset.gzip : asset.plain;
  return reply;
}

}  // namespace mlc::serve
