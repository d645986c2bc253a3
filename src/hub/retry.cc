#include "hub/retry.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "base/log.h"

namespace mlc::hub {
namespace {

constexpr int kAttempts = 5, kAllAttempts = 200;
constexpr double kFirstWait = 0.25, kLongestWait = 60;

bool may_pass(const Answer& answer) {
  return answer.status == 0 || answer.status == 408 || answer.status == 429 || answer.status >= 500;
}

double jitter() {
  thread_local std::minstd_rand random(std::random_device{}());
  return std::uniform_real_distribution<double>(1, 1.5)(random);
}

}  // namespace

bool Retry::again(const Answer& answer) {
  if (!may_pass(answer) || ++failures_ >= kAttempts || ++all_failures_ >= kAllAttempts) return false;
  double wait = kFirstWait * static_cast<double>(1 << (failures_ - 1)) * jitter();
  if (answer.retry_after_s) wait = *answer.retry_after_s;
  wait = std::min(wait, kLongestWait);
  log::info("{}; trying again in {:.1f} s",
            answer.failure.empty() ? fmt::format("the hub answers {}", answer.status) : answer.failure, wait);
  const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(wait);
  while (std::chrono::steady_clock::now() < until) {
    if (stop_ != nullptr && *stop_) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

Result<Answer> get_text(HttpClient& client, const GetRequest& request) {
  Retry retry;
  for (;;) {
    MLC_TRY(Answer answer, client.get(request, nullptr));
    if (answer.status == 200) return answer;
    if (retry.again(answer)) continue;
    if (may_pass(answer)) return unanswered(request.url, answer);
    return answer;
  }
}

Error unanswered(const std::string& url, const Answer& answer) {
  if (answer.status == 0) {
    return error(ErrorCode::kUnavailable,
                 "{} cannot be reached: {}; check the network, HTTPS_PROXY and HF_ENDPOINT (a mirror), or name a "
                 "directory",
                 url, answer.failure);
  }
  if (answer.status == 429) {
    return error(ErrorCode::kUnavailable,
                 "{} answers 429: too many requests from here; wait a while, or set HF_TOKEN to be known there", url);
  }
  return error(ErrorCode::kUnavailable, "{} answers {}, {} times; try again later", url, answer.status, kAttempts);
}

}  // namespace mlc::hub
