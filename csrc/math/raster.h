// Boxes on a raster of pixels: pixel (i, j) has its centre at (i + 1/2, j + 1/2).
#pragma once
#include "angle.h"
#include "box.h"

namespace fastiou {

// A box of any format, or a gradient with respect to its numbers: centre, half sides, and the clockwise angle in the
// unit that it is written in. Half sides do not overflow where sides would.
template <Real T> struct CentredBox { T x, y, rx, ry, angle; };

// The numbers of a box, four or five -> a box.
template <Real T> FASTIOU_HD CentredBox<T> read_box(Format format, const T (&n)[5]) {
  const T half = T(0.5);
  switch (format) {
    case Format::xyxy:
      return {n[0] * half + n[2] * half, n[1] * half + n[3] * half, n[2] * half - n[0] * half,
              n[3] * half - n[1] * half, 0};
    case Format::xywh: return {corner(n[0], n[2] * half), corner(n[1], n[3] * half), n[2] * half, n[3] * half, 0};
    case Format::cxcywh: return {n[0], n[1], n[2] * half, n[3] * half, 0};
    default: return {n[0], n[1], n[2] * half, n[3] * half, counterclockwise(format) ? -n[4] : n[4]};
  }
}

// The transpose of read_box: a gradient -> with respect to the numbers as written.
template <Real T> FASTIOU_HD void write_gradient(Format format, const CentredBox<T>& d, T (&n)[5]) {
  const T half = T(0.5);
  n[0] = d.x, n[1] = d.y, n[2] = d.rx * half, n[3] = d.ry * half;
  n[4] = counterclockwise(format) ? -d.angle : d.angle;
  if (format == Format::xyxy) {
    const T rx = n[2], ry = n[3];
    n[0] = d.x * half - rx, n[1] = d.y * half - ry, n[2] = d.x * half + rx, n[3] = d.y * half + ry;
  } else if (format == Format::xywh) {
    n[2] += d.x * half, n[3] += d.y * half;
  }
}

// A box near the origin of a raster: centre, half sides, cosine and sine of its angle.
template <Real T> struct RasterBox {
  T x, y, rx, ry, c, s;

  FASTIOU_HD bool upright() const { return (c == 0) | (s == 0); }
};

// Where a point lies in the frame of a box.
template <Real T> struct Local { T u, v; };
template <Real T> FASTIOU_HD Local<T> local(const RasterBox<T>& b, T x, T y) {
  const T dx = x - b.x, dy = y - b.y;
  return {dx * b.c + dy * b.s, dy * b.c - dx * b.s};
}

// `scale`, or if that makes the longer side longer than `longest`, less by the power of two that makes it half as long
// to as long. Work is bounded for boxes of any size.
template <Real T> FASTIOU_HD T raster_scale(const CentredBox<T>& b, T scale, int longest) {
  const T most = static_cast<T>(longest / 2);
  const T r = max(b.rx, b.ry), shrinks = normalizer(r), one = scale * normalizer(scale);  // of which neither overflows
  const T half = r * shrinks * one < T(2) ? T(0.5) : T(0.25);
  return r > most / scale ? one * (half * most) * shrinks : scale;
}

// The largest whole number of pixels that is no more than x.
template <Real T> FASTIOU_HD T whole(T x) {
#ifdef __CUDA_ARCH__
  return ::floor(x);
#else
  if constexpr (std::is_same_v<T, float>) return __builtin_floorf(x);
  else return __builtin_floor(x);
#endif
}

// A box, scaled, on a raster whose origin is the pixel (x, y). Near it no number loses digits, wherever that is.
template <Real T> struct Origin { T x, y; };
template <Real T> FASTIOU_HD Origin<T> origin_at(const CentredBox<T>& b, T scale) {
  return {whole(b.x * scale), whole(b.y * scale)};
}
template <Real T>
FASTIOU_HD RasterBox<T> on_raster(const CentredBox<T>& b, const Direction<T>& d, T scale, const Origin<T>& o) {
  return {b.x * scale - o.x, b.y * scale - o.y, b.rx * scale, b.ry * scale, d.c, d.s};
}

}  // namespace fastiou
