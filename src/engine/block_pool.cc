#include "engine/block_pool.h"

#include "base/check.h"

namespace mlc::engine {

BlockPool::BlockPool(int64_t num_pages)
    : holders_(static_cast<size_t>(num_pages), 0),
      next_(static_cast<size_t>(num_pages) + 1),
      prev_(static_cast<size_t>(num_pages) + 1) {
  next_[static_cast<size_t>(anchor())] = prev_[static_cast<size_t>(anchor())] = anchor();
  for (PageId page = anchor(); page-- > 0;) insert_after(anchor(), page);
}

void BlockPool::insert_after(PageId place, PageId page) {
  const PageId after = next_[static_cast<size_t>(place)];
  next_[static_cast<size_t>(place)] = prev_[static_cast<size_t>(after)] = page;
  prev_[static_cast<size_t>(page)] = place;
  next_[static_cast<size_t>(page)] = after;
  ++num_free_;
}

void BlockPool::unlink(PageId page) {
  const PageId before = prev_[static_cast<size_t>(page)], after = next_[static_cast<size_t>(page)];
  next_[static_cast<size_t>(before)] = after;
  prev_[static_cast<size_t>(after)] = before;
  --num_free_;
}

std::optional<PageId> BlockPool::allocate() {
  if (num_free_ == 0) return std::nullopt;
  const PageId page = next_[static_cast<size_t>(anchor())];
  unlink(page);
  holders_[static_cast<size_t>(page)] = 1;
  return page;
}

void BlockPool::hold(PageId page) {
  if (holders_[static_cast<size_t>(page)]++ == 0) unlink(page);
}

// Without content to keep it goes to the front: it is the warmest in the caches of the CPU.
void BlockPool::release(PageId page, bool keep) {
  int& holders = holders_[static_cast<size_t>(page)];
  MLC_CHECK(holders > 0, "page {} was released more often than it was taken", page);
  if (--holders == 0) insert_after(keep ? prev_[static_cast<size_t>(anchor())] : anchor(), page);
}

void BlockPool::discard(PageId page) {
  MLC_CHECK(num_holders(page) == 0, "page {} is in use", page);
  unlink(page);
  insert_after(anchor(), page);
}

}  // namespace mlc::engine
