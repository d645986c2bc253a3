#include "capi/dlpack.h"

#include <utility>

namespace mlc::capi {
namespace {

constexpr int32_t kCpu = 1;
constexpr uint8_t kFloat = 2;

// A managed tensor with what it manages. T: one of the standard's two structs.
template <typename T>
struct Owned {
  T tensor{};
  Matrix matrix;
  int64_t shape[2] = {}, strides[2] = {};
};

template <typename T>
T* make(Matrix matrix) {
  auto* owned = new Owned<T>;
  owned->matrix = std::move(matrix);
  owned->shape[0] = owned->matrix.rows;
  owned->shape[1] = owned->strides[0] = owned->matrix.columns;
  owned->strides[1] = 1;
  DLTensor& t = owned->tensor.dl_tensor;
  t.data = owned->matrix.values->data();
  t.device = {kCpu, 0};
  t.ndim = 2;
  t.dtype = {kFloat, 32, 1};
  t.shape = owned->shape;
  t.strides = owned->strides;
  owned->tensor.manager_ctx = owned;
  owned->tensor.deleter = [](T* self) { delete static_cast<Owned<T>*>(self->manager_ctx); };
  return &owned->tensor;
}

}  // namespace

DLManagedTensor* to_dlpack(Matrix matrix) { return make<DLManagedTensor>(std::move(matrix)); }

DLManagedTensorVersioned* to_dlpack_versioned(Matrix matrix) {
  DLManagedTensorVersioned* t = make<DLManagedTensorVersioned>(std::move(matrix));
  t->version = {1, 0};
  return t;
}

}  // namespace mlc::capi
