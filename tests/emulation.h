// The CUDA kernels as ordinary C++: what stands for the CUDA language when a .cuh file is compiled for the CPU. The threads
// of a block are coroutines that take turns at barriers, blocks run one after the other. It runs the kernels' indexing,
// their vector loads and their reductions on machines without a GPU, but shows no race. Include it before any kernel, in
// one .cpp file.
#pragma once
#undef _FORTIFY_SOURCE  // it has no jumps between stacks
#include <setjmp.h>
#include <ucontext.h>

#include <cstdint>
#include <functional>
#include <vector>

#define __global__
#define __device__
#define __shared__ static  // one block at a time
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct Index {
  unsigned x, y;
  Index(unsigned x = 0, unsigned y = 0) : x(x), y(y) {}
};
static Index threadIdx, blockIdx, gridDim, blockDim;

// The threads of a block, and where they have to go on. A context starts one; jumps, which ask nothing of the system,
// take turns.
struct Coroutine {
  ucontext_t context;
  std::vector<char> stack = std::vector<char>(1 << 16);
  jmp_buf place;
  bool started = false, done = true;
};
static std::vector<Coroutine> coroutines;
static jmp_buf scheduler;
static std::function<void()> body;

[[gnu::noinline]] inline void yield() {
  if (_setjmp(coroutines[threadIdx.x].place) == 0) _longjmp(scheduler, 1);
}
[[gnu::noinline]] inline void resume(Coroutine& c) {
  if (_setjmp(scheduler) != 0) return;
  if (c.started) _longjmp(c.place, 1);
  c.started = true;
  setcontext(&c.context);
}

struct Barrier {
  unsigned threads = 0, waiting = 0, round = 0;
  void wait() {
    const unsigned mine = round;
    ++waiting;
    release();
    while (round == mine) yield();
  }
  void leave() {  // a thread that has returned keeps nobody waiting
    --threads;
    release();
  }
  void release() {
    if (waiting == threads) waiting = 0, ++round;
  }
};
static Barrier block_barrier, warp_barriers[32];

inline void __syncthreads() { block_barrier.wait(); }
inline void __syncwarp() { warp_barriers[threadIdx.x / 32].wait(); }
inline void __threadfence() {}
template <class U> U atomicAdd(U* p, U x) { const U old = *p; return *p += x, old; }
template <class U> U atomicMax(U* p, U x) { const U old = *p; return *p = old < x ? x : old, old; }
template <class U> U atomicOr(U* p, U x) { const U old = *p; return *p |= x, old; }
template <class T> T __ldcg(const T* p) { return *p; }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }

// What the threads of a warp show each other, in two places by turns: who is late still finds what was shown.
static unsigned exchanges[1024];
template <class T> T exchange(T x, unsigned from_lane) {
  static T shown[2][1024];
  const unsigned thread = threadIdx.x;
  T* const lanes = shown[exchanges[thread]++ % 2];
  lanes[thread] = x;
  __syncwarp();
  return from_lane < 32 ? lanes[thread / 32 * 32 + from_lane] : x;
}
template <class T> T __shfl_down_sync(unsigned, T x, unsigned offset) { return exchange(x, threadIdx.x % 32 + offset); }
template <class T> T __shfl_up_sync(unsigned, T x, unsigned offset) { return exchange(x, threadIdx.x % 32 - offset); }
template <class T> T __shfl_xor_sync(unsigned, T x, unsigned mask) { return exchange(x, (threadIdx.x % 32) ^ mask); }
template <class T> T __shfl_sync(unsigned, T x, unsigned lane) { return exchange(x, lane); }
inline unsigned __ballot_sync(unsigned, bool x) {
  static unsigned votes[32];
  unsigned& mine = votes[threadIdx.x / 32];
  mine = 0;
  __syncwarp();
  mine |= unsigned(x) << threadIdx.x % 32;
  __syncwarp();
  const unsigned all = mine;
  __syncwarp();
  return all;
}
inline bool __any_sync(unsigned mask, bool x) { return __ballot_sync(mask, x) != 0; }

inline int __syncthreads_or(int x) {
  static int any;
  __syncthreads();
  any = 0;
  __syncthreads();
  any |= x;
  __syncthreads();
  return any;
}

inline int __syncthreads_and(int x) { return !__syncthreads_or(!x); }

inline void run_coroutine() {
  body();
  coroutines[threadIdx.x].done = true;
  block_barrier.leave();
  warp_barriers[threadIdx.x / 32].leave();
  _longjmp(scheduler, 1);
}

// kernel<<<grid, threads>>>(args...)
template <class Kernel, class... Args> void launch(Kernel kernel, Index grid, unsigned threads, const Args&... args) {
  if (grid.y == 0) grid.y = 1;
  if (coroutines.size() < threads) coroutines = std::vector<Coroutine>(threads);
  gridDim = grid, blockDim = {threads, 1};
  body = [&] { kernel(args...); };
  for (unsigned block = 0; block < grid.x * grid.y; ++block) {
    blockIdx = {block % grid.x, block / grid.x};
    block_barrier = {threads};
    for (Barrier& b : warp_barriers) b = {32};
    for (unsigned& n : exchanges) n = 0;
    for (unsigned t = 0; t < threads; ++t) {
      Coroutine& c = coroutines[t];
      c.started = c.done = false;
      getcontext(&c.context);
      c.context.uc_stack.ss_sp = c.stack.data();
      c.context.uc_stack.ss_size = c.stack.size();
      makecontext(&c.context, run_coroutine, 0);
    }
    for (unsigned running = threads; running > 0;)
      for (unsigned t = 0; t < threads; ++t) {
        if (coroutines[t].done) continue;
        threadIdx = {t};
        resume(coroutines[t]);
        running -= coroutines[t].done;
      }
  }
}
