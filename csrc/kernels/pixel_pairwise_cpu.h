// Pairwise scores over pixels on the CPU: what a box adds to a union is counted once, and pairs that do not meet are
// not looked at.
#pragma once
#include <vector>

#include "pixel_pairwise.h"
#include "pixel_sums_cpu.h"
#include "rotated_set_cpu.h"

namespace fastiou {

// A set with all that a pair asks of its boxes.
template <Real T> struct PixelSet {
  static constexpr int64_t kTaskBoxes = 16;

  const BoxSet& set;
  const PixelParams<T>& params;
  const bool grad;
  std::vector<PixelBox<T>> boxes;
  std::vector<OwnCount<T>> own;
  std::vector<T> x, y, reach_x, reach_y;

  PixelSet(const BoxSet& s, int64_t batch, const PixelParams<T>& o, bool with_grad)
      : set(s), params(o), grad(with_grad), boxes(batch * s.count), own(boxes.size()) {
    for (std::vector<T>* const column : {&x, &y, &reach_x, &reach_y}) column->resize(boxes.size());
  }

  // Tasks that fill it.
  int64_t tasks() const { return (static_cast<int64_t>(boxes.size()) + kTaskBoxes - 1) / kTaskBoxes; }
  void operator()(int64_t task) {
    PixelSums<T> engine;
    const AngleUnit<T> unit = angle_unit<T>(in_degrees(set.format));
    const int64_t end = std::min<int64_t>(boxes.size(), (task + 1) * kTaskBoxes);
    for (int64_t i = task * kTaskBoxes; i < end; ++i) {
      T numbers[5] = {};
      dispatch_dtype<Accept::boxes>(set.dtype, [&]<class S>() {
        const int64_t at = i / set.count * set.batch_stride + i % set.count * set.stride;
        const S* const from = static_cast<const S*>(set.data) + at;
        for (int k = 0; k < set.width(); ++k) numbers[k] = static_cast<T>(from[k * set.inner]);
      });
      const PixelBox<T>& b = boxes[i] = pixel_box(read_box(set.format, numbers), unit);
      const PixelReach<T> r = reach_of(b, params);
      x[i] = b.box.x, y[i] = b.box.y, reach_x[i] = r.x, reach_y[i] = r.y;
      if (params.area_union || b.empty() || r.x != r.x) continue;
      own[i] = grad ? own_count<true>(engine, params, b) : own_count<false>(engine, params, b);
    }
  }

  // Calls f(j) for the boxes of [begin, end) that box i of another set may meet, no more than a tile.
  template <class F>
  void for_each_near(int64_t begin, int64_t end, const PixelSet& other, int64_t i, const F& f) const {
    alignas(64) typename Bits<T>::Int near[kTile<T>];
    const Surroundings<T> here{&x[begin], &y[begin], &reach_x[begin], &reach_y[begin]};
    if (find_near<T>(here, end - begin, other.x[i], other.y[i], other.reach_x[i], other.reach_y[i], near) == 0) return;
    for (int64_t j = begin; j < end; ++j)
      if (near[j - begin]) f(j);
  }
};

// A box of the first set against a tile of the second one.
template <Real T> struct PixelPairwiseTasks {
  const PairwiseArgs& a;
  const PixelParams<T> params;
  PixelSet<T> first, second;
  const int64_t tiles;

  explicit PixelPairwiseTasks(const PixelPairwiseArgs& args)
      : a(args.pair),
        params(args.options),
        first(a.first, a.batch, params, false),
        second(a.second, a.batch, params, false),
        tiles((a.second.count + kTile<T> - 1) / kTile<T>) {}

  int64_t count() const { return a.batch * a.first.count * tiles; }
  void operator()(int64_t task) const {
    if (a.out_dtype == DType::f64) run<double>(task);
    else run<float>(task);
  }

 private:
  template <Real S> void run(int64_t task) const {
    PixelSums<T> engine;
    const int64_t i = task / tiles, column = task % tiles * kTile<T>, base = i / a.first.count * a.second.count;
    const int64_t n = std::min<int64_t>(kTile<T>, a.second.count - column);
    S* const row = static_cast<S*>(a.out) + i * a.second.count + column;
    std::fill_n(row, n, S(0));
    second.for_each_near(base + column, base + column + n, first, i, [&](int64_t j) {
      const auto r = met_score<0>(engine, params, first.boxes[i], second.boxes[j], first.own[i], second.own[j]);
      row[j - base - column] = static_cast<S>(r.value);
    });
  }
};

// The gradient, recomputed: an own box against a slice of the others, added up in double and in order.
template <Real T> struct PixelBackwardTasks {
  const PairwiseBackwardArgs& a;
  const PixelParams<T> params;
  PixelSet<T> own, other;
  const int64_t slice;

  explicit PixelBackwardTasks(const PixelBackwardArgs& args)
      : a(args.pair),
        params(args.options),
        own(a.own, a.batch, params, true),
        other(a.other, a.batch, params, false),
        slice((a.other.count + a.slices - 1) / a.slices) {}

  int64_t count() const { return a.slices * a.batch * a.own.count; }
  void operator()(int64_t task) const {
    PixelSums<T> engine;
    const int64_t rows = a.batch * a.own.count, i = task % rows, part = task / rows, batch = i / a.own.count;
    const int64_t base = batch * a.other.count, last = std::min((part + 1) * slice, a.other.count);
    const int64_t first = batch * a.grad_batch_stride + i % a.own.count * a.grad_own_stride;
    const T* const grad = static_cast<const T*>(a.grad) + first;
    double sum[5] = {};
    T largest_grad = 1;
    for (int64_t at = part * slice; at < last; at += kTile<T>) {
      other.for_each_near(base + at, base + std::min<int64_t>(last, at + kTile<T>), own, i, [&](int64_t j) {
        const T g = grad[(j - base) * a.grad_other_stride];
        if (g == 0) return;
        largest_grad = max(abs(g), largest_grad);
        add_gradient(engine, params, own.boxes[i], other.boxes[j], own.own[i], other.own[j], g, sum);
      });
    }
    double* const to = a.partial + task * kPartials;
    std::copy_n(sum, 5, to);
    to[kLargestGrad] = largest_grad;
  }

  static constexpr int64_t kFinishRows = 4096;
  int64_t finish_count() const { return (a.batch * a.own.count + kFinishRows - 1) / kFinishRows; }
  void finish(int64_t task) const {
    const T radians = angle_unit<T>(in_degrees(a.own.format)).radians;
    const int64_t end = std::min(a.batch * a.own.count, (task + 1) * kFinishRows);
    for (int64_t i = task * kFinishRows; i < end; ++i) finish_pixel_box<T>(a, radians, i);
  }
};

}  // namespace fastiou
