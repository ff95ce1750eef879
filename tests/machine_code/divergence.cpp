#include "divergence.h"

#include <algorithm>
#include <utility>

namespace machine {

Divergence::Divergence(uint32_t lanes) : live_(lanes) {
  groups_.reserve(kLanes + 1);
  groups_.push_back({.lanes = lanes});
}

bool Divergence::choose(Random* random) {
  const size_t n = groups_.size();
  const size_t from = random && n > 1 ? random->below(static_cast<unsigned>(n)) : current_ + 1;
  for (size_t i = 0; i < n; ++i)
    if (groups_[(from + i) % n].wait == Wait::none) return current_ = (from + i) % n, true;
  return false;
}

// Takes lanes out of the current group into a new one.
void Divergence::part(uint32_t lanes, uint32_t pc) {
  Group g = current();
  g.lanes = lanes;
  g.pc = pc;
  current().lanes &= ~lanes;
  groups_.push_back(g);
}

bool Divergence::branch(uint32_t taken, uint32_t target) {
  if (taken == 0) return false;
  if (taken == current().lanes) return current().pc = target, false;
  part(taken, target);
  return true;
}

bool Divergence::scatter(uint32_t taken, const Words& targets) {
  bool parted = false;
  while (taken != 0) {
    const uint32_t target = targets[std::countr_zero(taken)];
    uint32_t same = 0;
    each_lane(taken, [&](unsigned l) { same |= (targets[l] == target ? 1u : 0u) << l; });
    taken &= ~same;
    parted |= branch(same, target);
  }
  return parted;
}

void Divergence::exit(uint32_t lanes) {
  live_ &= ~lanes;
  current().lanes &= ~lanes;
  drop_empty();
  release();
}

void Divergence::wait_for_block() { current().wait = Wait::block; }

void Divergence::resume_from_block() {
  for (Group& g : groups_)
    if (g.wait == Wait::block) g.wait = Wait::none;
}

void Divergence::open(unsigned barrier) {
  const uint32_t lanes = current().lanes;
  each_lane(lanes, [&](unsigned l) { meeting_[barrier][l] = lanes; });
}

void Divergence::reconverge(unsigned barrier) {
  Group& g = current();
  g.wait = Wait::reconvergence;
  g.barrier = static_cast<uint8_t>(barrier);
  release();
}

void Divergence::leave(unsigned barrier, uint32_t lanes) {
  for (uint32_t& meeting : meeting_[barrier].v) meeting &= ~lanes;
  release();
}

void Divergence::wait_for_warp(uint32_t need, bool here) {
  Group& g = current();
  g.here = here;
  g.wait = Wait::warp;
  g.need = need;
  release();
}

std::vector<uint32_t> Divergence::take_met() { return std::exchange(met_, {}); }

// Lets go on whoever has nobody left to wait for.
void Divergence::release() {
  bool any = false;
  for (size_t i = 0; i < groups_.size(); ++i) {
    const Group g = groups_[i];
    if (g.wait != Wait::reconvergence && g.wait != Wait::warp) continue;
    const auto waits_with = [&](const Group& other) {
      if (other.wait != g.wait) return false;
      if (g.wait == Wait::reconvergence) return other.barrier == g.barrier;
      return other.need == g.need && (other.pc == g.pc || (!other.here && !g.here));
    };
    uint32_t there = 0;
    for (const Group& other : groups_) there |= waits_with(other) ? other.lanes : 0;
    const uint32_t need = g.wait == Wait::warp ? g.need : meeting_[g.barrier][std::countr_zero(g.lanes)];
    if ((need & live_ & ~there) != 0) continue;
    if (g.wait == Wait::warp) met_.push_back(there);
    for (Group& other : groups_)
      if (waits_with(other) && (g.wait == Wait::warp || (other.lanes & need) != 0))
        other.wait = Wait::none, other.released = true;
    groups_[i].wait = Wait::none;
    groups_[i].released = any = true;
  }
  if (any) merge();
}

// Makes one group of those that were released to the same place. Groups that go on by themselves are left alone.
void Divergence::merge() {
  for (size_t i = 0; i < groups_.size(); ++i)
    for (size_t k = i + 1; k < groups_.size(); ++k) {
      Group &a = groups_[i], &b = groups_[k];
      if (!a.released || !b.released || a.pc != b.pc) continue;
      a.lanes |= b.lanes;
      b.lanes = 0;
    }
  for (Group& g : groups_) g.released = false;
  drop_empty();
}

void Divergence::drop_empty() {
  const uint32_t mine = current_ < groups_.size() ? groups_[current_].lanes : 0;
  std::erase_if(groups_, [](const Group& g) { return g.lanes == 0; });
  current_ = groups_.size();  // none, where the current one has gone
  for (size_t i = 0; i < groups_.size(); ++i)
    if (mine != 0 && (groups_[i].lanes & mine) != 0) current_ = i;
}

}  // namespace machine
