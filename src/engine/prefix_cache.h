// Full pages whose keys and values may be used again by a sequence that begins with the same tokens.
//
//   std::optional<uint64_t> node = cache.find_root(salt);                // nullopt: nothing is known under this salt
//   std::optional<PrefixCache::Match> m = cache.find(*node, tokens.first(16));   // the page of these tokens after that
//   node = cache.insert(cache.root(salt), tokens.first(16), page);       // the prefix that now includes them
//
// A prefix is named by a number that is never used twice, so a match is exact: parent prefix and tokens are compared,
// not only hashed (one user's text must never be continued from another's). Each salt has a root of its own, so what
// was computed under one salt is never found under another.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "engine/block_pool.h"

namespace mlc::engine {

class PrefixCache {
 public:
  static constexpr uint64_t kRoot = 0;  // of the empty salt
  explicit PrefixCache(int64_t num_pages) : of_page_(static_cast<size_t>(num_pages), nullptr) {}

  struct Match {
    PageId page = 0;
    uint64_t node = kRoot;
  };
  std::optional<uint64_t> find_root(std::string_view salt) const;
  uint64_t root(std::string_view salt);  // made if there is none; something must be inserted under it at once
  std::optional<Match> find(uint64_t parent, std::span<const int32_t> tokens) const;
  // Remembers that `page` holds the tokens after the prefix `parent`. If another page is known for them already, that
  // one stays, and `page` is not remembered. Returns the longer prefix.
  uint64_t insert(uint64_t parent, std::span<const int32_t> tokens, PageId page);
  bool holds(PageId page) const { return of_page_[static_cast<size_t>(page)] != nullptr; }
  void erase(PageId page);  // nothing happens if it is not remembered
  void clear();
  size_t size() const { return entries_.size(); }
  size_t num_salts() const { return salts_.size(); }

 private:
  struct Key {
    uint64_t parent;
    std::vector<int32_t> tokens;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& key) const;
  };
  // A salt is forgotten with the last page right below its root: nothing under it could be found any more.
  struct Root {
    std::string salt;
    int64_t children = 0;
  };
  std::unordered_map<Key, Match, Hash> entries_;
  std::vector<const Key*> of_page_;  // the key of each page's entry; null: none
  std::unordered_map<std::string, uint64_t> salts_;
  std::unordered_map<uint64_t, Root> roots_;  // of salts_
  uint64_t next_node_ = 1;
};

}  // namespace mlc::engine
