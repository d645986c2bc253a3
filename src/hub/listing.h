// What a repository holds at one commit, with the size and checksum of each file.
//
//   MLC_TRY(Listing listing, parse_listing(json, "Qwen/Qwen2-0.5B"));    // of GET
//   /api/models/ID/revision/REV?blobs=true
//
// Large files have their SHA-256 (Git LFS); small ones the SHA-1 of Git's blob object: "blob <size>\0" and the bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mlc::hub {

struct Checksum {
  enum class Kind { kSha256, kGitBlob };
  Kind kind = Kind::kSha256;
  std::string hex;
  bool operator==(const Checksum&) const = default;
};

// Of a file on disk, in the form of `kind`. One pass over the bytes.
Result<Checksum> checksum_of(Checksum::Kind kind, const std::string& path);

struct RemoteFile {
  std::string path;  // inside the repository
  uint64_t size = 0;
  Checksum checksum;
};

struct Listing {
  std::string commit;
  std::vector<RemoteFile> files;

  const RemoteFile* find(std::string_view path) const;  // null: there is none
};

// Errors: kCorrupt when it is not the hub's answer, or names a path that could leave the model's directory.
Result<Listing> parse_listing(std::string_view json, const std::string& id);

// A path that stays below the directory that it is joined to: no "..", no empty or absolute part, no control
// characters.
bool is_safe_path(std::string_view path);

}  // namespace mlc::hub
