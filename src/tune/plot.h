// The course of a search as a picture: the best gain so far of each kernel over the candidates measured, as SVG.
#pragma once

#include <string>
#include <vector>

#include "tune/tune.h"

namespace mlc::tune {

std::string best_so_far_svg(const std::vector<Report>& reports);

}  // namespace mlc::tune
