// mlc_llm cache list | prune
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <memory>

#include "artifact/cache.h"
#include "tools/command.h"

namespace mlc::tools {
namespace {

std::string megabytes(uint64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6); }

Result<int> list_cache() {
  MLC_TRY(auto cache, artifact::Cache::open());
  MLC_TRY(auto entries, cache.list());
  uint64_t total = 0;
  for (const auto& e : entries) {
    fmt::print("{:8} {:>12}  {:%Y-%m-%d %H:%M}  {}\n", e.kind, megabytes(e.bytes), fmt::localtime(e.last_used), e.path);
    total += e.bytes;
  }
  fmt::print("{} entries, {} in {}\n", entries.size(), megabytes(total), cache.root());
  return 0;
}

// "2GB", "500M", "0": bytes.
Result<uint64_t> parse_size(const std::string& text) {
  double number = 0;
  size_t used = 0;
  try {
    number = std::stod(text, &used);
  } catch (const std::exception&) {
    return error("--max-size is \"{}\", expected a size such as 2GB, 500MB or 0", text);
  }
  std::string unit = text.substr(used);
  if (!unit.empty() && (unit.back() == 'B' || unit.back() == 'b')) unit.pop_back();
  double factor = 1;
  if (unit == "K" || unit == "k") factor = 1e3;
  if (unit == "M" || unit == "m") factor = 1e6;
  if (unit == "G" || unit == "g") factor = 1e9;
  if (!(number >= 0 && number * factor < 1e18) || (factor == 1 && !unit.empty())) {
    return error("--max-size is \"{}\", expected a size such as 2GB, 500MB or 0", text);
  }
  return static_cast<uint64_t>(number * factor);
}

Result<int> prune_cache(const std::string& max_size) {
  MLC_TRY(uint64_t limit, parse_size(max_size));
  MLC_TRY(auto cache, artifact::Cache::open());
  MLC_TRY(auto removed, cache.prune(limit));
  uint64_t total = 0;
  for (const auto& e : removed) {
    fmt::print("removed {} ({})\n", e.path, megabytes(e.bytes));
    total += e.bytes;
  }
  fmt::print("removed {} entries, {}\n", removed.size(), megabytes(total));
  return 0;
}

}  // namespace

std::function<Result<int>()> setup_cache(CLI::App& app) {
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "What is cached, least recently used first");
  CLI::App* prune = app.add_subcommand("prune", "Remove the least recently used entries down to a size");
  auto max_size = std::make_shared<std::string>("0");
  prune->add_option("--max-size", *max_size, "Keep at most this much: 2GB, 500MB; 0 removes everything")
      ->capture_default_str();
  return [list, max_size]() { return list->parsed() ? list_cache() : prune_cache(*max_size); };
}

}  // namespace mlc::tools
