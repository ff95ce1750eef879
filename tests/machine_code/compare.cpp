#include "compute.h"

namespace machine {

bool take_compare(Modifiers& m, bool numbers, Compare& compare, Combine& combine) {
  const int c = numbers ? m.take_one({"F", "LT", "EQ", "LE", "GT", "NE", "GE", "NUM", "NAN", "LTU", "EQU", "LEU", "GTU",
                                      "NEU", "GEU", "T"})
                        : m.take_one({"F", "LT", "EQ", "LE", "GT", "NE", "GE", "", "", "", "", "", "", "", "", "T"});
  const int with = m.take_one({"AND", "OR", "XOR"});
  if (c < 0 || with < 0) return false;
  compare = static_cast<Compare>(c);
  combine = static_cast<Combine>(with);
  return true;
}

void put_comparison(Warp& w, const Instruction& i, uint32_t result, uint32_t with, Combine combine) {
  const auto meet = [&](uint32_t x) {
    return combine == Combine::and_ ? x & with : combine == Combine::or_ ? x | with : x ^ with;
  };
  w.put_predicate(i.operand[0], meet(result));
  w.put_predicate(i.operand[1], meet(~result));
}

}  // namespace machine
