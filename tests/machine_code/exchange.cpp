// Lanes tell each other: shuffles, votes, reductions, matches; special registers; uniform registers from others.
#include <algorithm>

#include "block.h"
#include "compute.h"

namespace machine {
namespace {

enum class Shuffle : uint8_t { index, up, down, butterfly };

// The lane that a lane reads, and whether it is one of its segment; else it reads itself.
struct Source {
  unsigned lane;
  bool there;
};
Source source_of(Shuffle how, unsigned lane, uint32_t b, uint32_t c) {
  const unsigned segment = c >> 8 & 31, clamp = c & 31;
  const unsigned least = lane & segment, most = (lane & segment) | (clamp & ~segment & 31);
  int j = 0;
  switch (how) {
    case Shuffle::index: j = static_cast<int>((lane & segment) | (b & ~segment & 31)); break;
    case Shuffle::up: j = static_cast<int>(lane) - static_cast<int>(b & 31); break;
    case Shuffle::down: j = static_cast<int>(lane + (b & 31)); break;
    case Shuffle::butterfly: j = static_cast<int>(lane ^ (b & 31)); break;
  }
  const bool there = how == Shuffle::up ? j >= static_cast<int>(std::max(least, most)) : j <= static_cast<int>(most);
  return {there ? static_cast<unsigned>(j) : lane, there};
}

void run_shuffle(Warp& w, const Instruction& i) {
  Words ra, rb, rc, out;
  const Words &a = w.ints(i.operand[2], ra), &b = w.ints(i.operand[3], rb), &c = w.ints(i.operand[4], rc);
  uint32_t there = 0;
  each_lane(w.active(), [&](unsigned l) {
    const Source s = source_of(static_cast<Shuffle>(i.detail), l, b[l], c[l]);
    if (!(w.active() >> s.lane & 1))
      w.fault("shuffle", l, "reads lane " + std::to_string(s.lane) + ", which does not take part" +
                                (w.lanes.live() >> s.lane & 1 ? "" : ": it has exited"));
    out[l] = a[s.lane];
    there |= (s.there ? 1u : 0u) << l;
  });
  w.put(i.operand[1], out);
  w.put_predicate(i.operand[0], there);
}

Execute build_shuffle(Instruction& i, Modifiers& m) {
  const int how = m.take_one({"IDX", "UP", "DOWN", "BFLY"});
  i.detail = static_cast<uint8_t>(std::max(how, 0));
  return how >= 0 && i.count == 5 && is_predicate(i.operand[0]) && are_numbers(i, 1, 5) ? run_shuffle : nullptr;
}

// VOTE: the lanes where a predicate holds, and whether any or all do. Results are a register, a predicate, or both.
enum : uint8_t { kAny, kEvery, kEqual };
void run_vote(Warp& w, const Instruction& i) {
  const uint32_t votes = w.predicate(i.operand[i.count - 1]) & w.active();
  const bool every = votes == w.active(), none = votes == 0;
  const bool result = i.detail == kAny ? !none : i.detail == kEvery ? every : every || none;
  for (unsigned k = 0; k + 1 < i.count; ++k) {
    if (is_predicate(i.operand[k])) {
      w.put_predicate(i.operand[k], result ? kAll : 0);
      continue;
    }
    Words ballot;
    fill(ballot, votes);
    w.put(i.operand[k], ballot);
  }
}

Execute build_vote(Instruction& i, Modifiers& m) {
  const int which = m.take_one({"ANY", "ALL", "EQ"});
  i.detail = static_cast<uint8_t>(std::max(which, 0));
  if (which < 0 || i.count < 2 || i.count > 3 || !is_predicate(i.operand[i.count - 1])) return nullptr;
  for (unsigned k = 0; k + 1 < i.count; ++k)
    if (!is_predicate(i.operand[k]) && !are_numbers(i, k, k + 1)) return nullptr;
  return run_vote;
}

// REDUX: one number of all active lanes'.
enum class Reduce : uint8_t { sum, and_, or_, xor_, least, most, least_signed, most_signed };
uint32_t reduced(Reduce how, uint32_t a, uint32_t b) {
  const auto sa = static_cast<int32_t>(a), sb = static_cast<int32_t>(b);
  switch (how) {
    case Reduce::sum: return a + b;
    case Reduce::and_: return a & b;
    case Reduce::or_: return a | b;
    case Reduce::xor_: return a ^ b;
    case Reduce::least: return std::min(a, b);
    case Reduce::most: return std::max(a, b);
    case Reduce::least_signed: return static_cast<uint32_t>(std::min(sa, sb));
    default: return static_cast<uint32_t>(std::max(sa, sb));
  }
}

void run_reduce(Warp& w, const Instruction& i) {
  Words ra, out;
  const Words& a = w.ints(i.operand[1], ra);
  uint32_t x = a[w.first_lane()];
  each_lane(w.active() & (w.active() - 1), [&](unsigned l) { x = reduced(static_cast<Reduce>(i.detail), x, a[l]); });
  fill(out, x);
  w.put(i.operand[0], out);
}

Execute build_reduce(Instruction& i, Modifiers& m) {
  int how = m.take_one({"SUM", "AND", "OR", "XOR", "MIN", "MAX"});
  const bool is_signed = m.take("S32");
  if (how < 0 || i.count != 2 || !are_numbers(i, 0, 2)) return nullptr;
  if (is_signed && how >= 4) how += 2;
  i.detail = static_cast<uint8_t>(how);
  return run_reduce;
}

// MATCH.ANY: the lanes with the same number as mine.
void run_match(Warp& w, const Instruction& i) {
  Words ra, out;
  const Words& a = w.ints(i.operand[1], ra);
  each_lane(w.active(), [&](unsigned l) {
    out[l] = 0;
    each_lane(w.active(), [&](unsigned other) { out[l] |= (a[other] == a[l] ? 1u : 0u) << other; });
  });
  w.put(i.operand[0], out);
}
Execute build_match(Instruction& i, Modifiers& m) {
  return m.take("ANY") && i.count == 2 && are_numbers(i, 0, 2) ? run_match : nullptr;
}

uint32_t special(Warp& w, Special s, unsigned lane) {
  switch (s) {
    case Special::thread_x: return w.thread(lane);
    case Special::block_x: return w.block.x;
    case Special::block_y: return w.block.y;
    case Special::lane: return lane;
    case Special::lanes_equal: return 1u << lane;
    case Special::lanes_below: return (1u << lane) - 1;
    case Special::lanes_up_to: return (2u << lane) - 1;
    case Special::lanes_above: return ~((2u << lane) - 1);
    case Special::lanes_from: return ~((1u << lane) - 1);
    case Special::shared_window: return static_cast<uint32_t>(kSharedWindow >> 32);
    case Special::clock: return static_cast<uint32_t>(w.launch.issued);
    default: return 0;  // what has one value in every grid of this machine
  }
}

void run_special(Warp& w, const Instruction& i) {
  Words out;
  each_lane(w.active(), [&](unsigned l) { out[l] = special(w, static_cast<Special>(i.operand[1].value), l); });
  if (i.size == 4) return w.put(i.operand[0], out);
  Wides wide;
  for_lanes([&](unsigned l) { wide.v[l] = out.v[l]; });
  w.put(i.operand[0], wide);
}

template <bool pair> Execute build_special(Instruction& i, Modifiers& m) {
  i.size = pair && !m.take("32") ? 8 : 4;
  i.operand[0].width = i.size / 4;
  return i.count == 2 && are_numbers(i, 0, 1) && i.operand[1].is(Kind::special) ? run_special : nullptr;
}

void run_to_uniform(Warp& w, const Instruction& i) {
  Words room;
  w.put(i.operand[0], w.ints(i.operand[1], room));
}
Execute build_to_uniform(Instruction& i, Modifiers&) {
  return i.count == 2 && i.operand[0].is(Kind::uniform) && are_numbers(i, 1, 2) ? run_to_uniform : nullptr;
}

}  // namespace

Entries warp_instructions() {
  return {{"SHFL", build_shuffle, Pipe::lsu},         {"VOTE", build_vote, Pipe::alu},
          {"VOTEU", build_vote, Pipe::uniform},       {"REDUX", build_reduce, Pipe::alu},
          {"MATCH", build_match, Pipe::alu},          {"S2R", build_special<false>, Pipe::control},
          {"S2UR", build_special<false>, Pipe::uniform}, {"CS2R", build_special<true>, Pipe::alu},
          {"R2UR", build_to_uniform, Pipe::uniform}};
}

}  // namespace machine
