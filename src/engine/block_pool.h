// Which KV pages are free and who holds the others: index arithmetic, no tensors.
//
//   BlockPool pool(100);
//   std::optional<PageId> page = pool.allocate();   // nullopt: none is free
//   pool.release(*page);
//
// A page may have several holders (shared prefixes): retain() adds one, release() takes one away and frees the page
// with the last.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace mlc::engine {

using PageId = int32_t;

class BlockPool {
 public:
  explicit BlockPool(int64_t num_pages);
  std::optional<PageId> allocate();
  void retain(PageId page);
  void release(PageId page);
  int64_t num_pages() const { return static_cast<int64_t>(holders_.size()); }
  int64_t num_free() const { return static_cast<int64_t>(free_.size()); }
  int num_holders(PageId page) const { return holders_[static_cast<size_t>(page)]; }

 private:
  std::vector<PageId> free_;  // a stack: the page freed last is used first, it is the warmest
  std::vector<int> holders_;
};

}  // namespace mlc::engine
