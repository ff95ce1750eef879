// How much of a pixel belongs to a box: F = K(u, w/2) K(v, h/2) with K(d, r) = 1 / (1 + e^(k (|d| - r))), where (u, v)
// is the pixel's centre in the frame of the box (Chen et al., "PIoU Loss", ECCV 2020, Eq. 9 and 10. The full sides that
// Eq. 10 prints contradict Eq. 1, and the published code has the half ones).
#pragma once
#include "raster.h"

namespace fastiou {

// k |d - r| from where on K counts as 0 outside of an edge, and as 1 within: e^-x is what rounds away beside 1. What
// both leave out of a sum is alike, and cancels.
template <Real T> constexpr T kFar = std::is_same_v<T, float> ? T(16) : T(38);

// How soft edges are: k per pixel, and that distance in pixels. k again as a power of 2, and what that is kept between.
template <Real T> struct Softness {
  T k, reach;
  T steepness, least, most;
};
template <Real T> FASTIOU_HD Softness<T> softness(T k) {
  constexpr T log2_e = T(1.44269504088896340736), least = std::is_same_v<T, float> ? T(-100) : T(-1000);
  return {k, kFar<T> / k, k * log2_e, least, kFar<T> * log2_e};
}

// By how much a raster can be coarser where edges are far softer than its pixels: the power of two that brings k to
// least or more, but below twice that. By Poisson's formula the sum of a logistic edge is the same then, up to e^(-2
// pi^2 / k); only boxes so small that they are all edge differ, by the kink that |d| has in their middle: by k^2 / 24
// at most.
template <Real T> FASTIOU_HD T coarsening(T k, T least) { return min(T(1), T(1) / (least * normalizer(k))); }

// e^(k (|d| - r)), and 1 / K. Beyond kFar nothing is asked of it but to be finite.
template <Real T> struct Edge { T e, inverse; };
template <Real T> FASTIOU_HD Edge<T> edge(T d, T r, const Softness<T>& soft) {
  const T e = exp2_within(soft.least, soft.steepness * (abs(d) - r), soft.most);
  return {e, T(1) + e};
}

// x times the sign of d, for x >= 0; 0 for d = 0.
template <Real T> FASTIOU_HD T with_sign_of(T d, T x) {
  if constexpr (std::is_same_v<T, float>) x = __builtin_copysignf(x, d);
  else x = __builtin_copysign(x, d);
  return d != 0 ? x : T(0);
}

// What a pixel adds to the sum of F over one box, or of F1 F2 over two, and to the partial derivatives of that by the
// first kGrads boxes, five for each; these are divided by k. dF / du = -k (1 - Ku) F sgn u. `there` is 1, or 0 for a
// pixel that fills a vector.
template <int kGrads, Real T> struct PixelTerms {
  T f;
  T d[kGrads > 0 ? 5 * kGrads : 1];  // by half sides; along u and v; turning
};
template <int kGrads, int kBoxes, Real T>
FASTIOU_HD PixelTerms<kGrads, T> pixel_terms(const RasterBox<T> (&box)[kBoxes], const Softness<T>& soft, T x, T y,
                                               T there = 1) {
  Local<T> at[kBoxes];
  Edge<T> u[kBoxes], v[kBoxes];
  T inverse[2] = {1, 1};
  FASTIOU_UNROLL
  for (int i = 0; i < kBoxes; ++i) {
    at[i] = local(box[i], x, y);
    u[i] = edge(at[i].u, box[i].rx, soft), v[i] = edge(at[i].v, box[i].ry, soft);
    inverse[i] = u[i].inverse * v[i].inverse;
  }
  PixelTerms<kGrads, T> t;
  t.f = there * reciprocal(inverse[0] * inverse[1]);
  FASTIOU_UNROLL
  for (int i = 0; i < kGrads; ++i) {
    const T own = inverse[1 - i] * t.f;  // F of this box
    const T a = u[i].e * v[i].inverse * own * t.f, b = v[i].e * u[i].inverse * own * t.f;
    const T p = with_sign_of(at[i].u, a), q = with_sign_of(at[i].v, b);
    T* const d = t.d + 5 * i;
    d[0] = a, d[1] = b, d[2] = p, d[3] = q, d[4] = q * at[i].u - p * at[i].v;
  }
  return t;
}

// Two opposite edges of a box that are the only ones near a pixel: the distance from the line between them, and along
// it.
template <Real T> struct EdgePair { T x, y, across_x, across_y, r; };
template <Real T> FASTIOU_HD EdgePair<T> edge_pair(const RasterBox<T>& b, bool along) {
  if (along) return {b.x, b.y, -b.s, b.c, b.ry};
  return {b.x, b.y, b.c, b.s, b.rx};
}
// What such a pixel adds: to the sum, by r, by the centre, and turning.
template <Real T> struct EdgeTerms { T f, d[3]; };
template <Real T>
FASTIOU_HD EdgeTerms<T> edge_terms(const EdgePair<T>& b, const Softness<T>& soft, T x, T y, T there = 1) {
  const T dx = x - b.x, dy = y - b.y, d = dx * b.across_x + dy * b.across_y, along = dx * b.across_y - dy * b.across_x;
  const Edge<T> u = edge(d, b.r, soft);
  const T f = there * reciprocal(u.inverse), a = u.e * f * f, p = with_sign_of(d, a);
  return {f, {a, p, p * along}};
}

// Sums of pixel_terms() -> the gradient with respect to box i.
template <int n, Real T>
FASTIOU_HD CentredBox<T> gradient_of(const T (&d)[n], int i, const RasterBox<T>& b, T k) {
  const T along = d[5 * i + 2], across = d[5 * i + 3];
  return {k * (along * b.c - across * b.s), k * (along * b.s + across * b.c), k * d[5 * i], k * d[5 * i + 1],
          k * d[5 * i + 4]};
}

// Upright boxes: F is a product of two factors, one of x and one of y, and so are all sums. What follows are those of
// one axis, of a pixel at x to an interval x +- r.
template <Real T> struct Interval { T x, r; };

// The factor; and for the first kGrads boxes, by r and by x, divided by k, and the moment about the centre.
template <int kGrads, Real T> struct AxisTerms {
  T f;
  T d[kGrads > 0 ? 3 * kGrads : 1];
};
template <int kGrads, int kBoxes, Real T>
FASTIOU_HD AxisTerms<kGrads, T> axis_terms(const Interval<T> (&box)[kBoxes], const Softness<T>& soft, T x,
                                           T there = 1) {
  Edge<T> u[kBoxes];
  T inverse[2] = {1, 1};
  FASTIOU_UNROLL
  for (int i = 0; i < kBoxes; ++i) u[i] = edge(x - box[i].x, box[i].r, soft), inverse[i] = u[i].inverse;
  AxisTerms<kGrads, T> t;
  t.f = there * reciprocal(inverse[0] * inverse[1]);
  FASTIOU_UNROLL
  for (int i = 0; i < kGrads; ++i) {
    const T a = u[i].e * (inverse[1 - i] * t.f) * t.f, d = x - box[i].x;
    t.d[3 * i] = a, t.d[3 * i + 1] = with_sign_of(d, a), t.d[3 * i + 2] = d * t.f;
  }
  return t;
}

// The product of the sums of both axes, and its gradient with respect to box i. The angle's part is what a turn by a
// little does to all pixels.
template <int kGrads, Real T>
FASTIOU_HD CentredBox<T> gradient_of(const AxisTerms<kGrads, T>& x, const AxisTerms<kGrads, T>& y, int i,
                                     const RasterBox<T>& b, T k) {
  const T rx = k * x.d[3 * i] * y.f, ry = k * y.d[3 * i] * x.f;
  const bool turned = b.c == 0;  // the width lies along y
  return {k * x.d[3 * i + 1] * y.f, k * y.d[3 * i + 1] * x.f, turned ? ry : rx, turned ? rx : ry,
          k * (y.d[3 * i + 1] * x.d[3 * i + 2] - x.d[3 * i + 1] * y.d[3 * i + 2])};
}

}  // namespace fastiou
