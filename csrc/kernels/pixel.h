// One pair of boxes on a raster, as every CPU and CUDA loop evaluates it, finite for all finite boxes. Sums come from
// an engine, which is a vector unit or a warp:
//   PixelTerms<kGrads, T> engine.template pixels<kGrads>(boxes, softness)     over the pixels of one box, or of two
//   AxisTerms<kGrads, T> engine.template axis<kGrads>(intervals, softness)    the same along an axis
//   double engine.rows(begin, end, f)                                         f(row) over whole numbers
#pragma once
#include "../math/hard_pixel.h"
#include "../math/link.h"
#include "../math/piou.h"
#include "../math/pixel_rows.h"
#include "pair.h"

namespace fastiou {

struct PixelOptions {
  double k = 10, scale = 1;  // per pixel of the raster; from boxes to the raster
  bool area_union = false, hard = false;
  Link link = Link::none;  // that, one_minus or log_floor
  double floor = 0, factor = 1;  // of log_floor; on the loss
  bool straight_through = false;
};

template <Real T> FASTIOU_HD T nan_unless_finite(const CentredBox<T>& b) {
  return nan_unless_finite(b.x) + nan_unless_finite(b.y) + nan_unless_finite(b.rx) + nan_unless_finite(b.ry) +
         nan_unless_finite(b.angle);
}

// A box that is known well enough to be met by others.
template <Real T> struct PixelBox {
  CentredBox<T> box;
  Direction<T> at;

  FASTIOU_HD bool empty() const { return !((box.rx > 0) & (box.ry > 0)); }
};
template <Real T> FASTIOU_HD PixelBox<T> pixel_box(const CentredBox<T>& b, const AngleUnit<T>& unit) {
  return {b, direction(b.angle, unit)};
}

// The longest side, and the softest edges, that are rasterised pixel by pixel. Where edges are softened until boxes
// meet, a direction is asked for, and no digits.
struct RasterLimits {
  int longest;
  double softest;
};
constexpr RasterLimits kExactRaster{1 << 15, 1.0 / 16}, kCoarseRaster{1 << 10, 1.0 / 4};

template <Real T> FASTIOU_HD CentredBox<T> settle(const CentredBox<T>& d, T poison) {
  return {settle(d.x, poison), settle(d.y, poison), settle(d.rx, poison), settle(d.ry, poison),
          settle(d.angle, poison)};
}

// What a call asks of pairs. PIoU with a grid coarser than pixels is that of the same boxes, made smaller.
template <Real T> struct PixelParams {
  T scale, floor, factor;
  Softness<T> soft;
  Link link;
  bool area_union, hard, straight_through;
  RasterLimits limits = kExactRaster;

  explicit PixelParams(const PixelOptions& o)
      : scale(static_cast<T>(o.scale)),
        floor(static_cast<T>(o.floor)),
        factor(static_cast<T>(o.factor)),
        soft(softness(static_cast<T>(o.k))),
        link(o.link),
        area_union(o.area_union),
        hard(o.hard),
        straight_through(o.straight_through) {
    soften(T(1));
  }

  // Edges softer by a power of two.
  FASTIOU_HD void soften(T by) {
    const T k = soft.k * by, coarse = coarsening(k, static_cast<T>(limits.softest));
    scale *= coarse, soft = softness(k / coarse);
  }
};

// A number and its gradient with respect to the first kGrads boxes.
template <int kGrads, Real T> struct PixelValue {
  T value;
  CentredBox<T> d[kGrads > 0 ? kGrads : 1];
};

// The sum of F over a box, or of F1 F2 over two.
template <int kGrads, class Engine, int kBoxes, Real T>
FASTIOU_HD PixelValue<kGrads, T> soft_count(Engine& engine, const RasterBox<T> (&b)[kBoxes], const Softness<T>& soft) {
  PixelValue<kGrads, T> r{};
  if (b[0].upright() && b[kBoxes - 1].upright()) {
    Interval<T> x[kBoxes], y[kBoxes];
    FASTIOU_UNROLL
    for (int i = 0; i < kBoxes; ++i) {
      const bool turned = b[i].c == 0;
      x[i] = {b[i].x, turned ? b[i].ry : b[i].rx}, y[i] = {b[i].y, turned ? b[i].rx : b[i].ry};
    }
    const AxisTerms<kGrads, T> sx = engine.template axis<kGrads>(x, soft);
    if (!(sx.f > 0)) return r;
    const AxisTerms<kGrads, T> sy = engine.template axis<kGrads>(y, soft);
    r.value = sx.f * sy.f;
    FASTIOU_UNROLL
    for (int i = 0; i < kGrads; ++i) r.d[i] = gradient_of<kGrads>(sx, sy, i, b[i], soft.k);
  } else {
    const PixelTerms<kGrads, T> sum = engine.template pixels<kGrads>(b, soft);
    r.value = sum.f;
    FASTIOU_UNROLL
    for (int i = 0; i < kGrads; ++i) r.d[i] = gradient_of(sum.d, i, b[i], soft.k);
  }
  return r;
}

template <class Engine> FASTIOU_HD double count(Engine& engine, const RasterBox<double>& b) {
  const HardSpan rows = hard_rows(b);
  return engine.rows(rows.begin, rows.end, [&](double row) {
    const HardSpan s = hard_span(b, row + 0.5);
    return relu(s.end - s.begin);
  });
}
template <class Engine>
FASTIOU_HD double count(Engine& engine, const RasterBox<double>& a, const RasterBox<double>& b) {
  const HardSpan one = hard_rows(a), two = hard_rows(b);
  return engine.rows(max(one.begin, two.begin), min(one.end, two.end), [&](double row) {
    const HardSpan s = hard_span(a, row + 0.5), t = hard_span(b, row + 0.5);
    return relu(min(s.end, t.end) - max(s.begin, t.begin));
  });
}

// The sum of F over one box, on a raster that is coarse enough for it.
template <Real T> struct OwnCount {
  T value;
  CentredBox<T> d;  // on that raster
  T scale;          // of it
};
template <bool kGrad, class Engine, Real T>
FASTIOU_HD OwnCount<T> own_count(Engine& engine, const PixelParams<T>& o, const PixelBox<T>& b) {
  const T scale = raster_scale(b.box, o.scale, o.limits.longest);
  const RasterBox<T> box[1] = {on_raster(b.box, b.at, scale, origin_at(b.box, scale))};
  if constexpr (!kGrad && std::is_same_v<T, double>) {
    if (o.hard) return {count(engine, box[0]), {}, scale};
  }
  const auto sum = soft_count<kGrad ? 1 : 0>(engine, box, o.soft);
  return {sum.value, sum.d[0], scale};
}

// PIoU of a pair, and its gradient with respect to the first kGrads boxes. The raster is that of the smaller box;
// `own(i)` is own_count() of box i, which is not asked where boxes do not meet.
template <int kGrads, class Engine, Real T, class Own>
FASTIOU_HD PixelValue<kGrads, T> score(Engine& engine, const PixelParams<T>& o, const PixelBox<T>& p,
                                       const PixelBox<T>& g, const Own& own) {
  PixelValue<kGrads, T> r{};
  if (p.empty() || g.empty()) return r;
  const T scale = max(raster_scale(p.box, o.scale, o.limits.longest), raster_scale(g.box, o.scale, o.limits.longest));
  const bool p_is_smaller = max(p.box.rx, p.box.ry) < max(g.box.rx, g.box.ry);
  const Origin<T> origin = origin_at(p_is_smaller ? p.box : g.box, scale);
  const RasterBox<T> b[2] = {on_raster(p.box, p.at, scale, origin), on_raster(g.box, g.at, scale, origin)};
  PixelValue<kGrads, T> shared{};
  bool hard = false;
  if constexpr (kGrads == 0 && std::is_same_v<T, double>) {
    hard = o.hard;
    if (hard) shared.value = count(engine, b[0], b[1]);
  }
  if (!hard) shared = soft_count<kGrads>(engine, b, o.soft);
  if (!(shared.value > 0)) return r;

  OfBox<T> s[2];
  FASTIOU_UNROLL
  for (int i = 0; i < 2; ++i) {
    if (o.area_union) {
      s[i] = plain_area(b[i]);
      s[i].d = unscaled(s[i].d, scale);
    } else {
      const OwnCount<T> n = own(i);
      const T finer = min(scale / n.scale, T(1 << 30)), pixels = finer * finer;
      s[i] = {n.value * pixels, unscaled(n.d, n.scale) * pixels};
    }
  }
  r.value = piou(shared.value, s[0].value, s[1].value);
  FASTIOU_UNROLL
  for (int i = 0; i < kGrads; ++i)
    r.d[i] = piou_gradient(OfBox<T>{shared.value, unscaled(shared.d[i], scale)}, s[i], s[1 - i].value);
  return r;
}
template <int kGrads, class Engine, Real T>
FASTIOU_HD PixelValue<kGrads, T> score(Engine& engine, const PixelParams<T>& o, const PixelBox<T>& p,
                                       const PixelBox<T>& g) {
  return score<kGrads>(engine, o, p, g, [&](int i) {
    if constexpr (kGrads == 1) {
      if (i == 1) return own_count<false>(engine, o, g);
    }
    return own_count<(kGrads > 0)>(engine, o, i == 0 ? p : g);
  });
}

// PIoU below this has vanished: it says nothing about where boxes are.
template <Real T> constexpr T kVanished = T(1e-6);

// The loss of a pair times `weight`, and its gradient, settled. Straight through, gradients do not see the floor; and
// where PIoU has vanished, they are those at softer edges, by as many powers of two as it takes until it has not.
template <int kGrads, class Engine, Real T>
FASTIOU_HD PixelValue<kGrads, T> pixel_loss(Engine& engine, const PixelParams<T>& params, const PixelBox<T>& p,
                                           const PixelBox<T>& g, T weight) {
  const T poison = nan_unless_finite(p.box) + nan_unless_finite(g.box) + nan_unless_finite(weight);
  PixelValue<kGrads, T> r{};
  r.value = poison;
  FASTIOU_UNROLL
  for (int i = 0; i < kGrads; ++i) r.d[i] = {poison, poison, poison, poison, poison};
  if (poison != 0) return r;

  const bool softens = kGrads > 0 && params.straight_through && !p.empty() && !g.empty();
  PixelParams<T> edges = params;
  PixelValue<kGrads, T> q{};
  T score_itself = 0;
  for (int i = 0; i <= 200; ++i) {
    q = score<kGrads>(engine, edges, p, g);
    if (i == 0) score_itself = q.value;
    if (!(softens && q.value < kVanished<T>)) break;
    edges.limits = kCoarseRaster;
    edges.soften(T(0.5));
    edges.area_union = false;  // areas know nothing of softness
  }
  const LinkOptions<T> link{T(1), T(0), params.floor, false};
  Dual<T, 1, 1> loss{score_itself, {T(1)}};
  if (params.link == Link::one_minus) loss = loss_of<Link::one_minus>(score_itself, link);
  else if (params.link == Link::log_floor) loss = loss_of<Link::log_floor>(score_itself, link);
  const T slope = softens && params.link == Link::log_floor ? -divide(T(1), q.value) : loss.d[0];
  weight *= params.factor;
  r.value = settle(loss.v * weight, poison);
  FASTIOU_UNROLL
  for (int i = 0; i < kGrads; ++i) {
    const CentredBox<T> d = q.d[i] * (slope * weight);
    r.d[i] = settle(d, poison);
  }
  return r;
}

// A gradient -> with respect to the numbers as written, saturated at the largest number of the tensor's own dtype.
template <Real T>
FASTIOU_HD void finish(Format format, T largest, T radians, const CentredBox<T>& gradient, T (&n)[5]) {
  CentredBox<T> d = gradient;
  d.angle *= radians;
  write_gradient(format, d, n);
  FASTIOU_UNROLL
  for (int i = 0; i < 5; ++i) n[i] = bounded(n[i], largest);
}

}  // namespace fastiou
