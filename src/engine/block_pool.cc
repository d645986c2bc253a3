#include "engine/block_pool.h"

#include "base/check.h"

namespace mlc::engine {

BlockPool::BlockPool(int64_t num_pages) : holders_(static_cast<size_t>(num_pages), 0) {
  free_.reserve(holders_.size());
  for (int64_t i = num_pages; i-- > 0;) free_.push_back(static_cast<PageId>(i));
}

std::optional<PageId> BlockPool::allocate() {
  if (free_.empty()) return std::nullopt;
  const PageId page = free_.back();
  free_.pop_back();
  holders_[static_cast<size_t>(page)] = 1;
  return page;
}

void BlockPool::retain(PageId page) {
  int& holders = holders_[static_cast<size_t>(page)];
  MLC_CHECK(holders > 0, "page {} is free and cannot be shared", page);
  ++holders;
}

void BlockPool::release(PageId page) {
  int& holders = holders_[static_cast<size_t>(page)];
  MLC_CHECK(holders > 0, "page {} was released more often than it was taken", page);
  if (--holders == 0) free_.push_back(page);
}

}  // namespace mlc::engine
