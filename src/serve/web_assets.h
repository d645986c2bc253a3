// The web page of the server: the files of web/, compiled in by cmake/embed_web.cmake.
//
//   if (const WebAsset* asset = find_web_asset(request.path)) reply = web_reply(*asset, request);
//
// The page may load and run only what comes from here (Content-Security-Policy), and no HTML is ever parsed in it
// (Trusted Types): what a model writes stays text.
#pragma once

#include <string_view>
#include <vector>

#include "serve/http_message.h"

namespace mlc::serve {

struct WebAsset {
  std::string_view path;          // "/", "/ui/chat.js"
  std::string_view content_type;  // with charset
  std::string_view digest;        // of the plain bytes
  std::string_view plain, gzip;
};
const std::vector<WebAsset>& web_assets();

const WebAsset* find_web_asset(std::string_view path);  // null: there is none
// 200, or 304 where the request's If-None-Match names this version; compressed for clients that take gzip.
HttpReply web_reply(const WebAsset& asset, const HttpRequest& request);

}  // namespace mlc::serve
