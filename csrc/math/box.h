// Boxes, the formats they are written in, and the quantities that every IoU formula is made of.
#pragma once
#include "scalar.h"

namespace fastiou {

// Corners: (x1, y1) top left, (x2, y2) bottom right. Sizes are x2 - x1 and y2 - y1, without +1 and without clamping:
// an inverted box has a negative width, as in torchvision.
template <class S> struct Box {
  S x1, y1, x2, y2;
  FASTIOU_HD S width() const { return x2 - x1; }
  FASTIOU_HD S height() const { return y2 - y1; }
  FASTIOU_HD S area() const { return product(width(), height()); }
};

// The order is that of format_names below, and of `formats()` in Python.
enum class Format : int { xyxy, xywh, cxcywh, ltrb };
inline constexpr const char* format_names[] = {"xyxy", "xywh", "cxcywh", "ltrb"};

// Four numbers in `format` -> corners. (px, py) is the anchor point that ltrb distances start from.
template <Real T> FASTIOU_HD Box<T> decode(Format format, T a, T b, T c, T d, T px, T py) {
  switch (format) {
    case Format::xywh: return {a, b, a + c, b + d};
    case Format::cxcywh: return {a - c * T(0.5), b - d * T(0.5), a + c * T(0.5), b + d * T(0.5)};
    case Format::ltrb: return {px - a, py - b, px + c, py + d};
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

// What keeps denominators from 0: `area` where the denominator is an area or a squared length, `ratio` where it has no
// unit. They differ because the boxes of a pair are scaled before a formula sees them (evaluate() in pair_loss.h).
template <Real T> struct Eps { T area, ratio; };

// A prediction and a target, side by side. P and G are T or Dual<T, N>: whichever side needs a gradient is dual.
template <class P, class G, Real T> struct Pair {
  Box<P> p;
  Box<G> g;
  Eps<T> eps;

  FASTIOU_HD auto intersection() const {
    return product(relu(min(p.x2, g.x2) - max(p.x1, g.x1)), relu(min(p.y2, g.y2) - max(p.y1, g.y1)));
  }
  FASTIOU_HD auto union_area() const { return p.area() + g.area() - intersection(); }
  FASTIOU_HD auto iou() const { return divide(intersection(), union_area() + eps.area); }

  // The smallest axis-aligned box around both.
  FASTIOU_HD auto enclosing_width() const { return max(p.x2, g.x2) - min(p.x1, g.x1); }
  FASTIOU_HD auto enclosing_height() const { return max(p.y2, g.y2) - min(p.y1, g.y1); }
  FASTIOU_HD auto enclosing_area() const { return product(enclosing_width(), enclosing_height()); }
  FASTIOU_HD auto enclosing_diagonal2() const { return square(enclosing_width()) + square(enclosing_height()); }

  FASTIOU_HD auto centre_distance2() const {
    return (square(g.x1 + g.x2 - p.x1 - p.x2) + square(g.y1 + g.y2 - p.y1 - p.y2)) * T(0.25);
  }
};

}  // namespace fastiou
