#include "serve/web_assets.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "serve/routes.h"

namespace mlc::serve {
namespace {

HttpRequest get(const std::string& path) {
  HttpRequest r;
  r.method = "GET";
  r.path = path;
  return r;
}

std::string header(const HttpReply& reply, const std::string& name) {
  for (const auto& [key, value] : reply.headers) {
    if (key == name) return value;
  }
  return "";
}

class WebAssets : public testing::Test {
 protected:
  int status(const HttpRequest& request) {
    const ServerContext context(options_, ApiKeys::load(options_.api_keys, "").value(), nullptr);
    const Routes r(context);
    if (const auto refused = r.check(request)) return refused->status;
    return r.handle(request, [] {}).reply.status;
  }

  ServerOptions options_;
};

TEST_F(WebAssets, EveryFileIsThere) {
  EXPECT_GE(web_assets().size(), 10u);
  size_t packed = 0;
  for (const WebAsset& a : web_assets()) {
    EXPECT_EQ(find_web_asset(a.path), &a);
    EXPECT_FALSE(a.plain.empty()) << a.path;
    EXPECT_EQ(a.gzip.substr(0, 2), "\x1f\x8b") << a.path;
    EXPECT_EQ(a.gzip.substr(4, 4), std::string_view("\0\0\0\0", 4)) << a.path << ": no time of the build";
    packed += a.gzip.size();
  }
  EXPECT_LT(packed, 60'000u);
  EXPECT_TRUE(find_web_asset("/")->plain.starts_with("<!DOCTYPE html>"));
  EXPECT_EQ(find_web_asset("/ui/chat.js")->content_type, "text/javascript; charset=utf-8");
  EXPECT_EQ(find_web_asset("/ui/index.html"), nullptr);
}

TEST_F(WebAssets, PagesLoadNothingFromElsewhere) {
  for (const WebAsset& a : web_assets()) {
    if (a.path == "/ui/icon.svg") continue;  // names its XML namespace
    for (size_t at = 0; (at = a.plain.find("//", at)) != std::string_view::npos; at += 2) {
      const bool scheme = at > 0 && a.plain[at - 1] == ':';
      const std::string_view rest = a.plain.substr(at, 20);
      const bool known = rest.starts_with("//HOST:PORT") || rest.starts_with("//www.w3.org");
      EXPECT_TRUE(!scheme || known) << a.path << ": " << rest;
    }
    EXPECT_EQ(a.plain.find("innerHTML"), std::string_view::npos) << a.path;
  }
}

TEST_F(WebAssets, AnswersCarryThePolicy) {
  for (const WebAsset& a : web_assets()) {
    const HttpReply reply = web_reply(a, get(std::string(a.path)));
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, a.plain);
    EXPECT_TRUE(header(reply, "Content-Security-Policy").starts_with("default-src 'self';"));
    EXPECT_EQ(header(reply, "X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(header(reply, "Cache-Control"), "no-cache");
  }
}

TEST_F(WebAssets, CompressedForThoseWhoTakeIt) {
  const WebAsset& page = *find_web_asset("/");
  HttpRequest r = get("/");
  for (const char* yes : {"gzip", "br, gzip;q=0.5", "deflate , gzip ; q=1", "*"}) {
    r.accept_encoding = yes;
    const HttpReply reply = web_reply(page, r);
    EXPECT_EQ(reply.body, page.gzip) << yes;
    EXPECT_EQ(header(reply, "Content-Encoding"), "gzip") << yes;
  }
  for (const char* no : {"", "br", "gzip;q=0", "gzip;q=0.000", "notgzip", ",,;"}) {
    r.accept_encoding = no;
    EXPECT_EQ(web_reply(page, r).body, page.plain) << no;
  }
}

TEST_F(WebAssets, NotSentAgain) {
  const WebAsset& page = *find_web_asset("/");
  HttpRequest r = get("/");
  const std::string tag = header(web_reply(page, r), "ETag");
  for (const std::string& known : {tag, "W/" + tag, "\"x\", " + tag, std::string("*")}) {
    r.if_none_match = known;
    const HttpReply reply = web_reply(page, r);
    EXPECT_EQ(reply.status, 304) << known;
    EXPECT_TRUE(reply.body.empty());
    EXPECT_EQ(header(reply, "ETag"), tag);
    EXPECT_FALSE(header(reply, "Content-Security-Policy").empty());
  }
  r.if_none_match = tag;
  r.accept_encoding = "gzip";  // another form
  EXPECT_EQ(web_reply(page, r).status, 200);
}

TEST_F(WebAssets, Routes) {
  for (const char* path : {"/", "/ui/metrics", "/ui/style.css"}) {
    EXPECT_EQ(status(get(path)), 200) << path;
    HttpRequest post = get(path);
    post.method = "POST";
    EXPECT_EQ(status(post), 405) << path;
    post.method = "HEAD";
    EXPECT_EQ(status(post), 200) << path;
  }
  for (const char* path : {"/ui/", "/ui", "/ui/none", "/ui/../routes.cc", "/index.html", "/x"}) {
    EXPECT_EQ(status(get(path)), 404) << path;
  }
  options_.ui = false;
  for (const char* path : {"/", "/ui/metrics", "/ui/style.css"}) EXPECT_EQ(status(get(path)), 404) << path;
}

// The page is open, so that it can ask for the key; the server's numbers are not.
TEST_F(WebAssets, KeysGuardTheNumbers) {
  options_.api_keys = {"secret"};
  EXPECT_EQ(status(get("/")), 200);
  EXPECT_EQ(status(get("/ui/metrics")), 200);
  EXPECT_EQ(status(get("/metrics")), 401);
  HttpRequest r = get("/metrics");
  r.authorization = "Bearer secret";
  EXPECT_EQ(status(r), 200);
}

}  // namespace
}  // namespace mlc::serve
