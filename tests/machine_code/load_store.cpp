// Loads and stores of global, shared and local memory, and loads of constants.
#include "access.h"

namespace machine {
namespace {

// Bits of Instruction::detail.
enum : uint8_t { kSigned = 1, kStrong = 2, kConstant = 4 };

// True if all lanes mean the same bytes. An address of a stack means others in every lane.
bool same_place(Space space, uint32_t lanes, const Wides& addresses) {
  const uint64_t first = addresses[std::countr_zero(lanes)];
  bool same = space != Space::local && !(space == Space::generic && first - kLocalWindow < kWindow);
  each_lane(lanes, [&](unsigned l) { same &= addresses[l] == first; });
  return same;
}

// Puts the bytes that a lane loaded into its registers.
void receive(Warp& w, const Instruction& i, unsigned lane, const unsigned char* bytes,
             const std::vector<SharedDoubt>& wrong) {
  const unsigned reg = i.operand[0].reg;
  if (reg == kNoRegister) return;
  const auto doubt = [&](unsigned k) { return wrong.empty() ? nullptr : wrong[k]; };
  uint32_t words[4] = {};
  std::memcpy(words, bytes, i.size);
  const unsigned unused = i.size < 4 ? 32 - 8 * i.size : 0;
  if (i.detail & kSigned) words[0] = static_cast<uint32_t>(static_cast<int32_t>(words[0] << unused) >> unused);
  for (unsigned k = 0; k < i.operand[0].width; ++k) w.set_word(reg + k, lane, words[k], doubt(k));
}

template <Space space> void count(Warp& w, const Instruction& i, const Wides& addresses, bool store) {
  if constexpr (space == Space::shared) count_shared(w, addresses, i.size);
  else if constexpr (space == Space::local)
    w.launch.counts.bytes_local += uint64_t(i.size) * static_cast<unsigned>(std::popcount(w.active()));
  else count_global(w, addresses, i.size, store);
}

template <Space space> void run_load(Warp& w, const Instruction& i) {
  Wides addresses;
  addresses_of(w, i.operand[1], space, addresses);
  count<space>(w, i, addresses, false);
  const Access access = i.detail & kConstant ? Access::load_constant : Access::load;
  const bool strong = (i.detail & kStrong) != 0;
  const auto load = [&](unsigned lane, uint32_t lanes) {
    const Place p = find_place(w, space, addresses[lane], i.size, lane, access);
    std::vector<SharedDoubt> wrong;
    if (strong && !p.constant) each_lane(lanes, [&](unsigned l) { check_strong(w, p, i.size, l, true, false); });
    else wrong = check_load(w, p, i.size, lanes, i.used, access == Access::load_constant);
    unsigned char bytes[16];
    std::memcpy(bytes, p.constant ? p.constant : p.bytes, i.size);
    each_lane(lanes, [&](unsigned l) { receive(w, i, l, bytes, wrong); });
  };
  const uint32_t active = w.active();
  if (same_place(space, active, addresses)) return load(w.first_lane(), active);
  each_lane(active, [&](unsigned l) { load(l, 1u << l); });
}

// The word that a lane stores. What nothing wrote may go from place to place on the chip, as the gaps of structs do; it
// stays what nothing wrote.
uint32_t stored_word(Warp& w, const Instruction& i, const Place& p, unsigned reg, unsigned word, unsigned lane) {
  const bool doubtful = w.doubts.any() && (w.doubts.lanes(reg) >> lane & 1);
  if (!doubtful || (p.cells && !p.shared) || i.size < 4 || w.doubts.of(reg, lane)->kind != "unwritten")
    return w.word(reg, lane);
  take_back_store(p, word);
  return w.doubtful_word(reg, lane);
}

template <Space space> void run_store(Warp& w, const Instruction& i) {
  Wides addresses;
  addresses_of(w, i.operand[0], space, addresses);
  count<space>(w, i, addresses, true);
  const unsigned reg = i.operand[1].reg;
  each_lane(w.active(), [&](unsigned l) {
    const Place p = find_place(w, space, addresses[l], i.size, l, Access::store);
    if (i.detail & kStrong) check_strong(w, p, i.size, l, false, true);
    else check_store(w, p, i.size, l);
    uint32_t words[4];
    for (unsigned k = 0; k < i.operand[1].width; ++k)
      words[k] = stored_word(w, i, p, reg == kNoRegister ? reg : reg + k, k, l);
    std::memcpy(p.bytes, words, i.size);
  });
}

// How wide, how it is extended, how caches treat it.
bool take_access(Instruction& i, Modifiers& m) {
  m.take("E");
  constexpr uint8_t sizes[] = {1, 1, 2, 2, 4, 8, 16};
  const int size = m.take_one({"U8", "S8", "U16", "S16", "32", "64", "128"});
  i.size = size < 0 ? 4 : sizes[size];
  if (size == 1 || size == 3) i.detail |= kSigned;
  if (m.take("CONSTANT")) i.detail |= kConstant;
  m.take_one({"EF", "EL", "LU", "EU", "NA"});  // when a cache may forget it
  m.take_one({"LTC64B", "LTC128B", "LTC256B"});
  if (m.take("STRONG")) {
    i.detail |= kStrong;
    return m.take_one({"SM", "CTA", "GPU", "SYS"}) >= 0;
  }
  return true;
}

// How many registers the operands are.
void set_widths(Instruction& i, unsigned data, unsigned address, Space space) {
  i.operand[data].width = i.size > 4 ? i.size / 4 : 1;
  i.operand[address].width = is_pair(i.operand[address], space) ? 2 : 1;
}

template <Space space> Execute build_load(Instruction& i, Modifiers& m) {
  const bool fits = take_access(i, m) && i.count == 2 && i.operand[0].is(Kind::reg) && i.operand[1].is(Kind::address);
  set_widths(i, 0, 1, space);
  return fits ? run_load<space> : nullptr;
}
template <Space space> Execute build_store(Instruction& i, Modifiers& m) {
  const bool fits = take_access(i, m) && i.count == 2 && i.operand[0].is(Kind::address) && i.operand[1].is(Kind::reg);
  set_widths(i, 1, 0, space);
  return fits ? run_store<space> : nullptr;
}

// LDC and ULDC: small constants are extended, large ones fill a pair.
void run_constant(Warp& w, const Instruction& i) {
  const Operand& o = i.operand[1];
  Wides value;
  const auto read = [&](unsigned l) {
    uint64_t x = w.constant(o, l, i.size);
    const unsigned unused = 64 - 8 * i.size;
    if (i.detail & kSigned) x = static_cast<uint64_t>(static_cast<int64_t>(x << unused) >> unused);
    return x;
  };
  if (o.reg == kNoRegister) fill(value, read(0));
  else each_lane(w.active(), [&](unsigned l) { value[l] = read(l); });
  if (i.size == 8) return w.put(i.operand[0], value);
  Words low;
  for (unsigned l = 0; l < kLanes; ++l) low.v[l] = static_cast<uint32_t>(value.v[l]);
  w.put(i.operand[0], low);
}

Execute build_constant(Instruction& i, Modifiers& m) {
  const bool fits = take_access(i, m) && i.count == 2 && i.operand[1].is(Kind::constant) && i.size <= 8 &&
                    (i.detail & ~kSigned) == 0;
  i.operand[0].width = i.size == 8 ? 2 : 1;
  return fits ? run_constant : nullptr;
}

}  // namespace

Entries memory_instructions() {
  return {{"LDG", build_load<Space::global>, Pipe::lsu},   {"STG", build_store<Space::global>, Pipe::lsu},
          {"LD", build_load<Space::generic>, Pipe::lsu},   {"ST", build_store<Space::generic>, Pipe::lsu},
          {"LDS", build_load<Space::shared>, Pipe::lsu},   {"STS", build_store<Space::shared>, Pipe::lsu},
          {"LDL", build_load<Space::local>, Pipe::lsu},    {"STL", build_store<Space::local>, Pipe::lsu},
          {"LDC", build_constant, Pipe::lsu},              {"ULDC", build_constant, Pipe::uniform}};
}

}  // namespace machine
