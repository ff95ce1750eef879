// The backward pass of the aligned losses on CUDA: it reads every partial once and writes every gradient once, with two
// dozen instructions between, so memory is its only bound.
#pragma once
#include <optional>

#include "loads_cuda.cuh"
#include "reduce_cuda.cuh"
#include "scale_rows.h"

namespace fastiou {

// Rows of any dtype and stride.
template <int kWidth, Real T>
__global__ void __launch_bounds__(kThreads) scale_rows_kernel(const __grid_constant__ ScaleRowsArgs a) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kThreads;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x; row < a.rows.count; row += step) {
    int64_t at[3];
    row_offsets(a.rows, {&a.partials, &a.grad, &a.out}, row, at);
    T x[kWidth];
    load_row(a.partials, at[0], x);
    const T g = static_cast<const T*>(a.grad.data)[at[1]];
    for (int k = 0; k < kWidth; ++k) x[k] *= g;
    dispatch_dtype(a.out.dtype, [&]<class S>() { store_row_as<kWidth, T, S>(a.out, at[2], x); });
  }
}

// Rows of float32 that lie one after the other, as nearly all do.
struct ScaleNumbersArgs {
  const float* partials;
  const float* grad;
  float* out;
  uint32_t count;  // of numbers
  bool one;        // whether grad is one number for all rows
};

// The arguments of a call of such rows; nothing if it has others, or more than 32 bits count.
inline std::optional<ScaleNumbersArgs> as_numbers(const ScaleRowsArgs& a) {
  const auto in_order = [&](const Operand& o, int64_t width, uintptr_t alignment) {
    return o.dtype == DType::f32 && o.inner == 1 && (o.stride[0] == width || a.rows.count == 1) &&
           reinterpret_cast<uintptr_t>(o.data) % alignment == 0;
  };
  const bool one = a.grad.stride[0] == 0;
  const bool plain = a.rows.ndim == 1 && a.rows.count * a.width <= (int64_t(1) << 32) - (int64_t(1) << 24) &&
                     in_order(a.partials, a.width, 16) && in_order(a.out, a.width, 16) &&
                     in_order(a.grad, one ? 0 : 1, sizeof(float));
  if (!plain) return std::nullopt;
  return ScaleNumbersArgs{static_cast<const float*>(a.partials.data), static_cast<const float*>(a.grad.data),
                          static_cast<float*>(a.out.data), static_cast<uint32_t>(a.rows.count * a.width), one};
}

constexpr int kScaledPerThread = 2;                                    // vectors of four numbers
constexpr int64_t kScaledNumbers = 4 * kThreads * kScaledPerThread;  // by a block

// Every thread has some vectors, whose loads are on their way together, wherever rows begin and end in them.
template <int kWidth>
__global__ void __launch_bounds__(kThreads) scale_numbers_kernel(const __grid_constant__ ScaleNumbersArgs a) {
  using Vector = Packed<float, 4>;
  const uint32_t first = blockIdx.x * (kThreads * kScaledPerThread) + threadIdx.x, whole = a.count / 4;
  Vector x[kScaledPerThread];
  float g[kScaledPerThread][2];  // of the row that a vector begins in, and of the next
#pragma unroll
  for (int i = 0; i < kScaledPerThread; ++i) {
    const uint32_t v = first + i * kThreads, row = 4 * v / kWidth;
    if (v >= whole) break;
    x[i] = reinterpret_cast<const Vector*>(a.partials)[v];
    g[i][0] = a.grad[a.one ? 0 : row];
    if (kWidth != 4) g[i][1] = a.grad[a.one ? 0 : (4 * v + 3) / kWidth];
  }
#pragma unroll
  for (int i = 0; i < kScaledPerThread; ++i) {
    const uint32_t v = first + i * kThreads, before = 4 * v % kWidth;  // numbers of the row
    if (v >= whole) break;
#pragma unroll
    for (int k = 0; k < 4; ++k) x[i].x[k] *= kWidth == 4 || before + k < kWidth ? g[i][0] : g[i][1];
    reinterpret_cast<Vector*>(a.out)[v] = x[i];
  }
  if (kWidth != 4 && first < a.count % 4) {  // what is no vector
    const uint32_t at = 4 * whole + first;
    a.out[at] = a.partials[at] * a.grad[a.one ? 0 : at / kWidth];
  }
}

}  // namespace fastiou
