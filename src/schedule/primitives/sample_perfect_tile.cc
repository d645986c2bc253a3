#include "schedule/primitives/sample_perfect_tile.h"

#include "ir/text.h"

namespace mlc::schedule {
namespace {

std::string product_text(const std::vector<int64_t>& factors) {
  std::string out;
  for (int64_t f : factors) out += (out.empty() ? "" : " * ") + std::to_string(f);
  return out;
}

void extend(std::vector<int64_t>& tile, int64_t rest, size_t parts, int64_t max_innermost,
            std::vector<std::vector<int64_t>>& out) {
  if (tile.size() + 1 == parts) {
    if (rest > max_innermost) return;
    tile.push_back(rest);
    out.push_back(tile);
    tile.pop_back();
    return;
  }
  for (int64_t f = 1; f <= rest; ++f) {
    if (rest % f != 0) continue;
    tile.push_back(f);
    extend(tile, rest / f, parts, max_innermost, out);
    tile.pop_back();
  }
}

}  // namespace

Result<Change> apply(const State& s, const SamplePerfectTile& x) {
  if (x.name.empty()) return error("the random variable has no name");
  MLC_TRY(LoopAt at, s.find(x.loop));
  const int64_t* extent = ir::as_const_int(at.node->extent);
  if (extent == nullptr) {
    return error("{}: the extent {} of {} is not constant", x.name, ir::print(at.node->extent), at.label);
  }
  if (x.decision.empty()) return error("{}: the decision has no parts", x.name);
  int64_t rest = *extent;
  for (int64_t f : x.decision) {
    if (f <= 0 || rest % f != 0) {
      return error("{}: {} is not {}, the extent of {}", x.name, product_text(x.decision), *extent, at.label);
    }
    rest /= f;
  }
  if (rest != 1)
    return error("{}: {} is not {}, the extent of {}", x.name, product_text(x.decision), *extent, at.label);
  if (x.decision.back() > x.max_innermost) {
    return error("{}: the innermost part is {}, at most {} is allowed", x.name, x.decision.back(), x.max_innermost);
  }
  return Change{s.func.body, {}, {}, x.decision};
}

std::vector<std::vector<int64_t>> perfect_tiles(int64_t extent, size_t parts, int64_t max_innermost) {
  std::vector<std::vector<int64_t>> out;
  if (extent <= 0 || parts == 0) return out;
  std::vector<int64_t> tile;
  extend(tile, extent, parts, max_innermost, out);
  return out;
}

}  // namespace mlc::schedule
