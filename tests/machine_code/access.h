// Accesses to memory: where an address leads, whether it may go there, what it costs.
#pragma once
#include "block.h"

namespace machine {

// The bytes that a lane's access means, all of them allowed.
struct Place {
  unsigned char* bytes = nullptr;
  Cell* cells = nullptr;       // none for a stack, whose bytes only say whether they are written
  unsigned char* written = nullptr;
  const unsigned char* constant = nullptr;  // for addresses of parameters
  uint32_t older = 0;          // segments below it need no order
  bool shared = false, all_written = false;
};

enum class Space : uint8_t { global, shared, local, generic };
enum class Access : uint8_t { load, load_constant, store, atomic };
const char* name_of(Access access);
const char* name_of(Space space);

// True if an address's register is the first of a pair: without a uniform register, one of global memory always is.
inline bool is_pair(const Operand& address, Space space) {
  const bool global = space == Space::global || space == Space::generic;
  return address.wide || (global && address.uniform == kNoUniform);
}
// The addresses of all lanes.
void addresses_of(Warp& w, const Operand& o, Space space, Wides& out);
// Finds the place or throws: misaligned, out of bounds.
Place find_place(Warp& w, Space space, uint64_t address, unsigned size, unsigned lane, Access access);
// Notes a load, which several lanes may do of one place. Returns nothing, or what is wrong with each of its words (of 4
// bytes): it was never written, or the load races. `used` says which words the code reads.
std::vector<SharedDoubt> check_load(Warp& w, const Place& p, unsigned size, uint32_t lanes, uint8_t used,
                                    bool constant);
// Notes a store; throws if it races.
void check_store(Warp& w, const Place& p, unsigned size, unsigned lane);
// A word that was stored is one that nothing wrote.
void take_back_store(const Place& p, unsigned word);
// Strong accesses: atomics, volatile ones. Throws if they race, or read what nothing wrote.
void check_strong(Warp& w, const Place& p, unsigned size, unsigned lane, bool reads, bool writes);

// Count the traffic of an instruction.
void count_global(Warp& w, const Wides& addresses, unsigned size, bool store);
void count_shared(Warp& w, const Wides& addresses, unsigned size);

}  // namespace machine
