// What the CPU loops share: function clones, runs of rows, and tiles of boxes in structure-of-arrays form.
#pragma once
#include <algorithm>

#include "../math/box.h"
#include "operand.h"
#include "squares_cpu.h"

// One binary serves AVX-512, AVX2 and plain SSE2 machines: the loader picks the clone.
#if !defined(FASTIOU_CLONES) && defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#if __GNUC__ >= 12
#define FASTIOU_CLONES __attribute__((noinline, target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else  // no names for levels yet
#define FASTIOU_CLONES __attribute__((noinline, target_clones("avx512f", "avx2", "default")))
#endif
#elif !defined(FASTIOU_CLONES)
#define FASTIOU_CLONES __attribute__((noinline))
#endif

namespace fastiou {

// Calls f(first, n, offsets) for every stretch of rows in [begin, end) along the innermost dimension: row first + j of
// operand i starts at offsets[i] + j * operands[i].stride[ndim - 1].
template <int kOperands, class F>
void for_each_run(const Rows& rows, const Operand* const (&operands)[kOperands], int64_t begin, int64_t end, F&& f) {
  const int last = rows.ndim - 1;
  if (last == 0) {
    int64_t offsets[kOperands];
    for (int i = 0; i < kOperands; ++i) offsets[i] = begin * operands[i]->stride[0];
    return f(begin, end - begin, offsets);
  }
  while (begin < end) {
    int64_t offsets[kOperands] = {}, rest = begin, inner_index = 0;
    for (int d = last; d >= 0; --d) {
      const int64_t index = rest % rows.size[d];
      rest /= rows.size[d];
      if (d == last) inner_index = index;
      for (int i = 0; i < kOperands; ++i) offsets[i] += index * operands[i]->stride[d];
    }
    const int64_t n = std::min(end - begin, rows.size[last] - inner_index);
    f(begin, n, offsets);
    begin += n;
  }
}

// Boxes in flight: column k of row j is at [k][j]. All columns of a tile fit the L1 cache together.
template <Real T> constexpr int kTile = 1024 / sizeof(T);
template <Real T, int kWidth> using Columns = T[kWidth][kTile<T>];

template <Real T> FASTIOU_HD Box<T> box_at(const Columns<T, 4>& c, int64_t j) {
  return {c[0][j], c[1][j], c[2][j], c[3][j]};
}
template <Real T> FASTIOU_HD void set_box(Columns<T, 4>& c, int64_t j, const Box<T>& b) {
  c[0][j] = b.x1, c[1][j] = b.y1, c[2][j] = b.x2, c[3][j] = b.y2;
}

// Packed rows of four <-> columns: as many of n as make whole squares. Both return how many.
template <Real T>
FASTIOU_INLINE int64_t gather_squares(const T* __restrict src, int64_t n, int64_t at, Columns<T, 4>& columns) {
  int64_t j = 0;
  for (; j + kVec<T> <= n; j += kVec<T>)
    for (int k = 0; k < 4; k += kVec<T>) move_square(src + 4 * j + k, 4, columns[k] + at + j, kTile<T>);
  return j;
}
template <Real T>
FASTIOU_INLINE int64_t scatter_squares(T* __restrict dst, int64_t n, int64_t at, const Columns<T, 4>& columns) {
  int64_t j = 0;
  for (; j + kVec<T> <= n; j += kVec<T>)
    for (int k = 0; k < 4; k += kVec<T>) move_square(columns[k] + at + j, kTile<T>, dst + 4 * j + k, 4);
  return j;
}

template <class S, int kWidth, Real T>
FASTIOU_CLONES void gather_run(const S* __restrict src, int64_t stride, int64_t inner, int64_t n, int64_t at,
                               Columns<T, kWidth>& columns) {
  if (stride == kWidth && inner == 1) {
    int64_t j = 0;
    if constexpr (kWidth == 4 && std::is_same_v<S, T>) j = gather_squares<T>(src, n, at, columns);
    for (; j < n; ++j)
      for (int k = 0; k < kWidth; ++k) columns[k][at + j] = static_cast<T>(src[j * kWidth + k]);
  } else if (stride == 1) {
    for (int k = 0; k < kWidth; ++k)
      for (int64_t j = 0; j < n; ++j) columns[k][at + j] = static_cast<T>(src[j + k * inner]);
  } else {
    for (int k = 0; k < kWidth; ++k)
      for (int64_t j = 0; j < n; ++j) columns[k][at + j] = static_cast<T>(src[j * stride + k * inner]);
  }
}

template <class S, int kWidth, Real T>
FASTIOU_CLONES void scatter_run(S* __restrict dst, int64_t stride, int64_t inner, int64_t n, int64_t at,
                                const Columns<T, kWidth>& columns) {
  if (stride == kWidth && inner == 1) {
    int64_t j = 0;
    if constexpr (kWidth == 4 && std::is_same_v<S, T>) j = scatter_squares<T>(dst, n, at, columns);
    for (; j < n; ++j)
      for (int k = 0; k < kWidth; ++k) dst[j * kWidth + k] = static_cast<S>(columns[k][at + j]);
  } else {
    for (int k = 0; k < kWidth; ++k)
      for (int64_t j = 0; j < n; ++j) dst[j * stride + k * inner] = static_cast<S>(columns[k][at + j]);
  }
}

// Rows [begin, begin + n) of an operand of any dtype and stride <-> a tile.
template <int kWidth, Real T>
void gather(const Rows& rows, const Operand& from, int64_t begin, int64_t n, Columns<T, kWidth>& columns) {
  dispatch_dtype<kWidth == 1 ? Accept::counts : Accept::floats>(from.dtype, [&]<class S>() {
    for_each_run(rows, {&from}, begin, begin + n, [&](int64_t first, int64_t count, const int64_t* offsets) {
      gather_run<S, kWidth, T>(static_cast<const S*>(from.data) + offsets[0], from.stride[rows.ndim - 1], from.inner,
                               count, first - begin, columns);
    });
  });
}
template <int kWidth, Real T>
void scatter(const Rows& rows, const Operand& to, int64_t begin, int64_t n, const Columns<T, kWidth>& columns) {
  for_each_run(rows, {&to}, begin, begin + n, [&](int64_t first, int64_t count, const int64_t* offsets) {
    scatter_run<T, kWidth, T>(static_cast<T*>(to.data) + offsets[0], to.stride[rows.ndim - 1], to.inner, count,
                              first - begin, columns);
  });
}

template <Real T>
FASTIOU_CLONES void decode_tile(Format format, int64_t n, const Columns<T, 2>& points, Columns<T, 4>& c) {
  for (int64_t j = 0; j < n; ++j) {
    set_box<T>(c, j, decode(format, c[0][j], c[1][j], c[2][j], c[3][j], points[0][j], points[1][j]));
  }
}

}  // namespace fastiou
