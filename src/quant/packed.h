// How a linear layer's weight W[N, K] lies in memory for CPU kernels, as IR: the pack kernels that make it from the
// model directory's tensors, and the expressions that read it. Any matmul kernel is written against the expressions, so
// schemes times kernels is no matrix.
//
// Columns of the product (rows n of W) are interleaved by kLanes = 16, one vector lane each, and padded to a multiple:
//   float schemes  data  [S, B, K, 16]       f32 or f16
//   bf16           data  [S, B, H, 16]       u32: w(2i) low and w(2i+1) high of a lane's word i; H = ceil(K / 2)
//   int4 group-32  codes [S, B, G, 4, 16]    u32: byte j of a lane's word i holds code(8i+j) low and code(8i+4+j) high
//                  scales [S, B, G, 16]      f16 or f32
//   int8 group-32  codes [S, B, G, 8, 16]    u32: byte j of word s is code(4s+j)
//                  scales [S, B, G, 16]
// S = streams(), B = Np / 16 / S: the S column blocks that a kernel of one row works on at once are in S places, and
// each place goes on with the same place of the next S blocks, so that a core reads S long address streams (hardware
// prefetchers lose a stream that ends after a few pages). Column block b = n / 16 is at [b % S, b / S].
// G = ceil(K / 32) groups, codes unsigned with zero point zero(), w = (code - zero) * scale. A 512-bit load of one
// row of words is 16 lanes x 4 codes, which is what the u8 x s8 dot-product instructions take; unpacking nibbles is one
// AND and one shift for 64 codes; a word of two bf16 is what the bf16 dot product takes, and becomes two f32 by a shift
// each. Padding has code 0 and scale 0.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "ir/func.h"

namespace mlc::quant {

inline constexpr int64_t kLanes = 16;
inline constexpr int64_t kGroup = 32;

inline constexpr int64_t round_up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }

// A tensor of the model directory.
struct SourceTensor {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
};

// A parameter as kernels read it. `pack` has one buffer per source, then the packed one, and no sizes.
struct PackedTensor {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  std::vector<SourceTensor> sources;
  ir::PrimFunc pack;
};

// The S of `blocks` column blocks: 4 where it divides them, else 2 or 1.
int64_t streams_of(int64_t blocks);

// The kinds of storage; one scheme of quant/ maps to one kind.
enum class Storage { kFloat, kBf16Pairs, kInt4Group32, kInt8Group32 };

class PackedLinear {
 public:
  // `scheme` is a name such as "q4f16_1"; `prefix` the MLC parameter name without ".weight".
  static Result<PackedLinear> create(const std::string& scheme, const std::string& prefix, int64_t n, int64_t k);

  int64_t n() const { return n_; }
  int64_t n_padded() const { return round_up(n_, kLanes); }
  int64_t k() const { return k_; }
  int64_t groups() const { return (k_ + kGroup - 1) / kGroup; }
  Storage storage() const { return storage_; }
  bool is_quantized() const { return storage_ == Storage::kInt4Group32 || storage_ == Storage::kInt8Group32; }
  int64_t zero() const { return storage_ == Storage::kInt4Group32 ? 7 : 127; }
  int64_t streams() const { return streams_of(n_padded() / kLanes); }
  const std::vector<PackedTensor>& tensors() const { return tensors_; }

  // Expressions over buffers made for tensors(), in order. n, k, g, s: i64 expressions.
  ir::Expr value(const std::vector<ir::Buffer>& buffers, const ir::Expr& n,
                 const ir::Expr& k) const;  // f32: the dequantized weight
  ir::Expr scale(const std::vector<ir::Buffer>& buffers, const ir::Expr& n, const ir::Expr& g) const;  // f32
  // u32: the four codes k = 32 g + 4 s … + 3 of column n, one per byte; s in [0, 8).
  ir::Expr codes4(const std::vector<ir::Buffer>& buffers, const ir::Expr& n, const ir::Expr& g,
                  const ir::Expr& s) const;
  // u32, of kBf16Pairs: the weights k = 2 h (low) and 2 h + 1 (high) of column n.
  ir::Expr pair(const std::vector<ir::Buffer>& buffers, const ir::Expr& n, const ir::Expr& h) const;
  int64_t pairs() const { return (k_ + 1) / 2; }

 private:
  int64_t n_ = 0, k_ = 0;
  Storage storage_ = Storage::kFloat;
  std::vector<PackedTensor> tensors_;
};

// A vector parameter (norm weight, bias) as f32 of n_padded elements, zero behind n.
PackedTensor packed_vector(const std::string& name, DType source_dtype, int64_t n, int64_t n_padded);

}  // namespace mlc::quant
