#include "compiler/dump.h"

#include <fmt/format.h>

#include <cstdlib>
#include <sstream>

#include "base/file.h"
#include "base/log.h"

namespace mlc::compiler {

Dumper::Dumper(std::string dir, const std::string& what) : dir_(std::move(dir)) {
  std::stringstream list(what);
  for (std::string name; std::getline(list, name, ',');) {
    if (name == "all") {
      all_ = true;
    } else if (!name.empty()) {
      stages_.insert(name);
    }
  }
}

Dumper Dumper::from_environment() {
  const char* what = std::getenv("MLC_DUMP");
  if (what == nullptr || *what == '\0') return {};
  const char* dir = std::getenv("MLC_DUMP_DIR");
  return Dumper(dir != nullptr && *dir != '\0' ? dir : "mlc_dump", what);
}

void Dumper::write(const std::string& stage, const std::function<std::string()>& text, const std::string& suffix) {
  const int number = next_++;
  if (!wants(stage)) return;
  const std::string path = join_path(dir_, fmt::format("{:02}-{}.{}", number, stage, suffix));
  Result<void> written = make_directories(dir_);
  if (written) written = write_file_atomic(path, text());
  if (!written) log::warn("cannot write the dump {}: {}", path, written.error().message);
}

}  // namespace mlc::compiler
