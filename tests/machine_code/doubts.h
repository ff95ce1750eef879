// Values that a load should not have got: of memory that nothing wrote, or that somebody writes just then. Compilers
// load more than a program asks for, and early; so it is a Fault not to load such a value, but to use it.
#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "lanes.h"

namespace machine {

struct Doubt {
  std::string kind, what;
  uint32_t instruction;  // the load
  unsigned lane;
};
using SharedDoubt = std::shared_ptr<const Doubt>;

// The registers of a warp that hold such values.
class Doubts {
 public:
  bool any() const { return !why_.empty(); }
  uint32_t lanes(unsigned reg) const { return lanes_[reg]; }
  SharedDoubt of(unsigned reg, unsigned lane) const {
    const auto found = why_.find(key(reg, lane));
    return found == why_.end() ? nullptr : found->second;
  }

  void set(unsigned reg, unsigned lane, SharedDoubt why) {
    lanes_[reg] |= 1u << lane;
    why_[key(reg, lane)] = std::move(why);
  }
  void clear(unsigned reg, uint32_t lanes) {
    each_lane(lanes_[reg] & lanes, [&](unsigned l) { why_.erase(key(reg, l)); });
    lanes_[reg] &= ~lanes;
  }

 private:
  static unsigned key(unsigned reg, unsigned lane) { return reg * kLanes + lane; }
  uint32_t lanes_[256] = {};
  std::unordered_map<unsigned, SharedDoubt> why_;
};

}  // namespace machine
