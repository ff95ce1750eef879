// Boxes of a set in device memory -> registers.
#pragma once
#include "../math/kinds.h"
#include "box_set.h"
#include "loads_cuda.cuh"

namespace fastiou {

// The i-th box of a set as corners.
template <Real T> __device__ __forceinline__ Box<T> load_box(const BoxSet& s, int64_t batch, int64_t i) {
  T x[4];
  dispatch_dtype<Accept::boxes>(s.dtype, [&]<class S>() {
    const S* p = static_cast<const S*>(s.data) + batch * s.batch_stride + i * s.stride;
    if (s.packed) {
      const auto v = *reinterpret_cast<const Packed<S, 4>*>(p);
#pragma unroll
      for (int k = 0; k < 4; ++k) x[k] = static_cast<T>(v.x[k]);
    } else {
#pragma unroll
      for (int k = 0; k < 4; ++k) x[k] = static_cast<T>(p[k * s.inner]);
    }
  });
  return decode<T>(s.format, x[0], x[1], x[2], x[3], T(0), T(0));
}

}  // namespace fastiou
