#include "engine/prefix_cache.h"

#include <algorithm>

#include "base/check.h"
#include "engine/random.h"

namespace mlc::engine {

size_t PrefixCache::Hash::operator()(const Key& key) const {
  uint64_t h = mix64(key.parent);
  for (int32_t token : key.tokens) h = mix64(h ^ static_cast<uint32_t>(token));
  return static_cast<size_t>(h);
}

std::optional<uint64_t> PrefixCache::find_root(std::string_view salt) const {
  if (salt.empty()) return kRoot;
  const auto it = salts_.find(std::string(salt));
  if (it == salts_.end()) return std::nullopt;
  return it->second;
}

uint64_t PrefixCache::root(std::string_view salt) {
  if (salt.empty()) return kRoot;
  const auto [it, fresh] = salts_.try_emplace(std::string(salt), next_node_);
  if (fresh) roots_[next_node_++].salt = salt;
  return it->second;
}

std::optional<PrefixCache::Match> PrefixCache::find(uint64_t parent, std::span<const int32_t> tokens) const {
  auto it = entries_.find(Key{parent, {tokens.begin(), tokens.end()}});
  if (it == entries_.end()) return std::nullopt;
  return it->second;
}

uint64_t PrefixCache::insert(uint64_t parent, std::span<const int32_t> tokens, PageId page) {
  MLC_CHECK(!holds(page), "page {} holds two prefixes", page);
  const auto [it, fresh] = entries_.try_emplace(Key{parent, {tokens.begin(), tokens.end()}}, Match{page, next_node_});
  if (fresh) {
    of_page_[static_cast<size_t>(page)] = &it->first;  // stable: entries never move
    ++next_node_;
    if (const auto r = roots_.find(parent); r != roots_.end()) ++r->second.children;
  }
  return it->second.node;
}

void PrefixCache::erase(PageId page) {
  const Key*& key = of_page_[static_cast<size_t>(page)];
  if (key == nullptr) return;
  if (const auto r = roots_.find(key->parent); r != roots_.end() && --r->second.children == 0) {
    salts_.erase(r->second.salt);
    roots_.erase(r);
  }
  entries_.erase(entries_.find(*key));
  key = nullptr;
}

void PrefixCache::clear() {
  entries_.clear();
  salts_.clear();
  roots_.clear();
  std::fill(of_page_.begin(), of_page_.end(), nullptr);
}

}  // namespace mlc::engine
