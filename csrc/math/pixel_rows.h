// Which pixels of a row count: between the first and the last one that soft boxes reach, but for those in the middle
// that are all 1. So a sum over two boxes visits pixels along their edges alone.
#pragma once
#include "soft_pixel.h"

namespace fastiou {

// Whole numbers in a floating-point type, which holds them exactly here.
template <Real T> FASTIOU_HD T ceiling(T x) {
  const T r = x + kRoundingShift<T> - kRoundingShift<T>;
  return r < x ? r + T(1) : r;
}
// The first pixel whose centre is at x or beyond.
template <Real T> FASTIOU_HD T pixel_from(T x) { return ceiling(x - T(0.5)); }

// Pixels [begin, end) of a row or of a column, of which [full_begin, full_end) are 1; empty if they end before they
// begin.
template <Real T> struct Span {
  T begin, full_begin, full_end, end;
  FASTIOU_HD T full() const { return full_end - full_begin; }
};
// From where both boxes count, and where both are 1.
template <Real T> FASTIOU_HD Span<T> span_of(T lo, T hi, T full_lo, T full_hi) {
  Span<T> s{pixel_from(lo), pixel_from(full_lo), pixel_from(full_hi), pixel_from(hi)};
  s.end = max(s.begin, s.end);
  const bool none = s.full_end <= s.full_begin;
  s.full_begin = none ? s.end : s.full_begin, s.full_end = none ? s.end : s.full_end;
  return s;
}

// The points between two opposite edges of a box; along a row they are an interval around x + lean (y - y0).
template <Real T> struct Strip { T lean, half, full; };
template <Real T> struct Outline {
  T x, y;
  Strip<T> across, along;
  T reach_x, reach_y;  // how far the soft box reaches from its centre
};

// Strips that lie nearly along the rows are bounded by the other edges.
template <Real T> FASTIOU_HD Strip<T> strip(T towards_x, T towards_y, T r, const Softness<T>& soft) {
  const T lean = T(1) / (abs(towards_x) > T(1e-12) ? towards_x : T(1e-12)), width = abs(lean);
  return {-towards_y * lean, (r + soft.reach) * width, (r - soft.reach) * width};
}
template <Real T> FASTIOU_HD Outline<T> outline(const RasterBox<T>& b, const Softness<T>& soft) {
  const T rx = b.rx + soft.reach, ry = b.ry + soft.reach, c = abs(b.c), s = abs(b.s);
  return {b.x, b.y, strip(b.c, b.s, b.rx, soft), strip(-b.s, b.c, b.ry, soft), rx * c + ry * s, rx * s + ry * c};
}

// The rows that all boxes reach; none if their reaches do not meet.
template <Real T> struct RowRange { T begin, end; };
template <int kBoxes, Real T> FASTIOU_HD RowRange<T> rows_of(const Outline<T> (&o)[kBoxes]) {
  T left = o[0].x - o[0].reach_x, right = o[0].x + o[0].reach_x;
  T top = o[0].y - o[0].reach_y, bottom = o[0].y + o[0].reach_y;
  if constexpr (kBoxes == 2) {
    left = max(left, o[1].x - o[1].reach_x), right = min(right, o[1].x + o[1].reach_x);
    top = max(top, o[1].y - o[1].reach_y), bottom = min(bottom, o[1].y + o[1].reach_y);
  }
  const bool apart = (left > right) | (top > bottom);
  return {apart ? T(0) : pixel_from(top), apart ? T(0) : pixel_from(bottom)};
}

// What strip i, of two for each box, is of the row whose centre line is y: from x - half to x + half, and where it
// is 1.
template <Real T> struct Crossing { T x, half, full; };
template <int kBoxes, Real T> FASTIOU_HD Crossing<T> crossing(const Outline<T> (&o)[kBoxes], int i, T y) {
  const Outline<T>& box = o[i / 2];
  const Strip<T>& s = i % 2 == 0 ? box.across : box.along;
  return {box.x + s.lean * (y - box.y), s.half, s.full};
}

// The pixels of the row whose centre line is y.
template <int kBoxes, Real T> FASTIOU_HD Span<T> row_span(const Outline<T> (&o)[kBoxes], T y) {
  T lo = -kLargest<T>, hi = kLargest<T>, full_lo = lo, full_hi = hi;
  FASTIOU_UNROLL
  for (int i = 0; i < 2 * kBoxes; ++i) {
    const Crossing<T> s = crossing(o, i, y);
    lo = max(lo, s.x - s.half), hi = min(hi, s.x + s.half);
    full_lo = max(full_lo, s.x - s.full), full_hi = min(full_hi, s.x + s.full);
  }
  return span_of(lo, hi, full_lo, full_hi);
}

// Which strip alone is neither 0 nor 1 somewhere on pixels [begin, end) of a row, in the order that row_span() takes
// them in; 2 kBoxes if there are several. Most pixels lie along one edge.
template <int kBoxes, Real T>
FASTIOU_HD typename Bits<T>::Int lone_strip(const Outline<T> (&o)[kBoxes], T y, T begin, T end) {
  using Int = typename Bits<T>::Int;
  Int strips = 0;
  FASTIOU_UNROLL
  for (int i = 0; i < 2 * kBoxes; ++i) {
    const Crossing<T> s = crossing(o, i, y);
    strips |= s.x - s.full > begin + T(0.5) ? Int(1) << i : Int(0);
    strips |= s.x + s.full < end - T(0.5) ? Int(1) << i : Int(0);
  }
  Int lone = 2 * kBoxes;
  FASTIOU_UNROLL
  for (int i = 0; i < 2 * kBoxes; ++i) lone = strips == Int(1) << i ? Int(i) : lone;
  return lone;
}

// The same as row_span() along an axis that boxes are upright on.
template <int kBoxes, Real T> FASTIOU_HD Span<T> axis_span(const Interval<T> (&box)[kBoxes], const Softness<T>& soft) {
  T lo = -kLargest<T>, hi = kLargest<T>, full_lo = lo, full_hi = hi;
  FASTIOU_UNROLL
  for (int i = 0; i < kBoxes; ++i) {
    const T half = box[i].r + soft.reach, full = box[i].r - soft.reach;
    lo = max(lo, box[i].x - half), hi = min(hi, box[i].x + half);
    full_lo = max(full_lo, box[i].x - full), full_hi = min(full_hi, box[i].x + full);
  }
  return span_of(lo, hi, full_lo, full_hi);
}

// What those pixels of a span add that are 1.
template <int kGrads, int kBoxes, Real T>
FASTIOU_HD AxisTerms<kGrads, T> full_terms(const Interval<T> (&box)[kBoxes], const Span<T>& s) {
  const T middle = (s.full_begin + s.full_end) * T(0.5);
  AxisTerms<kGrads, T> t{s.full(), {}};
  FASTIOU_UNROLL
  for (int i = 0; i < kGrads; ++i) t.d[3 * i + 2] = s.full() * (middle - box[i].x);
  return t;
}

}  // namespace fastiou
