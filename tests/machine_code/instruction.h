// Instructions as plain records: operands taken apart once, and the function that executes them.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "listing.h"

namespace machine {

class Warp;
struct Instruction;
using Execute = void (*)(Warp&, const Instruction&);

constexpr unsigned kNoRegister = 255;  // RZ, or none in an address
constexpr unsigned kNoUniform = 63;    // URZ, or none
constexpr unsigned kTrue = 7;          // PT and UPT

enum class Kind : uint8_t {
  none,
  reg,
  uniform,
  immediate,
  constant,
  predicate,
  uniform_predicate,
  barrier,
  special,
  address,
  predicates
};
// Which part of a register is meant: a half or a byte.
enum class Part : uint8_t { all, low, high, both, byte0, byte1, byte2, byte3 };
enum class Special : uint8_t { thread_x, thread_y, thread_z, block_x, block_y, block_z, lane, lanes_equal, lanes_below,
                               lanes_up_to, lanes_above, lanes_from, cluster_rank, shared_window, clock, zero };

struct Operand {
  Kind kind = Kind::none;
  bool negate = false, absolute = false, invert = false;  // invert: ~ of an integer, ! of a predicate
  Part part = Part::all;
  uint8_t reg =
      kNoRegister;  // register, predicate or barrier; of an address or an indexed constant, the part that varies
  uint8_t uniform = kNoUniform;  // uniform register of an address
  uint8_t bank = 0;              // of a constant
  uint8_t scale = 1;             // of an address's register
  uint8_t width = 1;             // how many registers, of an address too
  bool wide = false;             // an address's register is a pair
  int64_t value = 0;             // immediate, offset, target or Special

  bool is(Kind k) const { return kind == k; }
};

// Where an instruction executes, for counts.
enum class Pipe : uint8_t { alu, fma, fma_heavy, half, fp64, xu, lsu, uniform, control };
const char* name_of(Pipe pipe);

struct Instruction {
  Execute execute = nullptr;
  uint32_t address = 0;
  uint8_t guard = kTrue;
  bool guard_inverted = false, guard_uniform = false;
  Pipe pipe = Pipe::alu;
  uint8_t count = 0;    // of operands
  uint8_t first = 0;    // how many operands are results
  int8_t result = -1;   // the operand that is a register and is written, -1 if there is none
  uint8_t used = 15;    // which of its words are ever read; see liveness.h
  uint8_t size = 4;     // bytes of a memory access
  bool reads_parts = false;  // it knows what parts of registers are
  uint8_t detail = 0;   // what the group of the instruction wants to remember of its modifiers
  Operand operand[9];
  std::string opcode;   // with modifiers
  std::string text;     // as listed

  const Operand& source(unsigned i) const { return operand[first + i]; }
  unsigned sources() const { return count - first; }
};

// The modifiers of an opcode. A builder takes those that it knows; whatever is left makes the instruction unknown.
class Modifiers {
 public:
  explicit Modifiers(std::string_view opcode);
  std::string_view name() const { return name_; }
  bool take(std::string_view modifier);
  // Takes the first one in the opcode that is in the list, and returns its index there; -1 if none is.
  int take_one(std::initializer_list<std::string_view> modifiers);
  bool empty() const { return parts_.empty(); }

 private:
  std::string_view name_;
  std::vector<std::string_view> parts_;
};

// Chooses the function for an instruction, whose operands are there already; nullptr if it does not know it.
using Build = Execute (*)(Instruction&, Modifiers&);
struct Entry {
  const char* name;
  Build build;
  Pipe pipe;
};
using Entries = std::vector<Entry>;
// One list per group of instructions.
Entries integer_instructions();
Entries logic_instructions();
Entries float_instructions();
Entries double_instructions();
Entries half_instructions();
Entries function_instructions();
Entries conversion_instructions();
Entries control_instructions();
Entries warp_instructions();
Entries memory_instructions();
Entries atomic_instructions();

// Decodes a line. What nobody knows becomes an instruction that is a Fault when it runs; see is_known.
Instruction decode(const Line& line);
bool is_known(const Instruction& i);

}  // namespace machine
