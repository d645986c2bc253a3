// Against real sockets: this program's own server with a scripted engine, and servers that do what they must not.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <numeric>
#include <thread>

#include "base/log.h"
#include "protocol/scripted_engine.h"
#include "serve/http_server.h"
#include "tools/bench_serve/dataset.h"
#include "tools/bench_serve/report.h"

namespace mlc::tools::bench_serve {
namespace {

using namespace std::chrono_literals;
using protocol::ScriptedEngine;

// A server that answers every connection with the same bytes, in pieces, then closes it (or holds it open).
class Scripted {
 public:
  explicit Scripted(std::vector<std::string> pieces, bool hold = false) : pieces_(std::move(pieces)), hold_(hold) {
    fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    MLC_CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0, "bind");
    socklen_t size = sizeof(address);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    ::listen(fd_, 64);
    thread_ = std::thread([this] { serve(); });
  }
  ~Scripted() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
    for (const int c : held_) ::close(c);
  }
  Server server() const { return Server::parse(fmt::format("http://127.0.0.1:{}", port_), "").value(); }
  std::string last_request() const { return last_; }

 private:
  void serve() {
    for (int c; (c = ::accept(fd_, nullptr, nullptr)) >= 0;) {
      std::string request;
      char buffer[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t n = ::recv(c, buffer, sizeof(buffer), 0);
        if (n <= 0) break;
        request.append(buffer, static_cast<size_t>(n));
      }
      last_ = request;
      for (const std::string& piece : pieces_) {
        ::send(c, piece.data(), piece.size(), MSG_NOSIGNAL);
        std::this_thread::sleep_for(5ms);
      }
      if (hold_) {
        held_.push_back(c);
        continue;
      }
      ::shutdown(c, SHUT_WR);
      while (::recv(c, buffer, sizeof(buffer), 0) > 0) {
      }
      ::close(c);
    }
  }

  std::vector<std::string> pieces_;
  bool hold_;
  int fd_ = -1;
  uint16_t port_ = 0;
  std::string last_;
  std::vector<int> held_;
  std::thread thread_;
};

const std::string kHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
std::string chunk(const std::string& text) {
  return fmt::format("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{}\"}}}}]}}\n\n", text);
}

Sample ask_once(const Server& server, std::chrono::nanoseconds limit = 20s) {
  return run_load(server, {.path = "/v1/chat/completions", .bodies = {"{}"}, .limit = limit}).samples[0];
}

// This program's server, with an engine that says "Hi there".
class Running {
 public:
  explicit Running(ScriptedEngine::Options engine, serve::ServerOptions options = {}) {
    log::set_level(log::Level::kWarn);
    options.port = 0;
    server_ = serve::HttpServer::create(options).value();
    MLC_CHECK(server_->listen().has_value(), "listen");
    protocol::ModelList models;
    models.add(std::make_shared<const protocol::ServedModel>(
        protocol::toy_model("toy", std::make_shared<ScriptedEngine>(std::move(engine)))));
    MLC_CHECK(server_->set_models(std::move(models)).has_value(), "models");
    thread_ = std::thread([this] { EXPECT_TRUE(server_->run()); });
  }
  ~Running() {
    server_->stop();
    server_->stop();
    thread_.join();
  }
  Server server(const std::string& key = "") const {
    return Server::parse(fmt::format("http://127.0.0.1:{}/v1/", server_->port()), key).value();
  }

 private:
  std::unique_ptr<serve::HttpServer> server_;
  std::thread thread_;
};

const std::string kChat =
    R"({"messages":[{"role":"user","content":"x"}],"stream":true,"stream_options":{"include_usage":true}})";

TEST(BenchServe, CountsWhatTheServerCounts) {
  const Running running({.reply = "Hi there"});
  LoadSpec spec{.path = "/v1/chat/completions", .bodies = std::vector<std::string>(20, kChat), .concurrency = 4};
  const Load load = run_load(running.server(), spec);
  const Summary s = summarize(load, {});
  EXPECT_EQ(s.completed, 20) << s.first_detail;
  EXPECT_TRUE(s.counted_by_server);
  for (const Sample& sample : load.samples) {
    EXPECT_EQ(sample.output_tokens, 9);  // the end counts
    EXPECT_EQ(sample.prompt_tokens, 19);
    EXPECT_GT(sample.ttft, 0);
    EXPECT_GE(sample.e2e, sample.ttft);
    EXPECT_LE(sample.itl.size(), 7u);
  }
  EXPECT_GT(s.output_tokens_per_s, 0);
  EXPECT_GT(s.slowest_share, 0);
  EXPECT_LE(s.slowest_share, 1);
}

TEST(BenchServe, CompletionsToo) {
  const Running running({.reply = "Hi"});
  const std::string body = R"({"prompt":"x","max_tokens":4,"stream":true,"stream_options":{"include_usage":true}})";
  const Load load = run_load(running.server(), {.path = "/v1/completions", .bodies = {body}});
  EXPECT_TRUE(load.samples[0].ok()) << load.samples[0].detail;
  EXPECT_EQ(load.samples[0].output_tokens, 3);
}

// No more requests at a time than asked for; and as many.
TEST(BenchServe, KeepsToTheConcurrency) {
  const Running running({.reply = "Hi there", .step = 2ms});
  for (const int64_t at_once : {1, 3}) {
    LoadSpec spec{.path = "/v1/chat/completions", .bodies = std::vector<std::string>(9, kChat), .concurrency = at_once};
    const Load load = run_load(running.server(), spec);
    int64_t most = 0;
    for (const Sample& a : load.samples) {
      int64_t together = 0;
      for (const Sample& b : load.samples) together += b.start <= a.start && a.start < b.start + b.e2e;
      most = std::max(most, together);
    }
    EXPECT_EQ(most, at_once);
  }
}

TEST(BenchServe, RequestsComeWhenTheyShould) {
  const Running running({.reply = "Hi"});
  LoadSpec spec{.path = "/v1/chat/completions", .bodies = std::vector<std::string>(4, kChat)};
  spec.arrivals = {0, 0.05, 0.1, 0.15};
  const Load load = run_load(running.server(), spec);
  for (size_t i = 0; i < 4; ++i) EXPECT_GE(load.samples[i].start, spec.arrivals[i] - 1e-3);
}

TEST(BenchServe, CountsPiecesWithoutUsage) {
  const Scripted s({kHead, chunk(""), chunk("a"), chunk("b") + chunk("c"), "data: [DONE]\n\n"});
  const Sample sample = ask_once(s.server());
  EXPECT_TRUE(sample.ok()) << sample.detail;
  EXPECT_FALSE(sample.counted_by_server);
  EXPECT_EQ(sample.output_tokens, 3);
  EXPECT_EQ(sample.itl.size(), 2u);
  EXPECT_NE(s.last_request().find("POST /v1/chat/completions HTTP/1.1"), std::string::npos);
}

TEST(BenchServe, ErrorsByKind) {
  const auto kind = [](std::vector<std::string> pieces) {
    return ask_once(Scripted(std::move(pieces)).server()).error;
  };
  EXPECT_EQ(kind({kHead, chunk("a")}), "broken");
  EXPECT_EQ(kind({kHead, chunk("a").substr(0, 20)}), "broken");
  EXPECT_EQ(kind({"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", chunk("a")}), "broken");
  EXPECT_EQ(kind({}), "broken");
  EXPECT_EQ(kind({"nonsense\r\n\r\n"}), "broken");
  EXPECT_EQ(kind({kHead, "data: [DONE]\n\n"}), "empty");
  EXPECT_EQ(kind({kHead, chunk("a"), "data: {\"error\": {\"message\": \"no\"}}\n\n", "data: [DONE]\n\n"}), "stream");
  EXPECT_EQ(kind({kHead, "data: {broken\n\n", "data: [DONE]\n\n"}), "stream");
  EXPECT_EQ(kind({kHead, "data: {\"choices\": [7, {\"delta\": 3}], \"usage\": []}\n\n", "data: [DONE]\n\n"}), "empty");
  const Scripted busy(
      {"HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\n\r\n{\"error\": {\"message\": \"later\"}}"});
  const Sample refused = ask_once(busy.server());
  EXPECT_EQ(refused.error, "http_429");
  EXPECT_EQ(refused.detail, "later");
  const Scripted silent({kHead, chunk("a")}, /*hold=*/true);
  EXPECT_EQ(ask_once(silent.server(), 300ms).error, "timeout");
}

TEST(BenchServe, NobodyThere) {
  Server nobody = Server::parse("http://127.0.0.1:1", "").value();
  EXPECT_EQ(ask_once(nobody).error, "connect");
  const auto got = get(nobody, "/v1/models", 5s);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().message.find("http://127.0.0.1:1/v1/models does not answer"), std::string::npos);
}

TEST(BenchServe, KeysAreSent) {
  serve::ServerOptions options;
  options.api_keys = {"secret"};
  const Running running({.reply = "Hi"}, options);
  EXPECT_FALSE(get(running.server(), "/v1/models", 20s));
  const auto models = get(running.server("secret"), "/v1/models", 20s);
  ASSERT_TRUE(models) << models.error().message;
  EXPECT_NE(models->find("\"toy\""), std::string::npos);
}

TEST(BenchServe, Addresses) {
  const Server s = Server::parse("http://localhost:8080/api/v1/", "k").value();
  EXPECT_EQ(s.host, "localhost");
  EXPECT_EQ(s.port, "8080");
  EXPECT_EQ(s.prefix, "/api");
  EXPECT_EQ(Server::parse("http://127.0.0.1", "").value().port, "80");
  EXPECT_EQ(Server::parse("http://[::1]:81/v1", "").value().port, "81");
  for (const char* bad : {"", "127.0.0.1:80", "https://127.0.0.1", "http://", "http://:80", "http://127.0.0.1:x",
                          "http://127.0.0.1:123456", "http://127.0.0.1:"}) {
    EXPECT_FALSE(Server::parse(bad, "")) << bad;
  }
}

TEST(BenchServe, EventsComeWhole) {
  const std::string text = ": c\n\ndata: one\r\n\r\ndata:two\ndata: three\n\nevent: x\ndata: [DONE]\n\n";
  for (size_t size = 1; size < text.size(); ++size) {
    EventParser parser;
    std::vector<std::string> events;
    for (size_t at = 0; at < text.size(); at += size) {
      parser.feed(std::string_view(text).substr(at, size), [&](std::string_view e) { events.emplace_back(e); });
    }
    EXPECT_EQ(events, (std::vector<std::string>{"one", "two\nthree", "[DONE]"})) << size;
  }
}

TEST(BenchServe, PromptsAndArrivalsFollowTheSeed) {
  EXPECT_EQ(random_prompt(1, 2, 50), random_prompt(1, 2, 50));
  EXPECT_NE(random_prompt(1, 2, 50), random_prompt(1, 3, 50));
  EXPECT_NE(random_prompt(1, 2, 50), random_prompt(2, 2, 50));
  const std::string prompt = random_prompt(1, 2, 50);
  EXPECT_EQ(std::count(prompt.begin(), prompt.end(), ' '), 49);
  const auto times = arrivals(7, 20, 4000);
  EXPECT_EQ(times, arrivals(7, 20, 4000));
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_NEAR(times.back(), 200, 20);
  // Poisson: gaps vary as much as they are long.
  double square = 0;
  for (size_t i = 1; i < times.size(); ++i) square += (times[i] - times[i - 1]) * (times[i] - times[i - 1]);
  EXPECT_NEAR(square / 4000, 2.0 / 400, 0.001);
}

TEST(BenchServe, ShareGpt) {
  const std::string path = testing::TempDir() + "/sharegpt.json";
  const auto read = [&path](const std::string& text, int64_t max_tokens) {
    std::ofstream(path) << text;
    return read_sharegpt(path, max_tokens);
  };
  const std::string good =
      R"([{"id":"a","conversations":[{"from":"human","value":"Q1"},{"from":"gpt","value":"0123456789012345678901234567"}]},
          {"conversations":[{"from":"human","value":"alone"}]}, {"conversations":7}, 3,
          {"conversations":[{"from":"human","value":"Q2"},{"from":"gpt","value":"A"}]}])";
  const auto questions = read(good, 0);
  ASSERT_TRUE(questions) << questions.error().message;
  ASSERT_EQ(questions->size(), 2u);
  EXPECT_EQ((*questions)[0].prompt, "Q1");
  EXPECT_EQ((*questions)[0].max_tokens, 7);
  EXPECT_EQ((*questions)[1].max_tokens, 4);
  EXPECT_EQ(read(good, 9).value()[0].max_tokens, 9);
  for (const char* bad : {"", "{}", "[]", "[{}]", "[{\"conversations\":[]}]"}) EXPECT_FALSE(read(bad, 0)) << bad;
  EXPECT_FALSE(read_sharegpt(path + ".none", 0));
  std::vector<Question> list(100), other(100);
  for (int i = 0; i < 100; ++i) list[i].max_tokens = other[i].max_tokens = i;
  shuffle(list, 5);
  shuffle(other, 5);
  for (size_t i = 0; i < 100; ++i) EXPECT_EQ(list[i].max_tokens, other[i].max_tokens);
  EXPECT_NE(list[0].max_tokens + 100 * list[1].max_tokens, 100);
}

TEST(BenchServe, Figures) {
  std::vector<double> values(101);
  std::iota(values.rbegin(), values.rend(), 0);
  const Quantiles q = quantiles(values);
  EXPECT_DOUBLE_EQ(q.mean, 50);
  EXPECT_DOUBLE_EQ(q.p50, 50);
  EXPECT_DOUBLE_EQ(q.p90, 90);
  EXPECT_DOUBLE_EQ(q.p99, 99);
  EXPECT_DOUBLE_EQ(q.max, 100);
  EXPECT_DOUBLE_EQ(quantiles({2, 1}).p50, 1.5);
  EXPECT_EQ(quantiles({}).count, 0u);

  Load load;
  load.seconds = 10;
  for (int i = 0; i < 4; ++i) {
    Sample s;
    s.ttft = 0.1 * (i + 1);
    s.e2e = s.ttft + 0.9;
    s.itl = {0.01, 0.02 * (i + 1)};
    s.prompt_tokens = 5;
    s.output_tokens = 10;
    s.counted_by_server = true;
    load.samples.push_back(s);
  }
  Sample failed;
  failed.error = "http_429";
  failed.detail = "later";
  load.samples.push_back(failed);
  const auto goals = parse_goals({"ttft:250", "itl:50"});
  ASSERT_TRUE(goals) << goals.error().message;
  const Summary s = summarize(load, *goals);
  EXPECT_EQ(s.completed, 4);
  EXPECT_EQ(s.errors.at("http_429"), 1);
  EXPECT_EQ(s.first_detail, "later");
  EXPECT_DOUBLE_EQ(s.output_tokens_per_s, 4);
  EXPECT_DOUBLE_EQ(s.total_tokens_per_s, 6);
  EXPECT_DOUBLE_EQ(s.tpot.p50, 0.1);
  EXPECT_DOUBLE_EQ(s.good_per_s, 0.2);
  EXPECT_DOUBLE_EQ(s.good_share, 0.4);
  EXPECT_NEAR(s.slowest_share, (10 / 1.3) / ((10 / 1.1 + 10 / 1.2) / 2), 1e-9);
  for (const char* bad : {"ttft", "ttft:", "ttft:x", "speed:3", "ttft:-1", "ttft:1s", ":5"}) {
    EXPECT_FALSE(parse_goals({bad})) << bad;
  }
  const Summary none = summarize({}, {});
  EXPECT_EQ(none.completed, 0);
}

TEST(BenchServe, Reports) {
  const Running running({.reply = "Hi there"});
  Report r;
  r.time = "now";
  r.url = "http://x";
  r.path = "/v1/chat/completions";
  r.model = "<toy>";
  r.dataset = "d";
  r.goals = parse_goals({"e2e:100000"}).value();
  for (const int64_t n : {1, 2}) {
    LoadSpec spec{.path = r.path, .bodies = std::vector<std::string>(3, kChat), .concurrency = n};
    r.levels.push_back({n, 0, run_load(running.server(), spec)});
  }
  r.levels.push_back(
      {4, 2.5, run_load(Server::parse("http://127.0.0.1:1", "").value(), {.path = r.path, .bodies = {"{}"}})});
  const std::string text = table(r);
  EXPECT_NE(text.find("2 at once"), std::string::npos) << text;
  EXPECT_NE(text.find("1 x connect"), std::string::npos) << text;
  const OrderedJson json = to_json(r);
  EXPECT_EQ(json["levels"].size(), 3u);
  EXPECT_EQ(json["levels"][0]["completed"], 3);
  EXPECT_EQ(json["levels"][0]["goodput_share"], 1.0);
  EXPECT_EQ(json["levels"][0]["requests"][2]["output_tokens"], 9);
  EXPECT_EQ(json["levels"][2]["errors"]["connect"], 1);
  const std::string page = html(r);
  EXPECT_NE(page.find("&lt;toy&gt;"), std::string::npos);
  EXPECT_EQ(page.find("<toy>"), std::string::npos);
  EXPECT_EQ(page.find("nan"), std::string::npos);
  EXPECT_NE(page.find("Throughput"), std::string::npos);
  EXPECT_NE(page.find("1 x connect"), std::string::npos);
}

}  // namespace
}  // namespace mlc::tools::bench_serve
