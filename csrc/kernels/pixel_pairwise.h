// The arguments of pairwise scores over pixels and of their gradient.
#pragma once
#include "pairwise.h"
#include "pixel.h"

namespace fastiou {

struct PixelPairwiseArgs {
  PairwiseArgs pair;
  PixelOptions options;
};
struct PixelBackwardArgs {
  PairwiseBackwardArgs pair;
  PixelOptions options;
};

// Half the sides of the upright rectangle that a soft box stays within, on any raster that it may meet others on; with a
// margin for rounding; NaN if a number is not finite.
template <Real T> struct PixelReach { T x, y; };
template <Real T> FASTIOU_HD PixelReach<T> reach_of(const PixelBox<T>& b, const PixelParams<T>& o) {
  const T scale = raster_scale(b.box, o.scale, o.limits.longest), soft = o.soft.reach / scale;
  const T rx = b.box.rx + soft, ry = b.box.ry + soft, c = abs(b.at.c), s = abs(b.at.s);
  const T margin = T(1e-5) * (rx + ry) + nan_unless_finite(b.box);
  return {rx * c + ry * s + margin, rx * s + ry * c + margin};
}

// The score of a pair, NaN where a number is not finite; and its gradient with respect to the first box.
template <int kGrads, class Engine, Real T>
FASTIOU_HD PixelValue<kGrads, T> met_score(Engine& engine, const PixelParams<T>& o, const PixelBox<T>& p,
                                           const PixelBox<T>& g, const OwnCount<T>& own, const OwnCount<T>& other) {
  const T poison = nan_unless_finite(p.box) + nan_unless_finite(g.box);
  PixelValue<kGrads, T> r{};
  if (poison == 0) {
    r = score<kGrads>(engine, o, p, g, [&](int i) { return i == 0 ? own : other; });
  } else {
    r.value = poison;
    if constexpr (kGrads > 0) r.d[0] = {poison, poison, poison, poison, poison};
  }
  return r;
}

// Adds what a pair contributes to the gradient of its first box.
template <class Engine, Real T>
FASTIOU_HD void add_gradient(Engine& engine, const PixelParams<T>& o, const PixelBox<T>& p, const PixelBox<T>& g,
                             const OwnCount<T>& own, const OwnCount<T>& other, T grad, double (&sum)[5]) {
  const PixelValue<1, T> r = met_score<1>(engine, o, p, g, own, other);
  const CentredBox<T> d = settle(r.d[0], nan_unless_finite(r.value));
  const T x[5] = {d.x, d.y, d.rx, d.ry, d.angle};
  FASTIOU_UNROLL
  for (int k = 0; k < 5; ++k)
    sum[k] = bounded(sum[k] + static_cast<double>(grad) * static_cast<double>(x[k]), kLargest<double> / 4);
}

// The gradient of one own box out of its slices, with respect to the numbers as written; saturated as by finish_box().
template <Real T> FASTIOU_HD void finish_pixel_box(const PairwiseBackwardArgs& a, T radians, int64_t i) {
  const int64_t rows = a.batch * a.own.count;
  const int width = static_cast<int>(a.own.width());
  double sum[5] = {0, 0, 0, 0, 0}, largest_grad = 1, numbers[5];
  for (int64_t part = 0; part < a.slices; ++part) {
    const double* const p = a.partial + (part * rows + i) * kPartials;
    for (int k = 0; k < 5; ++k) sum[k] = bounded(sum[k] + p[k], kLargest<double> / 4);
    largest_grad = max(p[kLargestGrad], largest_grad);
  }
  const CentredBox<double> d{sum[0], sum[1], sum[2], sum[3], sum[4]};
  const double largest = static_cast<double>(largest_of<T>(a.own.dtype)) * largest_grad;
  finish(a.own.format, largest, static_cast<double>(radians), d, numbers);
  for (int k = 0; k < width; ++k) {
    const double x = numbers[k];
    const bool fits = !(abs(x) > static_cast<double>(kLargest<T>));
    static_cast<T*>(a.out)[width * i + k] = fits ? static_cast<T>(x) : (x > 0 ? kInfinity<T> : -kInfinity<T>);
  }
}

}  // namespace fastiou
