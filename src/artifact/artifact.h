// The artifact: everything that the serve tower needs to run a compiled model, as plain data.
//
// A plan is the list of kernel calls of one engine step, in order; every call ends with a barrier over the workers.
// Sizes are linear expressions in the step's symbols, so that one plan serves every batch: a step with T token rows
// (any mix of prefill chunks and decodes) and R rows that need logits.
//
// Inputs of a step, by name (all device buffers):
//   token_ids     [T] i32            the token of each row
//   positions     [T] i32            its position in its sequence, from 0
//   slots         [T] i32            where its K and V go: page * page_size + offset
//   table_start   [T] i32            where the page table of its sequence begins in block_tables
//   block_tables  [P] i32            page ids of all sequences in the step, one after the other
//   rope_cos/sin  [T, head_dim/2] f32  cos/sin(position * inv_freq) * attention scaling (facts.rope)
//   logit_rows    [R] i32            the rows whose logits are wanted
// Outputs:
//   logits        [R, vocab_size] f32
//   hidden        [R, hidden_size] f32  the last norm's output, from which the logits are computed
// KV buffers, listed in Artifact::kv, the first dimension being the number of pages: of each layer K, [num_pages,
// kv_heads, head_dim, page_size], and V, [num_pages, kv_heads, page_size, head_dim], both of facts.kv_dtype; if that is
// i8, also the scales of K and V, f32 [num_pages, kv_heads, page_size] each (one per token and head).
//
// Row padding: kernels that work on tiles of rows read and write whole tiles. Every temp, input and output whose first
// dimension is T or R must have a capacity of the size rounded up to kRowPadding rows; padded rows hold garbage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/result.h"

namespace mlc::artifact {

inline constexpr int64_t kRowPadding = 16;
inline constexpr int64_t kPageSize = 16;  // tokens per KV page

// The sizes that a step fixes. Parts: token rows times the segments (Plan::segment_tokens) of the longest context, in
// steps that split attention.
enum class Symbol : int { kNumTokens, kNumLogitRows, kBlockTableLength, kNumPages, kNumParts };
inline constexpr int kNumSymbols = 5;
struct SymbolValues {
  int64_t values[kNumSymbols] = {};
  int64_t& operator[](Symbol s) { return values[static_cast<int>(s)]; }
  int64_t operator[](Symbol s) const { return values[static_cast<int>(s)]; }
};

// constant + sum of coefficient * symbol.
struct LinearSize {
  int64_t constant = 0;
  int64_t coefficients[kNumSymbols] = {};
  int64_t eval(const SymbolValues& s) const;
  bool operator==(const LinearSize&) const = default;
};

enum class BufferKind { kParam, kTemp, kInput, kOutput, kKv };

// One argument of a kernel call: the buffer `index` of that kind (params, inputs, outputs by position in the lists
// below, kv too; temp by position in Plan::temps).
struct BufferRef {
  BufferKind kind = BufferKind::kTemp;
  int index = 0;
};

// A scratch buffer of a step. Offsets and sizes are evaluated once, for the largest step (symbols at their maximum,
// rounded up to kRowPadding); temps whose lifetimes do not meet share bytes.
struct Temp {
  std::string name;
  DType dtype;
  LinearSize offset_bytes;
  LinearSize size_bytes;
};

// A kernel for the calls in which `symbol` has a value in [min, max]; max < 0: no limit.
struct KernelVariant {
  std::string kernel;  // exported symbol
  int64_t min = 0;
  int64_t max = -1;
};

// The steps in which a call is made. Attention comes in two forms that give the same bits: whole rows, or parts of rows
// that are combined afterwards; the runtime takes one or the other for a step.
enum class When : int { kAlways, kWholeAttention, kSplitAttention };
inline constexpr int kNumWhens = 3;

struct KernelCall {
  std::string name;  // for people: "layers.3.mlp.down_proj"
  Symbol rows = Symbol::kNumTokens;
  std::vector<KernelVariant> variants;  // in ascending order, covering all values >= 1
  std::vector<BufferRef> buffers;
  std::vector<LinearSize> sizes;
  // What one call reads, writes and computes, for profiles: bytes of parameters; multiply-adds x 2 per row.
  int64_t param_bytes = 0;
  int64_t ops_per_row = 0;
  When when = When::kAlways;
};

struct Plan {
  std::vector<Temp> temps;
  LinearSize temp_bytes;       // of the whole arena
  int64_t segment_tokens = 0;  // positions of a segment of split attention; 0: the plan has no split attention
  std::vector<KernelCall> calls;
};

struct TensorSpec {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  int64_t num_elements() const;
  int64_t bytes() const;
};

// A parameter as the kernels read it, and how it comes from the tensors of the model directory: `pack_kernel` (exported
// symbol) is called with the sources, in order, and then the packed buffer; if it is empty, the single source is used
// as it is. No sizes.
struct Param {
  TensorSpec packed;
  std::vector<TensorSpec> sources;  // names as in tensor-cache.json
  std::string pack_kernel;
};

// Facts about the model that serving needs; no kernel words.
struct Rope {
  std::vector<float> inv_freq;     // [head_dim/2], scaling applied
  float attention_scaling = 1.0f;  // factor on cos and sin (YaRN); 1 otherwise
};
struct ModelFacts {
  std::string model_type;    // "llama", "qwen2"
  std::string quantization;  // "q4f16_1"
  std::string activation;    // "int8", "bf16" or "f32": how matmul inputs are represented
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
  int64_t context_window_size = 0;
  int64_t prefill_chunk_size = 0;  // the most token rows of one step
  int64_t max_batch_size = 0;      // the most logit rows of one step (prompt log-probabilities are taken in slices)
  DType kv_dtype = DType::f16();
  Rope rope;
};

struct Artifact {
  int abi_version = 0;
  std::string compiler;         // "mlc_llm 0.1.0 <build id>"
  std::string target;           // Target::str(): what it was compiled for
  std::string target_features;  // comma-separated CPU features that the code may use; checked when loaded
  std::string layout_id;        // changes when packed bytes change: part of the key of the packed-weights cache
  ModelFacts facts;
  std::vector<Param> params;
  std::vector<TensorSpec> inputs;  // shapes: -1 for the symbol-sized dimension
  std::vector<TensorSpec> outputs;
  std::vector<TensorSpec> kv;  // likewise, -1 for the number of pages
  Plan plan;
};

// JSON, as embedded in the library; read checks every field and index and says what is wrong.
std::string write_json(const Artifact& a);
Result<Artifact> read_json(std::string_view json);
// The plan as text, for dumps and people.
std::string print_plan(const Artifact& a);

}  // namespace mlc::artifact
