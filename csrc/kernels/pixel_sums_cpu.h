// Sums over pixels on the CPU. Rows are asked for their pixels; these are cut into short segments, and a lane of a
// vector takes a segment: along an edge all rows have about as many pixels, so lanes are busy.
#pragma once
#include "loops_cpu.h"
#include "pixel.h"

namespace fastiou {

template <Real T> constexpr int kPixelLanes = 64 / sizeof(T);
constexpr int kSegment = 8;                     // pixels
constexpr int kSpanTile = 64;                   // rows at a time, of two pieces each
constexpr int kSegments = 2 * 2 * kSpanTile;  // that are held

// Both pieces of rows: centre of the first pixel, how many, their lone strip; and how many pixels between them are 1.
template <Real T> struct Pieces {
  using Int = typename Bits<T>::Int;
  alignas(64) T x[2][kSpanTile], y[kSpanTile], full[kSpanTile];
  alignas(64) Int count[2][kSpanTile], strip[2][kSpanTile];
};

// `count` pixels from the one with its centre at x on, of rows with the centre lines y.
template <Real T> struct Segments {
  using Int = typename Bits<T>::Int;
  alignas(64) T x[kSegments], y[kSegments];
  alignas(64) Int count[kSegments];
  int n = 0;

  // Whether there may be no room for a tile of rows.
  bool full() const { return n > kSegments / 2; }
  // One without pixels is written, and forgotten: no branch has to be guessed.
  void add(T first, T row, Int pixels) {
    x[n] = first, y[n] = row, count[n] = pixels;
    n += pixels > 0;
  }
  // Fills the last vector up.
  void pad() {
    for (int j = n; j % kPixelLanes<T> != 0; ++j) x[j] = 0, y[j] = 0, count[j] = 0;
  }
};

// Sums over segments, kTerms at once: term(x, y, there) is an array of what a pixel contributes. Lanes are added last.
template <int kTerms, Real T, class Term>
FASTIOU_HD void sum_segments(const Segments<T>& s, T (&sum)[kTerms], const Term& term) {
  constexpr int lanes = kPixelLanes<T>;
  alignas(64) T total[kTerms][lanes] = {};
  for (int first = 0; first < s.n; first += lanes) {
    typename Bits<T>::Int longest = 0;
    for (int j = first; j < first + lanes; ++j) longest = s.count[j] > longest ? s.count[j] : longest;
    for (typename Bits<T>::Int k = 0; k < longest; ++k) {
      for (int lane = 0; lane < lanes; ++lane) {
        const T there = k < s.count[first + lane] ? T(1) : T(0);
        const auto t = term(s.x[first + lane] + static_cast<T>(k), s.y[first + lane], there);
        FASTIOU_UNROLL
        for (int i = 0; i < kTerms; ++i) total[i][lane] += t.at[i];
      }
    }
  }
  for (int half = lanes / 2; half > 0; half /= 2)
    for (int i = 0; i < kTerms; ++i)
      for (int lane = 0; lane < half; ++lane) total[i][lane] += total[i][lane + half];
  for (int i = 0; i < kTerms; ++i) sum[i] += total[i][0];
}

template <int kBoxes, Real T>
FASTIOU_CLONES void find_pieces(const Outline<T> (&outline)[kBoxes], T first_row, int rows, Pieces<T>& __restrict p) {
  using Int = typename Bits<T>::Int;
  Outline<T> o[kBoxes];
  for (int i = 0; i < kBoxes; ++i) o[i] = outline[i];
  for (int j = 0; j < rows; ++j) {
    const T y = first_row + (static_cast<T>(j) + T(0.5));
    const Span<T> s = row_span(o, y);
    p.y[j] = y;
    p.x[0][j] = s.begin + T(0.5), p.count[0][j] = static_cast<Int>(s.full_begin - s.begin);
    p.x[1][j] = s.full_end + T(0.5), p.count[1][j] = static_cast<Int>(s.end - s.full_end);
    p.full[j] = s.full();
    p.strip[0][j] = lone_strip(o, y, s.begin, s.full_begin), p.strip[1][j] = lone_strip(o, y, s.full_end, s.end);
  }
}

template <int n, Real T> struct Terms { T at[n]; };

template <int kGrads, int kBoxes, Real T>
FASTIOU_CLONES void sum_pixels(const Segments<T>& segments, const RasterBox<T> (&box)[kBoxes], const Softness<T>& soft,
                               T (&sum)[1 + 5 * kGrads]) {
  RasterBox<T> b[kBoxes];
  for (int i = 0; i < kBoxes; ++i) b[i] = box[i];
  sum_segments(segments, sum, [b, o = soft](T x, T y, T there) __attribute__((always_inline)) {
    const PixelTerms<kGrads, T> t = pixel_terms<kGrads>(b, o, x, y, there);
    Terms<1 + 5 * kGrads, T> r;
    r.at[0] = t.f;
    FASTIOU_UNROLL
    for (int i = 0; i < 5 * kGrads; ++i) r.at[1 + i] = t.d[i];
    return r;
  });
}

template <bool kGrad, Real T>
FASTIOU_CLONES void sum_edges(const Segments<T>& segments, const EdgePair<T>& edges, const Softness<T>& soft,
                              T (&sum)[kGrad ? 4 : 1]) {
  sum_segments(segments, sum, [b = edges, o = soft](T x, T y, T there) __attribute__((always_inline)) {
    const EdgeTerms<T> t = edge_terms(b, o, x, y, there);
    if constexpr (kGrad) return Terms<4, T>{t.f, t.d[0], t.d[1], t.d[2]};
    else return Terms<1, T>{t.f};
  });
}

template <int kGrads, int kBoxes, Real T>
FASTIOU_CLONES void sum_axis(const Segments<T>& segments, const Interval<T> (&box)[kBoxes], const Softness<T>& soft,
                             T (&sum)[1 + 3 * kGrads]) {
  Interval<T> b[kBoxes];
  for (int i = 0; i < kBoxes; ++i) b[i] = box[i];
  sum_segments(segments, sum, [b, o = soft](T x, T, T there) __attribute__((always_inline)) {
    const AxisTerms<kGrads, T> t = axis_terms<kGrads>(b, o, x, there);
    Terms<1 + 3 * kGrads, T> r;
    r.at[0] = t.f;
    FASTIOU_UNROLL
    for (int i = 0; i < 3 * kGrads; ++i) r.at[1 + i] = t.d[i];
    return r;
  });
}

// The engine that pixel.h asks for. One for each thread: it holds the segments.
template <Real T> class PixelSums {
  using Int = typename Bits<T>::Int;

 public:
  template <int kGrads, int kBoxes>
  PixelTerms<kGrads, T> pixels(const RasterBox<T> (&box)[kBoxes], const Softness<T>& soft) {
    Outline<T> o[kBoxes];
    for (int i = 0; i < kBoxes; ++i) o[i] = outline(box[i], soft);
    PixelTerms<kGrads, T> sum{};
    double full = 0;  // of more digits than the count of a large box has in float
    const RowRange<T> rows = rows_of(o);
    for (T at = rows.begin; at < rows.end; at += kSpanTile) {
      const int n = static_cast<int>(min(rows.end - at, T(kSpanTile)));
      find_pieces(o, at, n, pieces_);
      int longer[2 * kSpanTile], m = 0;  // pieces that have more pixels than a segment
      for (int j = 0; j < n; ++j) {
        full += pieces_.full[j];
        for (int side = 0; side < 2; ++side) {
          const Int pixels = pieces_.count[side][j];
          segments_[pieces_.strip[side][j]].add(pieces_.x[side][j], pieces_.y[j],
                                                pixels < kSegment ? pixels : kSegment);
          longer[m] = 2 * j + side;
          m += pixels > kSegment;
        }
      }
      for (int strip = 0; strip <= 2 * kBoxes; ++strip)
        if (segments_[strip].full()) flush<kGrads>(strip, box, soft, sum);
      for (int i = 0; i < m; ++i) {
        const int side = longer[i] % 2, j = longer[i] / 2;
        const int64_t strip = pieces_.strip[side][j];
        T x = pieces_.x[side][j];
        for (Int left = pieces_.count[side][j] - kSegment; left > 0; left -= kSegment) {
          segments_[strip].add(x += kSegment, pieces_.y[j], left < kSegment ? left : kSegment);
          if (segments_[strip].full()) flush<kGrads>(strip, box, soft, sum);
        }
      }
    }
    for (int strip = 0; strip <= 2 * kBoxes; ++strip) flush<kGrads>(strip, box, soft, sum);
    sum.f = static_cast<T>(full + sum.f);
    return sum;
  }

  template <int kGrads, int kBoxes>
  AxisTerms<kGrads, T> axis(const Interval<T> (&box)[kBoxes], const Softness<T>& soft) {
    Segments<T>& segments = segments_[0];
    T sum[1 + 3 * kGrads] = {};
    const Span<T> s = axis_span(box, soft);
    const auto flush = [&] {
      segments.pad();
      sum_axis<kGrads>(segments, box, soft, sum);
      segments.n = 0;
    };
    // One pixel each: there are no other rows to fill the lanes.
    const auto add = [&](T begin, T end) {
      for (T first = begin; first < end; ++first) {
        segments.add(first + T(0.5), T(0), 1);
        if (segments.full()) flush();
      }
    };
    add(s.begin, s.full_begin);
    add(s.full_end, s.end);
    flush();
    AxisTerms<kGrads, T> r = full_terms<kGrads>(box, s);
    r.f += sum[0];
    for (int i = 0; i < 3 * kGrads; ++i) r.d[i] += sum[1 + i];
    return r;
  }

  template <class F> double rows(double begin, double end, const F& f) const {
    double sum = 0;
    for (double row = begin; row < end; ++row) sum += f(row);
    return sum;
  }

 private:
  // Adds up segments, those of a lone strip or the others, and drops them.
  template <int kGrads, int kBoxes>
  void flush(int64_t strip, const RasterBox<T> (&box)[kBoxes], const Softness<T>& soft, PixelTerms<kGrads, T>& sum) {
    Segments<T>& segments = segments_[strip];
    const int i = static_cast<int>(strip / 2), along = strip % 2;
    if (segments.n == 0) return;
    segments.pad();
    if (strip == 2 * kBoxes) {
      T s[1 + 5 * kGrads] = {};
      sum_pixels<kGrads>(segments, box, soft, s);
      sum.f += s[0];
      for (int k = 0; k < 5 * kGrads; ++k) sum.d[k] += s[1 + k];
    } else if (i < kGrads) {
      T s[4] = {};
      sum_edges<true>(segments, edge_pair(box[i], along), soft, s);
      sum.f += s[0];
      sum.d[5 * i + along] += s[1], sum.d[5 * i + 2 + along] += s[2], sum.d[5 * i + 4] += s[3];
    } else {
      T s[1] = {};
      sum_edges<false>(segments, edge_pair(box[i], along), soft, s);
      sum.f += s[0];
    }
    segments.n = 0;
  }

  Segments<T> segments_[5];  // of the strips of two boxes, and of pixels that several matter to
  Pieces<T> pieces_;
};

}  // namespace fastiou
