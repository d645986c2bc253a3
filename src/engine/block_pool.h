// Which KV pages are free and who holds the others: index arithmetic, no tensors.
//
//   BlockPool pool(100);
//   std::optional<PageId> page = pool.allocate();   // nullopt: none is free
//   pool.release(*page, /*keep=*/false);
//
// A page may have several holders (shared prefixes). A free page whose content is still of use (keep) is handed out
// last, the one freed longest ago first; hold() takes it back with its content.
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
  // One more holder, also for a page that is free.
  void hold(PageId page);
  // One holder less; the last one frees it.
  void release(PageId page, bool keep);
  // The content of a free page is of no use any more: it is handed out before those with content.
  void discard(PageId page);
  int64_t num_pages() const { return static_cast<int64_t>(holders_.size()); }
  int64_t num_free() const { return num_free_; }
  int num_holders(PageId page) const { return holders_[static_cast<size_t>(page)]; }

 private:
  // The free list: a ring through next_ and prev_ with one extra entry, the anchor.
  void insert_after(PageId place, PageId page);
  void unlink(PageId page);
  PageId anchor() const { return static_cast<PageId>(holders_.size()); }

  std::vector<int> holders_;
  std::vector<PageId> next_, prev_;
  int64_t num_free_ = 0;
};

}  // namespace mlc::engine
