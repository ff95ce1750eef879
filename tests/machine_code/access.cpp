#include "access.h"

#include <algorithm>
#include <cstdio>

namespace machine {
namespace {

std::string hexadecimal(uint64_t x) {
  char text[32];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(x));
  return text;
}

std::string of_bytes(Access access, const char* memory, uint64_t address, unsigned size) {
  return std::string(name_of(access)) + " of " + std::to_string(size) + " bytes of " + memory + " memory at " +
         hexadecimal(address);
}

Place shared_place(Warp& w, uint64_t address, unsigned size, unsigned lane, Access access) {
  SharedMemory& s = *w.block.shared;
  if (address < kSharedBegin || address + size > s.bytes.size())
    w.fault("out of bounds", lane, of_bytes(access, "shared", address, size) + ", which has [" +
                                       hexadecimal(kSharedBegin) + ", " + hexadecimal(s.bytes.size()) + ")");
  return {.bytes = s.bytes.data() + address, .cells = &s.cells[address], .older = w.block.order.first, .shared = true};
}

Place local_place(Warp& w, uint64_t address, unsigned size, unsigned lane, Access access) {
  const size_t bytes = w.launch.stack_bytes, bottom = kStackTop - bytes;
  if (address < bottom || address + size > kStackTop)
    w.fault("out of bounds", lane, of_bytes(access, "local", address, size) + ", outside of the stack");
  const size_t offset = lane * bytes + (address - bottom);
  Stack& stack = w.stack();
  return {.bytes = &stack.bytes[offset], .written = &stack.written[offset]};
}

Place global_place(Warp& w, uint64_t address, unsigned size, unsigned lane, Access access) {
  Memory::Range* r = w.launch.memory.find(address);
  if (!r)
    w.fault("out of bounds", lane, of_bytes(access, "global", address, size) + ", which is in no allowed memory");
  if (address + size > r->end)
    w.fault("out of bounds", lane,
            of_bytes(access, "global", address, size) + ", " + std::to_string(address + size - r->end) +
                " bytes past the end of [" + hexadecimal(r->begin) + ", " + hexadecimal(r->end) + ")");
  return {.bytes = reinterpret_cast<unsigned char*>(address),
          .cells = &r->cells[address - r->begin],
          .older = w.launch.order.first(),
          .all_written = r->written};
}

// Parameters whose address was taken.
const unsigned char* parameter(Warp& w, uint64_t address, unsigned size, Access access) {
  const Bytes& bank = w.launch.bank0.bytes();
  const uint64_t offset = address - reinterpret_cast<uint64_t>(bank.data());
  const bool reads = access == Access::load || access == Access::load_constant;
  return reads && offset < bank.size() &&
                 w.launch.bank0.is_known(offset, std::min<size_t>(size, bank.size() - offset)) &&
                 offset + size <= bank.size()
             ? bank.data() + offset
             : nullptr;
}

std::string text_of(Warp& w, bool writes, const Place& p, unsigned byte, const Race& race) {
  const Segment& s = w.launch.order.segment(race.segment);
  const unsigned columns = w.launch.grid.x;
  const Instruction& other = w.launch.program.code[race.instruction];
  const std::string address = p.shared
                                  ? "shared memory at " + hexadecimal(p.bytes + byte - w.block.shared->bytes.data())
                                  : "global memory at " + hexadecimal(reinterpret_cast<uint64_t>(p.bytes + byte));
  return std::string(writes ? "a write" : "a read") + " of " + address + " is not ordered with the " +
         (race.earlier_writes ? "write" : "read") + " by lane " + std::to_string(race.lane) + " (thread " +
         std::to_string(s.warp * kLanes + race.lane) + ") of warp " + std::to_string(s.warp) + " of block (" +
         std::to_string(s.block % columns) + ", " + std::to_string(s.block / columns) + ") at " +
         hexadecimal(other.address) + ": " + other.text;
}

bool is_unwritten(const Place& p, unsigned byte) {
  if (!p.cells) return !p.written[byte];
  // shared memory starts anew with each block
  return p.shared ? p.cells[byte].writer < p.older : !p.all_written && p.cells[byte].writer == 0;
}

std::string text_of_unwritten(Warp& w, const Place& p, unsigned size, unsigned byte) {
  const auto address = p.shared  ? static_cast<uint64_t>(p.bytes + byte - w.block.shared->bytes.data())
                       : p.cells ? reinterpret_cast<uint64_t>(p.bytes + byte)
                                 : 0;
  return std::string("load of ") + std::to_string(size) + " bytes of " +
         (p.shared  ? "shared"
          : p.cells ? "global"
                    : "local") +
         " memory, of which byte " + std::to_string(byte) + " (" + hexadecimal(address) + ") was never written" +
         (p.shared ? ", or not yet: is a barrier missing?" : "");
}

// What is wrong with a byte that is loaded; an empty kind if nothing is.
Doubt doubt_of(Warp& w, const Place& p, unsigned size, unsigned byte, uint32_t lanes, bool constant) {
  const unsigned lane = static_cast<unsigned>(std::countr_zero(lanes));
  const auto doubt = [&](const char* kind, std::string what) {
    return Doubt{kind, std::move(what), w.instruction(), lane};
  };
  if (is_unwritten(p, byte)) return doubt("unwritten", text_of_unwritten(w, p, size, byte));
  if (!p.cells) return {};
  if (constant && p.cells[byte].writer >= p.older)  // the cache it reads through is never told of writes
    return doubt("race", "a read-only load (__ldg) of what this launch writes, at " +
                             hexadecimal(reinterpret_cast<uint64_t>(p.bytes + byte)));
  const Race race =
      w.launch.order.read(p.cells[byte], p.bytes + byte, {&w.order, w.instruction()}, lanes, p.older, p.shared);
  return race.found ? doubt("race", text_of(w, false, p, byte, race)) : Doubt{};
}

}  // namespace

const char* name_of(Space space) {
  constexpr const char* names[] = {"global", "shared", "local", "global"};
  return names[static_cast<int>(space)];
}

const char* name_of(Access access) {
  constexpr const char* names[] = {"load", "load", "store", "atomic"};
  return names[static_cast<int>(access)];
}

void addresses_of(Warp& w, const Operand& o, Space space, Wides& out) {
  const bool global = space == Space::global || space == Space::generic;
  const auto& u = w.group().uniforms.reg;
  uint64_t base = static_cast<uint64_t>(o.value);
  if (o.uniform != kNoUniform) base += global ? uint64_t(u[o.uniform + 1]) << 32 | u[o.uniform] : u[o.uniform];
  Words room;
  if (o.reg == kNoRegister) {
    fill(out, base);
  } else if (is_pair(o, space)) {
    w.raw({.kind = Kind::reg, .reg = o.reg}, out);
    for (unsigned l = 0; l < kLanes; ++l) out.v[l] += base;
  } else {
    const Words& r = w.raw({.kind = Kind::reg, .reg = o.reg}, room);
    for (unsigned l = 0; l < kLanes; ++l) out.v[l] = uint64_t(r.v[l]) * o.scale + base;
  }
  if (!global)
    for (unsigned l = 0; l < kLanes; ++l) out.v[l] &= kAll;
}

Place find_place(Warp& w, Space space, uint64_t address, unsigned size, unsigned lane, Access access) {
  const auto in = [&](uint64_t window) { return space == Space::generic && address - window < kWindow; };
  if (in(kSharedWindow)) space = Space::shared, address -= kSharedWindow;
  if (in(kLocalWindow)) space = Space::local, address -= kLocalWindow;
  if (address % size != 0) w.fault("misaligned", lane, of_bytes(access, name_of(space), address, size));
  if (space == Space::shared) return shared_place(w, address, size, lane, access);
  if (space == Space::local) return local_place(w, address, size, lane, access);
  if (space == Space::generic)
    if (const unsigned char* p = parameter(w, address, size, access)) return {.constant = p};
  return global_place(w, address, size, lane, access);
}

std::vector<SharedDoubt> check_load(Warp& w, const Place& p, unsigned size, uint32_t lanes, uint8_t used,
                                    bool constant) {
  std::vector<SharedDoubt> wrong;
  if (p.constant) return wrong;
  for (unsigned b = 0; b < size; ++b) {
    if (!(used >> b / 4 & 1)) continue;
    Doubt d = doubt_of(w, p, size, b, lanes, constant);
    if (d.kind.empty()) continue;
    wrong.resize(4);
    if (!wrong[b / 4]) wrong[b / 4] = std::make_shared<const Doubt>(std::move(d));
  }
  return wrong;
}

void check_store(Warp& w, const Place& p, unsigned size, unsigned lane) {
  if (!p.cells) {
    std::fill_n(p.written, size, 1);
    return;
  }
  for (unsigned b = 0; b < size; ++b) {
    const Race race = w.launch.order.write(p.cells[b], p.bytes + b, {&w.order, w.instruction()}, lane, p.older);
    if (race.found) w.fault("race", lane, text_of(w, true, p, b, race));
  }
}

void take_back_store(const Place& p, unsigned word) {
  for (unsigned b = 4 * word; b < 4 * word + 4; ++b) {
    if (p.cells) p.cells[b].writer = 0;
    else p.written[b] = 0;
  }
}

void check_strong(Warp& w, const Place& p, unsigned size, unsigned lane, bool reads, bool writes) {
  for (unsigned b = 0; reads && b < size; ++b)
    if (is_unwritten(p, b)) w.fault("unwritten", lane, text_of_unwritten(w, p, size, b));
  if (!p.cells) {
    if (writes) std::fill_n(p.written, size, 1);
    return;
  }
  w.launch.order.meet(w.order, lane, p.bytes, reads, writes);
  for (unsigned b = 0; b < size; ++b) {
    const Race race =
        w.launch.order.strong(p.cells[b], p.bytes + b, {&w.order, w.instruction()}, lane, p.older, writes, p.shared);
    if (race.found) w.fault("race", lane, text_of(w, writes, p, b, race));
  }
}

void count_global(Warp& w, const Wides& addresses, unsigned size, bool store) {
  uint64_t sectors[kLanes];
  size_t n = 0;
  each_lane(w.active(), [&](unsigned l) {
    const uint64_t sector = addresses[l] / 32;  // an aligned access lies in one
    if (n == 0 || sectors[n - 1] != sector) sectors[n++] = sector;
  });
  std::sort(sectors, sectors + n);
  const auto distinct = static_cast<uint64_t>(std::unique(sectors, sectors + n) - sectors);
  const uint64_t bytes = uint64_t(size) * static_cast<unsigned>(std::popcount(w.active()));
  Counts& c = w.launch.counts;
  (store ? c.bytes_stored : c.bytes_loaded) += bytes;
  (store ? c.sectors_stored : c.sectors_loaded) += distinct;
}

// Every bank gives one word of 4 bytes at a time, to whoever wants it. 8 bytes a lane go in two halves of the warp, 16
// in four quarters.
void count_shared(Warp& w, const Wides& addresses, unsigned size) {
  Counts& c = w.launch.counts;
  ++c.shared_accesses;
  const unsigned step = size <= 4 ? kLanes : 4 * kLanes / size;
  for (unsigned begin = 0; begin < kLanes; begin += step) {
    uint32_t words[4 * kLanes];
    size_t n = 0;
    for (unsigned l = begin; l < begin + step; ++l)
      if (w.active() >> l & 1)
        for (unsigned k = 0; k < std::max(size / 4, 1u); ++k) words[n++] = static_cast<uint32_t>(addresses[l] / 4) + k;
    std::sort(words, words + n);
    n = static_cast<size_t>(std::unique(words, words + n) - words);
    unsigned per_bank[32] = {}, most = 1;
    for (size_t i = 0; i < n; ++i) most = std::max(most, ++per_bank[words[i] % 32]);
    c.shared_conflicts += most - 1;
  }
}

}  // namespace machine
