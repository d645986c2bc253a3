#include "engine/kv_cache.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

namespace mlc::engine {
namespace {

// Random allocate, hold and release against a naive model: a list in the order in which pages must be handed out.
TEST(BlockPool, EqualsANaiveModel) {
  std::mt19937 rng(5);
  for (int round = 0; round < 50; ++round) {
    const int n = 1 + static_cast<int>(rng() % 12);
    BlockPool pool(n);
    std::vector<PageId> free;
    for (int i = 0; i < n; ++i) free.push_back(i);
    std::map<PageId, int> holders;
    for (int step = 0; step < 500; ++step) {
      const auto page = static_cast<PageId>(rng() % static_cast<unsigned>(n));
      switch (rng() % 4) {
        case 0: {
          const auto got = pool.allocate();
          ASSERT_EQ(got.has_value(), !free.empty());
          if (!got) break;
          ASSERT_EQ(*got, free.front());
          free.erase(free.begin());
          holders[*got] = 1;
          break;
        }
        case 1:
          pool.hold(page);
          if (holders[page]++ == 0) std::erase(free, page);
          break;
        default:
          if (holders[page] == 0) break;
          const bool keep = rng() % 2 != 0;
          pool.release(page, keep);
          if (--holders[page] == 0) free.insert(keep ? free.end() : free.begin(), page);
      }
      ASSERT_EQ(pool.num_free(), static_cast<int64_t>(free.size()));
      ASSERT_EQ(pool.num_holders(page), holders[page]);
    }
  }
}

TEST(KvCache, GrowIsAllOrNothing) {
  KvCacheManager kv(4, 16, false);
  BlockTable a, b;
  EXPECT_TRUE(kv.grow(a, 33));
  EXPECT_EQ(a.pages.size(), 3u);
  EXPECT_FALSE(kv.grow(b, 17));
  EXPECT_TRUE(b.pages.empty());
  EXPECT_EQ(kv.num_free(), 1);
  EXPECT_EQ(kv.slot(a, 35), a.pages[2] * 16 + 3);
  kv.release(a);
  EXPECT_TRUE(kv.grow(b, 64));
}

std::vector<int32_t> count_from(int32_t first, int n) {
  std::vector<int32_t> out;
  for (int i = 0; i < n; ++i) out.push_back(first + i);
  return out;
}

TEST(KvCache, SharesExactlyTheCommonPages) {
  KvCacheManager kv(10, 4, true);
  const auto tokens = count_from(0, 12);
  BlockTable a;
  ASSERT_TRUE(kv.grow(a, 12));
  kv.remember(a, tokens, 11);  // two pages are full
  BlockTable b;
  EXPECT_EQ(kv.attach(b, tokens), 8);
  EXPECT_EQ(b.pages[0], a.pages[0]);
  EXPECT_EQ(b.pages[1], a.pages[1]);
  EXPECT_EQ(kv.pool().num_holders(a.pages[0]), 2);
  BlockTable c;  // the second page's tokens alone are no prefix
  EXPECT_EQ(kv.attach(c, count_from(4, 8)), 0);
  BlockTable d;  // at least one token is left to compute
  EXPECT_EQ(kv.attach(d, std::span(tokens).first(8)), 4);
  auto other = tokens;
  other[5] = 99;
  BlockTable e;
  EXPECT_EQ(kv.attach(e, other), 4);
  for (BlockTable* t : {&a, &b, &c, &d, &e}) kv.release(*t);
  EXPECT_EQ(kv.num_free(), 10);
}

TEST(KvCache, FreedPagesAreFoundUntilTheyAreNeeded) {
  KvCacheManager kv(3, 4, true);
  const auto tokens = count_from(0, 13);
  BlockTable a;
  ASSERT_TRUE(kv.grow(a, 12));
  kv.remember(a, tokens, 12);
  kv.release(a);
  EXPECT_EQ(kv.num_free(), 3);
  EXPECT_EQ(kv.attach(a, tokens), 12);
  kv.release(a);
  BlockTable b;  // takes one page: the last of the prefix goes first
  ASSERT_TRUE(kv.grow(b, 1));
  EXPECT_EQ(kv.attach(a, tokens), 8);
  kv.release(a);
  kv.forget_prefixes();
  EXPECT_EQ(kv.attach(a, tokens), 0);
}

}  // namespace
}  // namespace mlc::engine
