// How threads of different warps and blocks come to see what others wrote: with atomics, and what is missing without.
#include <cuda/atomic>

using Flag = cuda::atomic_ref<int, cuda::thread_scope_device>;
using BlockFlag = cuda::atomic_ref<int, cuda::thread_scope_block>;

// Block 0 writes a number and then a flag, block 1 waits for the flag and reads the number.
template <bool releases, bool acquires> __device__ void pass_on(int* number, int* flag, int* out) {
  if (threadIdx.x > 0) return;
  if (blockIdx.x == 0) {
    *number = 42;
    Flag(*flag).store(1, releases ? cuda::memory_order_release : cuda::memory_order_relaxed);
  } else {
    while (Flag(*flag).load(acquires ? cuda::memory_order_acquire : cuda::memory_order_relaxed) == 0) {}
    *out = *number;
  }
}
extern "C" __global__ void pass(int* number, int* flag, int* out) { pass_on<true, true>(number, flag, out); }
extern "C" __global__ void pass_without_release(int* number, int* flag, int* out) {
  pass_on<false, true>(number, flag, out);
}
extern "C" __global__ void pass_without_acquire(int* number, int* flag, int* out) {
  pass_on<true, false>(number, flag, out);
}
// A load that goes past the first-level cache is no excuse for that.
extern "C" __global__ void pass_without_acquire_past_cache(int* number, int* flag, int* out) {
  if (threadIdx.x > 0) return;
  if (blockIdx.x == 0) {
    *number = 42;
    Flag(*flag).store(1, cuda::memory_order_release);
  } else {
    while (Flag(*flag).load(cuda::memory_order_relaxed) == 0) {}
    *out = __ldcg(number);
  }
}

// The number goes on from block to block: what block 0 released, block 2 sees through block 1.
extern "C" __global__ void pass_through(int* number, int* flags, int* out) {
  if (threadIdx.x > 0) return;
  if (blockIdx.x == 0) *number = 42;
  else while (Flag(flags[blockIdx.x - 1]).load(cuda::memory_order_acquire) == 0) {}
  if (blockIdx.x + 1 < gridDim.x) Flag(flags[blockIdx.x]).store(1, cuda::memory_order_release);
  else *out = *number;
}

// All threads of a block write, one releases for them; one acquires for all of its block.
extern "C" __global__ void pass_of_blocks(int* numbers, int* flag, int* out) {
  if (blockIdx.x == 0) {
    numbers[threadIdx.x] = 3 * threadIdx.x;
    __syncthreads();
    if (threadIdx.x == 0) Flag(*flag).store(1, cuda::memory_order_release);
  } else {
    if (threadIdx.x == 0)
      while (Flag(*flag).load(cuda::memory_order_acquire) == 0) {}
    __syncthreads();
    out[threadIdx.x] = numbers[blockDim.x - 1 - threadIdx.x];
  }
}
extern "C" __global__ void pass_of_blocks_early(int* numbers, int* flag, int* out) {
  if (blockIdx.x == 0) {
    if (threadIdx.x == 0) Flag(*flag).store(1, cuda::memory_order_release);
    numbers[threadIdx.x] = 3 * threadIdx.x;
  } else {
    if (threadIdx.x == 0)
      while (Flag(*flag).load(cuda::memory_order_acquire) == 0) {}
    __syncthreads();
    out[threadIdx.x] = numbers[threadIdx.x];
  }
}

// Within a block: a flag of block scope orders two warps, but no other block.
extern "C" __global__ void pass_within(int* number, int* flag, int* out) {
  if (threadIdx.x == 0) {
    *number = 42;
    BlockFlag(*flag).store(1, cuda::memory_order_release);
  } else if (threadIdx.x == 32) {
    while (BlockFlag(*flag).load(cuda::memory_order_acquire) == 0) {}
    *out = *number;
  }
}
extern "C" __global__ void pass_too_narrow(int* number, int* flag, int* out) {
  if (threadIdx.x > 0) return;
  if (blockIdx.x == 0) {
    *number = 42;
    BlockFlag(*flag).store(1, cuda::memory_order_release);
  } else {
    while (BlockFlag(*flag).load(cuda::memory_order_acquire) == 0) {}
    *out = *number;
  }
}
