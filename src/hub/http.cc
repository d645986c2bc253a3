#include "hub/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>

#include "base/file.h"

namespace mlc::hub {
namespace {

constexpr size_t kMaxRefusal = 64 << 10;
constexpr size_t kMaxBody = 64 << 20;
constexpr long kConnectTimeout = 15;

// The files that systems keep trusted certificates in, for a libcurl that was built on another one.
constexpr const char* kTrustedCertificates[] = {
    "/etc/ssl/certs/ca-certificates.crt",                 // Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",                   // Fedora, Red Hat
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // the same, newer
    "/etc/ssl/ca-bundle.pem",                             // SUSE
    "/etc/ssl/cert.pem",                                  // Alpine
};

std::string trusted_certificates() {
  for (const char* path : kTrustedCertificates) {
    if (path_exists(path)) return path;
  }
  return "";  // libcurl's own choice
}

bool is_final(long status) { return status == 200 || status == 206; }

// What a new connection may mend.
bool worth_retrying(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_AGAIN:
    case CURLE_WEIRD_SERVER_REPLY:
      return true;
    default:
      return false;
  }
}

struct Headers {
  curl_slist* list = nullptr;
  ~Headers() { curl_slist_free_all(list); }
  void add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

}  // namespace

struct HttpClient::Impl {
  CURL* curl = nullptr;
  Settings settings;
  char message[CURL_ERROR_SIZE] = {};
  // Of the transfer that runs.
  const Sink* sink = nullptr;
  Answer answer;
  std::optional<Error> sink_error;
  std::optional<uint64_t> from;

  ~Impl() { curl_easy_cleanup(curl); }

  std::string header(const char* name) const {
    curl_header* found = nullptr;
    return curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &found) == CURLHE_OK ? found->value : "";
  }

  int status() const {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return static_cast<int>(status);
  }

  // "bytes 100-199/200"
  uint64_t content_from() {
    if (from) return *from;
    from = 0;
    const std::string range = header("Content-Range");
    if (status() == 206 && range.starts_with("bytes ")) {
      std::from_chars(range.data() + 6, range.data() + range.size(), *from);
    }
    return *from;
  }

  size_t take(std::span<const std::byte> bytes) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (sink != nullptr && *sink && is_final(status())) {
      auto taken = (*sink)(content_from(), bytes);
      if (taken) return bytes.size();
      sink_error = taken.error();
      return 0;
    }
    const bool refusal = !is_final(status());
    if (!refusal && answer.body.size() + text.size() > kMaxBody) {
      sink_error = error(ErrorCode::kCorrupt, "the answer is longer than {} MiB", kMaxBody >> 20);
      return 0;
    }
    if (!refusal || answer.body.size() + text.size() <= kMaxRefusal) answer.body += text;
    return bytes.size();
  }

  void set_up(const GetRequest& request, const Headers& headers) {
    curl_easy_reset(curl);
    const bool secure = request.url.starts_with("https://");
    curl_easy_setopt(curl, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.list);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_UNRESTRICTED_AUTH, 0L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "mlc_llm");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, std::min(kConnectTimeout, settings.timeout_s));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, settings.timeout_s);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    const std::string certificates = settings.ca_file.empty() ? trusted_certificates() : settings.ca_file;
    if (!certificates.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, certificates.c_str());
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(
        curl, CURLOPT_WRITEFUNCTION, +[](char* data, size_t, size_t size, void* self) {
          return static_cast<Impl*>(self)->take(std::as_bytes(std::span(data, size)));
        });
  }

  Result<Answer> finish(CURLcode code, const std::string& url) {
    if (sink_error) return std::move(*sink_error);
    answer.status = status();
    answer.error_code = header("X-Error-Code");
    answer.from = content_from();
    if (const std::string wait = header("Retry-After"); !wait.empty()) {
      char* end = nullptr;
      const double seconds = std::strtod(wait.c_str(), &end);
      if (end != wait.c_str() && seconds >= 0) answer.retry_after_s = seconds;
    }
    if (code == CURLE_OK) return std::move(answer);
    const std::string what = *message != '\0' ? message : curl_easy_strerror(code);
    if (!worth_retrying(code)) return error(ErrorCode::kUnavailable, "{}: {}", url, what);
    answer.status = 0;
    answer.failure = what;
    return std::move(answer);
  }
};

HttpClient::HttpClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
HttpClient::HttpClient(HttpClient&&) noexcept = default;
HttpClient::~HttpClient() = default;

Result<HttpClient> HttpClient::create(const Settings& settings) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  auto impl = std::make_unique<Impl>();
  impl->settings = settings;
  if (started == CURLE_OK) impl->curl = curl_easy_init();
  if (impl->curl == nullptr) return error(ErrorCode::kUnavailable, "libcurl does not start");
  return HttpClient(std::move(impl));
}

Result<Answer> HttpClient::get(const GetRequest& request, const Sink& sink) {
  Headers headers;
  if (!request.token.empty()) headers.add("Authorization: Bearer " + request.token);
  if (request.from > 0) headers.add(fmt::format("Range: bytes={}-", request.from));
  impl_->set_up(request, headers);
  impl_->sink = &sink;
  impl_->answer = {};
  impl_->sink_error.reset();
  impl_->from.reset();
  *impl_->message = '\0';
  const CURLcode code = curl_easy_perform(impl_->curl);
  return impl_->finish(code, request.url);
}

}  // namespace mlc::hub
