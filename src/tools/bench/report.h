// What was measured, and its forms for people and programs.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"
#include "runtime/call_work.h"
#include "tools/bench/spec.h"

namespace mlc::tools::bench {

// Of at least one value; the mean of the middle two of an even number.
double median(std::vector<double> values);

struct Row {
  Phase phase;
  runtime::Work work;           // of the whole phase
  std::vector<double> seconds;  // one per run
  // Tokens per second as peers report them: a list per peer of Report::peers, one value per run; empty: it did not
  // measure this phase.
  std::vector<std::vector<double>> peers;
};

struct Report {
  std::string name, model, quantization, activation;
  int threads = 0;
  int64_t runs = 0;
  int64_t weight_bytes = 0;  // read by a step with logits
  runtime::MachineLimits limits;
  std::string read_pattern;  // that reached the read limit
  std::vector<std::string> peers;
  std::vector<Row> rows;

  std::string title() const;  // "llama-3.2-1b q4f16_1, 2 threads"
};

// The figures of a row, medians over its runs.
struct Figures {
  double seconds = 0, tokens_per_s = 0, gb_per_s = 0, gop_per_s = 0;
  runtime::Bound bound;                          // of the phase
  double share = 0;                              // bound / seconds: 1 is the limit
  std::vector<double> peer_tokens_per_s, ratio;  // per peer; 0: it did not measure this phase. ratio: ours / theirs
};
Figures figures(const Report& report, const Row& row);

struct Session {
  std::string time;   // UTC, ISO 8601
  std::string build;  // of this program
  std::string cpu;    // the machine's name for its processor
  std::vector<Report> reports;
};
Session new_session();

std::string table(const Report& report);
// What a reader has to know about the shares of this report; empty: nothing.
std::string note(const Report& report);
OrderedJson to_json(const Session& session);

}  // namespace mlc::tools::bench
