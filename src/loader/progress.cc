#include "loader/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

namespace mlc::loader {

using Clock = std::chrono::steady_clock;

namespace {
std::atomic<bool> g_shown{true};
}  // namespace

void Progress::show(bool shown) { g_shown = shown; }

Progress::Progress(std::string what)
    : what_(std::move(what)), start_(Clock::now()), terminal_(g_shown && isatty(2) != 0) {
  if (terminal_) print("");
}

Progress::~Progress() {
  if (open_ && !finished_) std::fputc('\n', stderr);
}

void Progress::print(const std::string& detail) {
  std::fprintf(stderr, "\r\x1b[K%s%s%s", what_.c_str(), detail.empty() ? " …" : ": ", detail.c_str());
  std::fflush(stderr);
  open_ = true;
}

void Progress::update(double fraction) { update(fmt::format("{:.0f}%", 100 * fraction)); }

void Progress::update(const std::string& detail) {
  const auto now = Clock::now();
  if (!terminal_ || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  print(detail);
}

void Progress::done(const std::string& summary) {
  finished_ = true;
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  if (!g_shown) return;
  if (terminal_) std::fputs("\r\x1b[K", stderr);
  std::fprintf(stderr, "%s: %s%sin %.1f s\n", what_.c_str(), summary.c_str(), summary.empty() ? "" : " ", seconds);
}

}  // namespace mlc::loader
