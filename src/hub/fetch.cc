#include "hub/fetch.h"

#include <sys/statvfs.h>
#include <utime.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "hub/retry.h"
#include "hub/select.h"
#include "hub/transfer.h"

namespace mlc::hub {
namespace {

namespace fs = std::filesystem;

// "/" of a revision such as refs/pr/3 is no path: it becomes "%2F".
std::string place_of(const RepoRef& ref) {
  std::string place = ref.site + "/" + ref.user + "/" + ref.repo;
  if (ref.revision != "main") place += "@" + encode_segment(ref.revision);
  return place;
}

// A file that is on this disk already, whole: in an earlier attempt's directory, or in the model's, when it is compared
// with the hub.
Result<bool> reuse(const RemoteFile& file, const std::string& from, const std::string& to) {
  std::error_code ec;
  if (!fs::is_regular_file(from, ec) || fs::file_size(from, ec) != file.size || ec) return false;
  MLC_TRY(const Checksum found, checksum_of(file.checksum.kind, from));
  if (!(found == file.checksum)) return false;
  if (from == to) return true;
  fs::create_hard_link(from, to, ec);
  if (ec) MLC_TRY_VOID(copy_file_atomic(from, to));
  return true;
}

class Fetch {
 public:
  Fetch(const RepoRef& ref, const Settings& settings, const FetchOptions& options, std::string dir)
      : ref_(ref), settings_(settings), options_(options), dir_(std::move(dir)), partial_(dir_ + ".partial") {
    // Tokens are for the hub that is configured, not for any address that is named.
    if (ref.endpoint == settings.endpoint) token_ = settings.token;
  }

  Result<void> run() {
    MLC_TRY(HttpClient client, HttpClient::create(settings_));
    MLC_TRY_VOID(list(client));
    MLC_TRY_VOID(make_directories(partial_));
    std::vector<RemoteFile> files = select_descriptions(listing_);
    if (listing_.find("config.json") == nullptr && listing_.find("mlc-chat-config.json") == nullptr) {
      return error(ErrorCode::kNotFound,
                   "{} has no config.json or mlc-chat-config.json: it is no model for this program", ref_.display());
    }
    MLC_TRY_VOID(fetch_all(files));
    if (options_.weights) {
      std::string index;
      if (const std::string name = weight_index(listing_); !name.empty()) {
        MLC_TRY(index, read_file(join_path(partial_, name)));
      }
      auto weights = select_weights(listing_, index);
      if (!weights) return std::move(weights).error().context("{}", ref_.display());
      MLC_TRY_VOID(fetch_all(*weights));
      files.insert(files.end(), weights->begin(), weights->end());
    }
    return finish(files);
  }

 private:
  Result<void> list(HttpClient& client) {
    const std::string url =
        fmt::format("{}/api/models/{}/revision/{}?blobs=true", ref_.endpoint, ref_.id(), encode_segment(ref_.revision));
    MLC_TRY(Answer answer, get_text(client, {url, token_, 0}));
    if (answer.status != 200) return refused(answer, url, ref_.display(), !token_.empty());
    MLC_TRY(listing_, parse_listing(answer.body, ref_.display()));
    return {};
  }

  std::string url_of(const RemoteFile& file) const {
    return fmt::format("{}/{}/resolve/{}/{}", ref_.endpoint, ref_.id(), listing_.commit, encode_path(file.path));
  }

  Result<void> check_space(const std::vector<const RemoteFile*>& missing) const {
    uint64_t needed = 0;
    for (const RemoteFile* file : missing) {
      std::error_code ec;
      const std::string part = join_path(partial_, file->path) + "." + file->checksum.hex.substr(0, 12) + ".part";
      const uint64_t there = fs::is_regular_file(part, ec) ? fs::file_size(part, ec) : 0;
      needed += file->size - std::min(there, file->size);
    }
    struct statvfs disk = {};
    if (::statvfs(partial_.c_str(), &disk) != 0) return {};
    const uint64_t available = static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize;
    if (needed <= available) return {};
    return error(ErrorCode::kIo,
                 "{} needs {:.1f} MB on the disk of {}, which has {:.1f} MB left; free some space, or set MLC_LLM_HOME "
                 "to a directory on another disk",
                 ref_.display(), static_cast<double>(needed) / 1e6, partial_, static_cast<double>(available) / 1e6);
  }

  Result<void> fetch_all(const std::vector<RemoteFile>& files) {
    std::vector<const RemoteFile*> missing;
    for (const RemoteFile& file : files) {
      const std::string to = join_path(partial_, file.path);
      MLC_TRY(bool there, reuse(file, to, to));
      if (!there) {
        MLC_TRY_VOID(remove_all(to));
        MLC_TRY(there, reuse(file, join_path(dir_, file.path), to));
      }
      if (!there) missing.push_back(&file);
      progress_.bytes_total += file.size;
      if (there) bytes_done_ += file.size;
    }
    progress_.files += files.size();
    MLC_TRY_VOID(check_space(missing));
    // Large files first: the last ones to finish are then small.
    std::stable_sort(missing.begin(), missing.end(),
                     [](const RemoteFile* a, const RemoteFile* b) { return a->size > b->size; });
    return transfer(missing);
  }

  // Several files at once; the first error ends all.
  Result<void> transfer(const std::vector<const RemoteFile*>& missing) {
    std::atomic<size_t> next{0}, running{0};
    std::atomic<bool> stop{false};
    std::mutex mutex;
    Result<void> outcome;
    const auto work = [&] {
      for (size_t i = next++; i < missing.size() && !stop; i = next++) {
        Result<void> done = one(*missing[i], stop);
        if (done) continue;
        const std::lock_guard hold(mutex);
        if (!stop.exchange(true)) outcome = done;
      }
      --running;
    };
    std::vector<std::jthread> threads;
    const size_t count = std::min(missing.size(), static_cast<size_t>(settings_.parallel));
    running = count;
    for (size_t i = 0; i < count; ++i) threads.emplace_back(work);
    while (running > 0) {
      report();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    threads.clear();
    report();
    return outcome;
  }

  Result<void> one(const RemoteFile& file, const std::atomic<bool>& stop) {
    MLC_TRY(HttpClient client, HttpClient::create(settings_));
    return fetch_file(
        {client, ref_.display(), url_of(file), token_, file, join_path(partial_, file.path), stop, bytes_done_});
  }

  void report() {
    if (!options_.progress) return;
    progress_.commit = listing_.commit;
    progress_.dir = dir_;
    progress_.bytes_done = bytes_done_;
    options_.progress(progress_);
  }

  // What an earlier attempt, at another commit, left is not part of the model.
  Result<void> remove_others(const std::vector<RemoteFile>& files) {
    std::set<std::string> names;
    for (const RemoteFile& file : files) names.insert(file.path);
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(partial_, ec)) {
      if (!names.count(entry.path().filename().string())) MLC_TRY_VOID(remove_all(entry.path().string()));
    }
    if (ec) return error(ErrorCode::kIo, "cannot list {}: {}", partial_, ec.message());
    return {};
  }

  Result<void> finish(const std::vector<RemoteFile>& files) {
    MLC_TRY_VOID(remove_others(files));
    const std::string parent = fs::path(dir_).parent_path().string();
    std::optional<TempDir> old;
    if (is_directory(dir_)) {
      MLC_TRY(TempDir tmp, TempDir::create_beside(dir_));
      MLC_TRY_VOID(rename_path(dir_, tmp.file("old")));
      old = std::move(tmp);
    }
    MLC_TRY_VOID(rename_path(partial_, dir_));
    return sync_directory(parent);
  }

  const RepoRef& ref_;
  const Settings& settings_;
  const FetchOptions& options_;
  std::string dir_, partial_, token_;
  Listing listing_;
  FetchProgress progress_;
  std::atomic<uint64_t> bytes_done_{0};
};

Error not_there(const RepoRef& ref, const std::string& dir, Policy policy) {
  if (policy == Policy::kOff) {
    return error(ErrorCode::kUnavailable, "{} is a model of a hub, and MLC_DOWNLOAD_CACHE_POLICY is OFF",
                 ref.display());
  }
  return error(
      ErrorCode::kNotFound,
      "{} is not downloaded (there is no {}), and HF_HUB_OFFLINE or MLC_DOWNLOAD_CACHE_POLICY=READONLY forbids "
      "to do it now",
      ref.display(), dir);
}

}  // namespace

Result<std::string> fetch_model(const RepoRef& ref, const Settings& settings, const FetchOptions& options) {
  const std::string place = place_of(ref);
  const std::string whole = join_path(options.cache_root, "model_weights/" + place);
  const std::string described = join_path(options.cache_root, "model_config/" + place);
  const std::string& dir = options.weights || is_directory(whole) ? whole : described;
  if (settings.policy == Policy::kOff) return not_there(ref, dir, settings.policy);
  for (const std::string& base : settings.read_only_caches) {
    const std::string there = join_path(base, place);
    if (is_directory(there)) return there;
  }
  if (settings.policy != Policy::kRedo && is_directory(dir)) {
    ::utime(dir.c_str(), nullptr);  // the cache's "last used"
    return dir;
  }
  if (settings.policy == Policy::kReadOnly) return not_there(ref, dir, settings.policy);
  MLC_TRY_VOID(make_directories(join_path(options.cache_root, "locks")));
  const std::string lock_path = join_path(options.cache_root, "locks/" + sha256_hex(dir).substr(0, 32) + ".lock");
  MLC_TRY(std::optional<FileLock> lock, FileLock::try_acquire(lock_path));
  const bool waited = !lock;
  if (waited) {
    if (options.waiting) options.waiting(dir);
    MLC_TRY(lock, FileLock::acquire(lock_path));
  }
  if (is_directory(dir) && (waited || settings.policy != Policy::kRedo)) return dir;  // another process made it
  MLC_TRY_VOID(Fetch(ref, settings, options, dir).run());
  return dir;
}

}  // namespace mlc::hub
