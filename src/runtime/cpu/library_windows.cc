#include <fmt/format.h>
#include <windows.h>

#include <cstring>
#include <filesystem>

#include "base/mmap.h"
#include "runtime/cpu/library.h"

namespace mlc::runtime {
namespace {

#if defined(__x86_64__)
constexpr WORD kHostMachine = IMAGE_FILE_MACHINE_AMD64;
#else
constexpr WORD kHostMachine = IMAGE_FILE_MACHINE_ARM64;
#endif

std::string machine_name(WORD machine) {
  if (machine == IMAGE_FILE_MACHINE_AMD64) return "x86_64";
  if (machine == IMAGE_FILE_MACHINE_ARM64) return "aarch64";
  return fmt::format("machine {:#x}", machine);
}

std::string windows_error() {
  char* text = nullptr;
  const DWORD code = ::GetLastError();
  const DWORD length =
      ::FormatMessageA(FORMAT_MESSAGE_ALLOCATE_BUFFER | FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS,
                       nullptr, code, 0, reinterpret_cast<char*>(&text), 0, nullptr);
  std::string out = length > 0 ? std::string(text, length) : fmt::format("error {}", code);
  if (text != nullptr) ::LocalFree(text);
  while (!out.empty() && (out.back() == '\n' || out.back() == '\r' || out.back() == '.')) out.pop_back();
  return out;
}

// The loader's own messages name neither what was found nor what to do.
Result<void> check_dll(const std::string& path) {
  MLC_TRY(auto file, MappedFile::open(path));
  const auto bytes = file->bytes();
  IMAGE_DOS_HEADER dos;
  const auto not_a_library = [&] {
    return error(ErrorCode::kCorrupt,
                 "{}: not a shared library; `mlc_llm compile --target x86_64-windows-gnu` makes one", path);
  };
  if (bytes.size() < sizeof dos) return not_a_library();
  std::memcpy(&dos, bytes.data(), sizeof dos);
  IMAGE_NT_HEADERS64 nt;
  const auto at = static_cast<size_t>(static_cast<DWORD>(dos.e_lfanew));
  if (dos.e_magic != IMAGE_DOS_SIGNATURE || at > bytes.size() || bytes.size() - at < sizeof nt) return not_a_library();
  std::memcpy(&nt, bytes.data() + at, sizeof nt);
  if (nt.Signature != IMAGE_NT_SIGNATURE) return not_a_library();
  if (nt.FileHeader.Machine != kHostMachine) {
    return error(ErrorCode::kUnsupported, "{}: compiled for {}, this machine is {}; compile the model for it", path,
                 machine_name(nt.FileHeader.Machine), machine_name(kHostMachine));
  }
  const size_t sections = at + offsetof(IMAGE_NT_HEADERS64, OptionalHeader) + nt.FileHeader.SizeOfOptionalHeader;
  for (size_t i = 0; i < nt.FileHeader.NumberOfSections; ++i) {
    IMAGE_SECTION_HEADER section;
    const size_t begin = sections + i * sizeof section;
    bool whole = begin + sizeof section <= bytes.size();
    if (whole) {
      std::memcpy(&section, bytes.data() + begin, sizeof section);
      whole = size_t{section.PointerToRawData} + section.SizeOfRawData <= bytes.size();
    }
    if (!whole) return error(ErrorCode::kCorrupt, "{}: the library is truncated; compile the model again", path);
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<void>> open_library(const std::string& path) {
  MLC_TRY_VOID(check_dll(path));
  // A name without a directory would be searched for elsewhere.
  std::error_code ec;
  const std::string absolute = std::filesystem::absolute(path, ec).string();
  HMODULE library = ::LoadLibraryExA(absolute.c_str(), nullptr, LOAD_WITH_ALTERED_SEARCH_PATH);
  if (library == nullptr) {
    return error(ErrorCode::kCorrupt, "{}: cannot load the library: {}", path, windows_error());
  }
  return std::shared_ptr<void>(library, [](void* l) { ::FreeLibrary(static_cast<HMODULE>(l)); });
}

void* open_system_library(const char* name) { return ::LoadLibraryExA(name, nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32); }

void* find_symbol(void* library, const char* name) {
  return reinterpret_cast<void*>(::GetProcAddress(static_cast<HMODULE>(library), name));
}

}  // namespace mlc::runtime
