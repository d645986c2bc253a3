// Puts a server under load and notes how each request fared. One thread, any number of open streams.
//
//   LoadSpec spec{.path = "/v1/chat/completions", .bodies = {…}, .concurrency = 8};
//   Load load = run_load(server, spec);
#pragma once

#include <chrono>

#include "tools/bench_serve/client.h"

namespace mlc::tools::bench_serve {

struct LoadSpec {
  std::string path;
  std::vector<std::string> bodies;    // one request each, in this order
  std::vector<double> arrivals = {};  // when each may begin, in seconds; empty: as soon as there is room
  int64_t concurrency = 0;            // requests in flight at most; 0: no limit
  std::chrono::nanoseconds limit = std::chrono::minutes(10);  // for one request
};

struct Load {
  std::vector<Sample> samples;  // in the order of the bodies
  double seconds = 0;           // from the first request's start to the last one's end
};
Load run_load(const Server& server, const LoadSpec& spec);

}  // namespace mlc::tools::bench_serve
