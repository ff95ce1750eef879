// What groups of instructions have in common: loops over lanes, comparisons.
#pragma once
#include "warp.h"

namespace machine {

// Calls f(lane) for all lanes, whether they are active or not: results are written where they are.
template <class F> inline void for_lanes(F f) {
  for (unsigned l = 0; l < kLanes; ++l) f(l);
}

// Adds `carry` results to Instruction::first: predicates that follow the first operand.
inline void take_results(Instruction& i) {
  i.first = 1;
  while (i.first < i.count &&
         (i.operand[i.first].is(Kind::predicate) || i.operand[i.first].is(Kind::uniform_predicate)))
    ++i.first;
}

// True if operands [from, to) are numbers: registers, immediates, constants.
inline bool are_numbers(const Instruction& i, unsigned from, unsigned to) {
  if (to > i.count) return false;
  for (unsigned k = from; k < to; ++k)
    if (!i.operand[k].is(Kind::reg) && !i.operand[k].is(Kind::uniform) && !i.operand[k].is(Kind::immediate) &&
        !i.operand[k].is(Kind::constant))
      return false;
  return true;
}
inline bool is_predicate(const Operand& o) { return o.is(Kind::predicate) || o.is(Kind::uniform_predicate); }
// True if operands [from, to) are predicates.
inline bool are_predicates(const Instruction& i, unsigned from, unsigned to) {
  if (to > i.count) return false;
  for (unsigned k = from; k < to; ++k)
    if (!is_predicate(i.operand[k])) return false;
  return true;
}

// How ISETP, FSETP and DSETP compare, and how the result meets a further predicate. Kept in Instruction::detail.
enum class Compare : uint8_t {
  never,
  less,
  equal,
  less_equal,
  greater,
  not_equal,
  greater_equal,
  ordered,
  unordered,
  less_u,
  equal_u,
  less_equal_u,
  greater_u,
  not_equal_u,
  greater_equal_u,
  always
};
enum class Combine : uint8_t { and_, or_, xor_ };

// Takes comparison and combination off the modifiers; false if either is missing.
bool take_compare(Modifiers& m, bool numbers, Compare& compare, Combine& combine);
// Writes both results of a comparison: combined with the predicate, and its complement combined.
void put_comparison(Warp& w, const Instruction& i, uint32_t result, uint32_t with, Combine combine);

// The relation of two numbers as a bit: 1 less, 2 equal, 4 greater, 8 unordered; a Compare is the set of those that
// hold.
inline bool holds(Compare c, unsigned relation) { return (static_cast<unsigned>(c) & relation) != 0; }

}  // namespace machine
