// Page tables: token i of a sequence lives in slot table[i / page_size] * page_size + i % page_size.
//
//   KvCacheManager kv(num_pages, 16);
//   if (!kv.grow(table, 40)) …                 // room for 40 tokens, or false with nothing changed
//   int32_t slot = kv.slot(table, 39);
//   kv.release(table);
#pragma once

#include <cstdint>
#include <vector>

#include "engine/block_pool.h"

namespace mlc::engine {

struct BlockTable {
  std::vector<PageId> pages;
};

class KvCacheManager {
 public:
  KvCacheManager(int64_t num_pages, int64_t page_size) : pool_(num_pages), page_size_(page_size) {}

  int64_t pages_for(int64_t tokens) const { return (tokens + page_size_ - 1) / page_size_; }
  // How many more pages `table` needs to hold `tokens`.
  int64_t missing(const BlockTable& table, int64_t tokens) const;
  bool grow(BlockTable& table, int64_t tokens);
  void release(BlockTable& table);
  int32_t slot(const BlockTable& table, int64_t position) const;

  int64_t page_size() const { return page_size_; }
  int64_t num_pages() const { return pool_.num_pages(); }
  int64_t num_free() const { return pool_.num_free(); }
  const BlockPool& pool() const { return pool_; }

 private:
  BlockPool pool_;
  int64_t page_size_;
};

}  // namespace mlc::engine
