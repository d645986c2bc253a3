#include "hub/transfer.h"

#include "base/file.h"
#include "base/log.h"
#include "hub/retry.h"

namespace mlc::hub {
namespace {

// The bytes of a file so far.
class Part {
 public:
  static Result<Part> open(const Transfer& t) {
    MLC_TRY(FileWriter writer, FileWriter::continue_file(t.to + "." + t.file.checksum.hex.substr(0, 12) + ".part"));
    Part part(t, std::move(writer));
    t.bytes_done += part.size();
    if (part.size() > t.file.size) MLC_TRY_VOID(part.start_over());
    return part;
  }

  uint64_t size() const { return writer_.position(); }

  Result<void> start_over() {
    t_->bytes_done -= size();
    return writer_.start_over();
  }

  Result<void> write(uint64_t from, std::span<const std::byte> bytes) {
    if (first_ && from != size()) {
      if (from != 0) return error(ErrorCode::kCorrupt, "{} answers with other bytes than asked for", t_->url);
      MLC_TRY_VOID(start_over());  // a server that knows no ranges
    }
    first_ = false;
    if (size() + bytes.size() > t_->file.size) {
      return error(ErrorCode::kCorrupt, "{} is longer than the {} bytes that the hub lists", t_->url, t_->file.size);
    }
    t_->bytes_done += bytes.size();
    return writer_.write(bytes);
  }

  void new_answer() { first_ = true; }
  Result<void> close() { return writer_.close(); }
  const std::string& path() const { return writer_.path(); }

 private:
  Part(const Transfer& t, FileWriter writer) : t_(&t), writer_(std::move(writer)) {}
  const Transfer* t_;
  FileWriter writer_;
  bool first_ = true;
};

// Appends to the part until it is as long as the file.
Result<void> complete(const Transfer& t, Part& part) {
  Retry retry(&t.stop);
  while (part.size() < t.file.size) {
    const uint64_t before = part.size();
    part.new_answer();
    MLC_TRY(Answer answer, t.client.get({t.url, t.token, before}, [&](uint64_t from, std::span<const std::byte> bytes) {
      if (t.stop) return Result<void>(error(ErrorCode::kUnavailable, "stopped"));
      return part.write(from, bytes);
    }));
    if (part.size() == t.file.size) break;
    if (part.size() > before) retry.moved();
    if (answer.status == 200 || answer.status == 206) {
      answer.status = 0;
      answer.failure = fmt::format("the answer ends after {} of {} bytes", part.size(), t.file.size);
    }
    if (answer.status == 416 && before > 0) {
      MLC_TRY_VOID(part.start_over());
      continue;
    }
    if (retry.again(answer)) continue;
    if (t.stop) return error(ErrorCode::kUnavailable, "stopped");
    if (answer.status == 0 || answer.status == 429 || answer.status >= 500) return unanswered(t.url, answer);
    return refused(answer, t.url, t.model, !t.token.empty());
  }
  return {};
}

}  // namespace

Result<void> fetch_file(const Transfer& t) {
  for (bool again = false;; again = true) {
    MLC_TRY(Part part, Part::open(t));
    MLC_TRY_VOID(complete(t, part));
    const std::string path = part.path();
    MLC_TRY_VOID(part.close());
    MLC_TRY(const Checksum found, checksum_of(t.file.checksum.kind, path));
    if (found == t.file.checksum) return rename_path(path, t.to);
    t.bytes_done -= t.file.size;
    MLC_TRY_VOID(remove_all(path));
    if (again) {
      return error(ErrorCode::kCorrupt, "{}: the bytes have the checksum {}, but the hub lists {}; downloaded twice",
                   t.url, found.hex, t.file.checksum.hex);
    }
    log::info("{}: wrong checksum; downloading it again", t.url);
  }
}

Error refused(const Answer& answer, const std::string& url, const std::string& what, bool has_token) {
  const bool gated = answer.error_code == "GatedRepo";
  if (answer.error_code == "RevisionNotFound") {
    return error(ErrorCode::kNotFound, "{} has no such revision (a branch, a tag or a commit): {}", what, url);
  }
  if (gated) {
    return error(ErrorCode::kNotFound, "{} is gated: ask for access on its page, then {} ({} answers {})", what,
                 has_token ? "use a token of the account that has it (HF_TOKEN)" : "set HF_TOKEN", url, answer.status);
  }
  if (answer.status == 401 || answer.status == 403 || answer.status == 404) {
    return error(
        ErrorCode::kNotFound, "there is no model {} to be read: check the name, {} ({} answers {})", what,
        has_token ? "and that the token in HF_TOKEN is valid and may read it" : "and if it is private, set HF_TOKEN",
        url, answer.status);
  }
  return error(ErrorCode::kUnavailable, "{} answers {}; expected 200. Is it a model hub (HF_ENDPOINT)?", url,
               answer.status);
}

}  // namespace mlc::hub
