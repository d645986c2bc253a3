// The worker threads of a command: how many, and where.
#pragma once

#include <memory>

#include "base/thread_pool.h"

namespace mlc::loader {

// threads: of --threads; 0: one per physical performance core that the process may use. Placed as $MLC_PIN_THREADS
// says. On machines with several memory nodes, what this thread and its children allocate from then on comes from all
// nodes.
std::shared_ptr<ThreadPool> make_workers(int threads);

}  // namespace mlc::loader
