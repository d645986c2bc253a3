// Page tables: token i of a sequence lives in slot table[i / page_size] * page_size + i % page_size.
//
//   KvCacheManager kv(num_pages, 16, {.reuse_prefixes = true});
//   int64_t computed = kv.attach(table, tokens, salt);     // pages of an earlier sequence that began in the same way
//   if (!kv.grow(table, 40, computed, &copies)) …          // room for 40 tokens, or false with nothing changed
//   int32_t slot = kv.slot(table, 39);
//   kv.remember(table, tokens, 40, salt);                  // 40 tokens are computed: their full pages may be used
//   again BlockTable other = kv.fork(table);                     // shares all pages; who writes to a shared one copies
//   it kv.release(table);
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "engine/block_pool.h"
#include "engine/prefix_cache.h"
#include "engine/step.h"

namespace mlc::engine {

struct BlockTable {
  std::vector<PageId> pages;
  int64_t num_known = 0;               // leading pages that the prefix cache was told of
  uint64_t node = PrefixCache::kRoot;  // the prefix that they make, once num_known > 0
};

struct KvCacheOptions {
  bool reuse_prefixes = true;
  int64_t max_recycled = -1;  // of how many finished sequences the pages are kept; -1: as many as there is room for
  int64_t max_pinned = 0;     // pages that pin() may take
};

class KvCacheManager {
 public:
  KvCacheManager(int64_t num_pages, int64_t page_size, const KvCacheOptions& options)
      : pool_(num_pages),
        prefixes_(num_pages),
        page_size_(page_size),
        options_(options),
        retired_at_(static_cast<size_t>(num_pages), 0),
        pinned_(static_cast<size_t>(num_pages), false) {}

  int64_t pages_for(int64_t tokens) const { return (tokens + page_size_ - 1) / page_size_; }
  // How many more pages `table` needs to hold `tokens`; with one for a shared page that is to be written to, the one of
  // token `first_write`.
  int64_t missing(const BlockTable& table, int64_t tokens, int64_t first_write) const;
  // Makes that room. If the page of `first_write` is shared, it is replaced by one of the table's own, and its content
  // is to be copied first.
  bool grow(BlockTable& table, int64_t tokens, int64_t first_write, std::vector<PageCopy>* copies);
  // Gives back the pages that `tokens` do not need.
  void shrink(BlockTable& table, int64_t tokens);
  BlockTable fork(const BlockTable& table);
  // For an empty table: shares the pages of the longest known prefix, and returns how many tokens they hold. At least
  // the last token is always left to compute. The caller must not write to these pages.
  int64_t attach(BlockTable& table, std::span<const int32_t> tokens, std::string_view salt = {});
  void remember(BlockTable& table, std::span<const int32_t> tokens, int64_t num_computed, std::string_view salt = {});
  void release(BlockTable& table);
  // As release(), for a sequence that has ended: counts for max_recycled.
  void retire(BlockTable& table);
  // Keeps the known pages of these tokens for good, as long as max_pinned allows.
  void pin(std::span<const int32_t> tokens, std::string_view salt = {});
  // Forgets all contents: they can no longer be trusted.
  void forget_prefixes();
  int32_t slot(const BlockTable& table, int64_t position) const;

  int64_t page_size() const { return page_size_; }
  int64_t num_pages() const { return pool_.num_pages(); }
  int64_t num_free() const { return pool_.num_free(); }
  int64_t num_pinned() const { return num_pinned_; }
  const BlockPool& pool() const { return pool_; }
  bool is_shareable(PageId page) const { return prefixes_.holds(page); }
  bool is_pinned(PageId page) const { return pinned_[static_cast<size_t>(page)]; }

 private:
  struct Retired {
    uint64_t at = 0;
    std::vector<PageId> pages;
  };
  std::span<const int32_t> page_tokens(std::span<const int32_t> tokens, int64_t page) const;
  bool writes_shared(const BlockTable& table, int64_t first_write) const;
  PageId take_page();

  BlockPool pool_;
  PrefixCache prefixes_;
  int64_t page_size_;
  KvCacheOptions options_;
  std::deque<Retired> retired_;  // the newest last
  uint64_t num_retired_ = 0;
  std::vector<uint64_t> retired_at_;  // per page: the last sequence that ended with it; 0: none since it was taken
  std::vector<bool> pinned_;
  int64_t num_pinned_ = 0;
};

}  // namespace mlc::engine
