// The build id that the linker put into the program: the GUID of its CodeView record (`ld --build-id`).
#include <fmt/format.h>
#include <windows.h>

#include <cstring>

#include "base/build_id.h"

namespace mlc {

const std::string& build_id() {
  static const std::string id = [] {
    const auto* image = reinterpret_cast<const char*>(::GetModuleHandleA(nullptr));
    const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(image);
    const auto* nt = reinterpret_cast<const IMAGE_NT_HEADERS64*>(image + dos->e_lfanew);
    const IMAGE_DATA_DIRECTORY& found = nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_DEBUG];
    const auto* entries = reinterpret_cast<const IMAGE_DEBUG_DIRECTORY*>(image + found.VirtualAddress);
    std::string text;
    for (size_t i = 0; text.empty() && i < found.Size / sizeof *entries; ++i) {
      const char* record = image + entries[i].AddressOfRawData;
      if (entries[i].Type != IMAGE_DEBUG_TYPE_CODEVIEW || std::memcmp(record, "RSDS", 4) != 0) continue;
      for (int k = 0; k < 16; ++k) text += fmt::format("{:02x}", static_cast<unsigned char>(record[4 + k]));
    }
    return text;
  }();
  return id;
}

}  // namespace mlc
