// The CUDA kernels as ordinary C++: what stands for the CUDA language when a .cuh file is compiled for the CPU. A thread
// of the operating system for every CUDA thread of a block, blocks one after the other. Slow, but it runs their indexing,
// their vector loads and their reductions on machines without a GPU. Include it before any kernel, in one .cpp file.
#pragma once
#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstring>
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
static Index gridDim, blockDim;
static std::unique_ptr<std::barrier<>> block_barrier;
static std::vector<std::unique_ptr<std::barrier<>>> warp_barriers;

inline void __syncthreads() { block_barrier->arrive_and_wait(); }
inline void __syncwarp() { warp_barriers[threadIdx.x / 32]->arrive_and_wait(); }
inline void __threadfence() { std::atomic_thread_fence(std::memory_order_seq_cst); }
inline unsigned atomicAdd(unsigned* p, unsigned x) { return __atomic_fetch_add(p, x, __ATOMIC_SEQ_CST); }
template <class U> U atomicMax(U* p, U x) {
  U old = __atomic_load_n(p, __ATOMIC_SEQ_CST);
  while (old < x && !__atomic_compare_exchange_n(p, &old, x, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
  return old;
}
template <class T> T __ldcg(const T* p) { return *p; }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }

// What the threads of a warp show each other.
template <class T> T exchange(T x, unsigned from_lane) {
  static T lanes[1024];
  const unsigned thread = threadIdx.x;
  lanes[thread] = x;
  __syncwarp();
  const T y = from_lane < 32 ? lanes[thread / 32 * 32 + from_lane] : x;
  __syncwarp();
  return y;
}
template <class T> T __shfl_down_sync(unsigned, T x, unsigned offset) { return exchange(x, threadIdx.x % 32 + offset); }
template <class T> T __shfl_xor_sync(unsigned, T x, unsigned mask) { return exchange(x, (threadIdx.x % 32) ^ mask); }
template <class T> T __shfl_sync(unsigned, T x, unsigned lane) { return exchange(x, lane); }
inline unsigned __ballot_sync(unsigned, bool x) {
  unsigned votes = 0;
  for (unsigned lane = 0; lane < 32; ++lane) votes |= exchange(unsigned(x), lane) << lane;
  return votes;
}
inline bool __any_sync(unsigned mask, bool x) { return __ballot_sync(mask, x) != 0; }

template <class Kernel, class... Args> void launch(Kernel kernel, unsigned blocks, unsigned threads, const Args&... args) {
  gridDim = {blocks}, blockDim = {threads};
  for (unsigned block = 0; block < blocks; ++block) {
    block_barrier = std::make_unique<std::barrier<>>(threads);
    warp_barriers.clear();
    for (unsigned warp = 0; warp < threads / 32; ++warp) warp_barriers.push_back(std::make_unique<std::barrier<>>(32));
    std::vector<std::thread> all;
    for (unsigned thread = 0; thread < threads; ++thread)
      all.emplace_back([&, thread] {
        threadIdx = {thread}, blockIdx = {block};
        kernel(args...);
      });
    for (std::thread& thread : all) thread.join();
  }
}
