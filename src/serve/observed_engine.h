// An engine whose sequences are timed for the metrics; everything else goes straight to the engine within.
#pragma once

#include <memory>

#include "engine/engine.h"
#include "serve/metrics.h"

namespace mlc::serve {

std::shared_ptr<engine::Engine> observe(std::shared_ptr<engine::Engine> engine,
                                        std::shared_ptr<Metrics::Model> metrics);

}  // namespace mlc::serve
