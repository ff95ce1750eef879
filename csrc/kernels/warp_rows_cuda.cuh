// Rows of five float32 numbers, 32 at a time by way of shared memory. No vector holds such a row: were every thread to
// move its own, a warp would touch 100 sectors of memory where 20 hold all of it.
#pragma once
#include "loads_cuda.cuh"

namespace fastiou {

// The rows of a warp, one after the other.
struct alignas(16) WarpRows {
  static constexpr int kWidth = 5;
  float x[32 * kWidth];
};

// Whether all rows of an operand lie like that, the first ones of a warp at a vector's boundary.
inline bool are_warp_rows(const Rows& rows, const Operand& o) {
  return o.dtype == DType::f32 && rows.ndim == 1 && o.inner == 1 && o.stride[0] == WarpRows::kWidth &&
         reinterpret_cast<uintptr_t>(o.data) % alignof(WarpRows) == 0;
}

// Copies the first `rows` of them, all threads of the warp together; either side may be shared memory.
__device__ __forceinline__ void copy_warp_rows(float* to, const float* from, int rows) {
  using Vector = Packed<float, 4>;
  constexpr int kVectors = sizeof(WarpRows) / sizeof(Vector);
  const int lane = threadIdx.x % 32;
  if (rows < 32) {
    for (int k = lane; k < rows * WarpRows::kWidth; k += 32) to[k] = from[k];
    return;
  }
#pragma unroll
  for (int i = lane; i < kVectors; i += 32) reinterpret_cast<Vector*>(to)[i] = reinterpret_cast<const Vector*>(from)[i];
}

}  // namespace fastiou
