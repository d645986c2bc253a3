// Page tables: token i of a sequence lives in slot table[i / page_size] * page_size + i % page_size.
//
//   KvCacheManager kv(num_pages, 16, /*reuse_prefixes=*/true);
//   int64_t computed = kv.attach(table, tokens);      // pages of an earlier sequence that began in the same way
//   if (!kv.grow(table, 40)) …                        // room for 40 tokens, or false with nothing changed
//   int32_t slot = kv.slot(table, 39);
//   kv.remember(table, tokens, 40);                   // 40 tokens are computed: their full pages may be used again
//   kv.release(table);
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/block_pool.h"
#include "engine/prefix_cache.h"

namespace mlc::engine {

struct BlockTable {
  std::vector<PageId> pages;
  int64_t num_known = 0;               // leading pages that the prefix cache was told of
  uint64_t node = PrefixCache::kRoot;  // the prefix that they make
};

class KvCacheManager {
 public:
  KvCacheManager(int64_t num_pages, int64_t page_size, bool reuse_prefixes)
      : pool_(num_pages), prefixes_(num_pages), page_size_(page_size), reuse_(reuse_prefixes) {}

  int64_t pages_for(int64_t tokens) const { return (tokens + page_size_ - 1) / page_size_; }
  // How many more pages `table` needs to hold `tokens`.
  int64_t missing(const BlockTable& table, int64_t tokens) const;
  bool grow(BlockTable& table, int64_t tokens);
  // For an empty table: shares the pages of the longest known prefix, and returns how many tokens they hold. At least
  // the last token is always left to compute. The caller must not write to these pages.
  int64_t attach(BlockTable& table, std::span<const int32_t> tokens);
  void remember(BlockTable& table, std::span<const int32_t> tokens, int64_t num_computed);
  void release(BlockTable& table);
  // Forgets all contents: they can no longer be trusted.
  void forget_prefixes() { prefixes_.clear(); }
  int32_t slot(const BlockTable& table, int64_t position) const;

  int64_t page_size() const { return page_size_; }
  int64_t num_pages() const { return pool_.num_pages(); }
  int64_t num_free() const { return pool_.num_free(); }
  const BlockPool& pool() const { return pool_; }
  bool is_shareable(PageId page) const { return prefixes_.holds(page); }

 private:
  std::span<const int32_t> page_tokens(std::span<const int32_t> tokens, int64_t page) const;

  BlockPool pool_;
  PrefixCache prefixes_;
  int64_t page_size_;
  bool reuse_;
};

}  // namespace mlc::engine
