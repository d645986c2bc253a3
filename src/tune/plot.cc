#include "tune/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace mlc::tune {
namespace {

// Paul Tol's "muted" colours: distinct for colour-blind readers too.
constexpr std::array kColors = {"#332288", "#88ccee", "#44aa99", "#117733", "#999933",
                                "#ddcc77", "#cc6677", "#882255", "#aa4499"};
constexpr double kLeft = 60, kTop = 30, kWidth = 560, kHeight = 360, kLegend = 330, kLine = 16;

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else
      out += c;
  }
  return out;
}

struct Scale {
  int most_measured = 1;
  double most_gain = 1.1;
  double x(int measured) const { return kLeft + kWidth * measured / most_measured; }
  double y(double gain) const { return kTop + kHeight * (1 - (gain - 1) / (most_gain - 1)); }
};

std::string axes(const Scale& scale) {
  std::string out;
  for (int i = 0; i <= 4; ++i) {
    const double gain = 1 + (scale.most_gain - 1) * i / 4, y = scale.y(gain);
    out +=
        fmt::format(R"(<line x1="{0}" y1="{1:.1f}" x2="{2}" y2="{1:.1f}" stroke="#ddd"/>)", kLeft, y, kLeft + kWidth);
    out += fmt::format(R"(<text x="{}" y="{:.1f}" text-anchor="end">{:.2f}x</text>)", kLeft - 6, y + 4, gain);
    const int measured = scale.most_measured * i / 4;
    out += fmt::format(R"(<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>)", scale.x(measured),
                       kTop + kHeight + 18, measured);
    out += "\n";
  }
  out += fmt::format(R"(<text x="{}" y="{}" text-anchor="middle">candidates measured</text>)", kLeft + kWidth / 2,
                     kTop + kHeight + 38);
  out += fmt::format(R"(<text x="{}" y="18">best gain so far over the schedule by hand</text>)", kLeft);
  return out + "\n";
}

}  // namespace

std::string best_so_far_svg(const std::vector<Report>& reports) {
  Scale scale;
  for (const Report& r : reports) {
    for (const Point& p : r.result.history) {
      scale.most_measured = std::max(scale.most_measured, p.measured);
      scale.most_gain = std::max(scale.most_gain, p.gain);
    }
  }
  const double width = kLeft + kWidth + 20 + kLegend;
  const double height = std::max(kTop + kHeight + 50, kTop + kLine * static_cast<double>(reports.size()) + 20);
  std::string out = fmt::format(
      R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" viewBox="0 0 {0} {1}" font-family="sans-serif" font-size="12">)",
      width, height);
  out += "\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n" + axes(scale);
  for (size_t i = 0; i < reports.size(); ++i) {
    const char* color = kColors[i % kColors.size()];
    // Repeated colours are told apart by dashes.
    const std::string dash =
        i < kColors.size() ? "" : fmt::format(R"( stroke-dasharray="{} 3")", 3 * (i / kColors.size()));
    std::string points = fmt::format("{:.1f},{:.1f}", scale.x(0), scale.y(1));
    double last = 1;
    for (const Point& p : reports[i].result.history) {
      points += fmt::format(" {0:.1f},{1:.1f} {0:.1f},{2:.1f}", scale.x(p.measured), scale.y(last), scale.y(p.gain));
      last = p.gain;
    }
    out += fmt::format(R"(<polyline points="{}" fill="none" stroke="{}" stroke-width="1.5"{}/>)", points, color, dash);
    const double y = kTop + kLine * static_cast<double>(i);
    out += fmt::format(R"(<line x1="{0}" y1="{1}" x2="{2}" y2="{1}" stroke="{3}" stroke-width="2"{4}/>)",
                       kLeft + kWidth + 20, y, kLeft + kWidth + 44, color, dash);
    out += fmt::format(R"(<text x="{}" y="{}">{}</text>)", kLeft + kWidth + 50, y + 4,
                       escaped(reports[i].task.func->name));
    out += "\n";
  }
  return out + "</svg>\n";
}

}  // namespace mlc::tune
