// Boxes, the formats they are written in, and the quantities that every IoU formula is made of.
#pragma once
#include "dual.h"

namespace fastiou {

// Corners: (x1, y1) top left, (x2, y2) bottom right. Sizes are x2 - x1 and y2 - y1, without +1 and without clamping:
// an inverted box has a negative width, as in torchvision. Every corner is a type of its own because duals tell in
// their type which variables they depend on.
template <class X1, class Y1 = X1, class X2 = X1, class Y2 = X1> struct Box {
  X1 x1;
  Y1 y1;
  X2 x2;
  Y2 y2;
  FASTIOU_HD auto width() const { return x2 - x1; }
  FASTIOU_HD auto height() const { return y2 - y1; }
  FASTIOU_HD auto area() const { return product(width(), height()); }
};

// A box whose area is known, and one whose aspect angle is, too: sets of boxes find them once per box instead of once
// per pair.
template <Real T> struct alignas(16) AreaBox : Box<T> {
  T known;
  FASTIOU_HD T area() const { return known; }
};
template <Real T> struct AngledBox : AreaBox<T> { T angle; };

// atan(width / height) of a box that is not inverted; far from all angles for a point, which has none.
template <Real T> FASTIOU_HD T aspect_angle(const Box<T>& b) {
  return max(b.width(), b.height()) > 0 ? atan2(b.width(), b.height()) : T(100);
}

// The aspect angle of a minus that of b; 0 if either is a point.
template <class A, class B> FASTIOU_HD auto angle_difference(const A& a, const B& b) {
  return atan_difference(a.width(), a.height(), b.width(), b.height());
}
template <Real T> FASTIOU_HD T angle_difference(const AngledBox<T>& a, const AngledBox<T>& b) {
  const T d = a.angle - b.angle;
  return abs(d) < T(2) ? d : T(0);
}

// The corners as variables first, first + 1, ... of N, to be differentiated by.
template <int N, int first, Real T> FASTIOU_HD auto variables(const Box<T>& b) {
  const auto x1 = variable<N, first>(b.x1);
  const auto y1 = variable<N, first + 1>(b.y1);
  const auto x2 = variable<N, first + 2>(b.x2);
  const auto y2 = variable<N, first + 3>(b.y2);
  return Box<decltype(x1), decltype(y1), decltype(x2), decltype(y2)>{x1, y1, x2, y2};
}

// The partial derivatives by those variables, times a weight.
template <int first, Real T, int N, unsigned mask> FASTIOU_HD Box<T> gradient(const Dual<T, N, mask>& a, T weight) {
  return {a.d[first] * weight, a.d[first + 1] * weight, a.d[first + 2] * weight, a.d[first + 3] * weight};
}

// The order is that of format_names below, and of `formats()` in Python. From cxcywhr on boxes are rotated and have
// five numbers; a format is cxcywhr plus 1 where angles are in degrees, plus 2 where they turn counter-clockwise.
enum class Format : int { xyxy, xywh, cxcywh, ltrb, cxcywhr };
inline constexpr const char* format_names[] = {"xyxy", "xywh", "cxcywh", "ltrb"};

FASTIOU_HD constexpr bool is_rotated(Format f) { return f >= Format::cxcywhr; }
FASTIOU_HD constexpr int64_t width_of(Format f) { return is_rotated(f) ? 5 : 4; }
FASTIOU_HD constexpr int rotated_bits(Format f) {
  return is_rotated(f) ? static_cast<int>(f) - static_cast<int>(Format::cxcywhr) : 0;
}
FASTIOU_HD constexpr bool in_degrees(Format f) { return rotated_bits(f) & 1; }
FASTIOU_HD constexpr bool counterclockwise(Format f) { return rotated_bits(f) & 2; }

// a + b, no further than the largest number: finite numbers decode to finite corners. NaN if a or b is not finite.
template <Real T> FASTIOU_HD T corner(T a, T b) {
  return max(min(a + b, kLargest<T>), -kLargest<T>) + (a - a) + (b - b);
}

// Four numbers in `format` -> corners. (px, py) is the anchor point that ltrb distances start from.
template <Real T> FASTIOU_HD Box<T> decode(Format format, T a, T b, T c, T d, T px, T py) {
  switch (format) {
    case Format::xywh: return {a, b, corner(a, c), corner(b, d)};
    case Format::cxcywh:
      return {corner(a, c * T(-0.5)), corner(b, d * T(-0.5)), corner(a, c * T(0.5)), corner(b, d * T(0.5))};
    case Format::ltrb: return {corner(px, -a), corner(py, -b), corner(px, c), corner(py, d)};
    default: return {a, b, c, d};
  }
}

// The transpose of decode: a gradient with respect to corners -> with respect to the four numbers, in place.
template <Real T> FASTIOU_HD void encode_gradient(Format format, T& a, T& b, T& c, T& d) {
  const T x1 = a, y1 = b, x2 = c, y2 = d;
  switch (format) {
    case Format::xywh: a = x1 + x2, b = y1 + y2; break;
    case Format::cxcywh: a = x1 + x2, b = y1 + y2, c = (x2 - x1) * T(0.5), d = (y2 - y1) * T(0.5); break;
    case Format::ltrb: a = -x1, b = -y1; break;
    default: break;
  }
}

// What keeps denominators from 0: `overlap` that of the IoU itself, `area` other areas and squared lengths, `ratio`
// what has no unit. The first two differ in torchvision's pairwise functions; the last one does where a pair had to be
// scaled before a formula sees it (normalize() in kernels/pair.h).
template <Real T> struct Eps { T overlap, area, ratio; };

// What every pair has, upright or rotated.
template <class B> FASTIOU_HD auto union_area(const B& b) { return b.p.area() + b.g.area() - b.intersection(); }
template <class B> FASTIOU_HD auto iou(const B& b) { return divide(b.intersection(), union_area(b) + b.eps.overlap); }

// A prediction and a target, side by side: boxes of numbers, or of duals where a gradient is wanted.
template <class P, class G, Real T> struct Pair {
  P p;
  G g;
  Eps<T> eps;

  FASTIOU_HD auto intersection() const {
    return product(relu(min(p.x2, g.x2) - max(p.x1, g.x1)), relu(min(p.y2, g.y2) - max(p.y1, g.y1)));
  }

  // The smallest axis-aligned box around both.
  FASTIOU_HD auto enclosing_width() const { return max(p.x2, g.x2) - min(p.x1, g.x1); }
  FASTIOU_HD auto enclosing_height() const { return max(p.y2, g.y2) - min(p.y1, g.y1); }
  FASTIOU_HD auto enclosing_area() const { return product(enclosing_width(), enclosing_height()); }
  FASTIOU_HD auto enclosing_diagonal2() const { return square(enclosing_width()) + square(enclosing_height()); }

  // Twice the offset of the centres is the sum of the corners' offsets, exactly 0 for identical boxes.
  FASTIOU_HD auto centre_distance2() const {
    return (square((g.x1 - p.x1) + (g.x2 - p.x2)) + square((g.y1 - p.y1) + (g.y2 - p.y2))) * T(0.25);
  }
};

}  // namespace fastiou
