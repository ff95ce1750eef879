// Which lanes of a warp are where. Lanes that go together are a group; a branch splits it, and groups become one again
// only where the code says so (BSYNC, WARPSYNC): a GPU promises nothing else, so neither does this.
#pragma once
#include <vector>

#include "lanes.h"
#include "random.h"

namespace machine {

// Uniform registers. A group has its own: what a warp's groups write by turns, none of them can rely on.
struct Uniforms {
  uint32_t reg[64];
  uint32_t predicates;  // a bit each
};

enum class Wait : uint8_t { none, reconvergence, warp, block };

struct Group {
  uint32_t lanes = 0;
  uint32_t pc = 0;    // index of the next instruction
  Wait wait = Wait::none;
  bool released = false;  // just now
  uint8_t barrier = 0;  // where it waits for reconvergence
  uint32_t need = 0;    // the lanes that it waits for
  bool here = false;    // at this very instruction
  Uniforms uniforms{};
};

class Divergence {
 public:
  explicit Divergence(uint32_t lanes);

  // Makes a group that can go on the current one: at random, or the next one. False if none can.
  bool choose(Random* random);
  Group& current() { return groups_[current_]; }
  bool can_go_on() const { return current_ < groups_.size() && groups_[current_].wait == Wait::none; }
  uint32_t live() const { return live_; }
  const std::vector<Group>& groups() const { return groups_; }

  // Lanes of the current group go to a target, the others to the next instruction. True if they part.
  bool branch(uint32_t taken, uint32_t target);
  // Lanes of the current group go each to its own target. True if they part.
  bool scatter(uint32_t taken, const Words& targets);
  void exit(uint32_t lanes);
  void wait_for_block();
  void resume_from_block();

  // Convergence barriers: a lane knows, for each, which lanes meet there.
  void open(unsigned barrier);                    // BSSY
  void reconverge(unsigned barrier);              // BSYNC: waits for all of them that are live
  void leave(unsigned barrier, uint32_t lanes);   // BREAK
  Words& meeting(unsigned barrier) { return meeting_[barrier]; }
  // Waits until all live lanes of `need` wait for the same lanes; `here`: at the same instruction.
  void wait_for_warp(uint32_t need, bool here);
  // The sets of lanes whose wait for each other has ended since the last call.
  std::vector<uint32_t> take_met();

 private:
  void part(uint32_t lanes, uint32_t pc);
  void release();
  void merge();
  void drop_empty();

  std::vector<Group> groups_;
  size_t current_ = 0;
  uint32_t live_;
  Words meeting_[16] = {};
  std::vector<uint32_t> met_;
};

}  // namespace machine
