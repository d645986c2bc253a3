#include "tune/cost_model.h"

#include <dlfcn.h>

#include <cmath>
#include <cstdint>

namespace mlc::tune {
namespace {

constexpr int kTrees = 60;

// The functions of XGBoost's C interface (xgboost/c_api.h, stable since 1.0) that are used. All return 0 on success.
struct Api {
  using Handle = void*;
  int (*matrix_create)(const float* data, uint64_t rows, uint64_t columns, float missing, Handle* out) = nullptr;
  int (*matrix_set_floats)(Handle matrix, const char* field, const float* data, uint64_t count) = nullptr;
  int (*matrix_free)(Handle matrix) = nullptr;
  int (*booster_create)(const Handle* matrices, uint64_t count, Handle* out) = nullptr;
  int (*booster_set)(Handle booster, const char* name, const char* value) = nullptr;
  int (*booster_update)(Handle booster, int iteration, Handle train) = nullptr;
  int (*booster_predict)(Handle booster, Handle matrix, int options, unsigned trees, int training, uint64_t* count,
                         const float** out) = nullptr;
  int (*booster_free)(Handle booster) = nullptr;
  const char* (*last_error)() = nullptr;
  std::shared_ptr<void> library;
};

template <typename F>
bool bind(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  return function != nullptr;
}

Result<Api> open_api(const std::string& library) {
  const std::vector<std::string> names =
      library.empty() ? std::vector<std::string>{"libxgboost.so.0", "libxgboost.so"} : std::vector{library};
  Api api;
  for (const std::string& name : names) {
    if (void* handle = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {  // its threads outlive a close
      api.library = std::shared_ptr<void>(handle, [](void* h) { ::dlclose(h); });
      break;
    }
  }
  if (!api.library) {
    return error(ErrorCode::kNotFound, "{} is not installed (Debian: apt-get install libxgboost0)",
                 library.empty() ? "the library XGBoost" : library);
  }
  void* h = api.library.get();
  if (!bind(h, "XGDMatrixCreateFromMat", api.matrix_create) ||
      !bind(h, "XGDMatrixSetFloatInfo", api.matrix_set_floats) || !bind(h, "XGDMatrixFree", api.matrix_free) ||
      !bind(h, "XGBoosterCreate", api.booster_create) || !bind(h, "XGBoosterSetParam", api.booster_set) ||
      !bind(h, "XGBoosterUpdateOneIter", api.booster_update) || !bind(h, "XGBoosterPredict", api.booster_predict) ||
      !bind(h, "XGBoosterFree", api.booster_free) || !bind(h, "XGBGetLastError", api.last_error)) {
    return error(ErrorCode::kUnsupported, "{} has not the functions of XGBoost's C interface",
                 library.empty() ? "libxgboost" : library);
  }
  return api;
}

class XgBoost : public CostModel {
 public:
  explicit XgBoost(Api api) : api_(std::move(api)) {}
  ~XgBoost() override {
    if (booster_ != nullptr) api_.booster_free(booster_);
  }
  XgBoost(const XgBoost&) = delete;
  XgBoost& operator=(const XgBoost&) = delete;

  Result<void> fit(const std::vector<std::vector<float>>& features, const std::vector<float>& values) override {
    MLC_CHECK(features.size() == values.size() && !values.empty(), "{} rows of features for {} values", features.size(),
              values.size());
    if (booster_ != nullptr) api_.booster_free(booster_);
    booster_ = nullptr;
    MLC_TRY(const Matrix train, matrix(features));
    MLC_TRY_VOID(check(api_.matrix_set_floats(train.get(), "label", values.data(), values.size())));
    Api::Handle handle = train.get();
    MLC_TRY_VOID(check(api_.booster_create(&handle, 1, &booster_)));
    // One thread: the measurements have the cores. The same seed: the same search for the same measurements.
    const std::pair<const char*, const char*> settings[] = {{"objective", "reg:squarederror"},
                                                            {"max_depth", "5"},
                                                            {"eta", "0.2"},
                                                            {"min_child_weight", "0"},
                                                            {"nthread", "1"},
                                                            {"verbosity", "0"},
                                                            {"seed", "1"}};
    for (const auto& [name, value] : settings) MLC_TRY_VOID(check(api_.booster_set(booster_, name, value)));
    for (int i = 0; i < kTrees; ++i) MLC_TRY_VOID(check(api_.booster_update(booster_, i, train.get())));
    return {};
  }

  Result<std::vector<float>> predict(const std::vector<std::vector<float>>& features) const override {
    MLC_CHECK(booster_ != nullptr, "predict() before fit()");
    if (features.empty()) return std::vector<float>{};
    MLC_TRY(const Matrix m, matrix(features));
    uint64_t count = 0;
    const float* out = nullptr;
    MLC_TRY_VOID(check(api_.booster_predict(booster_, m.get(), 0, 0, 0, &count, &out)));
    if (count != features.size()) return error("XGBoost: {} predictions for {} rows", count, features.size());
    return std::vector<float>(out, out + count);
  }

 private:
  using Matrix = std::shared_ptr<void>;

  Result<void> check(int status) const {
    if (status == 0) return {};
    const std::string message = api_.last_error();
    return error("XGBoost: {}", message.substr(0, message.find('\n')));
  }
  Result<Matrix> matrix(const std::vector<std::vector<float>>& rows) const {
    std::vector<float> flat;
    for (const auto& row : rows) {
      MLC_CHECK(row.size() == rows[0].size(), "rows of {} and {} features", row.size(), rows[0].size());
      flat.insert(flat.end(), row.begin(), row.end());
    }
    Api::Handle handle = nullptr;
    MLC_TRY_VOID(check(api_.matrix_create(flat.data(), rows.size(), rows[0].size(), NAN, &handle)));
    return Matrix(handle, [free = api_.matrix_free, library = api_.library](void* h) { free(h); });
  }

  const Api api_;
  Api::Handle booster_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<CostModel>> load_xgboost(const std::string& library) {
  MLC_TRY(Api api, open_api(library));
  return std::unique_ptr<CostModel>(new XgBoost(std::move(api)));
}

}  // namespace mlc::tune
