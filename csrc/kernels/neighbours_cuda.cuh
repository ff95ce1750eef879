// An order of the boxes of a block in which those that are close to each other are side by side: a warp that takes 32
// of them in a row passes over most of a picture's gts at once. A counting sort by cells of a grid around all centres;
// cells follow a Morton curve. Within a cell the order may differ from run to run: no result depends on it.
#pragma once
#include "match_keys_cuda.cuh"
#include "reduce_cuda.cuh"

namespace fastiou {

// In shared memory; kOwn boxes per thread, the c-th one of a thread is box c * kThreads + threadIdx.x.
template <Real T, int kOwn> struct Neighbours {
  static constexpr int kSide = 32, kCells = kSide * kSide, kCellsPerThread = kCells / kThreads;
  static constexpr int kWarps = kThreads / 32;
  unsigned count[kCells];  // of boxes in a cell, and then in the cells before
  unsigned before[kWarps];
  T range[4][kWarps];

  // Sets `slot`, where in the order boxes come, by their centres. All threads call it.
  __device__ void sort(const T (&x)[kOwn], const T (&y)[kOwn], const bool (&has)[kOwn], unsigned (&slot)[kOwn]) {
#pragma unroll
    for (int k = 0; k < kCellsPerThread; ++k) count[k * kThreads + threadIdx.x] = 0;
    const Square square = around(x, y, has);  // waits for the block
    int cell[kOwn];
#pragma unroll
    for (int c = 0; c < kOwn; ++c) {
      cell[c] = has[c] ? square.cell(x[c], y[c]) : kCells - 1;
      slot[c] = atomicAdd(&count[cell[c]], 1u);
    }
    __syncthreads();
    sum_counts();
#pragma unroll
    for (int c = 0; c < kOwn; ++c) slot[c] += count[cell[c]];
  }

 private:
  // The least square around the centres. NaN and infinity give some cell.
  struct Square {
    T x, y, scale;
    __device__ static unsigned along(T x) { return x > 0 ? (x < T(kSide) ? static_cast<unsigned>(x) : kSide - 1) : 0; }
    __device__ static unsigned spread(unsigned x) {  // abcde -> a0b0c0d0e
      x = (x | x << 4) & 0x10f;
      x = (x | x << 2) & 0x133;
      return (x | x << 1) & 0x155;
    }
    __device__ int cell(T at_x, T at_y) const {
      return static_cast<int>(spread(along((at_x - x) * scale)) | spread(along((at_y - y) * scale)) << 1);
    }
  };

  __device__ Square around(const T (&x)[kOwn], const T (&y)[kOwn], const bool (&has)[kOwn]) {
    T most[4] = {-kLargest<T>, -kLargest<T>, -kLargest<T>, -kLargest<T>};  // of -x, x, -y, y
#pragma unroll
    for (int c = 0; c < kOwn; ++c) {
      if (!has[c]) continue;
      const T at[4] = {-x[c], x[c], -y[c], y[c]};
#pragma unroll
      for (int k = 0; k < 4; ++k) most[k] = max(at[k], most[k]);
    }
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      most[k] = warp_max(most[k]);
      if (threadIdx.x % 32 == 0) range[k][threadIdx.x / 32] = most[k];
    }
    __syncthreads();
#pragma unroll
    for (int k = 0; k < 4; ++k)
      for (int w = 0; w < kWarps; ++w) most[k] = max(range[k][w], most[k]);
    const T size = max(most[0] + most[1], most[2] + most[3]);
    return {-most[0], -most[2], size > 0 ? T(kSide) / size : T(0)};
  }

  // Turns counts into how many boxes are in the cells before.
  __device__ void sum_counts() {
    const int first = threadIdx.x * kCellsPerThread, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    unsigned own = 0;
#pragma unroll
    for (int k = 0; k < kCellsPerThread; ++k) own += count[first + k];
    unsigned sum = own;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const unsigned other = __shfl_up_sync(0xffffffffu, sum, step);
      sum += lane >= step ? other : 0;
    }
    if (lane == 31) before[warp] = sum;
    __syncthreads();
    sum -= own;
    for (int w = 0; w < warp; ++w) sum += before[w];
#pragma unroll
    for (int k = 0; k < kCellsPerThread; ++k) {
      const unsigned here = count[first + k];
      count[first + k] = sum;
      sum += here;
    }
    __syncthreads();
  }
};

}  // namespace fastiou
