// Sums over pixels on CUDA, by a warp or by all warps of a block: rows are asked for their pixels 32 at a time, one by
// a lane, and the lanes share out what is to be visited of them. All in registers, without atomics, in a fixed order.
#pragma once
#include "pixel.h"

namespace fastiou {

constexpr int kPixelWarps = 4;  // of a block
constexpr int kPixelThreads = 32 * kPixelWarps;
// Blocks that a multiprocessor has registers for.
template <Real T> constexpr int kPixelBlocks = sizeof(T) > sizeof(float) ? 2 : 4;
constexpr unsigned kAllLanes = 0xffffffffu;

// Every lane's sum over the lanes; all lanes add in the same order, so they have the same bits.
template <int n, class U> __device__ __forceinline__ void add_lanes(U (&x)[n]) {
  FASTIOU_UNROLL
  for (int i = 0; i < n; ++i) {
    FASTIOU_UNROLL
    for (int other = 16; other > 0; other /= 2) x[i] += __shfl_xor_sync(kAllLanes, x[i], other);
  }
}

// The pixels to visit in 32 rows, a row a lane, as one list. Whole numbers in T, as in pixel_rows.h.
template <Real T> struct PixelList {
  T y;                 // of the centres of this lane's row
  T shift, gap, jump;  // from a place in the list to x: + shift, and + gap from place `jump` on
  T end;               // where the next row begins in the list
  T full;              // pixels of the row that are 1

  template <int kBoxes>
  __device__ __forceinline__ PixelList(const Outline<T> (&outline)[kBoxes], T row, T end_row) : y(row + T(0.5)) {
    const Span<T> s = row_span(outline, y);
    const bool there = row < end_row;
    const T left = s.full_begin - s.begin, count = there ? left + (s.end - s.full_end) : T(0);
    full = there ? s.full() : T(0);
    end = count;
    FASTIOU_UNROLL
    for (int before = 1; before < 32; before *= 2) {
      const T more = __shfl_up_sync(kAllLanes, end, before);
      end += threadIdx.x % 32 >= before ? more : T(0);
    }
    const T begin = end - count;
    shift = s.begin - begin + T(0.5), gap = s.full(), jump = begin + left;
  }

  __device__ __forceinline__ T count() const { return __shfl_sync(kAllLanes, end, 31); }

  struct Centre { T x, y; };
  // The pixel at place i. All lanes ask at once.
  __device__ __forceinline__ Centre at(T i) const {
    int row = 0;  // the rows that end at i or before
    FASTIOU_UNROLL
    for (int half = 16; half > 0; half /= 2) row += __shfl_sync(kAllLanes, end, row + half - 1) <= i ? half : 0;
    const T from = __shfl_sync(kAllLanes, jump, row), by = __shfl_sync(kAllLanes, gap, row);
    return {i + __shfl_sync(kAllLanes, shift, row) + (i < from ? T(0) : by), __shfl_sync(kAllLanes, y, row)};
  }
};

// The engine that pixel.h asks for. All its threads call it with the same arguments, and get the same bits.
template <Real T> class PixelTeam {
 public:
  // The warp that asks, or its whole block.
  __device__ __forceinline__ explicit PixelTeam(bool block)
      : warp_(block ? threadIdx.x / 32 : 0), warps_(block ? kPixelWarps : 1) {}

  // Whether this is the one thread that writes what all know.
  __device__ __forceinline__ bool leads() const { return thread() == 0; }

  template <int kGrads, int kBoxes>
  __device__ __forceinline__ PixelTerms<kGrads, T> pixels(const RasterBox<T> (&box)[kBoxes],
                                                          const Softness<T>& soft) const {
    Outline<T> o[kBoxes];
    FASTIOU_UNROLL
    for (int i = 0; i < kBoxes; ++i) o[i] = outline(box[i], soft);
    const RowRange<T> rows = rows_of(o);
    T sum[1 + 5 * kGrads] = {}, full = 0;
#pragma unroll 1
    for (T row = rows.begin + static_cast<T>(thread()); row - lane() < rows.end; row += static_cast<T>(32 * warps_)) {
      const PixelList<T> list(o, row, rows.end);
      const T count = list.count();
      full += list.full;  // apart: there may be more than a float counts by halves
#pragma unroll 1
      for (T i = lane(); i - lane() < count; i += T(32)) {
        const auto pixel = list.at(i);
        const PixelTerms<kGrads, T> t = pixel_terms<kGrads>(box, soft, pixel.x, pixel.y);
        if (i < count) {
          sum[0] += t.f;
          FASTIOU_UNROLL
          for (int k = 0; k < 5 * kGrads; ++k) sum[1 + k] += t.d[k];
        }
      }
    }
    sum[0] += full;
    add_threads(sum);
    PixelTerms<kGrads, T> r{};
    r.f = sum[0];
    FASTIOU_UNROLL
    for (int k = 0; k < 5 * kGrads; ++k) r.d[k] = sum[1 + k];
    return r;
  }

  // So short that every warp sums all of it.
  template <int kGrads, int kBoxes>
  __device__ __forceinline__ AxisTerms<kGrads, T> axis(const Interval<T> (&box)[kBoxes],
                                                       const Softness<T>& soft) const {
    const Span<T> s = axis_span(box, soft);
    const T left = s.full_begin - s.begin, count = left + (s.end - s.full_end);
    T sum[1 + 3 * kGrads] = {};
#pragma unroll 1
    for (T i = lane(); i < count; i += T(32)) {
      const T x = i + (s.begin + T(0.5)) + (i < left ? T(0) : s.full());
      const AxisTerms<kGrads, T> t = axis_terms<kGrads>(box, soft, x);
      sum[0] += t.f;
      FASTIOU_UNROLL
      for (int k = 0; k < 3 * kGrads; ++k) sum[1 + k] += t.d[k];
    }
    add_lanes(sum);
    AxisTerms<kGrads, T> r = full_terms<kGrads>(box, s);
    r.f += sum[0];
    FASTIOU_UNROLL
    for (int k = 0; k < 3 * kGrads; ++k) r.d[k] += sum[1 + k];
    return r;
  }

  template <class F> __device__ __forceinline__ double rows(double begin, double end, const F& f) const {
    double sum[1] = {0};
#pragma unroll 1
    for (double row = begin + thread(); row < end; row += 32 * warps_) sum[0] += f(row);
    add_threads(sum);
    return sum[0];
  }

 private:
  __device__ __forceinline__ T lane() const { return static_cast<T>(threadIdx.x % 32); }
  __device__ __forceinline__ unsigned thread() const { return 32 * warp_ + threadIdx.x % 32; }

  // Every thread's sum over the team.
  template <int n, class U> __device__ __forceinline__ void add_threads(U (&x)[n]) const {
    add_lanes(x);
    if (warps_ == 1) return;
    __shared__ U sums[kPixelWarps][n];
    if (threadIdx.x % 32 == 0) {
      FASTIOU_UNROLL
      for (int i = 0; i < n; ++i) sums[warp_][i] = x[i];
    }
    __syncthreads();
    FASTIOU_UNROLL
    for (int i = 0; i < n; ++i) {
      x[i] = sums[0][i];
      FASTIOU_UNROLL
      for (int w = 1; w < kPixelWarps; ++w) x[i] += sums[w][i];
    }
    __syncthreads();  // sums may be used again
  }

  unsigned warp_, warps_;
};

// A box, or a pair, with more pixels to visit than this is large.
constexpr int kManyPixels = 8192;

// About how many those of a box are: as far as its soft edges reach, less what is 1.
template <Real T> FASTIOU_HD T pixels_to_visit(const PixelBox<T>& b, const PixelParams<T>& o) {
  const T scale = raster_scale(b.box, o.scale, o.limits.longest), rx = b.box.rx * scale, ry = b.box.ry * scale;
  return T(4) * ((rx + o.soft.reach) * (ry + o.soft.reach) - relu(rx - o.soft.reach) * relu(ry - o.soft.reach));
}
// And those of a pair: over the edges of the smaller box, and of each.
template <Real T> FASTIOU_HD bool is_large(const PixelParams<T>& o, const PixelBox<T>& p, const PixelBox<T>& g) {
  const T n = pixels_to_visit(p, o), m = pixels_to_visit(g, o);
  return min(n, m) + (o.area_union ? T(0) : n + m) > T(kManyPixels);
}

// Who takes which of `count` pairs: first every warp of the grid the small ones among its own, then every block the
// large ones among those of its warps.
class PixelTurns {
 public:
  bool together = false;
  int64_t at;

  __device__ __forceinline__ explicit PixelTurns(int64_t count) : at(first() + threadIdx.x / 32), count_(count) {}

  __device__ __forceinline__ bool there() {
    if (at < count_) return true;
    if (together || !__syncthreads_or(large_)) return false;
    together = true, at = first();
    return true;
  }
  // Whether the pair has its turn now.
  __device__ __forceinline__ bool takes(bool large) {
    large_ |= large;
    return large == together;
  }
  __device__ __forceinline__ void next() {
    const int64_t step = static_cast<int64_t>(gridDim.x) * kPixelWarps;
    if (!together) at += step;
    else at += (at + 1) % kPixelWarps == 0 ? step - (kPixelWarps - 1) : 1;
  }

 private:
  __device__ __forceinline__ static int64_t first() { return static_cast<int64_t>(blockIdx.x) * kPixelWarps; }

  int64_t count_;
  bool large_ = false;
};

}  // namespace fastiou
