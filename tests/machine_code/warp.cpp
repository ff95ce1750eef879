#include "warp.h"

#include <cstdio>

#include "block.h"

namespace machine {
namespace {

// -, ~ and | | of integers.
template <class T> T as_integer(const Operand& o, T x) {
  using Signed = std::make_signed_t<T>;
  if (o.absolute && static_cast<Signed>(x) < 0) x = 0 - x;
  if (o.invert) x = ~x;
  return o.negate ? 0 - x : x;
}
// - and | | of floating-point numbers, as bits.
template <class T> T as_number(const Operand& o, T x) {
  constexpr T sign = T(1) << (sizeof(T) * 8 - 1);
  if (o.absolute) x &= ~sign;
  return o.negate ? x ^ sign : x;
}

bool is_plain(const Operand& o) { return !(o.negate || o.absolute || o.invert); }

template <class T, class F> const Lanes<T>& with(const Operand& o, const Lanes<T>& value, Lanes<T>& room, F f) {
  if (is_plain(o)) return value;
  for (unsigned l = 0; l < kLanes; ++l) room.v[l] = f(o, value.v[l]);
  return room;
}

const Words kZeros{};

}  // namespace

Warp::Warp(Block& block, unsigned index)
    : block(block),
      launch(block.launch),
      index(index),
      lanes([&] {
        const unsigned left = block.launch.grid.threads - index * kLanes;
        return left >= kLanes ? kAll : (1u << left) - 1;
      }()),
      registers_(256) {
  order.block = &block.order;
  order.warp = index;
  // what nothing wrote is different in every register and lane
  for (unsigned r = 0; r < kNoRegister; ++r)
    for (unsigned l = 0; l < kLanes; ++l) registers_[r][l] = 0xffa00000u + (r << 8) + l;
  registers_[kNoRegister] = kZeros;
  predicates_[kTrue] = kAll;
  group().uniforms.predicates = 1u << kTrue;
}

unsigned Warp::first_lane() const { return static_cast<unsigned>(std::countr_zero(active_ ? active_ : 1u)); }

const Words& Warp::raw(const Operand& o, Words& room) {
  switch (o.kind) {
    case Kind::reg: return need_no_doubt(o.reg), registers_[o.reg];
    case Kind::uniform: return fill(room, group().uniforms.reg[o.reg]), room;
    case Kind::immediate: return fill(room, static_cast<uint32_t>(o.value)), room;
    case Kind::constant:
      if (o.reg == kNoRegister && o.uniform == kNoUniform)
        return fill(room, static_cast<uint32_t>(constant(o, 0, 4))), room;
      each_lane(active_, [&](unsigned l) { room[l] = static_cast<uint32_t>(constant(o, l, 4)); });
      return room;
    default: fault("unknown instruction", first_lane(), "an operand that is no number");
  }
}

const Words& Warp::ints(const Operand& o, Words& room) { return with(o, raw(o, room), room, as_integer<uint32_t>); }
const Words& Warp::floats(const Operand& o, Words& room) { return with(o, raw(o, room), room, as_number<uint32_t>); }

void Warp::raw(const Operand& o, Wides& out) {
  switch (o.kind) {
    case Kind::reg: {
      const unsigned upper = o.reg == kNoRegister ? o.reg : o.reg + 1u;
      need_no_doubt(o.reg);
      need_no_doubt(upper);
      const Words &low = registers_[o.reg], &high = registers_[upper];
      for (unsigned l = 0; l < kLanes; ++l) out.v[l] = uint64_t(high.v[l]) << 32 | low.v[l];
      return;
    }
    case Kind::uniform: {
      const auto& u = group().uniforms.reg;
      return fill(out, o.reg == kNoUniform ? 0 : uint64_t(u[o.reg + 1]) << 32 | u[o.reg]);
    }
    case Kind::immediate: return fill(out, static_cast<uint64_t>(o.value));
    case Kind::constant:
      if (o.reg == kNoRegister && o.uniform == kNoUniform) return fill(out, constant(o, 0, 8));
      return each_lane(active_, [&](unsigned l) { out[l] = constant(o, l, 8); });
    default: fault("unknown instruction", first_lane(), "an operand that is no number");
  }
}

void Warp::ints(const Operand& o, Wides& out) {
  raw(o, out);
  with(o, out, out, as_integer<uint64_t>);
}
void Warp::doubles(const Operand& o, Wides& out) {
  raw(o, out);
  with(o, out, out, as_number<uint64_t>);
}

uint32_t Warp::predicate(const Operand& o) {
  uint32_t mask = kAll;
  if (o.is(Kind::predicate)) mask = predicates_[o.reg];
  else if (o.is(Kind::uniform_predicate)) mask = group().uniforms.predicates >> o.reg & 1 ? kAll : 0;
  else if (has(o)) fault("unknown instruction", first_lane(), "an operand that is no predicate");
  return o.invert ? ~mask : mask;
}

void Warp::put(const Operand& o, const Words& value) {
  if (o.is(Kind::uniform)) {
    if (o.reg != kNoUniform) group().uniforms.reg[o.reg] = value[first_lane()];
    return;
  }
  if (o.reg == kNoRegister) return;
  if (doubts.any()) doubts.clear(o.reg, active_);
  Words& out = registers_[o.reg];
  if (active_ == kAll) {
    out = value;
    return;
  }
  if (spread_mask_ != active_) spread(spread_, spread_mask_ = active_);
  for (unsigned l = 0; l < kLanes; ++l) out.v[l] ^= (out.v[l] ^ value.v[l]) & spread_.v[l];
}

void Warp::put(const Operand& o, const Wides& value) {
  if (o.reg == (o.is(Kind::uniform) ? kNoUniform : kNoRegister)) return;
  Words half;
  for (unsigned l = 0; l < kLanes; ++l) half.v[l] = static_cast<uint32_t>(value.v[l]);
  put(o, half);
  Operand upper = o;
  ++upper.reg;
  for (unsigned l = 0; l < kLanes; ++l) half.v[l] = static_cast<uint32_t>(value.v[l] >> 32);
  put(upper, half);
}

void Warp::put_predicate(const Operand& o, uint32_t mask) {
  if (!has(o) || o.reg == kTrue) return;
  if (o.is(Kind::predicate)) return set_predicate(o.reg, active_, mask);
  uint32_t& all = group().uniforms.predicates;
  all = (all & ~(1u << o.reg)) | (mask >> first_lane() & 1u) << o.reg;
}

void Warp::set_predicate(unsigned p, uint32_t lanes, uint32_t mask) {
  predicates_[p] = (predicates_[p] & ~lanes) | (mask & lanes);
}

uint32_t Warp::predicates_of(unsigned lane) const {
  uint32_t bits = 0;
  for (unsigned p = 0; p < kTrue; ++p) bits |= (predicates_[p] >> lane & 1u) << p;
  return bits;
}

uint64_t Warp::constant(const Operand& o, unsigned lane, unsigned bytes) {
  const Bytes* bank = launch.bank(o.bank);
  uint64_t offset = static_cast<uint64_t>(o.value);
  if (o.reg != kNoRegister) offset += registers_[o.reg][lane];
  if (o.uniform != kNoUniform) offset += group().uniforms.reg[o.uniform];
  offset &= kAll;
  if (!bank || offset + bytes > bank->size() || (o.bank == 0 && !launch.bank0.is_known(offset, bytes)))
    fault("constant", lane, "reads constant bank " + std::to_string(o.bank) + " at " + std::to_string(offset));
  if (offset % bytes != 0) fault("misaligned", lane, "reads a constant at " + std::to_string(offset));
  uint64_t value = 0;
  std::memcpy(&value, bank->data() + offset, bytes);
  return value;
}

Stack& Warp::stack() {
  if (!stack_) {
    const size_t bytes = launch.stack_bytes * kLanes;
    stack_ = std::make_unique<Stack>(Stack{std::vector<unsigned char>(bytes), std::vector<unsigned char>(bytes)});
  }
  return *stack_;
}

std::string Warp::place() const {
  return "warp " + std::to_string(index) + " of block (" + std::to_string(block.x) + ", " + std::to_string(block.y) +
         ")";
}

// The text of a Fault. `use`: why an earlier instruction matters now.
std::string Warp::told(const std::string& kind, unsigned lane, const std::string& what, uint32_t at,
                       const char* use) const {
  const auto line = [&](const char* how, uint32_t instruction) {
    const Instruction& i = launch.program.code[instruction];
    char pc[16];
    std::snprintf(pc, sizeof pc, "%#x", i.address);
    return std::string("\n  ") + how + " " + pc + ": " + i.text;
  };
  return kind + ": " + what + "\n  by lane " + std::to_string(lane) + " (thread " + std::to_string(thread(lane)) +
         ") of " + place() + line("at", at) + (use ? line(use, at_) : "") + "\n  in " + launch.program.name;
}

void Warp::fault(const char* kind, unsigned lane, const std::string& what) const {
  throw Fault(kind, told(kind, lane, what, at_, nullptr));
}

void Warp::use_doubt(unsigned reg, unsigned lane) const {
  const SharedDoubt d = doubts.of(reg, lane);
  throw Fault(d->kind, told(d->kind, d->lane, d->what, d->instruction, "used at"));
}

void Warp::need_no_doubt(unsigned reg) {
  if (!doubts.any() || moves_) return;
  if (const uint32_t lanes = doubts.lanes(reg) & active_)
    use_doubt(reg, static_cast<unsigned>(std::countr_zero(lanes)));
}

// Issues the next instruction of the current group.
bool Warp::issue() {
  Group& g = group();
  const auto& code = launch.program.code;
  if (g.pc >= code.size()) fault("control", first_lane(), "goes on behind the kernel's end");
  at_ = g.pc++;
  const Instruction& i = code[at_];
  uint32_t guard = i.guard_uniform ? (g.uniforms.predicates >> i.guard & 1u ? kAll : 0u) : predicates_[i.guard];
  if (i.guard_inverted) guard = ~guard;
  active_ = g.lanes & guard;
  Tally& t = launch.tally[at_];
  ++t.issued;
  t.lanes += static_cast<unsigned>(std::popcount(active_));
  if (active_ == 0) return false;
  i.execute(*this, i);
  return i.pipe == Pipe::control;
}

Warp::State Warp::run(unsigned steps) {
  launch.issued += steps;
  if (launch.issued > launch.options.most_instructions)
    fault("hang", first_lane(), "more instructions than are allowed");
  for (; steps > 0; --steps) {
    if (!lanes.can_go_on() && !lanes.choose(launch.options.seed ? &launch.random : nullptr)) break;
    if (!issue()) continue;
    for (uint32_t met : lanes.take_met()) launch.order.warp_barrier(order, met, lanes.live());
  }
  launch.issued -= steps;
  if (lanes.live() == 0) return state = State::ended;
  if (steps > 0) {
    if (lanes.groups().front().wait != Wait::block) note_deadlock();
    return state = State::waits;
  }
  lanes.choose(launch.options.seed ? &launch.random : nullptr);  // whoever has waited long gets a turn
  return state = State::ready;
}

// Lanes of a warp that wait for each other at different places wait for ever.
void Warp::note_deadlock() {
  std::string what = "lanes wait for each other:";
  const auto& code = launch.program.code;
  for (const Group& g : lanes.groups()) {
    char text[64];
    std::snprintf(text, sizeof text, " %#x at %#x (", g.lanes, code[g.pc - 1].address);
    what += text + code[g.pc - 1].text + ")";
  }
  fault("deadlock", first_lane(), what);
}

}  // namespace machine
