// Host memory that kernels may touch, with what each byte remembers.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>

#include "order.h"

namespace machine {

struct Free {
  void operator()(void* p) const { std::free(p); }
};
// Zeros, whose pages cost nothing until they are touched.
using Cells = std::unique_ptr<Cell[], Free>;
Cells make_cells(size_t count);

class Memory {
 public:
  struct Range {
    uintptr_t begin = 0, end = 0;
    bool written = false;  // before it was allowed
    Cells cells;

    bool is_written(uintptr_t address) const { return written || cells[address - begin].writer != 0; }
  };

  void allow(const void* p, size_t bytes, bool written);
  void forget(const void* p);
  void note_written(const void* p, size_t bytes);
  bool written(const void* p, size_t bytes) const;
  // The range that an address lies in, or whose end it is; nullptr if there is none.
  Range* find(uintptr_t address);

 private:
  std::map<uintptr_t, Range> ranges_;
  Range* last_ = nullptr;
};

}  // namespace machine
