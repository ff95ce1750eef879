// Atomics of global and shared memory. A warp's lanes take turns.
#include <algorithm>

#include "access.h"
#include "compute.h"
#include "rounding.h"

namespace machine {
namespace {

enum class Update : uint8_t {
  add,
  least,
  most,
  and_,
  or_,
  xor_,
  exchange,
  increment,
  decrement,
  compare_and_swap,
  compare_and_test
};
enum class Type : uint8_t { u32, s32, u64, s64, f32, f64 };

// detail: the Update in the lowest four bits, the Type above.
Update update_of(const Instruction& i) { return static_cast<Update>(i.detail & 15); }
Type type_of(const Instruction& i) { return static_cast<Type>(i.detail >> 4); }

template <class T> uint64_t updated_integer(Update u, T old, T operand) {
  using U = std::make_unsigned_t<T>;
  const auto a = static_cast<U>(old), b = static_cast<U>(operand);
  switch (u) {
    case Update::add: return static_cast<U>(a + b);
    case Update::least: return static_cast<U>(std::min(old, operand));
    case Update::most: return static_cast<U>(std::max(old, operand));
    case Update::and_: return a & b;
    case Update::or_: return a | b;
    case Update::xor_: return a ^ b;
    case Update::increment: return a >= b ? 0 : a + 1;
    case Update::decrement: return a == 0 || a > b ? b : a - 1;
    default: return b;
  }
}

uint64_t updated(const Instruction& i, uint64_t old, uint64_t operand) {
  const Update u = update_of(i);
  switch (type_of(i)) {
    case Type::u32: return updated_integer(u, static_cast<uint32_t>(old), static_cast<uint32_t>(operand));
    case Type::s32: return updated_integer(u, static_cast<int32_t>(old), static_cast<int32_t>(operand));
    case Type::u64: return updated_integer(u, old, operand);
    case Type::s64: return updated_integer(u, static_cast<int64_t>(old), static_cast<int64_t>(operand));
    case Type::f32: {  // float sums flush what is small
      const float a = as_float(flushed(static_cast<uint32_t>(old))),
                  b = as_float(flushed(static_cast<uint32_t>(operand)));
      return flushed(result_bits(a + b));
    }
    default: return bits_of(as_double(old) + as_double(operand));
  }
}

uint64_t register_value(Warp& w, unsigned reg, unsigned lane, unsigned size) {
  uint64_t value = w.word(reg, lane);
  if (size == 8 && reg != kNoRegister) value |= uint64_t(w.word(reg + 1, lane)) << 32;
  return value;
}

// The operands: [predicate,] [result,] address, [compared,] value.
template <Space space> void run_atomic(Warp& w, const Instruction& i) {
  const unsigned at = i.first;  // of the address
  Wides addresses, out;
  addresses_of(w, i.operand[at], space, addresses);
  if constexpr (space == Space::shared) {
    count_shared(w, addresses, i.size);
  } else {
    w.launch.counts.atomics += static_cast<unsigned>(std::popcount(w.active()));
  }
  const Update u = update_of(i);
  const bool compares = u == Update::compare_and_swap || u == Update::compare_and_test;
  each_lane(w.active(), [&](unsigned l) {
    const Place p = find_place(w, space, addresses[l], i.size, l, Access::atomic);
    check_strong(w, p, i.size, l, true, true);
    uint64_t old = 0;
    std::memcpy(&old, p.bytes, i.size);
    const uint64_t operand = register_value(w, i.operand[at + 1].reg, l, i.size);
    const uint64_t swapped = compares ? register_value(w, i.operand[at + 2].reg, l, i.size) : 0;
    const uint64_t now = compares ? (old == operand ? swapped : old) : updated(i, old, operand);
    std::memcpy(p.bytes, &now, i.size);
    out[l] = u == Update::compare_and_test ? (old == operand ? 1 : 0) : old;
  });
  if (at == 0) return;
  const Operand& result = i.operand[at - 1];
  if (i.size == 8) return w.put(result, out);
  Words low;
  for_lanes([&](unsigned l) { low.v[l] = static_cast<uint32_t>(out.v[l]); });
  w.put(result, low);
}

// The modifiers say the update, then the type; how strong it is says little, since all are atomic.
bool take_update(Instruction& i, Modifiers& m) {
  m.take("E");
  const int update = m.take_one({"ADD", "MIN", "MAX", "AND", "OR", "XOR", "EXCH", "INC", "DEC", "CAS", "CAST"});
  m.take("SPIN");
  const int type = m.take_one({"U32", "S32", "64", "S64", "F32", "F64"});
  if (update < 0) return false;
  const bool number = type >= 4;
  if (number) m.take("FTZ"), m.take("RN");
  if (number && update != 0) return false;
  if (m.take("STRONG") && m.take_one({"SM", "CTA", "GPU", "SYS"}) < 0) return false;
  i.detail = static_cast<uint8_t>(update | std::max(type, 0) << 4);
  i.size = type == 2 || type == 3 || type == 5 ? 8 : 4;
  return true;
}

template <Space space> Execute build_atomic(Instruction& i, Modifiers& m) {
  if (!take_update(i, m)) return nullptr;
  while (i.first < i.count && !i.operand[i.first].is(Kind::address)) ++i.first;
  const Update u = update_of(i);
  const unsigned values = u == Update::compare_and_swap || u == Update::compare_and_test ? 2 : 1;
  if (i.count != i.first + 1 + values) return nullptr;
  for (unsigned k = i.first + 1; k < i.count; ++k)
    if (!i.operand[k].is(Kind::reg) || i.operand[k].negate) return nullptr;
  const bool result = i.first == 0 || (i.operand[i.first - 1].is(Kind::reg) &&
                                       (i.first == 1 || (is_predicate(i.operand[0]) && i.operand[0].reg == kTrue)));
  for (unsigned k = 0; k < i.count; ++k) i.operand[k].width = i.size / 4;
  i.operand[i.first].width = is_pair(i.operand[i.first], space) ? 2 : 1;
  return result && i.first <= 2 ? run_atomic<space> : nullptr;
}

}  // namespace

Entries atomic_instructions() {
  return {{"ATOMG", build_atomic<Space::global>, Pipe::lsu}, {"REDG", build_atomic<Space::global>, Pipe::lsu},
          {"ATOM", build_atomic<Space::generic>, Pipe::lsu}, {"RED", build_atomic<Space::generic>, Pipe::lsu},
          {"ATOMS", build_atomic<Space::shared>, Pipe::lsu}};
}

}  // namespace machine
