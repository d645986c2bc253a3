// Another program's benchmark, run in the same interleaving as ours: llama.cpp's llama-bench and llama-batched-bench.
//
//   Peer peer("llama-bench -m model.gguf -t 2 -p 512 -n 64");
//   MLC_TRY(std::vector<PeerSample> samples, peer.run());     // one run of the whole command
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tools/bench/spec.h"

namespace mlc::tools::bench {

struct PeerSample {
  Phase phase;  // decode: tokens are those that it generated, which need not be ours
  double tokens_per_s = 0;
  bool matches(const Phase& ours) const;
};

class Peer {
 public:
  // A command for the shell.
  explicit Peer(const std::string& command);
  const std::string& name() const { return name_; }        // "llama-bench"
  const std::string& command() const { return command_; }  // with the flags that make one run with readable output
  // Fails with one line if the command fails or prints nothing that is understood.
  Result<std::vector<PeerSample>> run() const;

 private:
  std::string name_, command_;
};

// What llama-bench prints with -o json or -o jsonl, or llama-batched-bench with --output-format jsonl. Tests that have
// no counterpart here (prompt and generation in one) are left out.
Result<std::vector<PeerSample>> parse_peer_output(std::string_view text, const std::string& where);

}  // namespace mlc::tools::bench
