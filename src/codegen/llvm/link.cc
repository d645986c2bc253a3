#include "codegen/llvm/link.h"

#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <system_error>
#include <utility>

LLD_HAS_DRIVER(elf)
LLD_HAS_DRIVER(coff)

namespace mlc::codegen {
namespace {

// A new directory beside `path` that vanishes with the scope. In it files can have names that say nothing of where they
// stand: a DLL keeps its own.
class WorkDir {
 public:
  static Result<WorkDir> beside(const std::string& path) {
    static std::atomic<uint64_t> counter{0};
    WorkDir dir(fmt::format("{}.{}.{}", path, ::getpid(), counter++));
    std::error_code ec;
    std::filesystem::create_directory(dir.path_, ec);
    if (ec) return error(ErrorCode::kIo, "cannot make the directory {}: {}", dir.path_, ec.message());
    return dir;
  }
  WorkDir(WorkDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  WorkDir& operator=(WorkDir&&) = delete;
  ~WorkDir() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  explicit WorkDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

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
  MLC_TRY(const WorkDir work, WorkDir::beside(out_path));
  const std::string linked = work.file("kernels.dll");
  std::vector<std::string> arguments =
      !objects.empty() && is_elf(objects[0]) ? elf_command(linked) : coff_command(linked);
  for (size_t i = 0; i < objects.size(); ++i) {
    const std::string path = work.file(fmt::format("{}.o", i));
    MLC_TRY_VOID(write_bytes(path, objects[i]));
    arguments.push_back(path);
  }
  MLC_TRY_VOID(run_lld(arguments));
  if (std::rename(linked.c_str(), out_path.c_str()) != 0) {
    return error(ErrorCode::kIo, "cannot move the linked library to {}: {}", out_path, std::strerror(errno));
  }
  return {};
}

Result<std::string> link_shared_bytes(const std::vector<std::string>& objects) {
  std::error_code ec;
  const auto directory = std::filesystem::temp_directory_path(ec);
  if (ec) return error(ErrorCode::kIo, "no directory for temporary files: {}; set TMPDIR", ec.message());
  MLC_TRY(const WorkDir work, WorkDir::beside((directory / "mlc-link").string()));
  const std::string path = work.file("kernels");
  MLC_TRY_VOID(link_shared(objects, path));
  std::ifstream in(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  if (!in || bytes.empty()) return error(ErrorCode::kIo, "cannot read back {}", path);
  return bytes;
}

}  // namespace mlc::codegen
