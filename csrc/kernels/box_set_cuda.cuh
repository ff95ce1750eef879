// Boxes of a set in device memory -> registers.
#pragma once
#include "box_set.h"

namespace fastiou {

// Box i as corners.
template <Real T> __device__ __forceinline__ Box<T> load_box(const BoxSet& s, int64_t batch, int64_t i) {
  T x[4];
  dispatch_dtype<Accept::boxes>(s.dtype, [&]<class S>() {
    const S* const from = static_cast<const S*>(s.data) + batch * s.batch_stride + i * s.stride;
#pragma unroll
    for (int k = 0; k < 4; ++k) x[k] = static_cast<T>(from[k * s.inner]);
  });
  return decode<T>(s.format, x[0], x[1], x[2], x[3], T(0), T(0));
}

}  // namespace fastiou
