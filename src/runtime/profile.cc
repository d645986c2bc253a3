#include "runtime/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

namespace mlc::runtime {

namespace {

std::string share(double bound_s, double ns) { return bound_s > 0 ? fmt::format("{:.0f}%", 1e11 * bound_s / ns) : "-"; }

}  // namespace

std::string without_layer(const std::string& name) {
  std::string out;
  for (size_t i = 0; i < name.size();) {
    size_t end = std::min(name.find('.', i), name.size());
    const std::string part = name.substr(i, end - i);
    const bool number =
        !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    out += number ? "*" : part;
    if (end < name.size()) out += ".";
    i = end + 1;
  }
  return out;
}

std::string print_profile(std::vector<CallProfile> calls) {
  std::map<std::string, CallProfile> merged;
  int64_t total_ns = 0;
  for (const CallProfile& c : calls) {
    CallProfile& m = merged[without_layer(c.name)];
    m.calls += c.calls;
    m.time_ns += c.time_ns;
    m.work += c.work;
    m.bound_seconds += c.bound_seconds;
    total_ns += c.time_ns;
  }
  calls.clear();
  for (auto& [name, c] : merged) {
    c.name = name;
    calls.push_back(std::move(c));
  }
  std::stable_sort(calls.begin(), calls.end(),
                   [](const CallProfile& a, const CallProfile& b) { return a.time_ns > b.time_ns; });
  std::string out = fmt::format("{:<40} {:>8} {:>10} {:>6} {:>9} {:>9} {:>9} {:>8} {:>9} {:>9}\n", "call", "calls",
                                "ms", "%", "MB", "act. MB", "MOP", "GB/s", "GOP/s", "of limit");
  double bound_s = 0;
  for (const CallProfile& c : calls) {
    const double ns = std::max<double>(1.0, static_cast<double>(c.time_ns));
    const double per_call = 1e-6 / std::max<double>(1.0, static_cast<double>(c.calls));
    bound_s += c.bound_seconds;
    out += fmt::format("{:<40} {:>8} {:>10.2f} {:>6.1f} {:>9.3f} {:>9.3f} {:>9.2f} {:>8.2f} {:>9.2f} {:>9}\n", c.name,
                       c.calls, ns / 1e6, 100.0 * ns / std::max<double>(1.0, static_cast<double>(total_ns)),
                       c.work.memory_bytes() * per_call, c.work.activation_bytes * per_call, c.work.ops() * per_call,
                       c.work.memory_bytes() / ns, c.work.ops() / ns, share(c.bound_seconds, ns));
  }
  out += fmt::format("{:<40} {:>8} {:>10.2f}{:>66}\n", "total", "", static_cast<double>(total_ns) / 1e6,
                     share(bound_s, std::max<double>(1.0, static_cast<double>(total_ns))));
  return out;
}

}  // namespace mlc::runtime
