// Pairwise scores on CUDA. A block takes a tile of rows by columns: boxes are read and prepared once, into shared
// memory; then columns stay in registers, rows pass by, and a warp writes 512 neighbouring bytes of the result at a
// time. Where all boxes of a tile are plain and there, nothing is asked of a pair but its score.
//
// Moves 4 bytes per pair, written once, and next to nothing else: boxes come from the L2 cache again for every tile.
// Computes about 26 instructions per pair for the IoU, 44 for the GIoU, 71 for the CIoU (tests/machine_code).
#pragma once
#include "box_set_cuda.cuh"
#include "pairwise.h"

namespace fastiou {

template <class Kind> constexpr int kMostRows = kIsRotated<Kind> ? 64 : kThreads;  // of a tile
template <class Kind> constexpr int kPairColumns = kIsRotated<Kind> ? 1 : 4;       // per thread
template <class Kind> constexpr int kTileColumns = 32 * kPairColumns<Kind>;        // of a tile: a warp side by side

// How a linear block index falls apart into batch, tile of rows, tile of columns. Tiles have as many rows as leave
// enough blocks to fill a GPU.
struct PairwiseGrid {
  int64_t blocks;
  unsigned row_tiles, column_tiles;
  int rows;  // of a tile

  PairwiseGrid(const PairwiseArgs& a, int most_rows, int tile_columns, int64_t enough_blocks) : rows(most_rows) {
    const int64_t columns = tiles_of(a.second.count, tile_columns);
    while (rows > kWarps && a.batch * columns * tiles_of(a.first.count, rows) < enough_blocks) rows /= 2;
    blocks = a.batch * columns * tiles_of(a.first.count, rows);
    row_tiles = static_cast<unsigned>(tiles_of(a.first.count, rows));
    column_tiles = static_cast<unsigned>(columns);
  }
};

// The boxes of one side of a tile. Those that are not there are points.
template <class Kind, Real T, int kBoxes> struct PairSide {
  Ready<Kind, T> box[kBoxes];
  bool plain[kBoxes], has[kBoxes];

  // Reads the box of this thread, of the first `count` from `begin` on. Returns whether it is odd, and whether it is
  // absent.
  struct Care { bool odd, absent; };
  __device__ __forceinline__ Care load(const BoxSet& set, int64_t batch, int64_t begin, int count,
                                       const Given<Kind, T>& given) {
    const int i = threadIdx.x;
    if (i >= count) return {false, false};
    has[i] = set.has(batch, begin + i);
    box[i] = {};
    if (has[i]) box[i] = ready<Kind>(load_box<Loaded<Kind, T>>(set, batch, begin + i), given);
    plain[i] = is_plain<T>(box[i]);
    return {!plain[i], !has[i]};
  }
};

template <class Kind, Real T> struct PairTile {
  static constexpr int kColumns = kPairColumns<Kind>;
  PairSide<Kind, T, kMostRows<Kind>> rows;
  PairSide<Kind, T, kTileColumns<Kind>> columns;

  // Writes the scores of every kWarps-th row. `to` is the place of this thread's first pair, `width` how far apart rows
  // are.
  template <bool kAbsent, Real S>
  __device__ __forceinline__ void score(S* to, int64_t width, int row_count, int column_count,
                                        const Given<Kind, T>& given) const {
    const int lane = threadIdx.x % 32;
    Ready<Kind, T> column[kColumns];
    bool has[kColumns];
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const int j = !kAbsent || c * 32 + lane < column_count ? c * 32 + lane : 0;
      column[c] = columns.box[j], has[c] = columns.has[j];
    }
    for (int r = threadIdx.x / 32; r < row_count; r += kWarps, to += kWarps * width) {
      const Ready<Kind, T> row = rows.box[r];
      const bool has_row = !kAbsent || rows.has[r];
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        if (kAbsent && c * 32 >= column_count) break;  // the same for the whole warp
        const T s = plain_score<Kind>(row, column[c], given);
        if (!kAbsent || c * 32 + lane < column_count)
          to[c * 32] = static_cast<S>(!kAbsent || (has_row && has[c]) ? s : T(0));
      }
    }
  }

  // The same pair by pair: a plain one has the same score whatever is beside it.
  template <Real S>
  __device__ __forceinline__ void score_odd(S* to, int64_t width, int row_count, int column_count,
                                            const Given<Kind, T>& given) const {
    for (int r = threadIdx.x / 32; r < row_count; r += kWarps, to += kWarps * width)
#pragma unroll 1
      for (int j = threadIdx.x % 32, c = 0; j < column_count; j += 32, c += 32) {
        const bool has = rows.has[r] && columns.has[j];
        to[c] = static_cast<S>(
            has ? score_of<Kind>(rows.box[r], columns.box[j], given, rows.plain[r] && columns.plain[j]) : T(0));
      }
  }
};

template <class Kind, Real T>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce<Kind, T>)
    pairwise_kernel(const __grid_constant__ PairwiseArgs a, const PairwiseGrid grid,
                    const __grid_constant__ Given<Kind, T> given) {
  __shared__ PairTile<Kind, T> tile;
  const unsigned row_tile = blockIdx.x / grid.column_tiles;
  const int64_t column0 = static_cast<int64_t>(blockIdx.x % grid.column_tiles) * kTileColumns<Kind>;
  const int64_t row0 = static_cast<int64_t>(row_tile % grid.row_tiles) * grid.rows;
  const int64_t batch = row_tile / grid.row_tiles;
  const int64_t rows_left = a.first.count - row0, columns_left = a.second.count - column0;
  const int rows = rows_left < grid.rows ? static_cast<int>(rows_left) : grid.rows;
  const int columns = columns_left < kTileColumns<Kind> ? static_cast<int>(columns_left) : kTileColumns<Kind>;
  const auto row = tile.rows.load(a.first, batch, row0, rows, given);
  const auto column = tile.columns.load(a.second, batch, column0, columns, given);
  const bool any_odd = __syncthreads_or(row.odd || column.odd);
  const bool any_absent = __syncthreads_or(row.absent || column.absent) || columns < kTileColumns<Kind>;

  const int64_t at = (batch * a.first.count + row0 + threadIdx.x / 32) * a.second.count + column0 + threadIdx.x % 32;
  const auto score = [&]<class S>(S* to) {
    if constexpr (!kIsRotated<Kind>) {  // a pair of rotated boxes takes so long that the rest is nothing
      if (any_odd) return tile.score_odd(to, a.second.count, rows, columns, given);
      if (!any_absent) return tile.template score<false>(to, a.second.count, rows, columns, given);
    }
    tile.template score<true>(to, a.second.count, rows, columns, given);
  };
  if constexpr (sizeof(T) == sizeof(double)) {
    if (a.out_dtype == DType::f64) return score(static_cast<double*>(a.out) + at);
  }
  score(static_cast<float*>(a.out) + at);
}

}  // namespace fastiou
