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
  for (int64_t i = 0; i < wanted; ++i) table.pages.push_back(*pool_.allocate());
  return true;
}

void KvCacheManager::release(BlockTable& table) {
  for (PageId page : table.pages) pool_.release(page);
  table.pages.clear();
}

int32_t KvCacheManager::slot(const BlockTable& table, int64_t position) const {
  const auto page = static_cast<size_t>(position / page_size_);
  MLC_DCHECK(page < table.pages.size(), "position {} has no page ({} pages)", position, table.pages.size());
  return static_cast<int32_t>(table.pages[page] * page_size_ + position % page_size_);
}

}  // namespace mlc::engine
