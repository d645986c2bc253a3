#include <algorithm>

#include "engine/draft.h"

namespace mlc::engine {
namespace {

constexpr int64_t kLongestPause = 32;  // steps

class NgramDraft : public DraftSource {
 public:
  explicit NgramDraft(const NgramOptions& options) : options_(options) {}

  void propose(std::span<const DraftQuery> queries, std::span<std::vector<int32_t>> drafts) override {
    for (size_t i = 0; i < queries.size(); ++i) continue_from(queries[i], drafts[i]);
  }

 private:
  // The end of the latest of the longest earlier occurrences of the last tokens; 0: none. A scan of the text needs no
  // memory per sequence and is short beside a step of a model.
  int64_t find(std::span<const int32_t> text) const {
    const auto size = static_cast<int64_t>(text.size());
    const auto at = [&](int64_t i) { return text[static_cast<size_t>(i)]; };
    int64_t best = 0, best_length = options_.min_match - 1;
    for (int64_t end = size - 1; end > best_length && best_length < options_.max_match; --end) {
      if (at(end - 1) != at(size - 1)) continue;
      int64_t length = 1;
      while (length < options_.max_match && length < end && at(end - 1 - length) == at(size - 1 - length)) ++length;
      if (length <= best_length) continue;
      best = end;
      best_length = length;
    }
    return best;
  }

  void continue_from(const DraftQuery& query, std::vector<int32_t>& draft) const {
    const int64_t start = find(query.tokens);
    if (start == 0) return;
    const auto size = static_cast<int64_t>(query.tokens.size());
    for (int64_t i = start; i < start + query.max_tokens; ++i) {  // past the end of the text: what repeats goes on
      draft.push_back(i < size ? query.tokens[static_cast<size_t>(i)] : draft[static_cast<size_t>(i - size)]);
    }
  }

  const NgramOptions options_;
};

}  // namespace

std::unique_ptr<DraftSource> make_ngram_draft(const NgramOptions& options) {
  return std::make_unique<NgramDraft>(options);
}

int64_t DraftLength::next(const DraftOptions& options) {
  const int64_t most = std::min(options.max_length, kMaxDraft);
  if (!options.adaptive) return most;
  if (pause_ > 0) {
    --pause_;
    return 0;
  }
  return std::min(length_, most);
}

void DraftLength::record(int64_t drafted, int64_t accepted) {
  if (drafted == 0) return;
  if (accepted > 0) {
    last_pause_ = 0;
    length_ = accepted == drafted ? std::min(kMaxDraft, std::max(length_, 2 * drafted)) : accepted + 1;
    return;
  }
  length_ = std::max<int64_t>(1, length_ / 2);
  last_pause_ = pause_ = std::min(kLongestPause, 2 * last_pause_ + 1);
}

}  // namespace mlc::engine
