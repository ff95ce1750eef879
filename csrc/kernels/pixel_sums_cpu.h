// Sums over pixels on the CPU: rows are asked for their pixels, these are laid out in a tile, and vectors of them summed up.
#pragma once
#include "loops_cpu.h"
#include "pixel.h"

namespace fastiou {

// Pixels, or rows, that vector loops take at a time; sums are kept per lane.
template <Real T> constexpr int kPixelLanes = 64 / sizeof(T);
constexpr int kPixelTile = 256, kSpanTile = 64;

template <Real T> struct Pixels {
  alignas(64) T x[kPixelTile + kPixelLanes<T>] = {}, y[kPixelTile + kPixelLanes<T>] = {};
  int n = 0;

  // `count` pixels from the one numbered `first` on, of the row whose centre line is `row`; there must be room.
  // Whole vectors are written, over what is to come.
  void add(T first, T row, int count) {
    for (int j = 0; j < count; j += kPixelLanes<T>) {
      for (int lane = 0; lane < kPixelLanes<T>; ++lane) {
        x[n + j + lane] = first + static_cast<T>(j + lane) + T(0.5);
        y[n + j + lane] = row;
      }
    }
    n += count;
  }
};

// Calls add(first, count) for the pixels of a span that are to be visited, in pieces.
template <Real T, class Add> void for_each_piece(const Span<T>& s, const Add& add) {
  const T ends[2][2] = {{s.begin, s.full_begin}, {s.full_end, s.end}};
  for (const auto& [begin, end] : ends)
    for (T at = begin; at < end; at += kPixelTile / 2) add(at, static_cast<int>(min(end - at, T(kPixelTile / 2))));
}

template <int kBoxes, Real T>
FASTIOU_CLONES void find_spans(const Outline<T> (&outline)[kBoxes], T first_row, int rows, T* __restrict begin,
                               T* __restrict full_begin, T* __restrict full_end, T* __restrict end) {
  Outline<T> o[kBoxes];
  for (int i = 0; i < kBoxes; ++i) o[i] = outline[i];
  for (int j = 0; j < rows; ++j) {
    const Span<T> s = row_span(o, first_row + (static_cast<T>(j) + T(0.5)));
    begin[j] = s.begin, full_begin[j] = s.full_begin, full_end[j] = s.full_end, end[j] = s.end;
  }
}

// What pixels contribute, in columns, and their sums, lane by lane.
template <int kTerms, Real T> struct PixelColumns {
  alignas(64) T at[kTerms][kPixelTile];

  void add_to(T (&sum)[kTerms], int n) const {
    constexpr int lanes = kPixelLanes<T>;
    for (int i = 0; i < kTerms; ++i) {
      alignas(64) T s[lanes] = {};
      int j = 0;
      for (; j + lanes <= n; j += lanes)
        for (int lane = 0; lane < lanes; ++lane) s[lane] += at[i][j + lane];
      for (int lane = 0; j + lane < n; ++lane) s[lane] += at[i][j + lane];
      for (const T x : s) sum[i] += x;
    }
  }
};

template <int kGrads, int kBoxes, Real T>
FASTIOU_CLONES void sum_pixels(const Pixels<T>& pixels, const RasterBox<T> (&box)[kBoxes], const Softness<T>& soft,
                               T (&sum)[1 + 5 * kGrads]) {
  RasterBox<T> b[kBoxes];
  for (int i = 0; i < kBoxes; ++i) b[i] = box[i];
  const Softness<T> o = soft;
  PixelColumns<1 + 5 * kGrads, T> columns;
  for (int j = 0; j < pixels.n; ++j) {
    const PixelTerms<kGrads, T> t = pixel_terms<kGrads>(b, o, pixels.x[j], pixels.y[j]);
    columns.at[0][j] = t.f;
    FASTIOU_UNROLL
    for (int i = 0; i < 5 * kGrads; ++i) columns.at[1 + i][j] = t.d[i];
  }
  columns.add_to(sum, pixels.n);
}

template <int kGrads, int kBoxes, Real T>
FASTIOU_CLONES void sum_axis(const Pixels<T>& pixels, const Interval<T> (&box)[kBoxes], const Softness<T>& soft,
                             T (&sum)[1 + 3 * kGrads]) {
  Interval<T> b[kBoxes];
  for (int i = 0; i < kBoxes; ++i) b[i] = box[i];
  const Softness<T> o = soft;
  PixelColumns<1 + 3 * kGrads, T> columns;
  for (int j = 0; j < pixels.n; ++j) {
    const AxisTerms<kGrads, T> t = axis_terms<kGrads>(b, o, pixels.x[j]);
    columns.at[0][j] = t.f;
    FASTIOU_UNROLL
    for (int i = 0; i < 3 * kGrads; ++i) columns.at[1 + i][j] = t.d[i];
  }
  columns.add_to(sum, pixels.n);
}

// The engine that pixel.h asks for. One for each thread: it holds the tile.
template <Real T> class PixelSums {
 public:
  template <int kGrads, int kBoxes> PixelTerms<kGrads, T> pixels(const RasterBox<T> (&box)[kBoxes], const Softness<T>& soft) {
    Outline<T> o[kBoxes];
    for (int i = 0; i < kBoxes; ++i) o[i] = outline(box[i], soft);
    T sum[1 + 5 * kGrads] = {};
    double full = 0;  // more than a float counts
    const Rows2<T> rows = rows_of(o);
    for (T at = rows.begin; at < rows.end; at += kSpanTile) {
      const int n = static_cast<int>(min(rows.end - at, T(kSpanTile)));
      find_spans(o, at, n, begin_, full_begin_, full_end_, end_);
      for (int j = 0; j < n; ++j) {
        const Span<T> s{begin_[j], full_begin_[j], full_end_[j], end_[j]};
        full += static_cast<double>(s.full());
        for_each_piece(s, [&](T first, int count) {
          if (tile_.n + count > kPixelTile) flush<kGrads>(box, soft, sum);
          tile_.add(first, at + (static_cast<T>(j) + T(0.5)), count);
        });
      }
    }
    if (tile_.n > 0) flush<kGrads>(box, soft, sum);
    PixelTerms<kGrads, T> r{};
    r.f = static_cast<T>(full + static_cast<double>(sum[0]));
    for (int i = 0; i < 5 * kGrads; ++i) r.d[i] = sum[1 + i];
    return r;
  }

  template <int kGrads, int kBoxes> AxisTerms<kGrads, T> axis(const Interval<T> (&box)[kBoxes], const Softness<T>& soft) {
    T sum[1 + 3 * kGrads] = {};
    const Span<T> s = axis_span(box, soft);
    for_each_piece(s, [&](T first, int count) {
      if (tile_.n + count > kPixelTile) sum_axis<kGrads>(tile_, box, soft, sum), tile_.n = 0;
      tile_.add(first, T(0), count);
    });
    if (tile_.n > 0) sum_axis<kGrads>(tile_, box, soft, sum), tile_.n = 0;
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
  template <int kGrads, int kBoxes>
  void flush(const RasterBox<T> (&box)[kBoxes], const Softness<T>& soft,
                               T (&sum)[1 + 5 * kGrads]) {
    sum_pixels<kGrads>(tile_, box, soft, sum);
    tile_.n = 0;
  }
  Pixels<T> tile_;
  alignas(64) T begin_[kSpanTile], full_begin_[kSpanTile], full_end_[kSpanTile], end_[kSpanTile];
};

}  // namespace fastiou
