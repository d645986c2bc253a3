#include "hub/listing.h"

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"
#include "base/mmap.h"

namespace mlc::hub {
namespace {

bool is_hex(std::string_view text, size_t digits) {
  return text.size() == digits && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string text_field(const Json& object, const char* name) {
  const auto it = object.find(name);
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// One entry of "siblings": {"rfilename", "size", "blobId", "lfs": {"sha256", "size"}}.
Result<RemoteFile> parse_file(const Json& entry, const std::string& id) {
  RemoteFile file;
  if (entry.is_object()) file.path = text_field(entry, "rfilename");
  if (!is_safe_path(file.path)) {
    return error(ErrorCode::kCorrupt, "the hub lists a file \"{}\" in {}, which is no name of a file in a model",
                 file.path, id);
  }
  const auto lfs = entry.find("lfs");
  const bool large = lfs != entry.end() && lfs->is_object();
  const Json& described = large ? *lfs : entry;
  file.checksum.kind = large ? Checksum::Kind::kSha256 : Checksum::Kind::kGitBlob;
  file.checksum.hex = text_field(described, large ? "sha256" : "blobId");
  const auto size = described.find("size");
  if (!is_hex(file.checksum.hex, large ? 64 : 40) || size == described.end() || !size->is_number_unsigned()) {
    return error(ErrorCode::kCorrupt, "the hub lists {} of {} without its size and checksum", file.path, id);
  }
  file.size = size->get<uint64_t>();
  return file;
}

}  // namespace

Result<Checksum> checksum_of(Checksum::Kind kind, const std::string& path) {
  MLC_TRY(std::shared_ptr<MappedFile> file, MappedFile::open(path));
  file->advise(Advice::kSequential, 0, file->size());
  Hasher hasher(kind == Checksum::Kind::kSha256 ? HashKind::kSha256 : HashKind::kSha1);
  if (kind == Checksum::Kind::kGitBlob) {
    hasher.update(fmt::format("blob {}", file->size()));
    hasher.update(std::string_view("\0", 1));
  }
  hasher.update(file->bytes());
  return Checksum{kind, hasher.finish_hex()};
}

const RemoteFile* Listing::find(std::string_view path) const {
  const auto it = std::find_if(files.begin(), files.end(), [&](const RemoteFile& f) { return f.path == path; });
  return it == files.end() ? nullptr : &*it;
}

Result<Listing> parse_listing(std::string_view json, const std::string& id) {
  const Json body = Json::parse(json, nullptr, /*allow_exceptions=*/false);
  Listing listing;
  if (body.is_object()) listing.commit = text_field(body, "sha");
  const auto siblings = body.is_object() ? body.find("siblings") : body.end();
  if (!is_hex(listing.commit, 40) || siblings == body.end() || !siblings->is_array()) {
    return error(ErrorCode::kCorrupt, "what came for {} is not a hub's description of a model (no sha, no siblings)",
                 id);
  }
  for (const Json& entry : *siblings) {
    MLC_TRY(RemoteFile file, parse_file(entry, id));
    listing.files.push_back(std::move(file));
  }
  return listing;
}

bool is_safe_path(std::string_view path) {
  if (path.empty() || path.size() > 1024) return false;
  const bool plain = std::none_of(path.begin(), path.end(),
                                  [](unsigned char c) { return c < ' ' || c == 127 || c == '\\' || c == ':'; });
  if (!plain) return false;
  for (size_t at = 0; at <= path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view part = path.substr(at, end - at);
    if (part.empty() || part == "." || part == "..") return false;
    at = end + 1;
  }
  return true;
}

}  // namespace mlc::hub
