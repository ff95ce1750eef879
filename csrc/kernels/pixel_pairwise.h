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

// Half the sides of the upright rectangle that a soft box stays within, on any raster that it may meet others on; with
// a margin for rounding; NaN if a number is not finite.
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
  add_settled(sum, x, grad);
}

// The gradient of one own box out of its slices; `radians` per unit of the angle.
template <Real T> FASTIOU_HD void finish_pixel_box(const PairwiseBackwardArgs& a, T radians, int64_t i) {
  const Format format = a.own.format;
  finish_box<T>(a, i, 5, [format, radians](double (&sum)[5]) {
    write_gradient(format, CentredBox<double>{sum[0], sum[1], sum[2], sum[3], sum[4] * static_cast<double>(radians)},
                   sum);
  });
}

}  // namespace fastiou
