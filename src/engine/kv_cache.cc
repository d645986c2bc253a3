#include "engine/kv_cache.h"

#include <algorithm>

#include "base/check.h"

namespace mlc::engine {

bool KvCacheManager::writes_shared(const BlockTable& table, int64_t first_write) const {
  const auto page = static_cast<size_t>(first_write / page_size_);
  return page < table.pages.size() && pool_.num_holders(table.pages[page]) > 1;
}

int64_t KvCacheManager::missing(const BlockTable& table, int64_t tokens, int64_t first_write) const {
  const int64_t more = std::max<int64_t>(0, pages_for(tokens) - static_cast<int64_t>(table.pages.size()));
  return more + (writes_shared(table, first_write) ? 1 : 0);
}

// What it held is overwritten from now on.
PageId KvCacheManager::take_page() {
  const PageId page = *pool_.allocate();
  prefixes_.erase(page);
  retired_at_[static_cast<size_t>(page)] = 0;
  return page;
}

bool KvCacheManager::grow(BlockTable& table, int64_t tokens, int64_t first_write, std::vector<PageCopy>* copies) {
  if (missing(table, tokens, first_write) > pool_.num_free()) return false;
  if (writes_shared(table, first_write)) {
    PageId& page = table.pages[static_cast<size_t>(first_write / page_size_)];
    const PageId own = take_page();
    copies->push_back({page, own});
    pool_.release(page, prefixes_.holds(page));
    page = own;
  }
  while (static_cast<int64_t>(table.pages.size()) < pages_for(tokens)) table.pages.push_back(take_page());
  return true;
}

void KvCacheManager::shrink(BlockTable& table, int64_t tokens) {
  const auto wanted = static_cast<size_t>(pages_for(tokens));
  while (table.pages.size() > wanted) {
    pool_.release(table.pages.back(), prefixes_.holds(table.pages.back()));
    table.pages.pop_back();
  }
}

BlockTable KvCacheManager::fork(const BlockTable& table) {
  for (PageId page : table.pages) pool_.hold(page);
  return table;
}

std::span<const int32_t> KvCacheManager::page_tokens(std::span<const int32_t> tokens, int64_t page) const {
  return tokens.subspan(static_cast<size_t>(page * page_size_), static_cast<size_t>(page_size_));
}

int64_t KvCacheManager::attach(BlockTable& table, std::span<const int32_t> tokens, std::string_view salt) {
  MLC_CHECK(table.pages.empty(), "a prefix for a sequence that has {} pages", table.pages.size());
  const auto root = prefixes_.find_root(salt);
  if (!options_.reuse_prefixes || !root) return 0;
  table.node = *root;
  const int64_t most = (static_cast<int64_t>(tokens.size()) - 1) / page_size_;
  for (int64_t i = 0; i < most; ++i) {
    const auto match = prefixes_.find(table.node, page_tokens(tokens, i));
    if (!match) break;
    pool_.hold(match->page);
    table.pages.push_back(match->page);
    table.node = match->node;
    ++table.num_known;
  }
  return table.num_known * page_size_;
}

void KvCacheManager::remember(BlockTable& table, std::span<const int32_t> tokens, int64_t num_computed,
                              std::string_view salt) {
  for (; options_.reuse_prefixes && table.num_known < num_computed / page_size_; ++table.num_known) {
    if (table.num_known == 0) table.node = prefixes_.root(salt);
    const PageId page = table.pages[static_cast<size_t>(table.num_known)];
    table.node = prefixes_.insert(table.node, page_tokens(tokens, table.num_known), page);
  }
}

// From the end: a page without the pages before it is of no use, so it should be taken first.
void KvCacheManager::release(BlockTable& table) {
  shrink(table, 0);
  table = BlockTable{};
}

void KvCacheManager::retire(BlockTable& table) {
  if (options_.max_recycled < 0 || table.pages.empty()) return release(table);
  Retired now{++num_retired_, {}};
  for (PageId page : table.pages) {
    if (!prefixes_.holds(page)) continue;
    retired_at_[static_cast<size_t>(page)] = now.at;
    now.pages.push_back(page);
  }
  release(table);
  retired_.push_back(std::move(now));
  while (static_cast<int64_t>(retired_.size()) > options_.max_recycled) {
    const Retired oldest = std::move(retired_.front());
    retired_.pop_front();
    for (size_t i = oldest.pages.size(); i-- > 0;) {
      const PageId page = oldest.pages[i];
      const bool used_since = retired_at_[static_cast<size_t>(page)] != oldest.at || pool_.num_holders(page) > 0;
      if (used_since) continue;
      prefixes_.erase(page);
      pool_.discard(page);
    }
  }
}

void KvCacheManager::pin(std::span<const int32_t> tokens, std::string_view salt) {
  auto node = prefixes_.find_root(salt);
  for (int64_t i = 0; node && (i + 1) * page_size_ <= static_cast<int64_t>(tokens.size()); ++i) {
    const auto match = prefixes_.find(*node, page_tokens(tokens, i));
    if (!match) return;
    node = match->node;
    if (is_pinned(match->page)) continue;
    if (num_pinned_ >= options_.max_pinned) return;
    pool_.hold(match->page);
    pinned_[static_cast<size_t>(match->page)] = true;
    ++num_pinned_;
  }
}

void KvCacheManager::forget_prefixes() {
  prefixes_.clear();
  retired_.clear();
  for (PageId page = 0; page < num_pages(); ++page) {
    if (is_pinned(page)) pool_.release(page, false);
  }
  pinned_.assign(pinned_.size(), false);
  num_pinned_ = 0;
}

int32_t KvCacheManager::slot(const BlockTable& table, int64_t position) const {
  const auto page = static_cast<size_t>(position / page_size_);
  MLC_DCHECK(page < table.pages.size(), "position {} has no page ({} pages)", position, table.pages.size());
  return static_cast<int32_t>(table.pages[page] * page_size_ + position % page_size_);
}

}  // namespace mlc::engine
