#include "tools/bench/measure.h"

#include <fmt/format.h>

#include "base/log.h"
#include "loader/compiler/compile_options.h"
#include "loader/compiler/limits.h"
#include "loader/progress.h"
#include "tools/bench/peer.h"
#include "tools/bench/runner.h"
#include "tools/bench/work.h"

namespace mlc::tools::bench {
namespace {

// Warms what a phase uses: code, page tables, weights.
Result<void> warm_up(Runner& runner) {
  for (Phase p : runner.phases()) {
    p.tokens = std::min<int64_t>(p.tokens, p.kind == PhaseKind::kPrefill ? 16 : 2);
    MLC_TRY(double seconds, runner.run(p));
    (void)seconds;
  }
  return {};
}

Result<void> run_peer(const Peer& peer, size_t index, bool first, std::vector<Row>& rows) {
  MLC_TRY(auto samples, peer.run());
  for (const PeerSample& s : samples) {
    bool used = false;
    for (Row& row : rows) {
      if (!s.matches(row.phase)) continue;
      row.peers[index].push_back(s.tokens_per_s);
      used = true;
    }
    if (!used && first) {
      log::warn("{} measured \"{}\", which is not among our phases: see --prompt-lengths, --depth and --batch",
                peer.name(), s.phase.label());
    }
  }
  return {};
}

}  // namespace

Result<Report> measure(const Spec& spec) {
  std::vector<Peer> peers;
  for (const std::string& command : spec.against) peers.emplace_back(command);
  MLC_TRY(auto target, loader::resolve_device(spec.flags));
  MLC_TRY(auto runner, Runner::create(spec));
  MLC_TRY(auto probe, loader::LimitsProbe::create(target, runner->pool()));
  const artifact::ModelFacts& facts = runner->artifact().facts;
  const ModelWork work(runner->artifact());
  Report r;
  r.name = spec.name;
  r.model = spec.model();
  r.quantization = facts.quantization;
  r.activation = facts.activation;
  r.threads = runner->pool().num_workers();
  r.runs = spec.runs;
  r.weight_bytes = work.weight_bytes();
  for (const Peer& p : peers) r.peers.push_back(p.name());
  for (const Phase& p : runner->phases()) {
    r.rows.push_back({p, work.of(p), {}, std::vector<std::vector<double>>(peers.size())});
  }
  loader::Progress progress(fmt::format("measuring {}", r.title()));
  MLC_TRY_VOID(warm_up(*runner));
  probe->round();
  for (int64_t run = 0; run < spec.runs; ++run) {
    for (Row& row : r.rows) {
      progress.update(fmt::format("run {} of {}, {}", run + 1, spec.runs, row.phase.label()));
      MLC_TRY(double seconds, runner->run(row.phase));
      row.seconds.push_back(seconds);
    }
    for (size_t i = 0; i < peers.size(); ++i) {
      progress.update(fmt::format("run {} of {}, {}", run + 1, spec.runs, peers[i].name()));
      MLC_TRY_VOID(run_peer(peers[i], i, run == 0, r.rows));
    }
    probe->round();
  }
  progress.done();
  r.limits = probe->limits();
  r.read_pattern = probe->best_pattern();
  return r;
}

}  // namespace mlc::tools::bench
