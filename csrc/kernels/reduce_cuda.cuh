// A sum over all rows in one launch: deterministic, without floating-point atomics, without a host round trip.
//
// Every block sums its rows in a fixed order and writes one sum; the block that finishes last (an integer ticket
// tells) adds those sums, again in a fixed order.
#pragma once
#include "../math/scalar.h"

namespace fastiou {

constexpr int kThreads = 256;
// More blocks than any GPU holds at once, few enough for one block to add up. A constant, so that a sum does not depend
// on the GPU.
constexpr int64_t kReduceBlocks = 8192;

// Tickets, 0 between launches. A launch takes the next one, so launches that overlap on different streams do not share
// one (that would take kTickets of them in flight). Launches captured in a CUDA graph draw from a half of their own,
// because they use their ticket at every replay: of more than kTickets launches captured in one process, those that
// share a ticket must not replay at the same time. A ticket beside the partial sums would have no such limit, but would
// have to be set to 0, which is a second launch.
constexpr unsigned kTickets = 1u << 15;
static __device__ unsigned tickets[2 * kTickets];

struct ReduceScratch {
  void* partial;  // eight bytes per block
  unsigned ticket;
};

// A sum as kernels carry it. In float it is two numbers, because GPUs are slow at double precision: what additions to
// the first round off is summed in the second, so that a sum of a million losses has the digits of a double. They are
// summed times 2^-40, so that no number of finite losses overflows; only those below 2^-86 lose digits by that.
template <Real T> struct RunningSum;
template <> struct RunningSum<double> {
  double high;

  __device__ __forceinline__ void add(double x) { high += x; }
  __device__ __forceinline__ void add(const RunningSum& x) { high += x.high; }
  __device__ __forceinline__ RunningSum of_lane_above(int offset) const {
    return {__shfl_down_sync(0xffffffffu, high, offset)};
  }
  __device__ __forceinline__ double total() const { return high; }
};
template <> struct alignas(8) RunningSum<float> {
  float high, low;

  // Dekker's sum: `low` gets the rounding error, exactly unless x is larger than all before it.
  __device__ __forceinline__ void add(float x) {
    x *= 0x1p-40f;
    const float sum = high + x;
    low += x - (sum - high), high = sum;
  }
  // Knuth's sum, for numbers of any order.
  __device__ __forceinline__ void add(const RunningSum& x) {
    const float sum = high + x.high, of_x = sum - high;
    low += x.low + ((high - (sum - of_x)) + (x.high - of_x)), high = sum;
  }
  __device__ __forceinline__ RunningSum of_lane_above(int offset) const {
    return {__shfl_down_sync(0xffffffffu, high, offset), __shfl_down_sync(0xffffffffu, low, offset)};
  }
  __device__ __forceinline__ float total() const { return (high + low) * 0x1p40f; }
};

// The sum over the block, in thread 0: its first warp adds up what all threads show it. Not to be called again before
// the next barrier.
template <int kBlock, Real T> __device__ __forceinline__ RunningSum<T> block_sum(const RunningSum<T>& mine) {
  __shared__ RunningSum<T> shown[kBlock];
  shown[threadIdx.x] = mine;
  __syncthreads();
  RunningSum<T> x{};
  if (threadIdx.x < 32) {
    for (int k = threadIdx.x; k < kBlock; k += 32) x.add(shown[k]);
    for (int offset = 16; offset > 0; offset /= 2) x.add(x.of_lane_above(offset));
  }
  return x;
}

// Takes a ticket; whether all blocks of the grid have. Whoever is last puts it back to 0, and sees what the others
// wrote before: a release by all and an acquire by the last one, where __threadfence() would order more than is needed
// and empty the L1 cache at the end of every block.
__device__ __forceinline__ bool is_last_block(unsigned* ticket) {
  const unsigned last = gridDim.x - 1;
  unsigned before;
#ifdef __CUDA_ARCH__
  asm volatile("atom.release.gpu.global.inc.u32 %0, [%1], %2;"
               : "=r"(before)
               : "l"(__cvta_generic_to_global(ticket)), "r"(last)
               : "memory");
  if (before == last) asm volatile("fence.acq_rel.gpu;" ::: "memory");
#else
  before = __atomic_fetch_add(ticket, 1u, __ATOMIC_ACQ_REL);
  if (before == last) __atomic_store_n(ticket, 0u, __ATOMIC_RELAXED);
#endif
  return before == last;
}

// Adds up `mine` over all threads of a grid of blocks of kBlock; true in the one thread that then holds the result in
// `total`.
template <int kBlock, Real T>
__device__ __forceinline__ bool grid_sum(const RunningSum<T>& mine, const ReduceScratch& scratch, T& total) {
  static_assert(sizeof(RunningSum<T>) == sizeof(double));
  RunningSum<T> sum = block_sum<kBlock>(mine);
  if (gridDim.x > 1) {
    double* const partial = static_cast<double*>(scratch.partial);
    __shared__ bool last;
    if (threadIdx.x == 0) {
      partial[blockIdx.x] = __builtin_bit_cast(double, sum);
      last = is_last_block(&tickets[scratch.ticket]);
    }
    __syncthreads();
    if (!last) return false;
    RunningSum<T> rest{};
    for (unsigned i = threadIdx.x; i < gridDim.x; i += kBlock)
      rest.add(__builtin_bit_cast(RunningSum<T>, __ldcg(partial + i)));
    sum = block_sum<kBlock>(rest);
  }
  total = sum.total();
  return threadIdx.x == 0;
}

}  // namespace fastiou
