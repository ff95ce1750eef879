// Arithmetic of pairs of halves (float16 and bfloat16).
#include "compute.h"
#include "halves.h"
#include "rounding.h"

namespace machine {
namespace {

enum : uint8_t { kBrainFloat = 1 };

// A source as its low and its high number, as bits.
struct Pair {
  Words low, high;
};

void read_pair(Warp& w, const Operand& o, Pair& out) {
  Words room;
  const Words& x = w.raw(o, room);
  const bool immediate = o.is(Kind::immediate);
  const unsigned low = o.part == Part::high && !immediate ? 16 : 0, high = o.part == Part::low && !immediate ? 0 : 16;
  const auto signs = [&](uint32_t bits) {
    if (o.absolute) bits &= 0x7fffu;
    return o.negate ? bits ^ 0x8000u : bits;
  };
  for_lanes([&](unsigned l) {
    out.low.v[l] = signs(x.v[l] >> low & 0xffffu);
    out.high.v[l] = signs(x.v[l] >> high & 0xffffu);
  });
}

bool take_format(Instruction& i, Modifiers& m) {
  i.reads_parts = true;
  i.detail = m.take("BF16_V2") ? kBrainFloat : 0;
  m.take_one({"MMA", ""});  // the pipe that it goes to
  // an immediate pair is printed as two numbers and encoded as one
  unsigned count = 0;
  for (unsigned k = 0; k < i.count; ++k) {
    if (k > 0 && i.operand[k].is(Kind::immediate) && i.operand[k - 1].is(Kind::immediate)) continue;
    i.operand[count++] = i.operand[k];
  }
  i.count = static_cast<uint8_t>(count);
  return true;
}

uint32_t fused_bits(uint32_t a, uint32_t b, uint32_t c, bool brain) {
  const auto number = [&](uint32_t bits) { return double(widen(static_cast<uint16_t>(bits), brain)); };
  return narrow(fused_to_odd(number(a), number(b), number(c)), brain);
}

// a * b + c; HADD2 has 1 for b, HMUL2 -0 for c.
void run_fused(Warp& w, const Instruction& i, const Operand& oa, const Operand& ob, const Operand& oc) {
  Pair a, b, c;
  read_pair(w, oa, a);
  read_pair(w, ob, b);
  read_pair(w, oc, c);
  const bool brain = i.detail & kBrainFloat;
  Words out;
  each_lane(w.active(), [&](unsigned l) {
    out[l] = fused_bits(a.high[l], b.high[l], c.high[l], brain) << 16 | fused_bits(a.low[l], b.low[l], c.low[l], brain);
  });
  w.put(i.operand[0], out);
}

Operand pair_of(uint16_t bits) { return {.kind = Kind::immediate, .value = int64_t(bits) << 16 | bits}; }

void run_add(Warp& w, const Instruction& i) {
  run_fused(w, i, i.operand[1], pair_of(i.detail & kBrainFloat ? 0x3f80 : 0x3c00), i.operand[2]);
}
void run_multiply(Warp& w, const Instruction& i) { run_fused(w, i, i.operand[1], i.operand[2], pair_of(0x8000)); }
void run_multiply_add(Warp& w, const Instruction& i) {
  run_fused(w, i, i.operand[1], i.operand[2], i.operand[3]);
}

bool is_zero(const Operand& o) { return o.is(Kind::reg) && o.reg == kNoRegister; }

// -0 * 0 + c is how compilers write a constant into a register. -0 stays -0, and no number changes.
void run_constant(Warp& w, const Instruction& i) {
  Words out;
  fill(out, static_cast<uint32_t>(i.operand[3].value));
  w.put(i.operand[0], out);
}

Execute build_multiply_add(Instruction& i, Modifiers& m) {
  if (!take_format(i, m) || i.count != 4 || !are_numbers(i, 0, 4)) return nullptr;
  const bool constant = is_zero(i.operand[1]) && is_zero(i.operand[2]) && i.operand[1].negate && !i.operand[2].negate &&
                        i.operand[3].is(Kind::immediate) && !i.operand[3].negate;
  return constant ? run_constant : run_multiply_add;
}

// HADD2.F32: the sum of two halves as a float; how halves are converted.
void run_to_float(Warp& w, const Instruction& i) {
  Pair a, b;
  read_pair(w, i.operand[1], a);
  read_pair(w, i.operand[2], b);
  Words out;
  for_lanes([&](unsigned l) {
    out.v[l] = result_bits(static_cast<float>(double(widen_half(static_cast<uint16_t>(a.low.v[l]))) +
                                              widen_half(static_cast<uint16_t>(b.low.v[l]))));
  });
  w.put(i.operand[0], out);
}

Execute build_add(Instruction& i, Modifiers& m) {
  const bool to_float = m.take("F32");
  if (!take_format(i, m) || i.count != 3 || !are_numbers(i, 0, 3)) return nullptr;
  return !to_float ? run_add : i.detail == 0 ? run_to_float : nullptr;
}
Execute build_multiply(Instruction& i, Modifiers& m) {
  return take_format(i, m) && i.count == 3 && are_numbers(i, 0, 3) ? run_multiply : nullptr;
}

// F2FP: two floats become a pair, the first one on top.
void run_pack(Warp& w, const Instruction& i) {
  Words ra, rb, out;
  const Words &a = w.floats(i.operand[1], ra), &b = w.floats(i.operand[2], rb);
  const bool brain = i.detail & kBrainFloat;
  each_lane(w.active(), [&](unsigned l) {
    out[l] = uint32_t(narrow(as_float(a[l]), brain)) << 16 | narrow(as_float(b[l]), brain);
  });
  w.put(i.operand[0], out);
}

Execute build_pack(Instruction& i, Modifiers& m) {
  const int format = m.take_one({"F16", "BF16"});
  const bool fits = format >= 0 && m.take("F32") && m.take("PACK_AB") && i.count == 3 && are_numbers(i, 0, 3);
  i.detail = format == 1 ? kBrainFloat : 0;
  return fits ? run_pack : nullptr;
}

}  // namespace

Entries half_instructions() {
  return {{"HFMA2", build_multiply_add, Pipe::fma_heavy},
          {"HADD2", build_add, Pipe::half},
          {"HMUL2", build_multiply, Pipe::half},
          {"F2FP", build_pack, Pipe::alu}};
}

}  // namespace machine
