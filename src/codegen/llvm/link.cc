#include "codegen/llvm/link.h"

#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>

#include "base/file.h"

LLD_HAS_DRIVER(elf)
LLD_HAS_DRIVER(coff)

namespace mlc::codegen {
namespace {

Result<void> write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  out.close();
  if (!out) return error(ErrorCode::kIo, "cannot write {}: {}", path, std::strerror(errno));
  return {};
}

std::mutex& lld_mutex() {
  static std::mutex mutex;
  return mutex;
}

Result<void> run_lld(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv;
  for (const auto& a : arguments) argv.push_back(a.c_str());
  std::string out_text, error_text;
  ::llvm::raw_string_ostream out(out_text), errors(error_text);
  const std::lock_guard<std::mutex> lock(lld_mutex());
  const lld::Result result =
      lld::lldMain(argv, out, errors, {{lld::Gnu, &lld::elf::link}, {lld::WinLink, &lld::coff::link}});
  if (result.retCode == 0) return {};
  errors.flush();
  while (!error_text.empty() && error_text.back() == '\n') error_text.pop_back();
  return error(ErrorCode::kIo, "linking failed: {}", error_text.empty() ? "no message from LLD" : error_text);
}

bool is_elf(const std::string& object) { return object.starts_with("\177ELF"); }

// One thread: LLD's thread pool would outlive the call, and the libraries are small.
std::vector<std::string> elf_command(const std::string& out) {
  return {"ld.lld",      "-shared", "-o",  out,  "--threads=1", "--build-id=sha1", "--hash-style=gnu",           "-z",
          "noexecstack", "-z",      "now", "-z", "relro",       "--no-undefined",  "--no-allow-shlib-undefined", "-O1"};
}

// A DLL without entry point, C library and import library. What it exports the objects say.
std::vector<std::string> coff_command(const std::string& out) {
  return {"lld-link", "/dll", "/noentry", "/nodefaultlib", "/noimplib", "/brepro", "/threads:1", "/out:" + out};
}

}  // namespace

Result<void> link_shared(const std::vector<std::string>& objects, const std::string& out_path) {
  // In a directory of its own a file's name says nothing of where it stands: a DLL keeps its own.
  MLC_TRY(const TempDir work, TempDir::create_beside(out_path));
  const std::string linked = work.file("kernels.dll");
  std::vector<std::string> arguments =
      !objects.empty() && is_elf(objects[0]) ? elf_command(linked) : coff_command(linked);
  for (size_t i = 0; i < objects.size(); ++i) {
    const std::string path = work.file(fmt::format("{}.o", i));
    MLC_TRY_VOID(write_bytes(path, objects[i]));
    arguments.push_back(path);
  }
  MLC_TRY_VOID(run_lld(arguments));
  return rename_path(linked, out_path);
}

Result<std::string> link_shared_bytes(const std::vector<std::string>& objects) {
  MLC_TRY(const TempDir work, TempDir::create());
  const std::string path = work.file("kernels");
  MLC_TRY_VOID(link_shared(objects, path));
  return read_file(path);
}

}  // namespace mlc::codegen
