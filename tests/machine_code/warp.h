// A warp: registers of 32 lanes, where its lanes are, how instructions read and write.
#pragma once
#include <memory>
#include <vector>

#include "divergence.h"
#include "doubts.h"
#include "instruction.h"
#include "lanes.h"
#include "order.h"

namespace machine {

class Block;
struct Launch;

// Local memory of a warp's lanes: a stack each, growing down from kStackTop.
struct Stack {
  std::vector<unsigned char> bytes, written;  // [lane][offset]
};

// A warp's wait for its block.
struct AtBarrier {
  uint32_t instruction = 0;
  enum class Reduce : uint8_t { none, any, all, count } reduce = Reduce::none;
  uint32_t votes = 0;  // lanes whose predicate holds
};

class Warp {
 public:
  enum class State : uint8_t { ready, waits, ended };

  Warp(Block& block, unsigned index);
  // Issues up to that many instructions.
  State run(unsigned steps);

  // --- what an instruction sees
  Block& block;
  Launch& launch;
  const unsigned index;
  Divergence lanes;
  WarpOrder order;
  AtBarrier barrier;
  Doubts doubts;
  State state = State::ready;

  uint32_t active() const { return active_; }  // lanes that execute it
  unsigned first_lane() const;
  uint32_t instruction() const { return at_; }  // its index
  unsigned thread(unsigned lane) const { return index * kLanes + lane; }
  Group& group() { return lanes.current(); }

  // The value of an operand in all lanes, in `room` unless a register holds it. raw: as it lies; ints: with - and ~ and
  // | | of integers; floats, doubles: of floating-point numbers.
  const Words& raw(const Operand& o, Words& room);
  const Words& ints(const Operand& o, Words& room);
  const Words& floats(const Operand& o, Words& room);
  void raw(const Operand& o, Wides& out);  // a pair of registers
  void ints(const Operand& o, Wides& out);
  void doubles(const Operand& o, Wides& out);
  uint32_t predicate(const Operand& o);  // as a mask of lanes
  bool has(const Operand& o) const { return !o.is(Kind::none); }

  // Write the active lanes; a uniform register takes the first one's value.
  void put(const Operand& o, const Words& value);
  void put(const Operand& o, const Wides& value);
  void put_predicate(const Operand& o, uint32_t mask);
  // Writes a register where it comes from others, with their doubts: `a` in some lanes, `b` in the other active ones.
  template <class F> void move(const Operand& to, const Operand& a, uint32_t lanes_of_a, const Operand& b, F run);
  // A lane's word of a register. To load it is to know whether it is in doubt.
  uint32_t word(unsigned reg, unsigned lane) const {
    if (doubts.any() && (doubts.lanes(reg) >> lane & 1)) use_doubt(reg, lane);
    return registers_[reg][lane];
  }
  uint32_t doubtful_word(unsigned reg, unsigned lane) const { return registers_[reg][lane]; }
  void set_word(unsigned reg, unsigned lane, uint32_t value, SharedDoubt doubt) {
    registers_[reg][lane] = value;
    if (doubts.any()) doubts.clear(reg, 1u << lane);
    if (doubt) doubts.set(reg, lane, std::move(doubt));
  }
  uint32_t predicates_of(unsigned lane) const;            // P0-P6 as bits
  void set_predicate(unsigned p, uint32_t lanes, uint32_t mask);

  // The bytes of a constant, and where it is indexed, of a lane's.
  uint64_t constant(const Operand& o, unsigned lane, unsigned bytes);
  Stack& stack();

  // Throws a Fault at the current instruction.
  [[noreturn]] void fault(const char* kind, unsigned lane, const std::string& what) const;
  [[noreturn]] void use_doubt(unsigned reg, unsigned lane) const;
  std::string place() const;  // "warp 3 of block (1, 0)"

 private:
  bool issue();
  void note_deadlock();
  std::string told(const std::string& kind, unsigned lane, const std::string& what, uint32_t at, const char* use) const;
  void need_no_doubt(unsigned reg);

  bool moves_ = false;  // doubts do not matter
  uint32_t active_ = 0, spread_mask_ = 0, at_ = 0;
  Words spread_{};
  std::vector<Words> registers_;
  uint32_t predicates_[8] = {};
  std::unique_ptr<Stack> stack_;
};

template <class F> void Warp::move(const Operand& to, const Operand& a, uint32_t lanes_of_a, const Operand& b, F run) {
  std::vector<std::pair<unsigned, SharedDoubt>> taken;
  const auto take = [&](const Operand& from, uint32_t lanes) {
    if (!from.is(Kind::reg)) return;
    each_lane(doubts.lanes(from.reg) & lanes & active_,
              [&](unsigned l) { taken.push_back({l, doubts.of(from.reg, l)}); });
  };
  if (doubts.any() && to.is(Kind::reg) && to.reg != kNoRegister) take(a, lanes_of_a), take(b, ~lanes_of_a);
  moves_ = to.is(Kind::reg);
  run();
  moves_ = false;
  for (auto& [lane, doubt] : taken) doubts.set(to.reg, lane, std::move(doubt));
}

}  // namespace machine
