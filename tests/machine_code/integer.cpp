// Integer arithmetic: sums with carries, products, comparisons, minima.
#include <algorithm>

#include "compute.h"

namespace machine {
namespace {

// Bits of Instruction::detail for sums and products.
enum : uint8_t { kUnsigned = 1, kWide = 2, kHigh = 4, kCarries = 8, kSignExtends = 16 };

// An operand as a sum takes it, in 33 bits: -x is ~x + 1, so that x - x carries.
void addends(Warp& w, const Operand& o, Wides& out) {
  Words room;
  const Words& x = w.raw(o, room);
  if (o.negate) for_lanes([&](unsigned l) { out.v[l] = uint64_t(static_cast<uint32_t>(~x.v[l])) + 1; });
  else if (o.invert) for_lanes([&](unsigned l) { out.v[l] = static_cast<uint32_t>(~x.v[l]); });
  else for_lanes([&](unsigned l) { out.v[l] = x.v[l]; });
}

// Adds the predicates [from, ...) of an instruction, if it carries.
void add_carries(Warp& w, const Instruction& i, unsigned from, Wides& sum) {
  if (!(i.detail & kCarries)) return;
  for (unsigned k = from; k < i.count; ++k) {
    const uint32_t carry = w.predicate(i.operand[k]);
    for_lanes([&](unsigned l) { sum.v[l] += carry >> l & 1u; });
  }
}

// Writes the low word of a sum and its carries.
void put_sum(Warp& w, const Instruction& i, const Wides& sum) {
  for (unsigned k = 1; k < i.first; ++k) {
    Words carry;
    for_lanes([&](unsigned l) { carry.v[l] = (sum.v[l] >> 32) >= k ? 1u : 0u; });
    w.put_predicate(i.operand[k], gather(carry));
  }
  Words low;
  for_lanes([&](unsigned l) { low.v[l] = static_cast<uint32_t>(sum.v[l]); });
  w.put(i.operand[0], low);
}

void run_add3(Warp& w, const Instruction& i) {
  if (i.detail == 0 && i.first == 1) {  // no carry in or out
    Words ra, rb, rc, sum;
    const Words &a = w.ints(i.source(0), ra), &b = w.ints(i.source(1), rb), &c = w.ints(i.source(2), rc);
    for_lanes([&](unsigned l) { sum.v[l] = a.v[l] + b.v[l] + c.v[l]; });
    return w.put(i.operand[0], sum);
  }
  Wides sum, x;
  addends(w, i.source(0), sum);
  for (unsigned k : {1u, 2u}) {
    addends(w, i.source(k), x);
    for_lanes([&](unsigned l) { sum.v[l] += x.v[l]; });
  }
  add_carries(w, i, i.first + 3u, sum);
  put_sum(w, i, sum);
}

Execute build_add3(Instruction& i, Modifiers& m) {
  take_results(i);
  if (m.take("X")) i.detail = kCarries;
  const unsigned end = i.first + 3u;
  const bool fits = i.first <= 3 && are_numbers(i, i.first, end) && are_predicates(i, end, i.count) &&
                    (i.count > end) == ((i.detail & kCarries) != 0);
  return fits ? run_add3 : nullptr;
}

void run_mov(Warp& w, const Instruction& i) {
  const Operand& from = i.operand[i.count - 1];
  w.move(i.operand[0], from, kAll, from, [&] {
    Words room;
    w.put(i.operand[0], w.ints(from, room));
  });
}

Execute build_mov(Instruction& i, Modifiers&) { return i.count == 2 && are_numbers(i, 0, 2) ? run_mov : nullptr; }

void run_multiply_add(Warp& w, const Instruction& i) {
  Words ra, rb, rc, low;
  const Words &a = w.ints(i.source(0), ra), &b = w.ints(i.source(1), rb);
  if (!(i.detail & kCarries)) {
    const Words& c = w.ints(i.source(2), rc);
    for_lanes([&](unsigned l) { low.v[l] = a.v[l] * b.v[l] + c.v[l]; });
    return w.put(i.operand[0], low);
  }
  Wides sum;
  addends(w, i.source(2), sum);
  for_lanes([&](unsigned l) { sum.v[l] += a.v[l] * b.v[l]; });
  add_carries(w, i, i.first + 3u, sum);
  put_sum(w, i, sum);
}

// Products of 64 bits; kHigh keeps their upper half.
void run_multiply_wide(Warp& w, const Instruction& i) {
  Words ra, rb;
  const Words &a = w.ints(i.source(0), ra), &b = w.ints(i.source(1), rb);
  Wides product, sum;
  if (i.detail & kUnsigned) for_lanes([&](unsigned l) { product.v[l] = uint64_t(a.v[l]) * b.v[l]; });
  else
    for_lanes([&](unsigned l) {
      product.v[l] = static_cast<uint64_t>(int64_t(static_cast<int32_t>(a.v[l])) * static_cast<int32_t>(b.v[l]));
    });
  w.ints(i.source(2), sum);
  Words carry;
  for_lanes([&](unsigned l) {
    sum.v[l] += product.v[l];
    carry.v[l] = sum.v[l] < product.v[l] ? 1u : 0u;
  });
  if (i.detail & kCarries) {
    const Wides before = sum;
    add_carries(w, i, i.first + 3u, sum);
    for_lanes([&](unsigned l) { carry.v[l] |= sum.v[l] < before.v[l] ? 1u : 0u; });
  }
  if (i.first > 1) w.put_predicate(i.operand[1], gather(carry));
  if (!(i.detail & kHigh)) return w.put(i.operand[0], sum);
  for_lanes([&](unsigned l) { carry.v[l] = static_cast<uint32_t>(sum.v[l] >> 32); });
  w.put(i.operand[0], carry);
}

Execute build_multiply_add(Instruction& i, Modifiers& m) {
  take_results(i);
  if (m.take("WIDE")) i.detail |= kWide;
  if (m.take("HI")) i.detail |= kHigh;
  if (m.take("U32")) i.detail |= kUnsigned;
  if (m.take("X")) i.detail |= kCarries;
  const bool moves = m.take("MOV");
  m.take_one({"SHL", "IADD"});  // what the product stands for
  const bool wide = (i.detail & (kWide | kHigh)) != 0;
  const unsigned end = i.first + 3u;
  const bool fits = i.first <= (wide ? 2 : 1) && are_numbers(i, i.first, end) && are_predicates(i, end, i.count) &&
                    (i.count > end) == ((i.detail & kCarries) != 0) && !(wide && i.source(2).is(Kind::immediate));
  if (!fits) return nullptr;
  const bool zero = i.source(0).reg == kNoRegister && i.source(0).is(Kind::reg) && i.count == end;
  if (moves && !zero) return nullptr;
  if (wide) i.operand[end - 1].width = 2;
  if (i.detail & kWide) i.operand[0].width = 2;
  return wide ? run_multiply_wide : moves ? run_mov : run_multiply_add;
}

// (a << shift) + b; kHigh: the upper word of a pair shifted, plus b.
void run_shift_add(Warp& w, const Instruction& i) {
  const bool high = (i.detail & kHigh) != 0, extends = (i.detail & kSignExtends) != 0;
  Words ra, rh;
  const Words& a = w.ints(i.source(0), ra);
  const unsigned shift_at = high && !extends ? 3 : 2;
  const auto shift = static_cast<unsigned>(i.source(shift_at).value) & 31;
  Wides sum;
  addends(w, i.source(1), sum);
  if (high) {
    if (extends) for_lanes([&](unsigned l) { rh.v[l] = static_cast<uint32_t>(static_cast<int32_t>(a.v[l]) >> 31); });
    const Words& upper = extends ? rh : w.ints(i.source(2), rh);
    for_lanes([&](unsigned l) {
      sum.v[l] += static_cast<uint32_t>(((uint64_t(upper.v[l]) << 32 | a.v[l]) << shift) >> 32);
    });
  } else {
    const bool negate = i.source(0).negate;  // of what is shifted: 0 carries
    const Words& raw = w.raw(i.source(0), rh);
    for_lanes([&](unsigned l) {
      const uint32_t shifted = raw.v[l] << shift;
      sum.v[l] += negate ? uint64_t(~shifted) + 1 : uint64_t(shifted);
    });
  }
  add_carries(w, i, i.first + shift_at + 1, sum);
  put_sum(w, i, sum);
}

Execute build_shift_add(Instruction& i, Modifiers& m) {
  take_results(i);
  if (m.take("HI")) i.detail |= kHigh;
  if (m.take("SX32")) i.detail |= kSignExtends;
  if (m.take("X")) i.detail |= kCarries;
  const unsigned numbers = (i.detail & kHigh) && !(i.detail & kSignExtends) ? 4 : 3, end = i.first + numbers;
  const bool fits = i.first <= 2 && are_numbers(i, i.first, end) && i.operand[end - 1].is(Kind::immediate) &&
                    are_predicates(i, end, i.count) && (i.count > end) == ((i.detail & kCarries) != 0) &&
                    !((i.detail & kSignExtends) && !(i.detail & kHigh)) &&
                    !((i.detail & kHigh) && i.source(0).negate) && !i.source(0).invert;
  return fits ? run_shift_add : nullptr;
}

// Comparisons. With EX the operands are the upper words of pairs, and the last predicate tells about the lower ones.
enum : uint8_t { kCompare = 15, kCombine = 48, kCompareUnsigned = 64, kExtended = 128 };

void run_compare(Warp& w, const Instruction& i) {
  Words ra, rb, less, equal;
  const Words &a = w.ints(i.operand[2], ra), &b = w.ints(i.operand[3], rb);
  if (i.detail & kCompareUnsigned) for_lanes([&](unsigned l) { less.v[l] = a.v[l] < b.v[l] ? 1u : 0u; });
  else
    for_lanes([&](unsigned l) { less.v[l] = static_cast<int32_t>(a.v[l]) < static_cast<int32_t>(b.v[l]) ? 1u : 0u; });
  for_lanes([&](unsigned l) { equal.v[l] = a.v[l] == b.v[l] ? 1u : 0u; });
  const uint32_t lt = gather(less), eq = gather(equal), gt = ~(lt | eq);
  const auto compare = static_cast<Compare>(i.detail & kCompare);
  uint32_t result = (holds(compare, 1) ? lt : 0) | (holds(compare, 4) ? gt : 0);
  if (i.detail & kExtended) result |= eq & w.predicate(i.operand[5]);
  else if (holds(compare, 2)) result |= eq;
  put_comparison(w, i, result, w.predicate(i.operand[4]), static_cast<Combine>((i.detail & kCombine) >> 4));
}

Execute build_compare(Instruction& i, Modifiers& m) {
  Compare compare;
  Combine combine;
  if (!take_compare(m, false, compare, combine)) return nullptr;
  i.detail = static_cast<uint8_t>(static_cast<unsigned>(compare) | static_cast<unsigned>(combine) << 4);
  if (m.take("U32")) i.detail |= kCompareUnsigned;
  if (m.take("EX")) i.detail |= kExtended;
  const unsigned count = i.detail & kExtended ? 6 : 5;
  return i.count == count && are_predicates(i, 0, 2) && are_numbers(i, 2, 4) && are_predicates(i, 4, count)
             ? run_compare
             : nullptr;
}

// The smaller of x and y where the last operand holds, else the larger.
void put_lesser(Warp& w, const Instruction& i, const Words& x, const Words& y, Words& out) {
  Words least;
  spread(least, w.predicate(i.operand[i.count - 1]));
  const uint32_t flip = i.detail & kUnsigned ? 0x80000000u : 0u;  // makes an unsigned comparison of a signed one
  for_lanes([&](unsigned l) {
    const bool less = static_cast<int32_t>(x.v[l] ^ flip) < static_cast<int32_t>(y.v[l] ^ flip);
    const uint32_t low = less ? x.v[l] : y.v[l], high = less ? y.v[l] : x.v[l];
    out.v[l] = (low & least.v[l]) | (high & ~least.v[l]);
  });
}

// The least or largest of two numbers, of a sum of two and a third (VIADDMNMX), of three.
enum class Of { two, sum_and_third, three };

template <Of of> void run_minimum(Warp& w, const Instruction& i) {
  Words ra, rb, rc, out;
  const Words &a = w.ints(i.operand[1], ra), &b = w.ints(i.operand[2], rb);
  if constexpr (of == Of::sum_and_third) for_lanes([&](unsigned l) { out.v[l] = a.v[l] + b.v[l]; });
  else put_lesser(w, i, a, b, out);
  if constexpr (of != Of::two) put_lesser(w, i, out, w.ints(i.operand[3], rc), out);
  w.put(i.operand[0], out);
}

template <Of of> Execute build_minimum(Instruction& i, Modifiers& m) {
  if (m.take("U32")) i.detail = kUnsigned;
  constexpr unsigned numbers = of == Of::two ? 2 : 3;
  const bool fits = i.count == numbers + 2 && are_numbers(i, 0, numbers + 1) && is_predicate(i.operand[numbers + 1]);
  return fits ? run_minimum<of> : nullptr;
}

void run_add(Warp& w, const Instruction& i) {
  Words ra, rb, sum;
  const Words &a = w.ints(i.operand[1], ra), &b = w.ints(i.operand[2], rb);
  for_lanes([&](unsigned l) { sum.v[l] = a.v[l] + b.v[l]; });
  w.put(i.operand[0], sum);
}
Execute build_add(Instruction& i, Modifiers&) { return i.count == 3 && are_numbers(i, 0, 3) ? run_add : nullptr; }

void run_absolute(Warp& w, const Instruction& i) {
  Words ra, out;
  const Words& a = w.ints(i.operand[1], ra);
  for_lanes([&](unsigned l) { out.v[l] = static_cast<int32_t>(a.v[l]) < 0 ? 0 - a.v[l] : a.v[l]; });
  w.put(i.operand[0], out);
}
Execute build_absolute(Instruction& i, Modifiers&) {
  return i.count == 2 && are_numbers(i, 0, 2) ? run_absolute : nullptr;
}

}  // namespace

Entries integer_instructions() {
  return {{"IADD3", build_add3, Pipe::alu},
          {"UIADD3", build_add3, Pipe::uniform},
          {"IMAD", build_multiply_add, Pipe::fma_heavy},
          {"UIMAD", build_multiply_add, Pipe::uniform},
          {"LEA", build_shift_add, Pipe::alu},
          {"ULEA", build_shift_add, Pipe::uniform},
          {"ISETP", build_compare, Pipe::alu},
          {"UISETP", build_compare, Pipe::uniform},
          {"VIMNMX", build_minimum<Of::two>, Pipe::alu},
          {"VIMNMX3", build_minimum<Of::three>, Pipe::alu},
          {"IMNMX", build_minimum<Of::two>, Pipe::alu},
          {"VIADDMNMX", build_minimum<Of::sum_and_third>, Pipe::alu},
          {"VIADD", build_add, Pipe::alu},
          {"IABS", build_absolute, Pipe::alu},
          {"MOV", build_mov, Pipe::alu},
          {"UMOV", build_mov, Pipe::uniform}};
}

}  // namespace machine
