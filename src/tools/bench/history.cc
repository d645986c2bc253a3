#include "tools/bench/history.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "base/file.h"

namespace mlc::tools::bench {
namespace {

bool read_entry(const Json& o, HistoryEntry& e) {
  if (!o.is_object()) return false;
  for (auto [key, to] : {std::pair{"time", &e.time}, {"build", &e.build}, {"cpu", &e.cpu}, {"title", &e.title}}) {
    if (!o.contains(key) || !o.at(key).is_string()) return false;
    *to = o.at(key).get<std::string>();
  }
  if (!o.contains("phases") || !o.at("phases").is_object()) return false;
  for (const auto& [label, p] : o.at("phases").items()) {
    if (!p.is_object() || !p.contains("tokens_per_s") || !p.contains("share_of_limit")) return false;
    if (!p.at("tokens_per_s").is_number() || !p.at("share_of_limit").is_number()) return false;
    e.phases[label] = {p.at("tokens_per_s").get<double>(), p.at("share_of_limit").get<double>()};
  }
  return true;
}

}  // namespace

Result<std::vector<HistoryEntry>> read_history(const std::string& file) {
  std::vector<HistoryEntry> entries;
  if (!path_exists(file)) return entries;
  MLC_TRY(std::string text, read_file(file));
  std::istringstream in(text);
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.empty()) continue;
    HistoryEntry e;
    if (!read_entry(Json::parse(line, nullptr, false), e)) {
      return error(ErrorCode::kCorrupt,
                   "{}: line {} is no entry of a bench history; name another file, or remove the line", file, number);
    }
    entries.push_back(std::move(e));
  }
  return entries;
}

Result<void> append_history(const std::string& file, const Session& session) {
  std::string lines;
  for (const Report& r : session.reports) {
    OrderedJson o;
    o["time"] = session.time;
    o["build"] = session.build;
    o["cpu"] = session.cpu;
    o["title"] = r.title();
    o["phases"] = OrderedJson::object();
    for (const Row& row : r.rows) {
      const Figures f = figures(r, row);
      o["phases"][row.phase.label()] = {{"tokens_per_s", f.tokens_per_s}, {"share_of_limit", f.share}};
    }
    lines += o.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  std::FILE* out = std::fopen(file.c_str(), "a");
  if (out == nullptr) return error("cannot append to {}: {}", file, std::strerror(errno));
  const bool written = std::fwrite(lines.data(), 1, lines.size(), out) == lines.size();
  if (std::fclose(out) != 0 || !written) return error("cannot append to {}: {}", file, std::strerror(errno));
  return {};
}

}  // namespace mlc::tools::bench
