// What mapped files have in common on all systems; the rest is in mmap_posix.cc and mmap_windows.cc.
#include "base/mmap.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/os.h"

namespace mlc {

Result<std::unique_ptr<MappedOutput>> MappedOutput::create(const std::string& path, size_t size) {
  std::unique_ptr<MappedOutput> out(new MappedOutput(path, size));
  std::string name = path + ".tmp-XXXXXX";
  out->fd_ = os::make_temp_file(name);
  if (out->fd_ < 0) return error(ErrorCode::kIo, "{}: cannot create it: {}", path, std::strerror(errno));
  out->temp_path_ = name;
  MLC_TRY_VOID(out->map());
  return out;
}

MappedOutput::~MappedOutput() {
  unmap();
  if (!temp_path_.empty()) ::unlink(temp_path_.c_str());
}

Result<void> MappedOutput::finish() {
  unmap();  // not every system renames what is open
  if (os::rename_over(temp_path_, path_) != 0) {
    return error(ErrorCode::kIo, "{}: cannot rename the finished file: {}", path_, std::strerror(errno));
  }
  temp_path_.clear();
  return {};
}

}  // namespace mlc
