#include "compiler/tuning/database.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"

namespace mlc::compiler {
namespace {

using Json = nlohmann::ordered_json;

Json decisions_json(const schedule::Decisions& d) {
  Json out = Json::object();
  for (const auto& [name, values] : d) out[name] = values;
  return out;
}

Json record_json(const TuningRecord& r) {
  Json tried = Json::array();
  for (const Measured& m : r.tried) tried.push_back({decisions_json(m.decisions), m.seconds});
  return {{"workload", r.workload}, {"kernel", r.kernel},
          {"family", r.family},     {"target", r.target},
          {"isa", r.isa},           {"build", r.build},
          {"layout", r.layout},     {"rows", r.rows},
          {"threads", r.threads},   {"decisions", decisions_json(r.decisions)},
          {"seconds", r.seconds},   {"by_hand_seconds", r.by_hand_seconds},
          {"tried", tried}};
}

// Fields of a record, with what is wrong as an error instead of an exception.
class Fields {
 public:
  explicit Fields(const Json& json) : json_(json) {}

  Result<void> text(const char* key, std::string& out) const {
    const auto it = json_.find(key);
    if (it == json_.end() || !it->is_string()) return error("\"{}\" is missing or no string", key);
    out = it->get<std::string>();
    return {};
  }
  Result<void> seconds(const char* key, double& out) const {
    const auto it = json_.find(key);
    if (it == json_.end()) return error("\"{}\" is missing", key);
    MLC_TRY(out, seconds_of(*it));
    return {};
  }
  template <typename T>
  Result<void> count(const char* key, T& out) const {
    const auto it = json_.find(key);
    if (it == json_.end() || !it->is_number_unsigned() || it->get<uint64_t>() > 1'000'000'000) {
      return error("\"{}\" is missing or no count", key);
    }
    out = static_cast<T>(it->get<uint64_t>());
    return {};
  }
  Result<void> decisions(const char* key, schedule::Decisions& out) const {
    const auto it = json_.find(key);
    if (it == json_.end()) return error("\"{}\" is missing", key);
    MLC_TRY(out, decisions_of(*it));
    return {};
  }
  Result<void> tried(std::vector<Measured>& out) const {
    const auto it = json_.find("tried");
    if (it == json_.end() || !it->is_array()) return error("\"tried\" is missing or no array");
    for (const Json& m : *it) {
      if (!m.is_array() || m.size() != 2) return error("\"tried\" holds {}, expected [decisions, seconds]", m.dump());
      Measured measured;
      MLC_TRY(measured.decisions, decisions_of(m[0]));
      MLC_TRY(measured.seconds, seconds_of(m[1]));
      out.push_back(std::move(measured));
    }
    return {};
  }

 private:
  static Result<double> seconds_of(const Json& j) {
    if (!j.is_number()) return error("{} is no time in seconds", j.dump());
    const double v = j.get<double>();
    if (!(std::isfinite(v) && v > 0)) return error("{} is no time in seconds", j.dump());
    return v;
  }
  static Result<schedule::Decisions> decisions_of(const Json& j) {
    if (!j.is_object()) return error("{} are no decisions; expected {{\"name\": [numbers]}}", j.dump());
    schedule::Decisions d;
    for (const auto& [name, values] : j.items()) {
      if (!values.is_array()) return error("the decision \"{}\" is no list of numbers", name);
      for (const Json& v : values) {
        if (!v.is_number_integer()) return error("the decision \"{}\" is no list of numbers", name);
        d[name].push_back(v.get<int64_t>());
      }
    }
    return d;
  }
  const Json& json_;
};

Result<TuningRecord> read_record(std::string_view line) {
  const Json json = Json::parse(line, nullptr, false);
  if (!json.is_object()) return error("found no JSON object; expected a tuning record");
  TuningRecord r;
  const Fields f(json);
  for (const auto& [key, to] : {std::pair("workload", &r.workload),
                                {"kernel", &r.kernel},
                                {"family", &r.family},
                                {"target", &r.target},
                                {"isa", &r.isa},
                                {"build", &r.build},
                                {"layout", &r.layout}}) {
    MLC_TRY_VOID(f.text(key, *to));
  }
  MLC_TRY_VOID(f.count("rows", r.rows));
  MLC_TRY_VOID(f.count("threads", r.threads));
  MLC_TRY_VOID(f.decisions("decisions", r.decisions));
  MLC_TRY_VOID(f.seconds("seconds", r.seconds));
  MLC_TRY_VOID(f.seconds("by_hand_seconds", r.by_hand_seconds));
  MLC_TRY_VOID(f.tried(r.tried));
  return r;
}

}  // namespace

Result<TuningDatabase> TuningDatabase::parse(std::string_view text, const std::string& where,
                                             std::vector<std::string>* problems) {
  TuningDatabase db;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    auto record = read_record(line);
    if (record) {
      db.add(std::move(*record));
      continue;
    }
    Error e = std::move(record).error().context("{}, line {}", where, number);
    e.code = ErrorCode::kCorrupt;
    if (problems == nullptr) return e;
    problems->push_back(e.message);
  }
  return db;
}

Result<TuningDatabase> TuningDatabase::load(const std::string& path, std::vector<std::string>* problems) {
  if (!path_exists(path)) return error(ErrorCode::kNotFound, "there is no tuning database {}", path);
  MLC_TRY(const std::string text, read_file(path));
  return parse(text, path, problems);
}

std::string TuningDatabase::text() const {
  std::string out;
  for (const auto& [key, record] : records_) out += record_json(record).dump() + "\n";
  return out;
}

Result<void> TuningDatabase::save(const std::string& path) const { return write_file_atomic(path, text()); }

void TuningDatabase::add(TuningRecord record) {
  TuningRecord& kept = records_[{record.workload, record.target}];
  if (kept.workload.empty()) {
    kept = std::move(record);
    return;
  }
  TuningRecord& better = record.seconds < kept.seconds ? record : kept;
  const TuningRecord& other = &better == &kept ? record : kept;
  for (const Measured& m : other.tried) {
    const auto same = [&](const Measured& x) { return x.decisions == m.decisions; };
    if (std::none_of(better.tried.begin(), better.tried.end(), same)) better.tried.push_back(m);
  }
  if (&better != &kept) kept = std::move(record);
}

void TuningDatabase::merge(const TuningDatabase& other) {
  for (const auto& [key, record] : other.records_) add(record);
}

const TuningRecord* TuningDatabase::find(const std::string& workload, const std::string& target) const {
  const auto it = records_.find({workload, target});
  return it == records_.end() ? nullptr : &it->second;
}

std::string TuningDatabase::digest(const std::string& target) const {
  std::string all;
  for (const auto& [key, record] : records_) {
    if (key.second == target) all += key.first + " " + schedule::print(record.decisions) + "\n";
  }
  return all.empty() ? "" : sha256_hex(all);
}

}  // namespace mlc::compiler
