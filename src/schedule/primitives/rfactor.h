// rfactor: a reduction is cut into partial reductions along one loop, so that they are independent.
//
//   for i { for k0 { for k1 { C[i] += A[i, k0 * 16 + k1] } } }      b1 = rfactor(k1, 0)
//   ->
//   allocate C_rf { for i { for k0 { for k1 { C_rf[k1, i] += A[i, k0 * 16 + k1] } } }
//                   for i { for k1 { C[i] += C_rf[k1, i] } } }
//
// `factor_axis` is where the new dimension of C_rf stands. The block must be a commutative reduction with an init,
// alone in its nest, and the loop must feed only reduce variables. Floats are summed in another order. Gives the block
// of the partial results, named "<block>_rf".
#pragma once

#include <tuple>

#include "schedule/state.h"

namespace mlc::schedule {

struct Rfactor {
  static constexpr const char* kName = "rfactor";
  LoopRef loop;
  int64_t factor_axis;

  template <typename Self>
  static auto fields(Self& x) {
    return std::tie(x.loop, x.factor_axis);
  }
};
Result<Change> apply(const State& s, const Rfactor& x);

}  // namespace mlc::schedule
