#include "artifact/cache.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "base/knobs.h"
#include "base/os.h"

namespace mlc::artifact {

namespace fs = std::filesystem;

namespace {

std::string short_key(const std::string& text) { return sha256_hex(text).substr(0, 32); }

struct Kind {
  const char* name;
  const char* dir;
};
constexpr Kind kKinds[] = {{"library", "model_lib"}, {"model", "model_weights/converted"}, {"packed", "packed"}};

uint64_t tree_bytes(const fs::path& path) {
  std::error_code ec;
  if (!fs::is_directory(path, ec)) return fs::file_size(path, ec);
  uint64_t total = 0;
  for (const auto& entry : fs::recursive_directory_iterator(path, ec)) {
    if (entry.is_regular_file(ec)) total += entry.file_size(ec);
  }
  return total;
}

// What src/hub downloaded: <root>/{model_weights,model_config}/<hub>/<user>/<repo>.
std::vector<fs::path> downloads(const std::string& root) {
  std::vector<fs::path> found;
  std::error_code ec;
  for (const char* kind : {"model_weights", "model_config"}) {
    for (const auto& hub : fs::directory_iterator(join_path(root, kind), ec)) {
      if (hub.path().filename() == "converted") continue;
      for (const auto& user : fs::directory_iterator(hub.path(), ec)) {
        for (const auto& repo : fs::directory_iterator(user.path(), ec)) found.push_back(repo.path());
      }
    }
  }
  return found;
}

}  // namespace

std::string Cache::default_root() {
  if (std::string home = knob("MLC_LLM_HOME"); !home.empty()) return home;
  return join_path(os::user_cache_root(), "mlc_llm");
}

Result<Cache> Cache::open() {
  Cache cache(default_root());
  for (const char* dir : {"model_lib", "model_weights/converted", "packed", "locks", "content_keys"}) {
    auto made = make_directories(join_path(cache.root_, dir));
    if (!made) {
      return std::move(made).error().context(
          "the cache {} cannot be used (set MLC_LLM_HOME to a directory that can be written)", cache.root_);
    }
  }
  return cache;
}

std::string Cache::library_path(const std::string& key) const { return join_path(root_, "model_lib/" + key + ".so"); }
std::string Cache::model_path(const std::string& key) const {
  return join_path(root_, "model_weights/converted/" + key);
}
std::string Cache::packed_dir() const { return join_path(root_, "packed"); }
std::string Cache::lock_path(const std::string& key) const { return join_path(root_, "locks/" + key + ".lock"); }

void Cache::touch(const std::string& path) {
  std::error_code ignored;
  fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);
}

Result<std::vector<CacheEntry>> Cache::list() const {
  std::vector<CacheEntry> entries;
  const auto add = [&](const char* kind, const fs::path& path) {
    struct stat st;
    const std::string name = path.string();  // its characters are wide on Windows
    if (::stat(name.c_str(), &st) == 0) entries.push_back({kind, name, tree_bytes(path), st.st_mtime});
  };
  for (const Kind& kind : kKinds) {
    std::error_code ec;
    for (const auto& item : fs::directory_iterator(join_path(root_, kind.dir), ec)) {
      if (item.path().extension() != ".sha256") add(kind.name, item.path());
    }
    if (ec) return error(ErrorCode::kIo, "cannot list {}/{}: {}", root_, kind.dir, ec.message());
  }
  for (const fs::path& path : downloads(root_)) add("download", path);
  std::sort(entries.begin(), entries.end(), [](const CacheEntry& a, const CacheEntry& b) {
    return std::pair(a.last_used, a.path) < std::pair(b.last_used, b.path);
  });
  return entries;
}

Result<std::vector<CacheEntry>> Cache::prune(uint64_t max_bytes) const {
  MLC_TRY(std::vector<CacheEntry> entries, list());
  uint64_t total = 0;
  for (const CacheEntry& e : entries) total += e.bytes;
  std::vector<CacheEntry> removed;
  for (const CacheEntry& e : entries) {
    if (total <= max_bytes) break;
    MLC_TRY_VOID(remove_all(e.path));
    MLC_TRY_VOID(remove_all(e.path + ".sha256"));
    total -= e.bytes;
    removed.push_back(e);
  }
  return removed;
}

Result<std::string> content_key(const Cache& cache, const std::string& dir) {
  std::error_code ec;
  std::vector<std::string> lines;
  for (const auto& item : fs::directory_iterator(dir, ec)) {
    const std::string file = os::file_state(item.path().string());
    if (!file.empty()) lines.push_back(item.path().filename().string() + " " + file + "\n");
  }
  if (ec) return error(ErrorCode::kNotFound, "cannot read the directory {}: {}", dir, ec.message());
  std::sort(lines.begin(), lines.end());
  std::string state = fs::absolute(dir, ec).string() + "\n";
  for (const std::string& line : lines) state += line;
  const std::string memo = join_path(cache.root(), "content_keys/" + short_key(state));
  if (auto known = read_file(memo); known && known->size() == 32) return *known;
  MLC_TRY(std::string key, directory_content_key(dir));
  key.resize(32);
  MLC_TRY_VOID(write_file_atomic(memo, key));
  return key;
}

}  // namespace mlc::artifact
