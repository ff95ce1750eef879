// What a cubin says beside its code: constants, variables, and what each kernel needs.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace machine {

using Bytes = std::vector<unsigned char>;

struct KernelNeeds {
  size_t shared = 0;      // bytes of shared memory from address 0 on, with those that the system keeps for itself
  size_t parameters = 0;  // bytes of the parameter block
  size_t stack = 0;       // bytes of local memory per thread
  unsigned most_threads = 1024;  // per block, as __launch_bounds__ says
  unsigned registers = 0;
  Bytes literals;         // constant bank 2
};

struct Variable {
  unsigned char* address;
  size_t bytes;
};

// A cubin that is loaded: its variables have an address on the host, and constants that hold addresses are filled in.
class Cubin {
 public:
  explicit Cubin(const std::string& path);
  KernelNeeds needs(const std::string& kernel) const;
  const Bytes& constants(unsigned bank) const;  // 3: __constant__ variables, 4: addresses of variables
  const std::map<std::string, Variable>& variables() const { return variables_; }

  // Memory of variables.
  struct Block {
    std::unique_ptr<unsigned char[]> bytes;
    size_t size;
  };
  const std::vector<Block>& blocks() const { return blocks_; }

 private:
  struct Section {
    uint32_t type, info;
    Bytes bytes;
    uint64_t size;
    size_t index;
  };
  struct Symbol {
    std::string name;
    size_t section;
    uint64_t value, size;
  };
  void read_sections(const Bytes& file);
  void read_symbols();
  void place_variables();
  void relocate();
  // Calls f(attribute, its words) for the attributes in a section of nv.info.
  static void attributes(const Bytes& info, const std::function<void(unsigned, const std::vector<uint32_t>&)>& f);
  const Section* find(const std::string& name) const;

  std::map<std::string, Section> sections_;
  std::vector<Symbol> symbols_;
  std::vector<Block> blocks_;
  std::map<size_t, unsigned char*> placed_;  // section -> where it lies
  std::map<std::string, Variable> variables_;
  std::map<unsigned, Bytes> banks_;
};

}  // namespace machine
