// Bits: logic of three operands, shifts, permutations, counts; selection; predicates as bits.
#include "compute.h"

namespace machine {
namespace {

// The function of three bits whose table of truth is `lut`.
template <class T> T look_up(unsigned lut, T a, T b, T c) {
  T out = 0;
  for (unsigned k = 0; k < 8; ++k)
    if (lut >> k & 1) out |= (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
  return out;
}

template <class F> void each_of_three(const Words& a, const Words& b, const Words& c, Words& out, F f) {
  for_lanes([&](unsigned l) { out.v[l] = f(a.v[l], b.v[l], c.v[l]); });
}

// LOP3: also tells whether any bit of the result is set, or the last predicate holds.
void run_logic(Warp& w, const Instruction& i) {
  const unsigned to = i.first;  // a predicate may come before the register
  Words ra, rb, rc, out;
  const Words &a = w.ints(i.operand[to + 1], ra), &b = w.ints(i.operand[to + 2], rb),
              &c = w.ints(i.operand[to + 3], rc);
  using W = uint32_t;
  switch (i.detail) {
    case 0xc0: each_of_three(a, b, c, out, [](W x, W y, W) { return x & y; }); break;
    case 0xfc: each_of_three(a, b, c, out, [](W x, W y, W) { return x | y; }); break;
    case 0x3c: each_of_three(a, b, c, out, [](W x, W y, W) { return x ^ y; }); break;
    case 0x33: each_of_three(a, b, c, out, [](W, W y, W) { return ~y; }); break;
    case 0xf8: each_of_three(a, b, c, out, [](W x, W y, W z) { return x | (y & z); }); break;
    default: each_of_three(a, b, c, out, [&](W x, W y, W z) { return look_up(i.detail, x, y, z); });
  }
  if (to == 1) w.put_predicate(i.operand[0], gather(out) | w.predicate(i.operand[6]));
  w.put(i.operand[to], out);
}

Execute build_logic(Instruction& i, Modifiers& m) {
  if (!m.take("LUT")) return nullptr;
  i.first = is_predicate(i.operand[0]) ? 1 : 0;
  const unsigned to = i.first;
  if (i.count != to + 6 || !are_numbers(i, to, to + 5) || !is_predicate(i.operand[to + 5])) return nullptr;
  i.detail = static_cast<uint8_t>(i.operand[to + 4].value);
  return run_logic;
}

void run_predicate_logic(Warp& w, const Instruction& i) {
  const uint32_t a = w.predicate(i.operand[2]), b = w.predicate(i.operand[3]), c = w.predicate(i.operand[4]);
  w.put_predicate(i.operand[0], look_up(static_cast<unsigned>(i.operand[5].value), a, b, c));
  w.put_predicate(i.operand[1], look_up(static_cast<unsigned>(i.operand[6].value), a, b, c));
}

Execute build_predicate_logic(Instruction& i, Modifiers& m) {
  return m.take("LUT") && i.count == 7 && are_predicates(i, 0, 5) && are_numbers(i, 5, 7) ? run_predicate_logic
                                                                                          : nullptr;
}

// Shifts of a pair: bits of Instruction::detail.
enum : uint8_t { kLeft = 1, kWraps = 2, kUpper = 4, kSigned = 8, k64 = 16 };

void run_shift(Warp& w, const Instruction& i) {
  Words ra, rs, rb, out;
  const Words &low = w.ints(i.operand[1], ra), &shifts = w.ints(i.operand[2], rs), &high = w.ints(i.operand[3], rb);
  const uint32_t width = i.detail & k64 ? 64 : 32;
  const bool left = i.detail & kLeft, wraps = i.detail & kWraps, upper = i.detail & kUpper,
             is_signed = i.detail & kSigned;
  for_lanes([&](unsigned l) {
    const uint64_t pair = uint64_t(high.v[l]) << 32 | low.v[l];
    const uint32_t s = wraps ? shifts.v[l] & (width - 1) : shifts.v[l] < width ? shifts.v[l] : width;
    const uint32_t most = s < 63 ? s : 63;
    uint64_t x;
    if (left) x = s > 63 ? 0 : pair << most;
    else if (is_signed) x = static_cast<uint64_t>(static_cast<int64_t>(pair) >> most);
    else x = s > 63 ? 0 : pair >> most;
    out.v[l] = static_cast<uint32_t>(upper ? x >> 32 : x);
  });
  w.put(i.operand[0], out);
}

Execute build_shift(Instruction& i, Modifiers& m) {
  const int side = m.take_one({"L", "R"}), type = m.take_one({"U32", "S32", "U64", "S64"});
  if (side < 0 || type < 0) return nullptr;
  i.detail = static_cast<uint8_t>((side == 0 ? kLeft : 0) | (m.take("W") ? kWraps : 0) | (m.take("HI") ? kUpper : 0) |
                                  (type & 1 ? kSigned : 0) | (type >= 2 ? k64 : 0));
  return i.count == 4 && are_numbers(i, 0, 4) ? run_shift : nullptr;
}

// PRMT: four bytes out of eight; bit 3 of a selector copies the byte's sign over it.
void run_permute(Warp& w, const Instruction& i) {
  Words ra, rs, rb, out;
  const Words &low = w.ints(i.operand[1], ra), &selectors = w.ints(i.operand[2], rs), &high = w.ints(i.operand[3], rb);
  for_lanes([&](unsigned l) {
    const uint64_t pair = uint64_t(high.v[l]) << 32 | low.v[l];
    uint32_t x = 0;
    for (unsigned k = 0; k < 4; ++k) {
      const uint32_t s = selectors.v[l] >> 4 * k & 15;
      uint32_t byte = static_cast<uint32_t>(pair >> 8 * (s & 7)) & 255;
      if (s & 8) byte = byte & 128 ? 255 : 0;
      x |= byte << 8 * k;
    }
    out.v[l] = x;
  });
  w.put(i.operand[0], out);
}

Execute build_permute(Instruction& i, Modifiers&) {
  return i.count == 4 && are_numbers(i, 0, 4) ? run_permute : nullptr;
}

// One word to another.
template <class F> void map(Warp& w, const Instruction& i, F f) {
  Words ra, out;
  const Words& a = w.ints(i.operand[1], ra);
  for_lanes([&](unsigned l) { out.v[l] = f(a.v[l]); });
  w.put(i.operand[0], out);
}

uint32_t reversed(uint32_t x) {
  x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
  x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
  x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
  return __builtin_bswap32(x);
}

void run_reverse(Warp& w, const Instruction& i) { map(w, i, reversed); }
void run_count(Warp& w, const Instruction& i) {
  map(w, i, [](uint32_t x) { return static_cast<uint32_t>(std::popcount(x)); });
}

// The place of the highest bit that is set (of a signed number: that differs from the sign), or with SH how far it is
// from the top; all ones where there is none.
enum : uint8_t { kFromTop = 1, kOfSigned = 2 };
void run_leading(Warp& w, const Instruction& i) {
  map(w, i, [&](uint32_t x) {
    if ((i.detail & kOfSigned) && static_cast<int32_t>(x) < 0) x = ~x;
    const auto zeros = static_cast<uint32_t>(std::countl_zero(x));
    return x == 0 ? kAll : i.detail & kFromTop ? zeros : 31 - zeros;
  });
}

template <Execute run> Execute build_map(Instruction& i, Modifiers&) {
  return i.count == 2 && are_numbers(i, 0, 2) ? run : nullptr;
}
Execute build_leading(Instruction& i, Modifiers& m) {
  i.detail = static_cast<uint8_t>((m.take("U32") ? 0 : kOfSigned) | (m.take("SH") ? kFromTop : 0));
  return i.count == 2 && are_numbers(i, 0, 2) ? run_leading : nullptr;
}

// SEL and FSEL: the first where the predicate holds, else the second. They differ in what a minus means.
template <bool numbers> void run_select(Warp& w, const Instruction& i) {
  const uint32_t first = w.predicate(i.operand[3]);
  w.move(i.operand[0], i.operand[1], first, i.operand[2], [&] {
    Words ra, rb, choice, out;
    const Words& a = numbers ? w.floats(i.operand[1], ra) : w.ints(i.operand[1], ra);
    const Words& b = numbers ? w.floats(i.operand[2], rb) : w.ints(i.operand[2], rb);
    spread(choice, first);
    for_lanes([&](unsigned l) { out.v[l] = (a.v[l] & choice.v[l]) | (b.v[l] & ~choice.v[l]); });
    w.put(i.operand[0], out);
  });
}

template <bool numbers> Execute build_select(Instruction& i, Modifiers&) {
  return i.count == 4 && are_numbers(i, 0, 3) && is_predicate(i.operand[3]) ? run_select<numbers> : nullptr;
}

// P2R Rd, PR, Ra, mask: predicates where the mask has bits, Ra elsewhere.
void run_from_predicates(Warp& w, const Instruction& i) {
  Words ra, rm, out;
  const Words &a = w.ints(i.operand[2], ra), &mask = w.ints(i.operand[3], rm);
  for_lanes([&](unsigned l) { out.v[l] = (a.v[l] & ~mask.v[l]) | (w.predicates_of(l) & mask.v[l]); });
  w.put(i.operand[0], out);
}

Execute build_from_predicates(Instruction& i, Modifiers&) {
  const bool fits = i.count == 4 && i.operand[1].is(Kind::predicates) && are_numbers(i, 2, 4) &&
                    i.operand[3].is(Kind::immediate) && i.operand[3].value >= 0 && i.operand[3].value < 128;
  return fits ? run_from_predicates : nullptr;
}

// R2P PR, Ra, mask
void run_to_predicates(Warp& w, const Instruction& i) {
  Words ra;
  const Words& a = w.ints(i.operand[1], ra);
  const unsigned shift = i.operand[1].part == Part::all ? 0 : 8 * (static_cast<unsigned>(i.operand[1].part) -
                                                                    static_cast<unsigned>(Part::byte0));
  for (unsigned p = 0; p < kTrue; ++p) {
    if (!(i.operand[2].value >> p & 1)) continue;
    uint32_t mask = 0;
    for_lanes([&](unsigned l) { mask |= (a.v[l] >> (shift + p) & 1u) << l; });
    w.set_predicate(p, w.active(), mask);
  }
}

Execute build_to_predicates(Instruction& i, Modifiers&) {
  i.reads_parts = true;
  const bool fits = i.count == 3 && i.operand[0].is(Kind::predicates) && are_numbers(i, 1, 3) &&
                    i.operand[2].is(Kind::immediate) &&
                    (i.operand[1].part == Part::all || i.operand[1].part >= Part::byte0);
  return fits ? run_to_predicates : nullptr;
}

}  // namespace

Entries logic_instructions() {
  return {{"LOP3", build_logic, Pipe::alu},
          {"ULOP3", build_logic, Pipe::uniform},
          {"PLOP3", build_predicate_logic, Pipe::alu},
          {"UPLOP3", build_predicate_logic, Pipe::uniform},
          {"SHF", build_shift, Pipe::alu},
          {"USHF", build_shift, Pipe::uniform},
          {"PRMT", build_permute, Pipe::alu},
          {"UPRMT", build_permute, Pipe::uniform},
          {"BREV", build_map<run_reverse>, Pipe::xu},
          {"UBREV", build_map<run_reverse>, Pipe::uniform},
          {"POPC", build_map<run_count>, Pipe::xu},
          {"UPOPC", build_map<run_count>, Pipe::uniform},
          {"FLO", build_leading, Pipe::xu},
          {"UFLO", build_leading, Pipe::uniform},
          {"SEL", build_select<false>, Pipe::alu},
          {"USEL", build_select<false>, Pipe::uniform},
          {"FSEL", build_select<true>, Pipe::alu},
          {"P2R", build_from_predicates, Pipe::alu},
          {"R2P", build_to_predicates, Pipe::alu}};
}

}  // namespace machine
