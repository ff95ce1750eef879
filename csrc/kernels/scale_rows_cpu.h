#pragma once
#include "loops_cpu.h"
#include "scale_rows.h"

namespace fastiou {

template <class S, Real T>
FASTIOU_CLONES void scale_run(const T* __restrict partials, int64_t ps, int64_t pi, const T* __restrict grad, int64_t gs,
                              S* __restrict out, int64_t os, int64_t oi, int64_t n) {
  const bool packed = ps == 4 && pi == 1 && os == 4 && oi == 1;
  if (packed && gs == 0) {
    const T g = *grad;
    for (int64_t i = 0; i < 4 * n; ++i) out[i] = static_cast<S>(partials[i] * g);
  } else if (packed) {
    for (int64_t j = 0; j < n; ++j) {
      const T g = grad[j * gs];
      for (int k = 0; k < 4; ++k) out[4 * j + k] = static_cast<S>(partials[4 * j + k] * g);
    }
  } else {
    for (int k = 0; k < 4; ++k)
      for (int64_t j = 0; j < n; ++j)
        out[j * os + k * oi] = static_cast<S>(partials[j * ps + k * pi] * grad[j * gs]);
  }
}

template <Real T> void scale_rows_in(const ScaleRowsArgs& a, int64_t begin, int64_t end) {
  const int last = a.rows.ndim - 1;
  dispatch_dtype(a.out.dtype, [&]<class S>() {
    for_each_run(a.rows, {&a.partials, &a.grad, &a.out}, begin, end, [&](int64_t, int64_t n, const int64_t* offset) {
      scale_run<S, T>(static_cast<const T*>(a.partials.data) + offset[0], a.partials.stride[last], a.partials.inner,
                      static_cast<const T*>(a.grad.data) + offset[1], a.grad.stride[last],
                      static_cast<S*>(a.out.data) + offset[2], a.out.stride[last], a.out.inner, n);
    });
  });
}

}  // namespace fastiou
