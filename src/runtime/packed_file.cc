#include "runtime/packed_file.h"

#include <atomic>
#include <cstring>

#include "base/check.h"
#include "base/hash.h"

namespace mlc::runtime {
namespace {

constexpr char kMagic[8] = {'M', 'L', 'C', 'P', 'A', 'C', 'K', '\n'};
constexpr int64_t kKeyBytes = 64, kDigestBytes = 64;  // both hexadecimal
constexpr int64_t kFixedBytes = 8 + 4 + 4 + 8 + 8 + 8 + kKeyBytes;
constexpr int64_t kGuardBytes = 64;  // kernels may read a vector past the last element

int64_t align(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The header for known checksums: what the file must begin with.
std::string make_header(const std::string& key, const PackedLayout& layout, std::span<const uint64_t> checksums) {
  MLC_CHECK(key.size() == static_cast<size_t>(kKeyBytes), "a key of {} characters", key.size());
  std::string h(kMagic, sizeof kMagic);
  put<uint32_t>(h, kPackedVersion);
  put<uint32_t>(h, static_cast<uint32_t>(layout.header_bytes));
  put<uint64_t>(h, static_cast<uint64_t>(layout.file_bytes));
  put<uint64_t>(h, layout.entries.size());
  put<uint64_t>(h, checksums.size());
  h += key;
  for (const auto& e : layout.entries) {
    put<uint64_t>(h, static_cast<uint64_t>(e.offset));
    put<uint64_t>(h, static_cast<uint64_t>(e.bytes));
  }
  for (uint64_t c : checksums) put<uint64_t>(h, c);
  h += sha256_hex(h);
  h.resize(static_cast<size_t>(layout.header_bytes), '\0');
  return h;
}

std::vector<uint64_t> chunk_checksums(const std::byte* file, const PackedLayout& layout, ThreadPool& pool) {
  std::vector<uint64_t> sums(static_cast<size_t>(layout.num_chunks()));
  std::atomic<int64_t> next{0};
  pool.run([&](int, int) {
    for (int64_t i = next.fetch_add(1); i < layout.num_chunks(); i = next.fetch_add(1)) {
      const int64_t begin = layout.header_bytes + i * kChunkBytes;
      const int64_t end = std::min(begin + kChunkBytes, layout.file_bytes);
      sums[static_cast<size_t>(i)] = checksum64({file + begin, static_cast<size_t>(end - begin)});
    }
  });
  return sums;
}

}  // namespace

PackedLayout plan_packed_file(std::span<const int64_t> param_bytes) {
  PackedLayout layout;
  int64_t data = 0;
  for (int64_t bytes : param_bytes) {
    layout.entries.push_back({data, bytes});
    data = align(data + bytes, 64);
  }
  data += kGuardBytes;
  const int64_t chunks = (data + kChunkBytes - 1) / kChunkBytes;
  layout.header_bytes =
      align(kFixedBytes + static_cast<int64_t>(layout.entries.size()) * 16 + chunks * 8 + kDigestBytes, 4096);
  layout.file_bytes = layout.header_bytes + data;
  for (auto& e : layout.entries) e.offset += layout.header_bytes;
  return layout;
}

// Eight independent multiply-xor lanes, so that the loop is limited by memory and not by latency.
uint64_t checksum64(std::span<const std::byte> bytes) {
  constexpr uint64_t kMul = 0x9FB21C651E98DF25ull;
  uint64_t lanes[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  size_t i = 0;
  for (; i + 64 <= bytes.size(); i += 64) {
    uint64_t words[8];
    std::memcpy(words, bytes.data() + i, 64);
    for (int k = 0; k < 8; ++k) {
      lanes[k] = (lanes[k] ^ words[k]) * kMul;
      lanes[k] ^= lanes[k] >> 32;
    }
  }
  uint64_t h = bytes.size();
  for (uint64_t lane : lanes) h = ((h ^ lane) * kMul) ^ (h >> 29);
  for (; i < bytes.size(); ++i) h = ((h ^ std::to_integer<uint64_t>(bytes[i])) * kMul) ^ (h >> 31);
  return h;
}

Result<std::shared_ptr<MappedFile>> open_packed_file(const std::string& path, const std::string& key,
                                                     const PackedLayout& layout, ThreadPool& pool) {
  MLC_TRY(auto file, MappedFile::open(path));
  if (file->size() != static_cast<size_t>(layout.file_bytes)) {
    return error(ErrorCode::kCorrupt, "{}: {} bytes, expected {}", path, file->size(), layout.file_bytes);
  }
  // Key, version and layout first: they are cheap.
  const std::string prefix = make_header(key, layout, std::vector<uint64_t>(static_cast<size_t>(layout.num_chunks())));
  const size_t stable = static_cast<size_t>(kFixedBytes) + layout.entries.size() * 16;
  if (std::memcmp(file->bytes().data(), prefix.data(), stable) != 0) {
    return error(ErrorCode::kCorrupt, "{}: its header is damaged, or of another version or model", path);
  }
  file->advise(Advice::kWillNeed, 0, file->size());
  const std::string header = make_header(key, layout, chunk_checksums(file->bytes().data(), layout, pool));
  if (std::memcmp(file->bytes().data(), header.data(), header.size()) != 0) {
    return error(ErrorCode::kCorrupt, "{}: its contents do not match their checksums", path);
  }
  return file;
}

Result<std::unique_ptr<PackedWriter>> PackedWriter::create(const std::string& path, const PackedLayout& layout) {
  MLC_TRY(auto file, MappedOutput::create(path, static_cast<size_t>(layout.file_bytes)));
  return std::unique_ptr<PackedWriter>(new PackedWriter(std::move(file), layout));
}

// After a crash the checksums tell that the file is not whole, and it is made again.
Result<void> PackedWriter::finish(const std::string& key, ThreadPool& pool) {
  const std::string header = make_header(key, layout_, chunk_checksums(file_->data(), layout_, pool));
  std::memcpy(file_->data(), header.data(), header.size());
  return file_->finish();
}

}  // namespace mlc::runtime
