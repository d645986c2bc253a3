// The list of ops: one function per file of this folder, returning its definition (graph/op.h). The comment gives the
// signature as inputs -> outputs, with shapes; T may be any row symbol, Np is N rounded up to 16.
#pragma once

#include "graph/op.h"

namespace mlc::graph::ops {

OpDef embedding();      // token_ids i32[T], weight tensors -> f32[T, Np]: the rows of a PackedLinear (n = token, k =
                        // column)
OpDef rms_norm();       // x f32[T, Np], weight f32[Np] -> f32[T, Np]; attrs n, eps (Zhang & Sennrich 2019)
OpDef quantize_rows();  // x f32[T, Kp] -> words i32[T, 8G], scales f32[T, G], zeros i32[T, G]; attrs k, zero;
                        // with the attribute "apart": zeros i16[T, 2G]
OpDef silu_quantize();  // gate and up side by side f32[T, 2K] -> quantize_rows(silu_mul(..)); K a multiple of 32
OpDef linear();         // x f32[T, Kp], weight tensors -> f32[T, Np]; expanded by expand_linear() before fusion
OpDef dequantize();     // weight tensors -> f32[Np, K]: only ever inlined into its matmul
OpDef matmul();         // x f32[T, Kp], w f32[Np, K] -> f32[T, Np]
OpDef matmul_int8();    // words, scales, zeros, weight tensors -> f32[T, Np]: per group of 32, integer dot products
OpDef bf16_rows();      // x f32[T, Kp] -> words u32[T, Kp / 2], rounded to bf16, two to a word; attr k
OpDef matmul_bf16();    // words, weight tensors -> f32[T, Np]: dot products of pairs, in ascending order
OpDef add();            // f32[T, Np], f32[T, Np] -> f32[T, Np]
OpDef add_bias();       // f32[T, Np], f32[Np] -> f32[T, Np]
OpDef silu_mul();       // gate and up side by side f32[T, (2I)p] -> f32[T, Ip]: silu(gate) * up; attr n = I
// qkv f32[T, ..], rope_cos f32[T, D/2], rope_sin, slots i32[T], K cache, V cache -> q f32[T, heads*D], and appends to
// both caches; attrs heads, kv_heads, head_dim. Rotates halves as Llama does (Su et al. 2021). Caches of i8 have scales
// beside them, f32 [N, kv_heads, 16] for K and for V, as two more inputs of both ops.
OpDef rope_append();
// q f32[T, heads*D], positions i32[T], table_start i32[T], block_tables i32[P], K cache, V cache -> f32[T, heads*D]:
// causal attention over the paged cache (Kwon et al. 2023) with an online softmax (Milakov & Gimelshein 2018). attrs as
// rope_append, and segment: pages that are summed independently of others (rounded down to whole strips, at least one).
OpDef attention();
// The same in two steps, for few rows and long contexts: the same inputs -> parts f32[Q, ..], where Q = T * S for S
// segments of the longest row; then parts, positions -> f32[T, heads*D]. Gives the bits that `attention` gives.
OpDef attention_parts();
OpDef attention_combine();
int64_t segment_tokens(const Node& node);  // of these three: where segments begin
OpDef take_rows();                         // x f32[T, Np], rows i32[R] -> f32[R, Np]

}  // namespace mlc::graph::ops
