#include "tools/bench/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace mlc::tools::bench {
namespace {

constexpr std::array kColors = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf", "#8c564b", "#7f7f7f"};
constexpr int kLeft = 64, kTop = 32, kBottom = 44, kLegend = 150;

// One axis: data values to pixels.
class Axis {
 public:
  Axis(bool logarithmic, double from_px, double to_px) : log_(logarithmic), from_(from_px), to_(to_px) {}

  bool takes(double v) const { return std::isfinite(v) && (!log_ || v > 0); }
  void include(double v) {
    if (!takes(v)) return;
    low_ = std::min(low_, v);
    high_ = std::max(high_, v);
  }
  // After all values: some room around them.
  void settle() {
    if (low_ > high_) low_ = high_ = 1;
    if (log_) {
      low_ /= 1.25, high_ *= 1.25;
    } else {
      const double room = high_ > low_ ? 0.05 * (high_ - low_) : std::max(1.0, std::abs(high_)) * 0.1;
      low_ = low_ == 0 ? 0 : low_ - room;
      high_ += room;
    }
  }
  double at(double v) const {
    const double part = log_ ? std::log(v / low_) / std::log(high_ / low_) : (v - low_) / (high_ - low_);
    return from_ + part * (to_ - from_);
  }
  std::vector<double> ticks() const {
    std::vector<double> out;
    if (log_) {
      const double decades = std::log10(high_ / low_);
      for (int e = static_cast<int>(std::floor(std::log10(low_))); e <= static_cast<int>(std::ceil(std::log10(high_)));
           ++e) {
        for (double m : decades > 3 ? std::vector<double>{1} : std::vector<double>{1, 2, 5}) {
          const double v = m * std::pow(10.0, e);
          if (v >= low_ && v <= high_) out.push_back(v);
        }
      }
      return out;
    }
    double step = std::pow(10.0, std::floor(std::log10((high_ - low_) / 4)));
    for (double m : {1.0, 2.0, 5.0, 10.0}) {
      if ((high_ - low_) / (step * m) > 6) continue;
      step *= m;
      break;
    }
    for (double v = std::ceil(low_ / step) * step; v <= high_ + step * 1e-9; v += step) {
      out.push_back(std::abs(v) < step * 1e-6 ? 0 : v);
    }
    return out;
  }

 private:
  bool log_;
  double from_, to_;
  double low_ = std::numeric_limits<double>::infinity(), high_ = -std::numeric_limits<double>::infinity();
};

std::string text(double x, double y, const std::string& s, const char* anchor, int size = 11, const char* extra = "") {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{}\" text-anchor=\"{}\" {}>{}</text>\n", x, y, size,
                     anchor, extra, escape_xml(s));
}

std::string line(double x1, double y1, double x2, double y2, const char* color) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2, y2,
                     color);
}

std::string open(int width, int height) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" role=\"img\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n",
      width, height);
}

std::string draw(const Series& s, const char* color, const Axis& x, const Axis& y) {
  std::string out, path;
  for (const Point& p : s.points) {
    if (!x.takes(p.x) || !y.takes(p.y)) continue;
    const double px = x.at(p.x), py = y.at(p.y);
    path += fmt::format("{:.1f},{:.1f} ", px, py);
    if (s.marks) out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", px, py, color);
    if (!p.label.empty()) out += text(px + 6, py - 5, p.label, "start", 10);
  }
  if (s.line && !path.empty()) {
    out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\"{}/>\n", path, color,
                       s.dashed ? " stroke-dasharray=\"6 4\"" : "");
  }
  return out;
}

}  // namespace

std::string escape_xml(std::string_view s) {
  std::string out;
  for (char c : s) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
  }
  return out;
}

std::string svg(const Plot& plot) {
  const int height = std::max(plot.height, kTop + 17 * static_cast<int>(plot.series.size()) + 10);  // of the legend
  const double right = plot.width - kLegend, bottom = height - kBottom;
  Axis x(plot.log_x, kLeft, right), y(plot.log_y, bottom, kTop);
  for (const Series& s : plot.series) {
    for (const Point& p : s.points) {
      if (!x.takes(p.x) || !y.takes(p.y)) continue;
      x.include(p.x);
      y.include(p.y);
    }
  }
  if (plot.y_from_zero) y.include(0);
  x.settle();
  y.settle();
  std::string out = open(plot.width, height);
  out += text(kLeft, 18, plot.title, "start", 13, "font-weight=\"bold\"");
  for (double v : x.ticks()) {
    out += line(x.at(v), kTop, x.at(v), bottom, "#e4e4e4");
    out += text(x.at(v), bottom + 15, fmt::format("{:.6g}", v), "middle");
  }
  for (double v : y.ticks()) {
    out += line(kLeft, y.at(v), right, y.at(v), "#e4e4e4");
    out += text(kLeft - 6, y.at(v) + 4, fmt::format("{:.6g}", v), "end");
  }
  out += line(kLeft, bottom, right, bottom, "#444444") + line(kLeft, kTop, kLeft, bottom, "#444444");
  out += text((kLeft + right) / 2, height - 8, plot.x_label, "middle", 12);
  const std::string turn = fmt::format("transform=\"rotate(-90 14 {:.1f})\"", (kTop + bottom) / 2);
  out += text(14, (kTop + bottom) / 2, plot.y_label, "middle", 12, turn.c_str());
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const char* color = kColors[i % kColors.size()];
    out += draw(plot.series[i], color, x, y);
    const double at = kTop + 14 + 17 * static_cast<double>(i);
    out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"10\" fill=\"{}\"/>\n", right + 12, at - 9,
                       color);
    out += text(right + 27, at, plot.series[i].name, "start");
  }
  return out + "</svg>\n";
}

std::string svg_bars(const std::string& title, const std::vector<Bar>& bars) {
  constexpr int kWidth = 640, kRow = 22, kNames = 170, kFull = 320;
  double most = 1;
  for (const Bar& b : bars) most = std::max(most, b.share);
  const int height = kTop + kRow * static_cast<int>(bars.size()) + 10;
  std::string out = open(kWidth, height);
  out += text(10, 18, title, "start", 13, "font-weight=\"bold\"");
  for (size_t i = 0; i < bars.size(); ++i) {
    const double top = kTop + kRow * static_cast<double>(i), width = kFull * std::max(0.0, bars[i].share) / most;
    out += text(kNames - 8, top + 14, bars[i].label, "end");
    out += fmt::format("<rect x=\"{}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" fill=\"{}\"/>\n", kNames, top + 2,
                       width, kRow - 6, kColors[0]);
    out += text(kNames + width + 6, top + 14, bars[i].note, "start");
  }
  const double full = kNames + kFull / most;
  out += line(full, kTop - 4, full, height - 6, "#d62728");
  return out + "</svg>\n";
}

}  // namespace mlc::tools::bench
