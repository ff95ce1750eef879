// What the operators of this folder share: the machine, the memory that the operator at work may touch, and what every
// launch did.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "../machine.h"

namespace machine_code {

struct Run {
  std::string kernel;
  machine::Grid grid;
  machine::Counts counts;
};

class Session {
 public:
  static Session& get();

  // Machines by name: kernels with planted faults have machines of their own.
  void use(const std::string& name) { used_ = name; }
  machine::Machine& machine() { return machines_[used_]; }

  // Memory of a tensor. A tensor that lay there before is gone.
  void allow(const void* p, size_t bytes, bool written);
  // Zeros, as the host has a GPU write them.
  void zero(void* p, size_t bytes);
  // Forgets all memory: the operator has returned.
  void forget();

  void run(const std::string& kernel, machine::Grid grid, const std::vector<unsigned char>& parameters);
  // Returns the runs since the last call.
  std::vector<Run> take_runs() { return std::exchange(runs_, {}); }

 private:
  std::string used_;
  std::map<std::string, machine::Machine> machines_;
  std::map<const char*, size_t> allowed_;  // begin -> bytes
  std::vector<Run> runs_;
};

}  // namespace machine_code
