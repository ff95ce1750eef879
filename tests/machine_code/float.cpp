// Arithmetic and comparisons of floats.
#include "compute.h"
#include "rounding.h"

namespace machine {
namespace {

// Instruction::detail of arithmetic: the direction of rounding in the lowest two bits, then these.
enum : uint8_t { kFlushes = 4, kSaturates = 8, kMaximumOfNaN = 16 };
Rounding rounding_of(const Instruction& i) { return static_cast<Rounding>(i.detail & 3); }

bool take_rounding(Instruction& i, Modifiers& m) {
  const int r = m.take_one({"RN", "RM", "RP", "RZ"});
  i.detail |= static_cast<uint8_t>(r < 0 ? 0 : r);
  if (m.take("FTZ")) i.detail |= kFlushes;
  if (m.take("SAT")) i.detail |= kSaturates;
  return true;
}

// Sources as numbers, with small ones flushed.
struct Sources {
  Words room[3];
  const Words* v[3];

  Sources(Warp& w, const Instruction& i, unsigned count) {
    for (unsigned k = 0; k < count; ++k) {
      v[k] = &w.floats(i.operand[k + 1], room[k]);
      if (!(i.detail & kFlushes)) continue;
      for_lanes([&](unsigned l) { room[k].v[l] = flushed(v[k]->v[l]); });
      v[k] = &room[k];
    }
  }
  float at(unsigned k, unsigned l) const { return as_float(v[k]->v[l]); }
};

void put_float(Warp& w, const Instruction& i, Words& out) {
  if (i.detail & kFlushes) for_lanes([&](unsigned l) { out.v[l] = flushed(out.v[l]); });
  if (i.detail & kSaturates)
    for_lanes([&](unsigned l) {
      const float x = as_float(out.v[l]);
      out.v[l] = bits_of(x > 0 ? (x < 1 ? x : 1.0f) : 0.0f);
    });
  w.put(i.operand[0], out);
}

// FADD, FMUL, FFMA: `plain` to nearest, else a * b + c with operands put in their places.
template <unsigned sources, class Plain, class Other>
void run_arithmetic(Warp& w, const Instruction& i, Plain plain, Other other) {
  const Sources s(w, i, sources);
  Words out;
  if (rounding_of(i) == Rounding::nearest) for_lanes([&](unsigned l) { out.v[l] = result_bits(plain(s, l)); });
  else each_lane(w.active(), [&](unsigned l) { out[l] = result_bits(other(s, l)); });
  put_float(w, i, out);
}

void run_add(Warp& w, const Instruction& i) {
  run_arithmetic<2>(w, i, [](const Sources& s, unsigned l) { return s.at(0, l) + s.at(1, l); },
                    [&](const Sources& s, unsigned l) { return fused(s.at(0, l), 1.0f, s.at(1, l), rounding_of(i)); });
}
void run_multiply(Warp& w, const Instruction& i) {
  run_arithmetic<2>(w, i, [](const Sources& s, unsigned l) { return s.at(0, l) * s.at(1, l); },
                    [&](const Sources& s, unsigned l) {
                      return narrowed(double(s.at(0, l)) * s.at(1, l), rounding_of(i));
                    });
}
// The product times a power of two, rounded once.
void run_multiply_scaled(Warp& w, const Instruction& i) {
  const Sources s(w, i, 2);
  const double scale = i.size / 8.0;
  Words out;
  for_lanes([&](unsigned l) { out.v[l] = result_bits(static_cast<float>(double(s.at(0, l)) * s.at(1, l) * scale)); });
  put_float(w, i, out);
}
void run_fused(Warp& w, const Instruction& i) {
  run_arithmetic<3>(w, i, [](const Sources& s, unsigned l) { return std::fma(s.at(0, l), s.at(1, l), s.at(2, l)); },
                    [&](const Sources& s, unsigned l) {
                      return fused(s.at(0, l), s.at(1, l), s.at(2, l), rounding_of(i));
                    });
}

template <unsigned sources, Execute run> Execute build_arithmetic(Instruction& i, Modifiers& m) {
  return take_rounding(i, m) && i.count == sources + 1 && are_numbers(i, 0, sources + 1) ? run : nullptr;
}

Execute build_multiply(Instruction& i, Modifiers& m) {
  const int scale = m.take_one({"D8", "D4", "D2", "M2", "M4", "M8"});
  constexpr uint8_t eighths[] = {1, 2, 4, 16, 32, 64};
  const Execute run = build_arithmetic<2, run_multiply>(i, m);
  if (scale < 0 || !run) return run;
  i.size = eighths[scale];
  return rounding_of(i) == Rounding::nearest ? run_multiply_scaled : nullptr;
}

// The smaller where the predicate holds, else the larger. -0 is smaller than 0. NaN: the other number, or with NAN,
// NaN.
void run_minimum(Warp& w, const Instruction& i) {
  const Sources s(w, i, 2);
  Words least, out;
  spread(least, w.predicate(i.operand[3]));
  const bool of_nan = i.detail & kMaximumOfNaN;
  for_lanes([&](unsigned l) {
    const uint32_t ua = s.v[0]->v[l], ub = s.v[1]->v[l];
    const float a = as_float(ua), b = as_float(ub);
    const bool less = a < b || (a == b && (ua & 0x80000000u) > (ub & 0x80000000u));
    const uint32_t low = less ? ua : ub, high = less ? ub : ua;
    uint32_t x = (low & least.v[l]) | (high & ~least.v[l]);
    const bool nan_a = a != a, nan_b = b != b;
    x = nan_a ? ub : nan_b ? ua : x;
    x = (nan_a && nan_b) || (of_nan && (nan_a || nan_b)) ? kNaN : x;
    out.v[l] = x;
  });
  w.put(i.operand[0], out);
}

Execute build_minimum(Instruction& i, Modifiers& m) {
  if (m.take("FTZ")) i.detail |= kFlushes;
  if (m.take("NAN")) i.detail |= kMaximumOfNaN;
  return i.count == 4 && are_numbers(i, 0, 3) && is_predicate(i.operand[3]) ? run_minimum : nullptr;
}

// Comparisons keep the Compare in the lowest four bits of `size`, and the Combine above it.
bool take_comparison(Instruction& i, Modifiers& m) {
  Compare compare;
  Combine combine;
  if (!take_compare(m, true, compare, combine)) return false;
  if (m.take("FTZ")) i.detail |= kFlushes;
  i.size = static_cast<uint8_t>(static_cast<unsigned>(compare) | static_cast<unsigned>(combine) << 4);
  return true;
}

uint32_t compared(Warp& w, const Instruction& i, unsigned first) {
  Words ra, rb, flags;
  const Words &ua = w.floats(i.operand[first], ra), &ub = w.floats(i.operand[first + 1], rb);
  const unsigned set = i.size & 15u;
  const bool flushes = i.detail & kFlushes;
  for_lanes([&](unsigned l) {
    const float a = as_float(flushes ? flushed(ua.v[l]) : ua.v[l]), b = as_float(flushes ? flushed(ub.v[l]) : ub.v[l]);
    const unsigned relation = a < b ? 1u : a == b ? 2u : a > b ? 4u : 8u;
    flags.v[l] = relation & set;
  });
  return gather(flags);
}

void run_compare(Warp& w, const Instruction& i) {
  put_comparison(w, i, compared(w, i, 2), w.predicate(i.operand[4]), static_cast<Combine>(i.size >> 4));
}

Execute build_compare(Instruction& i, Modifiers& m) {
  return take_comparison(i, m) && i.count == 5 && are_predicates(i, 0, 2) && are_numbers(i, 2, 4) &&
                 is_predicate(i.operand[4])
             ? run_compare
             : nullptr;
}

// FSET: the result as a number, 1.0 or all ones.
void run_set(Warp& w, const Instruction& i) {
  const uint32_t with = w.predicate(i.operand[3]), result = compared(w, i, 1);
  const auto combine = static_cast<Combine>(i.size >> 4);
  Words out;
  spread(out, combine == Combine::and_ ? result & with : combine == Combine::or_ ? result | with : result ^ with);
  if (i.detail & kSaturates) for_lanes([&](unsigned l) { out.v[l] &= bits_of(1.0f); });
  w.put(i.operand[0], out);
}

Execute build_set(Instruction& i, Modifiers& m) {
  const bool number = m.take("BF");
  if (!take_comparison(i, m)) return nullptr;
  if (number) i.detail |= kSaturates;  // says that the result is a number
  return i.count == 4 && are_numbers(i, 0, 3) && is_predicate(i.operand[3]) ? run_set : nullptr;
}

// FCHK: true if a / b needs more care than its fast path takes: the quotient, its reciprocal or the remainders leave
// the range of normal numbers. Where it is true for more numbers than on a GPU, the slow path finds the same quotient.
void run_check_division(Warp& w, const Instruction& i) {
  Words ra, rb, flags;
  const Words &a = w.floats(i.operand[1], ra), &b = w.floats(i.operand[2], rb);
  for_lanes([&](unsigned l) {
    const int ea = static_cast<int>(a.v[l] >> 23 & 255), eb = static_cast<int>(b.v[l] >> 23 & 255);
    const bool far = eb == 0 || eb > 252 || ea == 255 || ea < 24 || ea - eb > 125 || ea - eb < -124;
    flags.v[l] = far ? 1u : 0u;
  });
  w.put_predicate(i.operand[0], gather(flags));
}

Execute build_check_division(Instruction& i, Modifiers&) {
  return i.count == 3 && is_predicate(i.operand[0]) && are_numbers(i, 1, 3) ? run_check_division : nullptr;
}

}  // namespace

Entries float_instructions() {
  return {{"FADD", build_arithmetic<2, run_add>, Pipe::fma}, {"FMUL", build_multiply, Pipe::fma},
          {"FFMA", build_arithmetic<3, run_fused>, Pipe::fma}, {"FMNMX", build_minimum, Pipe::alu},
          {"FSETP", build_compare, Pipe::alu},                {"FSET", build_set, Pipe::alu},
          {"FCHK", build_check_division, Pipe::xu}};
}

}  // namespace machine
