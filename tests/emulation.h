// CUDA kernels as ordinary C++: the same .cuh files, compiled for the CPU, a thread of the operating system for every CUDA
// thread of a block, blocks one after the other. Slow, but it runs their indexing, their vector loads and their reductions
// on machines without a GPU. To be included before the kernels.
#pragma once
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

namespace emulation {

struct Index { unsigned x = 0, y = 0; };
inline std::unique_ptr<std::barrier<>> block_barrier;
inline std::vector<std::unique_ptr<std::barrier<>>> warp_barriers;

}  // namespace emulation

inline thread_local emulation::Index threadIdx, blockIdx;
inline emulation::Index gridDim, blockDim;

inline void __syncthreads() { emulation::block_barrier->arrive_and_wait(); }
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline unsigned atomicAdd(unsigned* p, unsigned x) { return __atomic_fetch_add(p, x, __ATOMIC_SEQ_CST); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
template <class T> T __ldcg(const T* p) { return *p; }
template <class T> T __shfl_down_sync(unsigned, T x, unsigned offset) {
  static T lanes[1024];
  const unsigned thread = threadIdx.x, lane = thread % 32;
  lanes[thread] = x;
  emulation::warp_barriers[thread / 32]->arrive_and_wait();
  const T y = lane + offset < 32 ? lanes[thread + offset] : x;
  emulation::warp_barriers[thread / 32]->arrive_and_wait();
  return y;
}

namespace emulation {

// kernel<<<grid, block>>>(args...). A thread that returns early leaves the barriers to the others.
template <class Kernel, class... Args> void launch(Kernel kernel, Index grid, unsigned block, const Args&... args) {
  gridDim = grid, blockDim = {block, 1};
  for (unsigned y = 0; y < grid.y; ++y)
    for (unsigned x = 0; x < grid.x; ++x) {
      block_barrier = std::make_unique<std::barrier<>>(block);
      warp_barriers.clear();
      for (unsigned warp = 0; warp < block / 32; ++warp) warp_barriers.push_back(std::make_unique<std::barrier<>>(32));
      std::vector<std::thread> threads;
      for (unsigned thread = 0; thread < block; ++thread)
        threads.emplace_back([&, x, y, thread] {
          threadIdx = {thread, 0}, blockIdx = {x, y};
          kernel(args...);
          warp_barriers[thread / 32]->arrive_and_drop();
          block_barrier->arrive_and_drop();
        });
      for (std::thread& thread : threads) thread.join();
    }
}

}  // namespace emulation
