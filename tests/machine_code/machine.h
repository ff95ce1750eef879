// An emulator of sm_90 machine code: runs the kernels of a cubin on the CPU, over host memory, and checks what a GPU
// would not. README.md says what is modelled. Needs nothing but C++20; one Machine belongs to one thread at a time.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace machine {

// Blocks of `threads` threads in a row each. Threads and blocks have no third dimension, threads no second one.
struct Grid {
  unsigned x = 1, y = 1, threads = 1;
  size_t dynamic_shared = 0;  // bytes beyond the kernel's static shared memory
};

// What a kernel did wrong. what() names the fault, the kernel, the instruction with its address, block, warp and lane.
struct Fault : std::runtime_error {
  std::string kind;  // "out of bounds", "misaligned", "unwritten", "race", "barrier", "shuffle", "deadlock", ...
  Fault(std::string kind, const std::string& message) : std::runtime_error(message), kind(std::move(kind)) {}
};

// What a run did. Instructions are those that a warp issued, with at least one lane or with none where all are
// predicated off; bytes are those that lanes asked for.
struct Counts {
  uint64_t instructions = 0;
  uint64_t lanes = 0;                         // lanes that were active, over all instructions
  std::map<std::string, uint64_t> by_pipe;    // alu, fma, fma_heavy, half, fp64, xu, lsu, uniform, control
  std::map<std::string, uint64_t> by_opcode;  // with modifiers, as in the listing
  uint64_t bytes_loaded = 0, sectors_loaded = 0;  // of global memory; a sector is 32 bytes
  uint64_t bytes_stored = 0, sectors_stored = 0;
  uint64_t bytes_local = 0;                   // of the stack, both ways
  uint64_t atomics = 0;                       // lanes that did a global atomic
  uint64_t shared_accesses = 0;               // instructions on shared memory, and the further passes that
  uint64_t shared_conflicts = 0;              // conflicts of its banks cost
  uint64_t divergent_branches = 0;
  uint64_t barriers = 0;                      // warps that waited for their block
};

// Kept between runs.
struct Options {
  uint64_t seed = 0;  // of the order of blocks, warps and diverged lanes; 0: the natural order, one block at a time
  unsigned resident = 4;         // blocks that take turns where seed is not 0
  bool inexact = true;           // MUFU is off by up to an ulp where the hardware may be, in a fixed way
  uint64_t most_instructions = uint64_t(1) << 30;  // of one run; beyond them it is taken to hang
};

class Machine {
 public:
  Machine();
  ~Machine();
  Machine(Machine&&) noexcept;
  Machine& operator=(Machine&&) noexcept;

  // Adds the kernels of a cubin. `listing`: what `cuobjdump -sass` prints for it. Of two kernels with one name the
  // first stays. Device variables start as the cubin says (0 as a rule) and keep their values between runs.
  void load(const std::string& cubin, const std::string& listing);
  std::vector<std::string> kernels() const;  // mangled names

  // Memory that kernels may touch: [p, p + bytes). Where `written`, it may be read; the rest must be stored to first.
  // Throws std::invalid_argument where it overlaps what is allowed already. Nothing happens for 0 bytes.
  void allow(const void* p, size_t bytes, bool written);
  void forget(const void* p);
  // The host has written it meanwhile: kernels may read it.
  void note_written(const void* p, size_t bytes);
  // True if every byte is allowed and written.
  bool written(const void* p, size_t bytes) const;
  // The address of a device variable by its mangled name, with its size.
  void* variable(const std::string& name, size_t* bytes = nullptr);

  Options& options();

  // The name that nvcc gives to a kernel: other compilers may spell it differently.
  std::string name(const std::string& kernel) const;
  size_t parameter_bytes(const std::string& kernel) const;
  // Instructions of a kernel that the machine does not know; running one is a Fault. For tests that want to know early.
  std::vector<std::string> unknown(const std::string& kernel);

  // Runs every block; params are the bytes of the kernel's parameter block, as many as parameter_bytes says.
  Counts run(const std::string& kernel, Grid grid, const std::vector<unsigned char>& params);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace machine
