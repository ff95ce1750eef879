#pragma once
#include "loops_cpu.h"
#include "scale_rows.h"

namespace fastiou {

template <int kWidth, class S, Real T>
FASTIOU_CLONES void scale_run(const T* __restrict partials, int64_t ps, int64_t pi, const T* __restrict grad,
                              int64_t gs, S* __restrict out, int64_t os, int64_t oi, int64_t n) {
  const bool packed = ps == kWidth && pi == 1 && os == kWidth && oi == 1;
  if (packed && gs == 0) {
    const T g = *grad;
    for (int64_t i = 0; i < kWidth * n; ++i) out[i] = static_cast<S>(partials[i] * g);
  } else if (packed) {
    for (int64_t j = 0; j < n; ++j) {
      const T g = grad[j * gs];
      if constexpr (kWidth % kVec<T> == 0 && std::is_same_v<S, T>) {
        for (int k = 0; k < kWidth; k += kVec<T>)
          store_vec(out + kWidth * j + k, load_vec(partials + kWidth * j + k) * g);
      } else {
        for (int k = 0; k < kWidth; ++k) out[kWidth * j + k] = static_cast<S>(partials[kWidth * j + k] * g);
      }
    }
  } else {
    for (int k = 0; k < kWidth; ++k)
      for (int64_t j = 0; j < n; ++j)
        out[j * os + k * oi] = static_cast<S>(partials[j * ps + k * pi] * grad[j * gs]);
  }
}

template <int kWidth, Real T> void scale_rows_of(const ScaleRowsArgs& a, int64_t begin, int64_t end) {
  const int last = a.rows.ndim - 1;
  dispatch_dtype(a.out.dtype, [&]<class S>() {
    for_each_run(a.rows, {&a.partials, &a.grad, &a.out}, begin, end, [&](int64_t, int64_t n, const int64_t* offset) {
      scale_run<kWidth, S, T>(static_cast<const T*>(a.partials.data) + offset[0], a.partials.stride[last],
                              a.partials.inner, static_cast<const T*>(a.grad.data) + offset[1], a.grad.stride[last],
                              static_cast<S*>(a.out.data) + offset[2], a.out.stride[last], a.out.inner, n);
    });
  });
}
template <Real T> void scale_rows_in(const ScaleRowsArgs& a, int64_t begin, int64_t end) {
  if (a.width == 5) scale_rows_of<5, T>(a, begin, end);
  else scale_rows_of<4, T>(a, begin, end);
}

}  // namespace fastiou
