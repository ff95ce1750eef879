// A sum over all rows in one launch: deterministic, without floating-point atomics, without a host round trip.
//
// Every block sums its rows in a fixed order and writes one number; the block that finishes last (an integer ticket
// tells) adds those numbers, again in a fixed order, and puts the ticket back to 0.
#pragma once
#include <cstdint>

namespace fastiou {

constexpr int kThreads = 256;
// More blocks than any GPU holds at once, few enough for one block to add up. A constant, so that a sum does not depend
// on the GPU.
constexpr int64_t kReduceBlocks = 8192;

// Tickets, 0 between launches. A launch takes the next one, so launches that overlap on different streams do not share
// one (that would take kTickets of them in flight). Launches captured in a CUDA graph draw from a half of their own,
// because they use their ticket at every replay.
constexpr unsigned kTickets = 1u << 15;
static __device__ unsigned tickets[2 * kTickets];

struct ReduceScratch {
  double* partial;  // one number per block
  unsigned ticket;
};

// The sum over the block, in thread 0.
template <int kBlock> __device__ __forceinline__ double block_sum(double x) {
  __shared__ double warp_sums[kBlock / 32];
  for (int offset = 16; offset > 0; offset /= 2) x += __shfl_down_sync(0xffffffffu, x, offset);
  if (threadIdx.x % 32 == 0) warp_sums[threadIdx.x / 32] = x;
  __syncthreads();
  x = threadIdx.x < kBlock / 32 ? warp_sums[threadIdx.x] : 0.0;
  if (threadIdx.x < 32)
    for (int offset = kBlock / 64; offset > 0; offset /= 2) x += __shfl_down_sync(0xffffffffu, x, offset);
  __syncthreads();  // warp_sums may be used again
  return x;
}

// Adds up `mine` over all threads of a grid of blocks of kBlock; true in the one thread that then holds the result in
// `total`.
template <int kBlock>
__device__ __forceinline__ bool grid_sum(double mine, const ReduceScratch& scratch, double& total) {
  const double sum = block_sum<kBlock>(mine);
  if (gridDim.x == 1) {
    total = sum;
    return threadIdx.x == 0;
  }
  __shared__ bool last;
  if (threadIdx.x == 0) {
    scratch.partial[blockIdx.x] = sum;
    __threadfence();
    last = atomicAdd(&tickets[scratch.ticket], 1u) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return false;
  __threadfence();
  double rest = 0;
  for (unsigned i = threadIdx.x; i < gridDim.x; i += kBlock) rest += __ldcg(scratch.partial + i);
  total = block_sum<kBlock>(rest);
  if (threadIdx.x == 0) tickets[scratch.ticket] = 0;
  return threadIdx.x == 0;
}

}  // namespace fastiou
