// Rows of operands in device memory -> registers, and back.
#pragma once
#include "operand.h"

namespace fastiou {

// kWidth neighbouring elements as the widest vectors that the hardware moves at once.
template <class S, int kWidth> struct alignas(sizeof(S) * kWidth < 16 ? sizeof(S) * kWidth : 16) Packed {
  S x[kWidth];
};

// Element offsets of a row in several operands. One dimension is the rule, so more are a loop that is not unrolled.
template <int kOperands>
__device__ __forceinline__ void row_offsets(const Rows& rows, const Operand* const (&operands)[kOperands], int64_t row,
                                            int64_t (&offsets)[kOperands]) {
  if (rows.ndim == 1) {
#pragma unroll
    for (int i = 0; i < kOperands; ++i) offsets[i] = row * operands[i]->stride[0];
    return;
  }
#pragma unroll
  for (int i = 0; i < kOperands; ++i) offsets[i] = 0;
#pragma unroll 1
  for (int d = rows.ndim - 1; d >= 0; --d) {
    const int64_t size = rows.size[d];
    const int64_t next = rows.count <= UINT32_MAX  // a 64-bit division takes four times as long
                             ? static_cast<uint32_t>(row) / static_cast<uint32_t>(size)
                             : row / size;
    const int64_t index = row - next * size;
#pragma unroll
    for (int i = 0; i < kOperands; ++i) offsets[i] += index * operands[i]->stride[d];
    row = next;
  }
}

// Rows of five numbers are never packed: no vector holds them.
template <int kWidth> constexpr bool kPackable = (kWidth & (kWidth - 1)) == 0;

template <int kWidth, Real T>
__device__ __forceinline__ void load_row(const Operand& o, int64_t offset, T (&x)[kWidth]) {
  dispatch_dtype<kWidth == 1 ? Accept::counts : Accept::floats>(o.dtype, [&]<class S>() {
    const S* p = static_cast<const S*>(o.data) + offset;
    if constexpr (kPackable<kWidth>) {
      if (o.packed) {
        const auto v = *reinterpret_cast<const Packed<S, kWidth>*>(p);
#pragma unroll
        for (int k = 0; k < kWidth; ++k) x[k] = static_cast<T>(v.x[k]);
        return;
      }
    }
#pragma unroll
    for (int k = 0; k < kWidth; ++k) x[k] = static_cast<T>(p[k * o.inner]);
  });
}

template <int kWidth, Real T, class S>
__device__ __forceinline__ void store_row_as(const Operand& o, int64_t offset, const T (&x)[kWidth]) {
  S* p = static_cast<S*>(o.data) + offset;
  if constexpr (kPackable<kWidth>) {
    if (o.packed) {
      Packed<S, kWidth> v;
      for (int k = 0; k < kWidth; ++k) v.x[k] = static_cast<S>(x[k]);
      *reinterpret_cast<Packed<S, kWidth>*>(p) = v;
      return;
    }
  }
  for (int k = 0; k < kWidth; ++k) p[k * o.inner] = static_cast<S>(x[k]);
}

}  // namespace fastiou
