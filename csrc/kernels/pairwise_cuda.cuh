// Pairwise scores on CUDA. A block takes a tile of rows by columns: columns stay in registers, rows pass by in shared
// memory, a warp writes whole lines of the result.
#pragma once
#include "box_set_cuda.cuh"
#include "pairwise.h"
#include "reduce_cuda.cuh"

namespace fastiou {

constexpr int kPairRows = 64;                     // of a tile
template <class Kind> constexpr int kPairColumns = kIsRotated<Kind> ? 1 : 4;  // per thread
template <class Kind> constexpr int kTileColumns = 32 * kPairColumns<Kind>;   // of a tile: a warp side by side
constexpr int kWarps = kThreads / 32;

inline int64_t tiles_of(int64_t n, int64_t size) { return (n + size - 1) / size; }

// How a linear block index falls apart into batch, tile of rows, tile of columns.
struct PairwiseGrid {
  int64_t row_tiles, column_tiles, blocks;
  PairwiseGrid(const PairwiseArgs& a, int64_t tile_columns)
      : row_tiles(tiles_of(a.first.count, kPairRows)),
        column_tiles(tiles_of(a.second.count, tile_columns)),
        blocks(a.batch * row_tiles * column_tiles) {}
};

// The scores of a thread, 32 columns apart, as far as there are columns.
template <int kColumns, Real S, Real T>
__device__ __forceinline__ void store_scores(S* to, const T (&score)[kColumns], int columns) {
#pragma unroll
  for (int c = 0; c < kColumns; ++c)
    if (c < columns) to[c * 32] = static_cast<S>(score[c]);
}

template <class Kind, Real T>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<Kind, T>)
    pairwise_kernel(const __grid_constant__ PairwiseArgs a, const PairwiseGrid grid,
                    const __grid_constant__ Given<Kind, T> given) {
  constexpr int kColumns = kPairColumns<Kind>;
  __shared__ Ready<Kind, T> rows[kPairRows];
  __shared__ unsigned char plain_row[kPairRows], has_row[kPairRows];
  const int64_t block = blockIdx.x;
  const int64_t column0 = block % grid.column_tiles * kTileColumns<Kind>;
  const int64_t row0 = block / grid.column_tiles % grid.row_tiles * kPairRows;
  const int64_t batch = block / grid.column_tiles / grid.row_tiles;
  if (threadIdx.x < kPairRows && row0 + threadIdx.x < a.first.count) {
    const auto b = load_box<Loaded<Kind, T>>(a.first, batch, row0 + threadIdx.x);
    rows[threadIdx.x] = ready<Kind>(b, given);
    plain_row[threadIdx.x] = is_plain(b);
    has_row[threadIdx.x] = a.first.has(batch, row0 + threadIdx.x);
  }
  const int64_t lane = threadIdx.x % 32;
  const bool masked = a.first.mask != nullptr || a.second.mask != nullptr;
  int columns = 0;  // of this thread
  Ready<Kind, T> column[kColumns] = {};
  bool plain = true, has[kColumns];
#pragma unroll
  for (int c = 0; c < kColumns; ++c) {
    const int64_t j = column0 + c * 32 + lane;
    columns += j < a.second.count;
    has[c] = j < a.second.count && a.second.has(batch, j);
    if (has[c]) column[c] = ready<Kind>(load_box<Loaded<Kind, T>>(a.second, batch, j), given);
    plain = plain && is_plain<T>(column[c]);
  }
  __syncthreads();

  const auto& params = params_of<T>(a.eps, given);
  const int64_t last = a.first.count - row0 < kPairRows ? a.first.count - row0 : kPairRows;
  for (int64_t r = threadIdx.x / 32; r < last; r += kWarps) {
    const Ready<Kind, T> row = rows[r];
    T score[kColumns];
    if (kIsRotated<Kind> || (plain && plain_row[r])) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) score[c] = plain_score<Kind>(row, column[c], params);
    } else {
#pragma unroll
      for (int c = 0; c < kColumns; ++c)  // pair by pair: a plain one has the same score whatever is beside it
        score[c] = score_of<Kind>(row, column[c], params, plain_row[r] && is_plain<T>(column[c]));
    }
    if (masked) {
#pragma unroll
      for (int c = 0; c < kColumns; ++c) score[c] = has[c] && has_row[r] ? score[c] : T(0);
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
