// A block of threads: its shared memory, its barrier, and whose turn it is.
#pragma once
#include <memory>
#include <vector>

#include "launch.h"
#include "warp.h"

namespace machine {

// The shared memory of a block, used by one block after the other.
struct SharedMemory {
  Bytes bytes;
  Cells cells;
  explicit SharedMemory(size_t size) : bytes(size), cells(make_cells(size)) {}
};

class Block {
 public:
  Block(Launch& launch, unsigned index, std::shared_ptr<SharedMemory> shared);
  // Gives a warp a turn. False if all have ended.
  bool step(Random* random);

  Launch& launch;
  const unsigned x, y;
  BlockOrder order;
  const std::shared_ptr<SharedMemory> shared;

  // What BAR.RED found at the last barrier, for B2R.
  struct Reduction {
    bool any = false, all = true;
    uint32_t count = 0;
  };
  Reduction result;

 private:
  void release_barrier();
  std::vector<std::unique_ptr<Warp>> warps_;
  size_t next_ = 0;
};

}  // namespace machine
