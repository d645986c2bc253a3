// The GNU build id: a note of the ELF object.
#include "base/build_id.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstring>

namespace mlc {
namespace {

struct Search {
  uintptr_t code;  // an address in the object that is looked for
  std::string id;
};

std::string note_build_id(const char* at, size_t size) {
  const char* end = at + size;
  while (at + sizeof(ElfW(Nhdr)) <= end) {
    ElfW(Nhdr) note;
    std::memcpy(&note, at, sizeof note);
    const char* name = at + sizeof note;
    const char* desc = name + ((note.n_namesz + 3u) & ~3u);
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && std::memcmp(name, "GNU", 4) == 0) {
      std::string id;
      for (size_t i = 0; i < note.n_descsz; ++i) id += fmt::format("{:02x}", static_cast<unsigned char>(desc[i]));
      return id;
    }
    at = desc + ((note.n_descsz + 3u) & ~3u);
  }
  return {};
}

int visit_object(dl_phdr_info* info, size_t, void* data) {
  auto* search = static_cast<Search*>(data);
  bool ours = false;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& p = info->dlpi_phdr[i];
    const uintptr_t start = info->dlpi_addr + p.p_vaddr;
    ours |= p.p_type == PT_LOAD && search->code >= start && search->code < start + p.p_memsz;
  }
  for (int i = 0; ours && i < info->dlpi_phnum; ++i) {
    const auto& p = info->dlpi_phdr[i];
    if (p.p_type != PT_NOTE || !search->id.empty()) continue;
    search->id = note_build_id(reinterpret_cast<const char*>(info->dlpi_addr + p.p_vaddr), p.p_memsz);
  }
  return ours ? 1 : 0;
}

}  // namespace

const std::string& build_id() {
  static const std::string id = [] {
    Search search{reinterpret_cast<uintptr_t>(&visit_object), {}};
    dl_iterate_phdr(visit_object, &search);
    return search.id;
  }();
  return id;
}

}  // namespace mlc
