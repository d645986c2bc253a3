#include "tools/bench/peer.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "base/file.h"
#include "base/json.h"

namespace mlc::tools::bench {
namespace {

constexpr size_t kMostOutput = size_t{16} << 20;

std::vector<std::string> words_of(const std::string& command) {
  std::istringstream in(command);
  std::vector<std::string> words;
  for (std::string w; in >> w;) words.push_back(w);
  return words;
}

std::string base_name(const std::string& word) { return std::filesystem::path(word).filename().string(); }

bool has(const std::vector<std::string>& words, std::initializer_list<const char*> flags) {
  return std::any_of(words.begin(), words.end(), [&](const std::string& w) {
    return std::any_of(flags.begin(), flags.end(), [&](const char* f) { return w == f; });
  });
}

std::string last_line(const std::string& text) {
  std::istringstream in(text);
  std::string last;
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  }
  return last.substr(0, 300);
}

// A number of a JSON object, or a default where it is absent; false in `ok` if it is something else.
double number(const Json& o, const char* key, double missing, bool& ok) {
  if (!o.contains(key)) return missing;
  if (!o.at(key).is_number()) ok = false;
  return ok ? o.at(key).get<double>() : missing;
}

constexpr double kMostCount = 1e9;

// One test of either program; false if it is neither.
bool read_sample(const Json& o, std::vector<PeerSample>& out) {
  bool ok = o.is_object();
  if (!ok) return false;
  auto count = [&](const char* key, double missing) {
    const double v = number(o, key, missing, ok);
    ok = ok && v >= 0 && v <= kMostCount;
    return ok ? static_cast<int64_t>(v) : 0;
  };
  PeerSample s;
  if (o.contains("avg_ts") && o.contains("n_prompt") && o.contains("n_gen")) {
    const int64_t prompt = count("n_prompt", 0), gen = count("n_gen", 0), depth = count("n_depth", 0);
    s.tokens_per_s = number(o, "avg_ts", 0, ok);
    s.phase = {gen == 0 ? PhaseKind::kPrefill : PhaseKind::kDecode, gen == 0 ? prompt : gen, depth, 1};
    if (prompt > 0 && gen > 0) return ok;
  } else if (o.contains("speed_tg") && o.contains("pl") && o.contains("pp")) {
    s.phase = {PhaseKind::kBatch, count("tg", 0), count("pp", 0), count("pl", 0)};
    s.tokens_per_s = number(o, "speed_tg", 0, ok);
  } else {
    return false;
  }
  ok = ok && s.tokens_per_s > 0;
  if (ok) out.push_back(s);
  return ok;
}

}  // namespace

bool PeerSample::matches(const Phase& ours) const {
  if (phase.kind != ours.kind || phase.depth != ours.depth || phase.sequences != ours.sequences) return false;
  return phase.kind != PhaseKind::kPrefill || phase.tokens == ours.tokens;
}

Peer::Peer(const std::string& command) : command_(command) {
  const std::vector<std::string> words = words_of(command);
  for (const std::string& w : words) {
    const std::string base = base_name(w);
    if (base == "llama-bench") {
      name_ = base;
      if (!has(words, {"-o", "--output"})) command_ += " -o json";
      if (!has(words, {"-r", "--repetitions"})) command_ += " -r 1";
      break;
    }
    if (base == "llama-batched-bench") {
      name_ = base;
      if (!has(words, {"--output-format"})) command_ += " --output-format jsonl";
      break;
    }
  }
  // Otherwise the first word that is no assignment.
  for (const std::string& w : words) {
    if (name_.empty() && w.find('=') == std::string::npos) name_ = base_name(w);
  }
  if (name_.empty()) name_ = "peer";
}

Result<std::vector<PeerSample>> Peer::run() const {
  const std::string err_file =
      join_path(std::filesystem::temp_directory_path().string(), fmt::format("mlc_llm_peer_{}.err", ::getpid()));
  std::FILE* pipe = ::popen(fmt::format("{{ {}\n}} 2>'{}' </dev/null", command_, err_file).c_str(), "r");
  if (pipe == nullptr) return error("--against: cannot start a shell for `{}`", command_);
  std::string text;
  char buffer[4096];
  for (size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    if (text.size() < kMostOutput) text.append(buffer, n);
  }
  const int status = ::pclose(pipe);
  auto err = read_file(err_file);
  std::error_code ignored;
  std::filesystem::remove(err_file, ignored);
  if (status != 0) {
    const std::string how = WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                              : fmt::format("signal {}", WTERMSIG(status));
    const std::string said = last_line(err ? *err : "");
    return error("--against: `{}` failed with {}{}", command_, how, said.empty() ? "" : ": " + said);
  }
  return parse_peer_output(text, fmt::format("--against: `{}`", command_));
}

Result<std::vector<PeerSample>> parse_peer_output(std::string_view text, const std::string& where) {
  std::vector<PeerSample> samples;
  bool understood = false;
  auto read = [&](const Json& o) { understood |= read_sample(o, samples); };
  if (const Json whole = Json::parse(text, nullptr, false); whole.is_array()) {
    for (const Json& o : whole) read(o);
  } else {
    std::istringstream in{std::string(text)};
    for (std::string line; std::getline(in, line);) {
      if (!line.starts_with("{")) continue;
      if (const Json o = Json::parse(line, nullptr, false); o.is_object()) read(o);
    }
  }
  if (!understood) {
    const std::string said = last_line(std::string(text));
    return error(
        "{} printed {}; expected the JSON of llama-bench (-o json) or llama-batched-bench (--output-format "
        "jsonl)",
        where, said.empty() ? "nothing" : "\"" + said + "\"");
  }
  return samples;
}

}  // namespace mlc::tools::bench
