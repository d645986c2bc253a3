#include "weights/gguf_writer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/cpu_count.h"
#include "base/file.h"
#include "base/parallel.h"
#include "weights/tensor_source.h"

namespace mlc::weights {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little endian");

constexpr uint64_t kAlignment = 32;
constexpr int64_t kChunkElements = int64_t{1} << 22;

// The format's numbers for the types of metadata.
enum : uint32_t { kMetaUint32 = 4, kMetaInt32 = 5, kMetaFloat32 = 6, kMetaBool = 7, kMetaString = 8, kMetaArray = 9 };

template <typename T>
void put(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

void put_string(std::string& out, const std::string& s) {
  put<uint64_t>(out, s.size());
  out += s;
}

void put_value(std::string& out, uint32_t v) { put(out, uint32_t{kMetaUint32}), put(out, v); }
void put_value(std::string& out, float v) { put(out, uint32_t{kMetaFloat32}), put(out, v); }
void put_value(std::string& out, bool v) { put(out, uint32_t{kMetaBool}), put<uint8_t>(out, v ? 1 : 0); }
void put_value(std::string& out, const std::string& v) { put(out, uint32_t{kMetaString}), put_string(out, v); }
void put_value(std::string& out, const std::vector<std::string>& v) {
  put(out, uint32_t{kMetaArray}), put(out, uint32_t{kMetaString}), put<uint64_t>(out, v.size());
  for (const std::string& s : v) put_string(out, s);
}
void put_value(std::string& out, const std::vector<int32_t>& v) {
  put(out, uint32_t{kMetaArray}), put(out, uint32_t{kMetaInt32}), put<uint64_t>(out, v.size());
  for (int32_t i : v) put(out, i);
}

uint64_t aligned(uint64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

int64_t rows_of(const GgufWriter::Tensor& t) { return t.shape.size() == 1 ? 1 : t.shape[0]; }
uint64_t bytes_of(const GgufWriter::Tensor& t) {
  return static_cast<uint64_t>(rows_of(t) * gguf_row_bytes(t.type, t.shape.back()));
}

void put_half(std::byte* out, float v) { from_f32(DType::f16(), &v, 1, {out, 2}, 0); }

void encode_q8_0(const float* w, std::byte* out) {
  float most = 0;
  for (int64_t i = 0; i < kGgufBlock; ++i) most = std::max(most, std::abs(w[i]));
  const float d = most / 127, inverse = d > 0 ? 1 / d : 0;
  put_half(out, d);
  for (int64_t i = 0; i < kGgufBlock; ++i) {
    out[2 + i] = static_cast<std::byte>(static_cast<int8_t>(std::round(w[i] * inverse)));
  }
}

void encode_q4_0(const float* w, std::byte* out) {
  float extreme = 0;
  for (int64_t i = 0; i < kGgufBlock; ++i) extreme = std::abs(w[i]) > std::abs(extreme) ? w[i] : extreme;
  const float d = extreme / -8, inverse = d != 0 ? 1 / d : 0;
  put_half(out, d);
  auto code = [&](int64_t i) { return std::min(15, static_cast<int>(w[i] * inverse + 8.5f)); };
  for (int64_t i = 0; i < kGgufBlock / 2; ++i) {
    out[2 + i] = static_cast<std::byte>(code(i) | code(i + kGgufBlock / 2) << 4);
  }
}

}  // namespace

int64_t gguf_row_bytes(GgufType type, int64_t columns) {
  switch (type) {
    case GgufType::kF32:
      return columns * 4;
    case GgufType::kF16:
      return columns * 2;
    case GgufType::kQ4_0:
      return columns / kGgufBlock * 18;
    case GgufType::kQ8_0:
      return columns / kGgufBlock * 34;
  }
  MLC_UNREACHABLE("GGUF type {}", static_cast<uint32_t>(type));
}

void gguf_encode(GgufType type, const float* rows, int64_t count, int64_t columns, std::span<std::byte> out) {
  const int64_t n = count * columns;
  if (type == GgufType::kF32) {
    std::memcpy(out.data(), rows, static_cast<size_t>(n) * 4);
  } else if (type == GgufType::kF16) {
    from_f32(DType::f16(), rows, n, out, 0);
  } else {
    MLC_CHECK(columns % kGgufBlock == 0, "{} columns in blocks of {}", columns, kGgufBlock);
    const int64_t block_bytes = gguf_row_bytes(type, kGgufBlock);
    for (int64_t b = 0; b < n / kGgufBlock; ++b) {
      const float* w = rows + b * kGgufBlock;
      std::byte* to = out.data() + b * block_bytes;
      type == GgufType::kQ8_0 ? encode_q8_0(w, to) : encode_q4_0(w, to);
    }
  }
}

std::string GgufWriter::header() const {
  std::string out = "GGUF";
  put<uint32_t>(out, 3);
  put<uint64_t>(out, tensors_.size());
  put<uint64_t>(out, meta_.size());
  for (const auto& [key, value] : meta_) {
    put_string(out, key);
    std::visit([&](const auto& v) { put_value(out, v); }, value);
  }
  uint64_t offset = 0;
  for (const Tensor& t : tensors_) {
    put_string(out, t.name);
    put<uint32_t>(out, static_cast<uint32_t>(t.shape.size()));
    for (size_t i = t.shape.size(); i-- > 0;) put<uint64_t>(out, static_cast<uint64_t>(t.shape[i]));
    put<uint32_t>(out, static_cast<uint32_t>(t.type));
    put<uint64_t>(out, offset);
    offset += aligned(bytes_of(t));
  }
  out.resize(aligned(out.size()), '\0');
  return out;
}

Result<uint64_t> GgufWriter::write(const std::string& path, const std::function<void(double)>& progress) const {
  MLC_TRY(TempDir dir, TempDir::create_beside(path));
  MLC_TRY(FileWriter file, FileWriter::create(dir.file("model.gguf")));
  MLC_TRY_VOID(file.write(header()));
  uint64_t total = 0, done = 0;
  for (const Tensor& t : tensors_) total += bytes_of(t);
  std::vector<float> floats;
  std::vector<std::byte> bytes;
  for (const Tensor& t : tensors_) {
    const int64_t columns = t.shape.back(), row_bytes = gguf_row_bytes(t.type, columns);
    const int64_t step = std::max<int64_t>(1, kChunkElements / columns);
    for (int64_t first = 0; first < rows_of(t); first += step) {
      const int64_t count = std::min(step, rows_of(t) - first);
      floats.resize(static_cast<size_t>(count * columns));
      bytes.resize(static_cast<size_t>(count * row_bytes));
      MLC_TRY_VOID(t.rows(first, count, floats.data()));
      parallel_ranges(count, default_num_threads(), [&](int64_t begin, int64_t end) {
        gguf_encode(t.type, floats.data() + begin * columns, end - begin, columns,
                    std::span(bytes).subspan(static_cast<size_t>(begin * row_bytes),
                                             static_cast<size_t>((end - begin) * row_bytes)));
      });
      MLC_TRY_VOID(file.write(std::span<const std::byte>(bytes)));
      done += bytes.size();
      if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
    }
    const std::string padding(aligned(file.position()) - file.position(), '\0');
    MLC_TRY_VOID(file.write(padding));
  }
  const uint64_t size = file.position();
  MLC_TRY_VOID(file.close());
  MLC_TRY_VOID(rename_path(dir.file("model.gguf"), path));
  return size;
}

}  // namespace mlc::weights
