#include "loader/workers.h"

#include "base/cpu_count.h"
#include "base/knobs.h"
#include "base/log.h"
#include "loader/model_dir.h"

namespace mlc::loader {

std::shared_ptr<ThreadPool> make_workers(int threads) {
  const Placement& placement = this_placement();
  const int workers = resolve_threads(threads);
  const bool automatic = knob("MLC_PIN_THREADS") == "auto";
  const Pinning pinning = automatic ? Pinning::kAuto : knob_bool("MLC_PIN_THREADS") ? Pinning::kCores : Pinning::kNever;
  const bool interleaved = interleave_memory(placement);
  ThreadPool::Options options;
  options.cpus = affinities(placement, workers, pinning);
  log::debug("{} workers{}; {} performance cores of {} CPUs, {} memory nodes{}", workers,
             options.cpus.empty() ? ""
             : automatic          ? " on performance cores"
                                  : " on a core each",
             placement.performance_cores, placement.order.size(), placement.num_nodes,
             interleaved ? ", used in turn" : "");
  return std::make_shared<ThreadPool>(workers, options);
}

}  // namespace mlc::loader
