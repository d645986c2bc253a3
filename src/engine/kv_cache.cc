#include "engine/kv_cache.h"

#include <algorithm>

#include "base/check.h"

namespace mlc::engine {

int64_t KvCacheManager::missing(const BlockTable& table, int64_t tokens) const {
  return std::max<int64_t>(0, pages_for(tokens) - static_cast<int64_t>(table.pages.size()));
}

bool KvCacheManager::grow(BlockTable& table, int64_t tokens) {
  const int64_t wanted = missing(table, tokens);
  if (wanted > pool_.num_free()) return false;
  for (int64_t i = 0; i < wanted; ++i) {
    const PageId page = *pool_.allocate();
    prefixes_.erase(page);  // what it held is overwritten from now on
    table.pages.push_back(page);
  }
  return true;
}

std::span<const int32_t> KvCacheManager::page_tokens(std::span<const int32_t> tokens, int64_t page) const {
  return tokens.subspan(static_cast<size_t>(page * page_size_), static_cast<size_t>(page_size_));
}

int64_t KvCacheManager::attach(BlockTable& table, std::span<const int32_t> tokens) {
  MLC_CHECK(table.pages.empty(), "a prefix for a sequence that has {} pages", table.pages.size());
  const int64_t most = (static_cast<int64_t>(tokens.size()) - 1) / page_size_;
  for (int64_t i = 0; reuse_ && i < most; ++i) {
    const auto match = prefixes_.find(table.node, page_tokens(tokens, i));
    if (!match) break;
    pool_.hold(match->page);
    table.pages.push_back(match->page);
    table.node = match->node;
    ++table.num_known;
  }
  return table.num_known * page_size_;
}

void KvCacheManager::remember(BlockTable& table, std::span<const int32_t> tokens, int64_t num_computed) {
  for (; reuse_ && table.num_known < num_computed / page_size_; ++table.num_known) {
    const PageId page = table.pages[static_cast<size_t>(table.num_known)];
    table.node = prefixes_.insert(table.node, page_tokens(tokens, table.num_known), page);
  }
}

// From the end: a page without the pages before it is of no use, so it should be taken first.
void KvCacheManager::release(BlockTable& table) {
  for (size_t i = table.pages.size(); i-- > 0;) pool_.release(table.pages[i], prefixes_.holds(table.pages[i]));
  table = BlockTable{};
}

int32_t KvCacheManager::slot(const BlockTable& table, int64_t position) const {
  const auto page = static_cast<size_t>(position / page_size_);
  MLC_DCHECK(page < table.pages.size(), "position {} has no page ({} pages)", position, table.pages.size());
  return static_cast<int32_t>(table.pages[page] * page_size_ + position % page_size_);
}

}  // namespace mlc::engine
