// Blocking sockets for tests: the system's own, where Windows and the others differ in little things.
#pragma once

#ifdef _WIN32
#include <winsock2.h>
#else
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#endif

#include <cstddef>

namespace mlc::serve {

#ifdef _WIN32
using Socket = SOCKET;
inline constexpr Socket kNoSocket = INVALID_SOCKET;
inline constexpr int kNoSignal = 0, kShutdownSend = SD_SEND;
inline int to_length(size_t bytes) { return static_cast<int>(bytes); }
inline Socket open_socket() {
  static const int started = [] {
    WSADATA data;
    return ::WSAStartup(MAKEWORD(2, 2), &data);
  }();
  return started == 0 ? ::socket(AF_INET, SOCK_STREAM, 0) : kNoSocket;
}
inline void close_socket(Socket s) { ::closesocket(s); }
inline void set_option(Socket s, int option, int value) {
  ::setsockopt(s, SOL_SOCKET, option, reinterpret_cast<const char*>(&value), sizeof value);
}
inline void limit_receive(Socket s, int seconds) { set_option(s, SO_RCVTIMEO, seconds * 1000); }
#else
using Socket = int;
inline constexpr Socket kNoSocket = -1;
inline constexpr int kNoSignal = MSG_NOSIGNAL, kShutdownSend = SHUT_WR;
inline size_t to_length(size_t bytes) { return bytes; }
inline Socket open_socket() { return ::socket(AF_INET, SOCK_STREAM, 0); }
inline void close_socket(Socket s) { ::close(s); }
inline void set_option(Socket s, int option, int value) { ::setsockopt(s, SOL_SOCKET, option, &value, sizeof value); }
inline void limit_receive(Socket s, int seconds) {
  const timeval limit{seconds, 0};
  ::setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}
#endif

}  // namespace mlc::serve
