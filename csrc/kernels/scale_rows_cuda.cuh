#pragma once
#include "loads_cuda.cuh"
#include "reduce_cuda.cuh"
#include "scale_rows.h"

namespace fastiou {

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

}  // namespace fastiou
