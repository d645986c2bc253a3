// A report as one HTML file that needs nothing else: tables, rooflines, shares of the limits, growth and history.
#pragma once

#include <string>

#include "tools/bench/history.h"

namespace mlc::tools::bench {

// `history`: earlier and present runs; those of another processor are left out. Well-formed as XML too.
std::string html(const Session& session, const std::vector<HistoryEntry>& history);

}  // namespace mlc::tools::bench
