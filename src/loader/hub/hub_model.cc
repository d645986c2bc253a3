#include "loader/hub_model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "artifact/cache.h"
#include "hub/fetch.h"
#include "loader/progress.h"

namespace mlc::loader {

const char* const kModelHelp =
    "Hugging Face directory, MLC model directory, or HF://USER/REPO[@REVISION], which is downloaded";

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBarWidth = 24;
constexpr std::chrono::seconds kLineInterval{10};  // where nothing can be rewritten

std::string size_text(uint64_t bytes) {
  const double mb = static_cast<double>(bytes) / 1e6;
  return mb < 1000 ? fmt::format("{:.1f} MB", mb) : fmt::format("{:.2f} GB", mb / 1000);
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<int64_t>(seconds + 0.5);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole % 3600 / 60);
  return whole >= 60 ? fmt::format("{} min {:02} s", whole / 60, whole % 60) : fmt::format("{} s", whole);
}

// "[#####     ] 42%, 6.80 of 16.10 GB, 85.0 MB/s, 1 min 50 s left" on a terminal; a line now and then elsewhere.
class DownloadProgress {
 public:
  explicit DownloadProgress(const std::string& model)
      : name_("downloading " + model), terminal_(isatty(2) != 0), start_(Clock::now()), last_line_(start_) {}

  void update(const hub::FetchProgress& p) {
    last_ = p;
    if (!progress_) begin(p);
    // What was there already does not count for the speed.
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    const double rate = static_cast<double>(p.bytes_done - std::min(first_, p.bytes_done)) / std::max(seconds, 1e-3);
    const double done = static_cast<double>(p.bytes_done) / static_cast<double>(std::max<uint64_t>(p.bytes_total, 1));
    std::string text = fmt::format("{:.0f}%, {} of {}", 100 * done, size_text(p.bytes_done), size_text(p.bytes_total));
    if (rate > 0 && seconds > 1) {
      text +=
          fmt::format(", {}/s, {} left", size_text(static_cast<uint64_t>(rate)),
                      duration_text(static_cast<double>(p.bytes_total - std::min(p.bytes_done, p.bytes_total)) / rate));
    }
    if (terminal_) {
      const auto filled = static_cast<size_t>(std::clamp(done, 0.0, 1.0) * kBarWidth);
      progress_->update("[" + std::string(filled, '#') + std::string(kBarWidth - filled, ' ') + "] " + text);
    } else if (Clock::now() - last_line_ >= kLineInterval) {
      last_line_ = Clock::now();
      fmt::print(stderr, "{}: {}\n", name_, text);
    }
  }

  void done() {
    if (progress_) progress_->done(fmt::format("{} files, {}", last_.files, size_text(last_.bytes_total)));
  }

 private:
  void begin(const hub::FetchProgress& p) {
    first_ = p.bytes_done;
    start_ = Clock::now();
    fmt::print(stderr, "{}, commit {}, to {}\n", name_, p.commit.substr(0, 12), p.dir);
    progress_.emplace(name_);
  }

  std::string name_;
  bool terminal_;
  Clock::time_point start_, last_line_;
  uint64_t first_ = 0;
  hub::FetchProgress last_;
  std::optional<Progress> progress_;
};

}  // namespace

Result<std::string> local_model(const std::string& model, Weights weights) {
  if (!hub::is_hub_name(model)) return model;
  MLC_TRY(hub::Settings settings, hub::Settings::from_environment());
  MLC_TRY(hub::RepoRef ref, hub::parse_repo_ref(model, settings.endpoint));
  DownloadProgress progress(ref.display());
  hub::FetchOptions options;
  options.cache_root = artifact::Cache::default_root();
  options.weights = weights == Weights::kNeeded;
  options.progress = [&](const hub::FetchProgress& p) { progress.update(p); };
  options.waiting = [&](const std::string&) {
    fmt::print(stderr, "downloading {}: another process does it; waiting\n", ref.display());
  };
  MLC_TRY(std::string dir, hub::fetch_model(ref, settings, options));
  progress.done();
  return dir;
}

}  // namespace mlc::loader
