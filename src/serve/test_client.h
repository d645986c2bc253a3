// A blocking HTTP client over plain sockets, for the tests of serve/: it can do what real clients must not, such as
// stopping in the middle of a header.
//
//   TestClient c(port);
//   TestReply r = c.request("GET", "/health");     r.status, r.header("content-type"), r.body (chunks joined)
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "serve/test_socket.h"

namespace mlc::serve {

struct TestReply {
  int status = 0;                              // 0: the connection ended before a header was there
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  std::string header(const std::string& name) const {
    const auto it = headers.find(name);
    return it == headers.end() ? "" : it->second;
  }
  // The data of a stream's events.
  std::vector<std::string> events() const {
    std::vector<std::string> out;
    for (size_t at = 0; (at = body.find("data: ", at)) != std::string::npos;) {
      const size_t end = body.find("\n\n", at);
      out.push_back(body.substr(at + 6, end - at - 6));
      at = end;
    }
    return out;
  }
};

class TestClient {
 public:
  explicit TestClient(uint16_t port, int receive_buffer = 0) : fd_(open_socket()) {
    if (receive_buffer > 0) set_option(fd_, SO_RCVBUF, receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    limit_receive(fd_, 20);
  }
  ~TestClient() { close(); }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  bool connected() const { return connected_; }
  void close() {
    if (fd_ != kNoSocket) close_socket(fd_);
    fd_ = kNoSocket;
  }
  bool send(const std::string& bytes) {
    for (size_t sent = 0; sent < bytes.size();) {
      const auto n = ::send(fd_, bytes.data() + sent, to_length(bytes.size() - sent), kNoSignal);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }
  void finish_sending() { ::shutdown(fd_, kShutdownSend); }
  // One read; false at the end of input or after 20 s without any.
  bool receive() {
    char chunk[4096];
    const auto n = ::recv(fd_, chunk, sizeof(chunk), 0);
    if (n > 0) input_.append(chunk, static_cast<size_t>(n));
    return n > 0;
  }
  bool receive_until(const std::string& text) {
    while (input_.find(text) == std::string::npos) {
      if (!receive()) return false;
    }
    return true;
  }
  bool at_end() { return !receive() && input_.empty(); }
  std::string& input() { return input_; }

  static std::string compose(const std::string& method, const std::string& path, const std::string& body = "",
                             const std::string& headers = "") {
    std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: test\r\n{}", method, path, headers);
    if (method == "POST") out += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    return out + "\r\n" + body;
  }
  TestReply request(const std::string& method, const std::string& path, const std::string& body = "",
                    const std::string& headers = "") {
    send(compose(method, path, body, headers));
    return read_reply(method == "HEAD");
  }
  TestReply post(const std::string& path, const std::string& body) { return request("POST", path, body); }

  TestReply read_reply(bool without_body = false) {
    TestReply reply;
    if (!receive_until("\r\n\r\n")) return reply;
    read_head(&reply);
    if (without_body) return reply;
    if (reply.header("transfer-encoding") == "chunked") {
      while (read_chunk(&reply)) {
      }
    } else if (!reply.header("content-length").empty()) {
      const size_t size = std::stoul(reply.header("content-length"));
      while (input_.size() < size && receive()) {
      }
      reply.body = take(std::min(size, input_.size()));
    } else if (reply.status != 204) {  // until the end
      while (receive()) {
      }
      reply.body = take(input_.size());
    }
    return reply;
  }

 private:
  std::string take(size_t size) {
    std::string out = input_.substr(0, size);
    input_.erase(0, size);
    return out;
  }
  void read_head(TestReply* reply) {
    const std::string head = take(input_.find("\r\n\r\n") + 4);
    reply->status = std::stoi(head.substr(9, 3));
    for (size_t at = head.find("\r\n") + 2; at + 2 < head.size();) {
      const size_t end = head.find("\r\n", at), colon = head.find(": ", at);
      std::string name = head.substr(at, colon - at);
      std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
      reply->headers[name] = head.substr(colon + 2, end - colon - 2);
      at = end + 2;
    }
  }
  bool read_chunk(TestReply* reply) {
    if (!receive_until("\r\n")) return false;
    const size_t size = std::stoul(take(input_.find("\r\n") + 2), nullptr, 16);
    while (input_.size() < size + 2) {
      if (!receive()) return false;
    }
    reply->body += take(size);
    take(2);
    return size > 0;
  }

  Socket fd_;
  bool connected_ = false;
  std::string input_;
};

}  // namespace mlc::serve
