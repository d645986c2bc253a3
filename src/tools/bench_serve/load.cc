#include "tools/bench_serve/load.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace mlc::tools::bench_serve {
namespace {

namespace net = boost::asio;
using Clock = std::chrono::steady_clock;

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

struct Run {
  const Server& server;
  const LoadSpec& spec;
  Load& load;
  Clock::time_point begin;
  size_t next = 0;
};

// Takes one request after the other; as many of these run as requests may be in flight.
net::awaitable<void> client(Run& run) {
  net::steady_timer timer(co_await net::this_coro::executor);
  while (run.next < run.spec.bodies.size()) {
    const size_t i = run.next++;
    if (!run.spec.arrivals.empty()) {
      const std::chrono::duration<double> after(run.spec.arrivals[i]);
      timer.expires_at(run.begin + std::chrono::duration_cast<Clock::duration>(after));
      co_await timer.async_wait(net::as_tuple(net::use_awaitable));
    }
    const double start = seconds_between(run.begin, Clock::now());
    Sample sample = co_await ask(run.server, run.spec.path, run.spec.bodies[i], run.spec.limit);
    sample.start = start;
    run.load.seconds = std::max(run.load.seconds, start + sample.e2e);
    run.load.samples[i] = std::move(sample);
  }
}

}  // namespace

Load run_load(const Server& server, const LoadSpec& spec) {
  Load load;
  load.samples.resize(spec.bodies.size());
  net::io_context io(1);
  Run run{server, spec, load, Clock::now()};
  const auto all = static_cast<int64_t>(spec.bodies.size());
  const int64_t clients = spec.concurrency > 0 ? std::min(spec.concurrency, all) : all;
  for (int64_t i = 0; i < clients; ++i) net::co_spawn(io, client(run), net::detached);
  io.run();
  return load;
}

}  // namespace mlc::tools::bench_serve
