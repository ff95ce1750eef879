// Pixels whose centre lies in a box, edges included: |u| <= w / 2 and |v| <= h / 2 (Chen et al., ECCV 2020, Eq. 1). In
// double for boxes of any dtype: whether a centre lies on an edge is a matter of the last digit.
#pragma once
#include "raster.h"

namespace fastiou {

FASTIOU_HD bool contains(const RasterBox<double>& b, double x, double y) {
  const Local<double> at = local(b, x, y);
  return (abs(at.u) <= b.rx) & (abs(at.v) <= b.ry);
}

// Pixels [begin, end) of a row.
struct HardSpan { double begin, end; };

// The row whose centre line is y. A box is convex: what rounding gets wrong is at the ends, by a pixel at most.
FASTIOU_HD HardSpan hard_span(const RasterBox<double>& b, double y) {
  const double dy = y - b.y;
  double lo = -kLargest<double>, hi = kLargest<double>;
  const auto clip = [&](double towards_x, double offset, double r) {  // |towards_x dx + offset| <= r
    if (towards_x == 0) {
      if (abs(offset) > r) hi = lo;
      return;
    }
    const double x = b.x - offset / towards_x, half = abs(r / towards_x);
    lo = max(lo, x - half), hi = min(hi, x + half);
  };
  clip(b.c, dy * b.s, b.rx);
  clip(-b.s, dy * b.c, b.ry);
  if (hi - lo < -1) return {0, 0};
  double begin = whole(lo + 0.5), end = whole(hi + 0.5);
  begin += contains(b, begin - 0.5, y) ? -1 : (contains(b, begin + 0.5, y) ? 0 : 1);
  end += contains(b, end + 0.5, y) ? 1 : (contains(b, end - 0.5, y) ? 0 : -1);
  return {begin, end};
}

// The rows that a box may have pixels in.
FASTIOU_HD HardSpan hard_rows(const RasterBox<double>& b) {
  const double reach = b.rx * abs(b.s) + b.ry * abs(b.c);
  return {whole(b.y - reach - 0.5), whole(b.y + reach + 0.5) + 1};
}

}  // namespace fastiou
