// Plots as SVG elements for HTML pages: no scripts, no style sheets, readable as XML.
//
//   Plot p{.title = "prefill", .x_label = "tokens", .y_label = "s", .log_x = true, .log_y = true};
//   p.series.push_back({.name = "measured", .points = {{16, 0.1}, {32, 0.2}}});
//   std::string element = svg(p);
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlc::tools::bench {

// For text and attribute values; control characters become spaces.
std::string escape_xml(std::string_view text);

struct Point {
  double x = 0, y = 0;
  std::string label = {};  // written beside the point
};
struct Series {
  std::string name;
  std::vector<Point> points;
  bool line = true, marks = true, dashed = false;
};
struct Plot {
  std::string title, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;  // points that are not positive are left out of a logarithmic plot
  bool y_from_zero = false;
  std::vector<Series> series = {};
  int width = 640, height = 360;
};
std::string svg(const Plot& plot);

// Horizontal bars; a line marks 1 (100%).
struct Bar {
  std::string label, note;
  double share = 0;
};
std::string svg_bars(const std::string& title, const std::vector<Bar>& bars);

}  // namespace mlc::tools::bench
