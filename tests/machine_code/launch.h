// One run of a kernel: what its blocks and warps share.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cubin.h"
#include "divergence.h"
#include "instruction.h"
#include "machine.h"
#include "memory.h"

namespace machine {

// A kernel, decoded.
struct Program {
  std::string name;
  std::shared_ptr<const Cubin> cubin;
  KernelNeeds needs;
  std::vector<Instruction> code;
};

// How often an instruction was issued, and for how many lanes.
struct Tally {
  uint64_t issued = 0, lanes = 0;
};

// Addresses that stand for memory that is not global, far from those of a host.
constexpr uint64_t kSharedWindow = 0xfff0'0001'0000'0000u;
constexpr uint64_t kLocalWindow = 0xfff0'0002'0000'0000u;
constexpr uint64_t kWindow = 0x0000'0001'0000'0000u;  // bytes of each
constexpr uint32_t kSharedBegin = 0x400;   // what lies below is the system's
constexpr uint32_t kStackTop = 0x00ff'0000;  // where stacks begin to grow down

// Bank 0: launch dimensions, a few addresses, the parameters.
class Bank0 {
 public:
  Bank0(const KernelNeeds& needs, Grid grid, const Bytes& parameters);
  const Bytes& bytes() const { return bytes_; }
  // False if the machine does not know what a GPU keeps there.
  bool is_known(size_t offset, size_t bytes) const;

 private:
  template <class T> void set(size_t offset, T value);
  Bytes bytes_;
  std::vector<bool> known_;
};

struct Launch {
  const Program& program;
  Memory& memory;
  Order& order;
  const Options& options;
  Grid grid;
  Bank0 bank0;
  Random random;
  std::vector<Tally> tally;
  Counts counts;
  uint64_t issued = 0;
  size_t shared_bytes;  // with those of the system
  size_t stack_bytes;

  Launch(const Program& program, Memory& memory, Order& order, const Options& options, Grid grid,
         const Bytes& parameters);
  // Runs all blocks and sums up.
  Counts run();
  const Bytes* bank(unsigned number) const;

 private:
  void sum_up();
};

}  // namespace machine
