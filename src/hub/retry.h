// GETs that are tried again: when the connection fails or breaks, and when the server says that it cannot now (429,
// 5xx). Waits double from 0.25 s, with a random part so that many clients do not come back together; a server's
// Retry-After wins, up to a minute. Attempts that brought new bytes do not count, up to a limit.
//
//   MLC_TRY(Answer answer, get_text(client, {.url = url, .token = token}));     // status 200, or a refusal
#pragma once

#include <atomic>

#include "hub/http.h"

namespace mlc::hub {

class Retry {
 public:
  // `stop`: ends waits early; may be null.
  explicit Retry(const std::atomic<bool>* stop = nullptr) : stop_(stop) {}

  // After an attempt: whether to make another one. Waits before it says so.
  bool again(const Answer& answer);
  void moved() { failures_ = 0; }

 private:
  const std::atomic<bool>* stop_;
  int failures_ = 0, all_failures_ = 0;
};

// The answer as a whole, after as many attempts as make sense. Errors: kUnavailable when there was no answer.
Result<Answer> get_text(HttpClient& client, const GetRequest& request);

// What to tell about an answer that is no success: "no connection to …", "… answers 503, too often".
Error unanswered(const std::string& url, const Answer& answer);

}  // namespace mlc::hub
