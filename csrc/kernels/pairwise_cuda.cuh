// Pairwise scores on CUDA. A block takes a tile of rows by columns: columns stay in registers, rows pass by in shared
// memory, a warp writes whole lines of the result.
#pragma once
#include "box_set_cuda.cuh"
#include "pairwise.h"
#include "reduce_cuda.cuh"

namespace fastiou {

constexpr int kPairRows = 64;                     // of a tile
constexpr int kPairColumns = 4;                   // per thread
constexpr int kTileColumns = 32 * kPairColumns;   // of a tile: a warp side by side
constexpr int kWarps = kThreads / 32;

inline int64_t tiles_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

// How a linear block index falls apart into batch, tile of rows, tile of columns.
struct PairwiseGrid {
  int64_t row_tiles, column_tiles, blocks;
  explicit PairwiseGrid(const PairwiseArgs& a)
      : row_tiles(tiles_of(a.first.count, kPairRows)),
        column_tiles(tiles_of(a.second.count, kTileColumns)),
        blocks(a.batch * row_tiles * column_tiles) {}
};

// The score of two boxes of which one may be odd. Not for the loop: it is long and rare.
template <class Kind, Real T>
__device__ __attribute__((noinline)) T odd_score(const Box<T> p, const Box<T> g, const Eps<T> eps) {
  return any_score<Kind>(p, g, eps);
}

template <class Kind, class B, Real T>
__device__ __forceinline__ T score_of(const B& p, const B& g, const Eps<T>& eps, bool plain) {
  return plain ? plain_score<Kind>(p, g, eps) : odd_score<Kind, T>(p, g, eps);
}

// The scores of a thread, 32 columns apart, as far as there are columns.
template <Real S, Real T>
__device__ __forceinline__ void store_scores(S* to, const T (&score)[kPairColumns], int columns) {
#pragma unroll
  for (int c = 0; c < kPairColumns; ++c)
    if (c < columns) to[c * 32] = static_cast<S>(score[c]);
}

template <class Kind, Real T>
__global__ void __launch_bounds__(kThreads)
    pairwise_kernel(const __grid_constant__ PairwiseArgs a, const PairwiseGrid grid) {
  __shared__ Prepared<Kind, T> rows[kPairRows];
  __shared__ unsigned char plain_row[kPairRows], has_row[kPairRows];
  const int64_t block = blockIdx.x;
  const int64_t column0 = block % grid.column_tiles * kTileColumns;
  const int64_t row0 = block / grid.column_tiles % grid.row_tiles * kPairRows;
  const int64_t batch = block / grid.column_tiles / grid.row_tiles;
  if (threadIdx.x < kPairRows && row0 + threadIdx.x < a.first.count) {
    const Box<T> b = load_box<T>(a.first, batch, row0 + threadIdx.x);
    rows[threadIdx.x] = prepared<Kind>(b);
    plain_row[threadIdx.x] = is_plain(b);
    has_row[threadIdx.x] = a.first.has(batch, row0 + threadIdx.x);
  }
  const int64_t lane = threadIdx.x % 32;
  const bool masked = a.first.mask != nullptr || a.second.mask != nullptr;
  int columns = 0;  // of this thread
  Prepared<Kind, T> column[kPairColumns] = {};
  bool plain = true, has[kPairColumns];
#pragma unroll
  for (int c = 0; c < kPairColumns; ++c) {
    const int64_t j = column0 + c * 32 + lane;
    columns += j < a.second.count;
    has[c] = j < a.second.count && a.second.has(batch, j);
    if (has[c]) column[c] = prepared<Kind>(load_box<T>(a.second, batch, j));
    plain = plain && is_plain<T>(column[c]);
  }
  __syncthreads();

  const Eps<T> eps = eps_of<T>(a.eps);
  const int64_t last = a.first.count - row0 < kPairRows ? a.first.count - row0 : kPairRows;
  for (int64_t r = threadIdx.x / 32; r < last; r += kWarps) {
    const Prepared<Kind, T> row = rows[r];
    T score[kPairColumns];
    if (plain && plain_row[r]) {
#pragma unroll
      for (int c = 0; c < kPairColumns; ++c) score[c] = plain_score<Kind>(row, column[c], eps);
    } else {
#pragma unroll
      for (int c = 0; c < kPairColumns; ++c)  // pair by pair: a plain one has the same score whatever is beside it
        score[c] = score_of<Kind>(row, column[c], eps, plain_row[r] && is_plain<T>(column[c]));
    }
    if (masked) {
#pragma unroll
      for (int c = 0; c < kPairColumns; ++c) score[c] = has[c] && has_row[r] ? score[c] : T(0);
    }
    const int64_t at = (batch * a.first.count + row0 + r) * a.second.count + column0 + lane;
    if (sizeof(T) == sizeof(double) && a.out_dtype == DType::f64) {
      store_scores(static_cast<double*>(a.out) + at, score, columns);
    } else {
      store_scores(static_cast<float*>(a.out) + at, score, columns);
    }
  }
}

}  // namespace fastiou
