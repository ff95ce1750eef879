// Arithmetic and comparisons of doubles. An immediate is the upper half of one.
#include <algorithm>

#include "compute.h"
#include "rounding.h"

namespace machine {
namespace {

Rounding rounding_of(const Instruction& i) { return static_cast<Rounding>(i.detail & 3); }

void take_sources(Instruction& i, Modifiers& m) {
  const int r = m.take_one({"RN", "RM", "RP", "RZ"});
  i.detail |= static_cast<uint8_t>(std::max(r, 0));
  for (unsigned k = 0; k < i.count; ++k) i.operand[k].width = 2;
  for (unsigned k = 0; k < i.count; ++k)
    if (i.operand[k].is(Kind::immediate)) i.operand[k].value = static_cast<int64_t>(uint64_t(i.operand[k].value) << 32);
}

template <unsigned sources, class F> void run_nearest(Warp& w, const Instruction& i, F f) {
  Wides in[3], out;
  for (unsigned k = 0; k < sources; ++k) w.doubles(i.operand[k + 1], in[k]);
  for_lanes([&](unsigned l) {
    out.v[l] = bits_of(f(as_double(in[0].v[l]), as_double(in[1].v[l]), as_double(in[sources - 1].v[l])));
  });
  w.put(i.operand[0], out);
}

// With a direction of rounding, lane by lane.
template <unsigned sources, class F> void run_directed(Warp& w, const Instruction& i, F f) {
  Wides in[3], out;
  for (unsigned k = 0; k < sources; ++k) w.doubles(i.operand[k + 1], in[k]);
  each_lane(w.active(), [&](unsigned l) {
    out[l] = bits_of(f(as_double(in[0][l]), as_double(in[1][l]), as_double(in[sources - 1][l]), rounding_of(i)));
  });
  w.put(i.operand[0], out);
}

void run_add(Warp& w, const Instruction& i) {
  if (rounding_of(i) == Rounding::nearest)
    return run_nearest<2>(w, i, [](double a, double b, double) { return a + b; });
  run_directed<2>(w, i, [](double a, double b, double, Rounding r) { return fused(a, 1.0, b, r); });
}
void run_multiply(Warp& w, const Instruction& i) {
  if (rounding_of(i) == Rounding::nearest)
    return run_nearest<2>(w, i, [](double a, double b, double) { return a * b; });
  run_directed<2>(w, i, [](double a, double b, double, Rounding r) { return product(a, b, r); });
}
void run_multiply_add(Warp& w, const Instruction& i) {
  if (rounding_of(i) == Rounding::nearest)
    return run_nearest<3>(w, i, [](double a, double b, double c) { return std::fma(a, b, c); });
  run_directed<3>(w, i, [](double a, double b, double c, Rounding r) { return fused(a, b, c, r); });
}

template <unsigned sources, Execute run> Execute build_arithmetic(Instruction& i, Modifiers& m) {
  take_sources(i, m);
  return i.count == sources + 1 && are_numbers(i, 0, sources + 1) ? run : nullptr;
}

// DSETP keeps the Compare in the lowest four bits of `size`, and the Combine above it.
void run_compare(Warp& w, const Instruction& i) {
  Wides a, b;
  Words flags;
  w.doubles(i.operand[2], a);
  w.doubles(i.operand[3], b);
  const unsigned set = i.size & 15u;
  for_lanes([&](unsigned l) {
    const double x = as_double(a.v[l]), y = as_double(b.v[l]);
    const unsigned relation = x < y ? 1u : x == y ? 2u : x > y ? 4u : 8u;
    flags.v[l] = relation & set;
  });
  put_comparison(w, i, gather(flags), w.predicate(i.operand[4]), static_cast<Combine>(i.size >> 4));
}

// DSETP.MIN and MAX say where the first number is to be taken; and where both are NaN, which code then makes quiet.
template <bool minimum> void run_choose(Warp& w, const Instruction& i) {
  Wides a, b;
  Words first, both;
  w.doubles(i.operand[2], a);
  w.doubles(i.operand[3], b);
  for_lanes([&](unsigned l) {
    const double x = as_double(a.v[l]), y = as_double(b.v[l]);
    const bool signs = a.v[l] >> 63 != b.v[l] >> 63;
    const bool less = x < y || (x == y && signs && a.v[l] >> 63), more = x > y || (x == y && signs && b.v[l] >> 63);
    first.v[l] = (minimum ? less : more) || (y != y && x == x) ? 1u : 0u;
    both.v[l] = x != x && y != y ? 1u : 0u;
  });
  w.put_predicate(i.operand[0], gather(first));
  w.put_predicate(i.operand[1], gather(both));
}

Execute build_compare(Instruction& i, Modifiers& m) {
  take_sources(i, m);
  if (i.count != 5 || !are_predicates(i, 0, 2) || !are_numbers(i, 2, 4) || !is_predicate(i.operand[4])) return nullptr;
  if (const int which = m.take_one({"MIN", "MAX"}); which >= 0) {
    const bool plain = m.take("AND") && i.operand[4].reg == kTrue && !i.operand[4].invert;
    return !plain ? nullptr : which == 0 ? run_choose<true> : run_choose<false>;
  }
  Compare compare;
  Combine combine;
  if (!take_compare(m, true, compare, combine)) return nullptr;
  i.size = static_cast<uint8_t>(static_cast<unsigned>(compare) | static_cast<unsigned>(combine) << 4);
  return run_compare;
}

}  // namespace

Entries double_instructions() {
  return {{"DADD", build_arithmetic<2, run_add>, Pipe::fp64},
          {"DMUL", build_arithmetic<2, run_multiply>, Pipe::fp64},
          {"DFMA", build_arithmetic<3, run_multiply_add>, Pipe::fp64},
          {"DSETP", build_compare, Pipe::fp64}};
}

}  // namespace machine
