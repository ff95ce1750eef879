// Pairwise scores on CUDA. A block takes a tile of rows by columns: boxes are read and prepared once, into shared memory; then
// columns stay in registers, rows pass by, and a warp writes 512 neighbouring bytes of the result at a time. Where all
// boxes of a tile are plain and there, nothing is asked of a pair but its score.
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

// How a linear block index falls apart into batch, tile of rows, tile of columns. Tiles have as many rows as leave enough
// blocks to fill a GPU.
struct PairwiseGrid {
  static constexpr int64_t kEnoughBlocks = 512;
  int64_t blocks;
  unsigned row_tiles, column_tiles;
  int rows;  // of a tile

  PairwiseGrid(const PairwiseArgs& a, int most_rows, int tile_columns) : rows(most_rows) {
    const int64_t columns = tiles_of(a.second.count, tile_columns);
    while (rows > kWarps && a.batch * columns * tiles_of(a.first.count, rows) < kEnoughBlocks) rows /= 2;
    blocks = a.batch * columns * tiles_of(a.first.count, rows);
    row_tiles = static_cast<unsigned>(tiles_of(a.first.count, rows));
    column_tiles = static_cast<unsigned>(columns);
  }
};

// The boxes of one side of a tile.
template <class Kind, Real T, int kBoxes> struct PairSide {
  Ready<Kind, T> box[kBoxes];
  bool plain[kBoxes], has[kBoxes];

  // Reads the box of this thread, of the first `count` from `begin` on. Returns whether it is there and plain, or there is
  // none to read. Boxes that are not there are points.
  __device__ __forceinline__ bool load(const BoxSet& set, int64_t batch, int64_t begin, int count,
                                       const Given<Kind, T>& given) {
    const int i = threadIdx.x;
    if (i >= count) return true;
    has[i] = set.has(batch, begin + i);
    box[i] = {};
    if (has[i]) box[i] = ready<Kind>(load_box<Loaded<Kind, T>>(set, batch, begin + i), given);
    plain[i] = is_plain<T>(box[i]);
    return plain[i] && has[i];
  }
};

// What a tile of boxes asks for: nothing; to end at the last column; to look at every pair, because a box is odd or absent.
enum class TileCare : int { none, columns, pairs };

template <class Kind, Real T> struct PairTile {
  static constexpr int kColumns = kPairColumns<Kind>;
  PairSide<Kind, T, kMostRows<Kind>> rows;
  PairSide<Kind, T, kTileColumns<Kind>> columns;

  // Writes the scores of every kWarps-th row. `to` is the place of this thread's first pair, `width` how far apart rows are.
  template <TileCare kCare, Real S>
  __device__ __forceinline__ void score(S* to, int64_t width, int row_count, int column_count,
                                        const Given<Kind, T>& given) const {
    const int lane = threadIdx.x % 32;
    Ready<Kind, T> column[kColumns];
    bool plain[kColumns], has[kColumns];
#pragma unroll
    for (int c = 0; c < kColumns; ++c) {
      const int j = c * 32 + lane;
      has[c] = kCare == TileCare::none || j < column_count;
      column[c] = columns.box[has[c] ? j : 0];
      plain[c] = columns.plain[has[c] ? j : 0];
    }
    for (int r = threadIdx.x / 32; r < row_count; r += kWarps, to += kWarps * width) {
      const Ready<Kind, T> row = rows.box[r];
#pragma unroll
      for (int c = 0; c < kColumns; ++c) {
        if (kCare != TileCare::none && c * 32 >= column_count) break;  // the same for the whole warp
        T s;
        if constexpr (kCare == TileCare::pairs) {  // a plain pair has the same score whatever is beside it
          s = score_of<Kind>(row, column[c], given, rows.plain[r] && plain[c]);
          s = rows.has[r] && has[c] && columns.has[c * 32 + lane] ? s : T(0);
        } else {
          s = plain_score<Kind>(row, column[c], given);
        }
        if (has[c]) to[c * 32] = static_cast<S>(s);
      }
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
  const bool plain_row = tile.rows.load(a.first, batch, row0, rows, given);
  const bool plain_column = tile.columns.load(a.second, batch, column0, columns, given);
  const bool careful = __syncthreads_or(!(plain_row && plain_column));

  const int64_t at = (batch * a.first.count + row0 + threadIdx.x / 32) * a.second.count + column0 + threadIdx.x % 32;
  const auto score = [&]<class S>(S* to) {
    if (careful) tile.template score<TileCare::pairs>(to, a.second.count, rows, columns, given);
    else if (columns < kTileColumns<Kind>) tile.template score<TileCare::columns>(to, a.second.count, rows, columns, given);
    else tile.template score<TileCare::none>(to, a.second.count, rows, columns, given);
  };
  if constexpr (sizeof(T) == sizeof(double)) {
    if (a.out_dtype == DType::f64) return score(static_cast<double*>(a.out) + at);
  }
  score(static_cast<float*>(a.out) + at);
}

}  // namespace fastiou
