// Every box of one set against every box of another.
#pragma once
#include <algorithm>

#include "box_set.h"

namespace fastiou {

struct PairwiseArgs {
  BoxSet first, second;
  int64_t batch = 1;
  Eps<double> eps{0, 0, 0};
  void* out = nullptr;  // scores (batch, first, second), contiguous
  DType out_dtype = DType::f32;
};

// The gradient of sum(grad * scores) with respect to one of the sets, "own"; the other one is summed over.
struct PairwiseBackwardArgs {
  BoxSet own, other;
  bool own_first = true;  // whether own is the first set
  int64_t batch = 1;
  Eps<double> eps{0, 0, 0};
  const void* grad = nullptr;  // of the scores, in the compute dtype
  int64_t grad_batch_stride = 0, grad_own_stride = 0, grad_other_stride = 0;
  void* out = nullptr;         // (batch, own, width) in the compute dtype, contiguous
  double* partial = nullptr;   // (slices, batch, own, kPartials)
  int64_t slices = 1;
};

// What a slice leaves of a box: the sums of up to five partial derivatives, and the largest incoming |gradient|, at
// least 1.
constexpr int kLargestGrad = 5, kPartials = 6;

// Adds grad * partial derivatives that are settled. No sum of such terms overflows.
template <int n, Real T> FASTIOU_HD void add_settled(double (&sum)[n], const T (&d)[n], T grad) {
  constexpr double limit = kLargest<double> / 2;  // formats add two of them
  FASTIOU_UNROLL
  for (int k = 0; k < n; ++k) sum[k] = bounded(sum[k] + static_cast<double>(grad) * static_cast<double>(d[k]), limit);
}
template <Real T> FASTIOU_HD void add_settled(double (&sum)[4], const Box<T>& d, T grad) {
  const T x[4] = {d.x1, d.y1, d.x2, d.y2};
  add_settled(sum, x, grad);
}

// Whether sums that were added without care can be trusted: no single pair need have saturated.
template <int n, Real T> FASTIOU_HD bool is_trusted(const double (&sum)[n], DType dtype, T largest_grad) {
  const double limit = static_cast<double>(largest_of<T>(dtype)) * largest_grad;
  bool trusted = true;
  FASTIOU_UNROLL
  for (int k = 0; k < n; ++k) trusted = trusted && abs(sum[k]) <= limit;
  return trusted;
}

// The gradient of one own box out of its slices: encode(sum) turns the first `terms` of what these hold into
// derivatives by the numbers as written. They saturate at the largest number of their dtype as those of a single pair
// do, but for the factor that the incoming gradient brings: a GradScaler wants to see that overflow.
FASTIOU_ANY_CALLABLE
template <Real T, class Encode>
FASTIOU_HD void finish_box(const PairwiseBackwardArgs& a, int64_t i, int terms, const Encode& encode) {
  const int64_t rows = a.batch * a.own.count;
  const int width = static_cast<int>(a.own.width());
  double sum[5] = {0, 0, 0, 0, 0}, largest_grad = 1;
  for (int64_t part = 0; part < a.slices; ++part) {
    const double* const p = a.partial + (part * rows + i) * kPartials;
    for (int k = 0; k < terms; ++k) sum[k] = bounded(sum[k] + p[k], kLargest<double> / 2);
    largest_grad = max(p[kLargestGrad], largest_grad);
  }
  encode(sum);
  const double limit = static_cast<double>(largest_of<T>(a.own.dtype)) * largest_grad;
  for (int k = 0; k < width; ++k) {
    const double x = bounded(sum[k], limit);
    const bool fits = !(abs(x) > static_cast<double>(kLargest<T>));
    static_cast<T*>(a.out)[width * i + k] = fits ? static_cast<T>(x) : (x > 0 ? kInfinity<T> : -kInfinity<T>);
  }
}
template <Real T> FASTIOU_HD void finish_box(const PairwiseBackwardArgs& a, int64_t i) {
  const Format format = a.own.format;
  finish_box<T>(a, i, static_cast<int>(a.own.width()), [format](double (&sum)[5]) {
    if (is_rotated(format)) sum[4] = counterclockwise(format) ? -sum[4] : sum[4];
    else encode_gradient(format, sum[0], sum[1], sum[2], sum[3]);
  });
}

// The other set is summed in this many slices for so many own boxes of all batch entries: few boxes against many still
// keep all cores busy, and slices of many take little memory. It depends on nothing but the sizes: sums are the same on
// every machine.
inline int64_t slices_for(int64_t own, int64_t other) {
  const int64_t most = std::clamp<int64_t>((int64_t(1) << 18) / std::max<int64_t>(own, 1), 1, 64);
  return std::clamp<int64_t>(other / 128, 1, most);
}

}  // namespace fastiou
