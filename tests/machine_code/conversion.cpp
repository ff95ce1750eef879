// Conversions between integers, floats, doubles and halves, and rounding to whole numbers.
#include <algorithm>
#include <cmath>

#include "compute.h"
#include "halves.h"
#include "rounding.h"

namespace machine {
namespace {

enum class Number : uint8_t { f16, f32, f64 };
enum class Whole : uint8_t { nearest, down, up, zero };

int take_number(Modifiers& m) { return m.take_one({"F16", "F32", "F64"}); }
Rounding take_rounding(Modifiers& m) {
  return static_cast<Rounding>(std::max(m.take_one({"RN", "RM", "RP", "RZ"}), 0));
}

// A source as doubles, which hold every float and half exactly.
void read_numbers(Warp& w, const Operand& o, Number type, bool flushes, Lanes<double>& out) {
  if (type == Number::f64) {
    Wides x;
    w.doubles(o, x);
    return for_lanes([&](unsigned l) { out.v[l] = as_double(x.v[l]); });
  }
  Words room;
  const Words& x = w.floats(o, room);
  for_lanes([&](unsigned l) { out.v[l] = as_float(flushes ? flushed(x.v[l]) : x.v[l]); });
}

// --- F2F: the target in the lowest two bits of detail, then the source, the rounding, and whether small floats are
// flushed
void run_between_numbers(Warp& w, const Instruction& i) {
  const auto to = static_cast<Number>(i.detail & 3), from = static_cast<Number>(i.detail >> 2 & 3);
  const auto rounding = static_cast<Rounding>(i.detail >> 4 & 3);
  const bool flushes = i.detail & 64;
  Lanes<double> in;
  read_numbers(w, i.operand[1], from, flushes, in);
  if (to == Number::f64) {
    Wides out;
    for_lanes([&](unsigned l) { out.v[l] = bits_of(in.v[l]); });
    return w.put(i.operand[0], out);
  }
  Words out;
  if (to == Number::f16) each_lane(w.active(), [&](unsigned l) { out[l] = narrow(in[l], kHalf); });
  else if (rounding == Rounding::nearest)
    for_lanes([&](unsigned l) { out.v[l] = result_bits(static_cast<float>(in.v[l])); });
  else each_lane(w.active(), [&](unsigned l) { out[l] = result_bits(narrowed(in[l], rounding)); });
  if (flushes && to == Number::f32) for_lanes([&](unsigned l) { out.v[l] = flushed(out.v[l]); });
  w.put(i.operand[0], out);
}

Execute build_between_numbers(Instruction& i, Modifiers& m) {
  const int to = take_number(m), from = take_number(m);
  const Rounding rounding = take_rounding(m);
  const bool flushes = m.take("FTZ");
  i.operand[0].width = to == 2 ? 2 : 1;
  i.operand[1].width = from == 2 ? 2 : 1;
  i.detail = static_cast<uint8_t>(to | from << 2 | static_cast<int>(rounding) << 4 | (flushes ? 64 : 0));
  const bool fits = to >= 0 && from >= 1 && to != from && i.count == 2 && are_numbers(i, 0, 2) &&
                    (rounding == Rounding::nearest || to == 1);
  return fits ? run_between_numbers : nullptr;
}

// --- integers: bits, whether they have a sign
struct Integer {
  unsigned bits = 32;
  bool is_signed = true;
};
bool take_integer(Modifiers& m, Integer& type) {
  const int t = m.take_one({"U8", "S8", "U16", "S16", "U32", "S32", "U64", "S64"});
  if (t >= 0) type = {8u << t / 2, t % 2 == 1};
  return t >= 0;
}
uint8_t packed(Integer t) { return static_cast<uint8_t>(std::countr_zero(t.bits) - 3) << 1 | (t.is_signed ? 1 : 0); }
Integer unpacked(unsigned x) { return {8u << (x >> 1 & 3), (x & 1) != 0}; }

// --- I2F: the source in the lowest three bits of detail, the rounding, then whether a double is made
void run_from_integer(Warp& w, const Instruction& i) {
  const Integer from = unpacked(i.detail);
  const auto rounding = static_cast<Rounding>(i.detail >> 3 & 3);
  const Operand& o = i.operand[1];
  Wides in, out;
  if (from.bits == 64) {
    w.ints(o, in);
  } else {
    Words room;
    const Words& x = w.ints(o, room);
    const unsigned shift = o.part == Part::high ? 16
                           : o.part >= Part::byte0
                               ? 8 * (static_cast<unsigned>(o.part) - static_cast<unsigned>(Part::byte0))
                               : 0;
    const unsigned unused = 32 - from.bits;
    for_lanes([&](unsigned l) {
      const uint32_t bits = x.v[l] >> shift << unused;
      in.v[l] = from.is_signed ? static_cast<uint64_t>(int64_t(static_cast<int32_t>(bits) >> unused)) : bits >> unused;
    });
  }
  if (i.detail & 32) {
    for_lanes([&](unsigned l) {
      const double x =
          from.is_signed ? static_cast<double>(static_cast<int64_t>(in.v[l])) : static_cast<double>(in.v[l]);
      out.v[l] = bits_of(x);
    });
    return w.put(i.operand[0], out);
  }
  Words low;
  each_lane(w.active(), [&](unsigned l) {
    low[l] = bits_of(from.is_signed ? narrowed(static_cast<int64_t>(in[l]), rounding) : narrowed(in[l], rounding));
  });
  w.put(i.operand[0], low);
}

Execute build_from_integer(Instruction& i, Modifiers& m) {
  i.reads_parts = true;
  const int to = take_number(m);
  Integer from;
  take_integer(m, from);
  const Rounding rounding = take_rounding(m);
  if (to == 0 || (to == 2 && rounding != Rounding::nearest) || i.count != 2 || !are_numbers(i, 0, 2)) return nullptr;
  i.operand[0].width = to == 2 ? 2 : 1;
  i.operand[1].width = from.bits == 64 ? 2 : 1;
  i.detail = static_cast<uint8_t>(packed(from) | static_cast<int>(rounding) << 3 | (to == 2 ? 32 : 0));
  return run_from_integer;
}

double whole(double x, Whole mode) {
  switch (mode) {
    case Whole::down: return std::floor(x);
    case Whole::up: return std::ceil(x);
    case Whole::zero: return std::trunc(x);
    default: return std::nearbyint(x);
  }
}

// A whole number as an integer; too large ones become the largest, NaN the given one.
uint64_t clamped(double x, Integer to, uint64_t of_nan) {
  if (x != x) return of_nan;
  const double top = std::scalbn(1.0, static_cast<int>(to.bits) - (to.is_signed ? 1 : 0));
  if (to.is_signed) {
    if (x >= top) return (uint64_t(1) << (to.bits - 1)) - 1;
    return static_cast<uint64_t>(static_cast<int64_t>(x < -top ? -top : x));
  }
  if (x >= top) return to.bits == 64 ? ~uint64_t(0) : (uint64_t(1) << to.bits) - 1;
  return x <= 0 ? 0 : static_cast<uint64_t>(x);
}

// --- F2I: the target in the lowest three bits of detail, the rounding, NTZ, FTZ; whether a double is read in `size`
void run_to_integer(Warp& w, const Instruction& i) {
  const Integer to = unpacked(i.detail);
  const auto mode = static_cast<Whole>(i.detail >> 3 & 3);
  const uint64_t of_nan = i.detail & 32 ? 0 : uint64_t(1) << (std::max(to.bits, 32u) - 1);
  Lanes<double> in;
  read_numbers(w, i.operand[1], i.size == 8 ? Number::f64 : Number::f32, i.detail & 64, in);
  Wides out;
  each_lane(w.active(), [&](unsigned l) { out[l] = clamped(whole(in[l], mode), to, of_nan); });
  if (to.bits == 64) return w.put(i.operand[0], out);
  Words low;
  for_lanes([&](unsigned l) { low.v[l] = static_cast<uint32_t>(out.v[l]); });
  w.put(i.operand[0], low);
}

Execute build_to_integer(Instruction& i, Modifiers& m) {
  Integer to;
  take_integer(m, to);
  const int from = take_number(m), mode = m.take_one({"", "FLOOR", "CEIL", "TRUNC"});
  i.size = from == 2 ? 8 : 4;
  i.operand[0].width = to.bits == 64 ? 2 : 1;
  i.operand[1].width = from == 2 ? 2 : 1;
  i.detail =
      static_cast<uint8_t>(packed(to) | std::max(mode, 0) << 3 | (m.take("NTZ") ? 32 : 0) | (m.take("FTZ") ? 64 : 0));
  return from != 0 && i.count == 2 && are_numbers(i, 0, 2) ? run_to_integer : nullptr;
}

// --- FRND
void run_to_whole(Warp& w, const Instruction& i) {
  const auto mode = static_cast<Whole>(i.detail & 3);
  const bool flushes = i.detail & 4;
  Lanes<double> in;
  read_numbers(w, i.operand[1], i.size == 8 ? Number::f64 : Number::f32, flushes, in);
  for_lanes([&](unsigned l) { in.v[l] = whole(in.v[l], mode); });
  if (i.size == 8) {
    Wides out;
    for_lanes([&](unsigned l) { out.v[l] = bits_of(in.v[l]); });
    return w.put(i.operand[0], out);
  }
  Words out;
  for_lanes([&](unsigned l) { out.v[l] = result_bits(static_cast<float>(in.v[l])); });
  w.put(i.operand[0], out);
}

Execute build_to_whole(Instruction& i, Modifiers& m) {
  const int type = take_number(m), mode = m.take_one({"", "FLOOR", "CEIL", "TRUNC"});
  i.size = type == 2 ? 8 : 4;
  i.operand[0].width = i.operand[1].width = type == 2 ? 2 : 1;
  i.detail = static_cast<uint8_t>(std::max(mode, 0) | (m.take("FTZ") ? 4 : 0));
  return type != 0 && i.count == 2 && are_numbers(i, 0, 2) ? run_to_whole : nullptr;
}

}  // namespace

Entries conversion_instructions() {
  return {{"F2F", build_between_numbers, Pipe::xu},
          {"I2F", build_from_integer, Pipe::xu},
          {"I2FP", build_from_integer, Pipe::alu},
          {"F2I", build_to_integer, Pipe::xu},
          {"FRND", build_to_whole, Pipe::xu}};
}

}  // namespace machine
