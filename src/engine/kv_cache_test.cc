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
  KvCacheManager kv(4, 16, {.reuse_prefixes = false});
  const auto grow = [&kv](BlockTable& t, int64_t tokens) { return kv.grow(t, tokens, tokens, nullptr); };
  BlockTable a, b;
  EXPECT_TRUE(grow(a, 33));
  EXPECT_EQ(a.pages.size(), 3u);
  EXPECT_FALSE(grow(b, 17));
  EXPECT_TRUE(b.pages.empty());
  EXPECT_EQ(kv.num_free(), 1);
  EXPECT_EQ(kv.slot(a, 35), a.pages[2] * 16 + 3);
  kv.release(a);
  EXPECT_TRUE(grow(b, 64));
}

std::vector<int32_t> count_from(int32_t first, int n) {
  std::vector<int32_t> out;
  for (int i = 0; i < n; ++i) out.push_back(first + i);
  return out;
}

TEST(KvCache, SharesExactlyTheCommonPages) {
  KvCacheManager kv(10, 4, {});
  const auto grow = [&kv](BlockTable& t, int64_t tokens) { return kv.grow(t, tokens, tokens, nullptr); };
  const auto tokens = count_from(0, 12);
  BlockTable a;
  ASSERT_TRUE(grow(a, 12));
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
  KvCacheManager kv(3, 4, {});
  const auto grow = [&kv](BlockTable& t, int64_t tokens) { return kv.grow(t, tokens, tokens, nullptr); };
  const auto tokens = count_from(0, 13);
  BlockTable a;
  ASSERT_TRUE(grow(a, 12));
  kv.remember(a, tokens, 12);
  kv.release(a);
  EXPECT_EQ(kv.num_free(), 3);
  EXPECT_EQ(kv.attach(a, tokens), 12);
  kv.release(a);
  BlockTable b;  // takes one page: the last of the prefix goes first
  ASSERT_TRUE(grow(b, 1));
  EXPECT_EQ(kv.attach(a, tokens), 8);
  kv.release(a);
  kv.forget_prefixes();
  EXPECT_EQ(kv.attach(a, tokens), 0);
}

TEST(KvCache, AForkCopiesTheLastPageWhenItWrites) {
  KvCacheManager kv(6, 4, {});
  BlockTable a;
  std::vector<PageCopy> copies;
  ASSERT_TRUE(kv.grow(a, 6, 0, &copies));
  BlockTable b = kv.fork(a), c = kv.fork(a);
  const PageId shared = a.pages[1];
  EXPECT_EQ(kv.num_free(), 4);
  EXPECT_EQ(kv.missing(b, 7, 6), 1);
  ASSERT_TRUE(kv.grow(b, 7, 6, &copies));
  ASSERT_TRUE(kv.grow(c, 9, 6, &copies));
  ASSERT_EQ(copies.size(), 2u);
  EXPECT_EQ(copies[0].from, shared);
  EXPECT_EQ(copies[0].to, b.pages[1]);
  EXPECT_EQ(copies[1].to, c.pages[1]);
  EXPECT_EQ(b.pages[0], a.pages[0]);
  EXPECT_EQ(kv.missing(a, 7, 6), 0) << "the last one keeps the page";
  ASSERT_TRUE(kv.grow(a, 7, 6, &copies));
  EXPECT_EQ(copies.size(), 2u);
  EXPECT_EQ(kv.num_free(), 1);
  for (BlockTable* t : {&a, &b, &c}) kv.release(*t);
  EXPECT_EQ(kv.num_free(), 6);
}

TEST(KvCache, ASaltIsAWorldOfItsOwn) {
  KvCacheManager kv(8, 4, {});
  const auto tokens = count_from(0, 9);
  std::vector<PageCopy> copies;
  for (const std::string salt : {"", "alice"}) {
    BlockTable a;
    EXPECT_EQ(kv.attach(a, tokens, salt), 0) << salt;
    ASSERT_TRUE(kv.grow(a, 9, 0, &copies));
    kv.remember(a, tokens, 9, salt);
    kv.release(a);
    EXPECT_EQ(kv.attach(a, tokens, salt), 8) << salt;
    kv.release(a);
  }
  BlockTable b;
  EXPECT_EQ(kv.attach(b, tokens, "bob"), 0);
}

TEST(PrefixCache, ASaltGoesWithItsPages) {
  PrefixCache cache(4);
  const auto tokens = count_from(0, 4);
  const uint64_t node = cache.insert(cache.root("alice"), tokens, 0);
  cache.insert(node, tokens, 1);
  EXPECT_EQ(cache.num_salts(), 1u);
  EXPECT_TRUE(cache.find(*cache.find_root("alice"), tokens));
  EXPECT_FALSE(cache.find_root("bob"));
  cache.erase(1);
  EXPECT_EQ(cache.num_salts(), 1u);
  cache.erase(0);
  EXPECT_EQ(cache.num_salts(), 0u);
  EXPECT_FALSE(cache.find_root("alice"));
}

TEST(KvCache, KeepsThePagesOfSoManyEndedSequences) {
  KvCacheManager kv(12, 4, {.max_recycled = 1});
  std::vector<PageCopy> copies;
  const auto run = [&](const std::vector<int32_t>& tokens) {
    BlockTable t;
    const int64_t cached = kv.attach(t, tokens);
    EXPECT_TRUE(kv.grow(t, static_cast<int64_t>(tokens.size()), cached, &copies));
    kv.remember(t, tokens, static_cast<int64_t>(tokens.size()));
    kv.retire(t);
    return cached;
  };
  EXPECT_EQ(run(count_from(0, 9)), 0);
  EXPECT_EQ(run(count_from(0, 9)), 8);
  auto longer = count_from(0, 6);
  longer.push_back(99);
  longer.push_back(98);
  longer.push_back(97);
  EXPECT_EQ(run(longer), 4) << "shares the first page, which outlives the older sequence";
  EXPECT_EQ(run(count_from(0, 9)), 4) << "its second page went with the older sequence";
  EXPECT_EQ(kv.num_free(), 12);
}

TEST(KvCache, PinnedPagesStay) {
  KvCacheManager kv(6, 4, {.max_pinned = 2});
  std::vector<PageCopy> copies;
  const auto tokens = count_from(0, 13);
  BlockTable a, b;
  ASSERT_TRUE(kv.grow(a, 13, 0, &copies));
  kv.remember(a, tokens, 13);
  kv.pin(std::span(tokens).first(12));
  kv.pin(std::span(tokens).first(12));
  EXPECT_EQ(kv.num_pinned(), 2) << "no more than allowed";
  kv.release(a);
  EXPECT_EQ(kv.num_free(), 4);
  ASSERT_TRUE(kv.grow(b, 16, 0, &copies));  // takes all that is free
  kv.release(b);
  EXPECT_EQ(kv.attach(a, tokens), 8);
  kv.release(a);
  kv.forget_prefixes();
  EXPECT_EQ(kv.num_free(), 6);
  EXPECT_EQ(kv.attach(a, tokens), 0);
}

}  // namespace
}  // namespace mlc::engine
