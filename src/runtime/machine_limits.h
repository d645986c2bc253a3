// What a machine can do at most: the yardstick beside measured speeds. Plain data; loader/compiler/limits.h measures
// it.
#pragma once

namespace mlc::runtime {

struct MachineLimits {
  double read_gb_per_s = 0;  // reading memory that no cache holds
  double int8_tops = 0;      // 8-bit integer multiply-adds, two operations each
  double f32_tflops = 0;     // f32 multiply-adds, two operations each
  double bf16_tflops = 0;    // multiply-adds of bf16 to f32, two operations each; by f32 ones if the machine has none
  bool known() const { return read_gb_per_s > 0; }
};

}  // namespace mlc::runtime
