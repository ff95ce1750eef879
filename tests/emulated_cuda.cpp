// The CUDA kernels as ordinary C++: the same .cuh files, compiled for the CPU, a thread of the operating system for every
// CUDA thread of a block, blocks one after the other. Slow, but it runs their indexing, their vector loads and their
// reductions on machines without a GPU. Registered as operators of a namespace of their own; test_emulated.py calls them.
#include <atomic>
#include <barrier>
#include <memory>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __shared__ static  // one block at a time
#define __forceinline__ inline
#define __launch_bounds__(n)
#define __grid_constant__

struct Index { unsigned x; };
static thread_local Index threadIdx, blockIdx;
static Index gridDim;
static std::unique_ptr<std::barrier<>> block_barrier;
static std::vector<std::unique_ptr<std::barrier<>>> warp_barriers;

inline void __syncthreads() { block_barrier->arrive_and_wait(); }
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline unsigned atomicAdd(unsigned* p, unsigned x) { return __atomic_fetch_add(p, x, __ATOMIC_SEQ_CST); }
template <class T> T __ldcg(const T* p) { return *p; }
template <class T> T __shfl_down_sync(unsigned, T x, unsigned offset) {
  static T lanes[1024];
  const unsigned thread = threadIdx.x, lane = thread % 32;
  lanes[thread] = x;
  warp_barriers[thread / 32]->arrive_and_wait();
  const T y = lane + offset < 32 ? lanes[thread + offset] : x;
  warp_barriers[thread / 32]->arrive_and_wait();
  return y;
}

#include <torch/csrc/stable/library.h>

#include "../csrc/kernels/pair_loss_cuda.cuh"
#include "../csrc/kernels/scale_rows_cuda.cuh"
#include "../csrc/math/kinds.h"
#include "../csrc/ops/pair_loss.h"

namespace fastiou {
namespace {

template <class Kernel, class... Args> void launch(Kernel kernel, unsigned blocks, const Args&... args) {
  gridDim = {blocks};
  for (unsigned block = 0; block < blocks; ++block) {
    block_barrier = std::make_unique<std::barrier<>>(kThreads);
    warp_barriers.clear();
    for (int warp = 0; warp < kThreads / 32; ++warp) warp_barriers.push_back(std::make_unique<std::barrier<>>(32));
    std::vector<std::thread> threads;
    for (unsigned thread = 0; thread < kThreads; ++thread)
      threads.emplace_back([&, thread] {
        threadIdx = {thread}, blockIdx = {block};
        kernel(args...);
      });
    for (std::thread& thread : threads) thread.join();
  }
}

template <class Kind, Real T> void launch_pair_loss(const PairLossCall& call, unsigned blocks, ReduceScratch scratch) {
  switch (call.grad) {
    case Grad::none: launch(pair_loss_kernel<Kind, Grad::none, T>, blocks, call.args, scratch); break;
    case Grad::pred: launch(pair_loss_kernel<Kind, Grad::pred, T>, blocks, call.args, scratch); break;
    case Grad::both: launch(pair_loss_kernel<Kind, Grad::both, T>, blocks, call.args, scratch); break;
  }
}

// At most three blocks, so that a grid has to walk over many rows.
unsigned blocks_for(int64_t rows) {
  return static_cast<unsigned>(std::clamp<int64_t>((rows + kThreads - 1) / kThreads, 1, 3));
}

bool pair_loss_emulated(const PairLossCall& call, int64_t kind) {
  const unsigned blocks = blocks_for(call.args.rows.count);
  std::vector<double> partial(blocks);
  const ReduceScratch scratch{partial.data(), 7};
  const auto run = [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_pair_loss<Kind, double>(call, blocks, scratch);
    else launch_pair_loss<Kind, float>(call, blocks, scratch);
  };
  const bool found = dispatch_kind(kind, run, Kinds{});
  STD_TORCH_CHECK(tickets[scratch.ticket] == 0, "the ticket was not put back");
  return found;
}

void scale_rows_emulated(const ScaleRowsCall& call) {
  const unsigned blocks = blocks_for(call.args.rows.count);
  if (call.compute == ScalarType::Double) launch(scale_rows_kernel<double>, blocks, call.args);
  else launch(scale_rows_kernel<float>, blocks, call.args);
}

}  // namespace

STABLE_TORCH_LIBRARY(fastiou_emulated, m) {
  m.def(kPairLossSchema);
  m.def(kScaleRowsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated, CPU, m) {
  m.impl("pair_loss", TORCH_BOX(&pair_loss<pair_loss_emulated>));
  m.impl("scale_rows", TORCH_BOX(&scale_rows<scale_rows_emulated>));
}

}  // namespace fastiou
