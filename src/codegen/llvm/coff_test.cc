// Kernels for Windows: DLLs by LLD's COFF driver. What they export and import is read from their headers here; that
// they run is seen under Wine (scripts/test_platforms.sh).
#include <gtest/gtest.h>

#include <cstring>

#include "codegen/llvm/link.h"
#include "codegen/llvm/test_util.h"

namespace mlc::codegen {
namespace {

using namespace testing;  // NOLINT
using target::Target;

Target windows() { return Target::parse("x86_64-windows-gnu").value(); }

// As much of a PE file as says what it exports and imports (Microsoft's "PE Format").
class PeFile {
 public:
  explicit PeFile(std::string bytes) : bytes_(std::move(bytes)), header_(at<uint32_t>(0x3c)) {}
  bool is_dll() const {
    const bool pe = bytes_.compare(0, 2, "MZ") == 0 && std::memcmp(bytes_.data() + header_, "PE\0\0", 4) == 0;
    return pe && at<uint16_t>(header_ + 4) == 0x8664 && (at<uint16_t>(header_ + 22) & 0x2000) != 0;
  }
  uint32_t imports_size() const { return directory(1).second; }
  std::vector<std::string> exports() const {
    const size_t table = offset(directory(0).first);
    const size_t names = offset(at<uint32_t>(table + 32));
    std::vector<std::string> out;
    for (uint32_t i = 0; i < at<uint32_t>(table + 24); ++i) {
      out.emplace_back(bytes_.c_str() + offset(at<uint32_t>(names + 4 * i)));
    }
    return out;
  }

 private:
  template <typename T>
  T at(size_t position) const {
    T value;
    MLC_CHECK(position + sizeof value <= bytes_.size(), "the file ends before {}", position);
    std::memcpy(&value, bytes_.data() + position, sizeof value);
    return value;
  }
  // Address and size of a data directory of the optional header.
  std::pair<uint32_t, uint32_t> directory(size_t i) const {
    const size_t entry = header_ + 24 + 112 + 8 * i;
    return {at<uint32_t>(entry), at<uint32_t>(entry + 4)};
  }
  // Where in the file an address lies.
  size_t offset(uint32_t address) const {
    const size_t sections = header_ + 24 + at<uint16_t>(header_ + 20);
    for (size_t s = sections; s < sections + 40 * size_t{at<uint16_t>(header_ + 6)}; s += 40) {
      const uint32_t begin = at<uint32_t>(s + 12);
      if (address >= begin && address < begin + at<uint32_t>(s + 16)) return at<uint32_t>(s + 20) + address - begin;
    }
    MLC_UNREACHABLE("address {:#x} is in no section", address);
  }
  std::string bytes_;
  size_t header_;
};

// C = A through a local buffer of 64 KiB: a frame that Windows wants probed.
ir::PrimFunc copy_through_stack() {
  constexpr int64_t kFloats = 16384;
  const ir::Buffer a = ir::buffer("A", DType::f32(), {kFloats}), c = ir::buffer("C", DType::f32(), {kFloats}),
                   local = ir::buffer("local", DType::f32(), {kFloats}, ir::Scope::kLocal);
  const auto copy = [&](const ir::Buffer& to, const ir::Buffer& from) {
    return ir::for_("i", 0, kFloats,
                    [&](const ir::Var& i) { return ir::store(to, {kFloats - 1 - i}, ir::load(from, {i})); });
  };
  return {"copy", {a, c}, {}, ir::allocate(local, ir::seq({copy(local, a), copy(c, local)})), {}};
}

TEST(Coff, TheDllExportsItsKernelsAndImportsNothing) {
  auto code = emit_objects(module_of(copy_through_stack()), windows());
  ASSERT_TRUE(code) << code.error().message;
  auto data = emit_data({{"mlc_artifact_json", "{\"a\": 1}"}}, windows());
  ASSERT_TRUE(data) << data.error().message;
  code->push_back(*data);
  auto bytes = link_shared_bytes(*code);
  ASSERT_TRUE(bytes) << bytes.error().message;
  const PeFile dll(*bytes);
  ASSERT_TRUE(dll.is_dll());
  EXPECT_EQ(dll.imports_size(), 0u);
  EXPECT_EQ(dll.exports(), (std::vector<std::string>{"copy", "mlc_artifact_json", "mlc_artifact_json_size"}));
  EXPECT_TRUE(*link_shared_bytes(*code) == *bytes) << "the bytes depend on more than the objects";
}

TEST(Coff, LargeFramesAreProbed) {
  auto assembly = emit_assembly(module_of(copy_through_stack()), windows());
  ASSERT_TRUE(assembly) << assembly.error().message;
  EXPECT_NE(assembly->find("callq\t___chkstk_ms"), std::string::npos);
}

}  // namespace
}  // namespace mlc::codegen
