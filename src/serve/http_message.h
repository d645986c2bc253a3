// Requests and replies without sockets: what routes.cc sees, so that only connection.cc knows the HTTP library.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mlc::serve {

struct HttpRequest {
  std::string method;         // "GET"
  std::string path;           // decoded, without the query
  std::string authorization;  // this and the following: header values, empty when absent
  std::string x_api_key;
  std::string traceparent;
  std::string content_type;
  std::string accept_encoding;
  std::string if_none_match;
  std::string origin;
  std::string cors_headers;  // Access-Control-Request-Headers
  std::string request_id;
  std::string body;
};

struct HttpReply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

}  // namespace mlc::serve
