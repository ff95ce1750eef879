// Pairwise scores of rotated boxes on the CPU: pairs that may overlap are gathered and go through the stages together.
#pragma once
#include "pairwise.h"
#include "rotated_set_cpu.h"

namespace fastiou {

// The work cut into tasks that do not depend on each other: a block of the first set against a tile of the second one.
template <Real T> struct RotatedPairwiseTasks {
  static constexpr int64_t kRows = 64;

  const PairwiseArgs& a;
  const AngleUnit<T> unit;
  const RotatedStages<T> stages;
  const bool sparse;
  const int64_t row_blocks, column_tiles;

  RotatedPairwiseTasks(const PairwiseArgs& args, int64_t code)
      : a(args),
        unit(angle_unit<T>(in_degrees(a.first.format))),
        stages(RotatedOptions{code}, in_degrees(a.first.format), false),
        sparse(zero_if_disjoint(code)),
        row_blocks((a.first.count + kRows - 1) / kRows),
        column_tiles((a.second.count + kTile<T> - 1) / kTile<T>) {}

  bool ok() const { return stages.ok(); }
  int64_t count() const { return a.batch * row_blocks * column_tiles; }

  void operator()(int64_t task) const {
    const int64_t column = task % column_tiles * kTile<T>, row = task / column_tiles % row_blocks * kRows;
    const int64_t batch = task / column_tiles / row_blocks;
    if (a.out_dtype == DType::f64) run<double>(batch, row, column);
    else run<float>(batch, row, column);
  }

 private:
  template <Real S> void run(int64_t batch, int64_t row, int64_t column) const {
    RotatedSetTile<T> first, second;
    first.load(a.first, batch, row, std::min(kRows, a.first.count - row), unit);
    second.load(a.second, batch, column, std::min<int64_t>(kTile<T>, a.second.count - column), unit);
    S* const block = static_cast<S*>(a.out) + (batch * a.first.count + row) * a.second.count + column;
    const auto done = [block](const RotatedTile<T>& t, const int64_t* tags, int64_t n) {
      for (int64_t k = 0; k < n; ++k) block[tags[k]] = static_cast<S>(t.result.v[0][k]);
    };
    RotatedBatch<T, decltype(done)> pairs(stages, done);
    NearBoxes<T> near(!sparse);
    for (int64_t i = 0; i < first.n; ++i) {
      const int64_t at = i * a.second.count;
      const RotatedBox<T> one = first.at(i);
      const bool has = a.first.has(batch, row + i);
      const int64_t count = has ? near.count(second.surroundings(), second.n, one, first.reach(i)) : 0;
      if (2 * count > second.n && !a.second.mask) {  // copying all of them costs less than picking
        pairs.template add_run<true>(one, second, at, 1);
        continue;
      }
      std::fill_n(block + at, second.n, S(0));
      if (count == 0) continue;
      near.for_each(second.n, [&](int64_t j) {
        if (a.second.has(batch, column + j)) pairs.add(one, second.at(j), at + j);
      });
    }
    pairs.flush();
  }
};

// The gradient, recomputed: a tile of own boxes against a slice of the others, added up in double and in an order that
// depends on the sizes alone.
template <Real T> struct RotatedPairwiseBackwardTasks {
  const PairwiseBackwardArgs& a;
  const AngleUnit<T> unit;
  const RotatedStages<T> stages;
  const bool sparse;
  const int64_t tiles, slice;

  RotatedPairwiseBackwardTasks(const PairwiseBackwardArgs& args, int64_t code)
      : a(args),
        unit(angle_unit<T>(in_degrees(a.own.format))),
        stages(RotatedOptions{code}, in_degrees(a.own.format), true),
        sparse(zero_if_disjoint(code)),
        tiles((a.own.count + kTile<T> - 1) / kTile<T>),
        slice((a.other.count + a.slices - 1) / a.slices) {}

  bool ok() const { return stages.ok(); }
  int64_t count() const { return a.slices * a.batch * tiles; }

  void operator()(int64_t task) const {
    const int64_t begin = task % tiles * kTile<T>, batch = task / tiles % a.batch, part = task / tiles / a.batch;
    const int64_t first = std::min(part * slice, a.other.count), last = std::min(first + slice, a.other.count);
    RotatedSetTile<T> own, other;
    own.load(a.own, batch, begin, std::min<int64_t>(kTile<T>, a.own.count - begin), unit);
    double sum[5][kTile<T>] = {};
    T largest_grad[kTile<T>], incoming[kTile<T>];  // of the pairs in the batch
    std::fill_n(largest_grad, kTile<T>, T(1));
    const T largest = largest_of<T>(a.own.dtype);
    const auto done = [&](const RotatedTile<T>& t, const int64_t* tags, int64_t n) {
      const Columns<T, 5>& d = a.own_first ? t.grad_p : t.grad_g;
      for (int64_t k = 0; k < n; ++k)
        for (int c = 0; c < 5; ++c) {
          const double x = bounded(static_cast<double>(d[c][k]), static_cast<double>(largest));
          double& s = sum[c][tags[k]];
          s = bounded(s + static_cast<double>(incoming[k]) * x, kLargest<double> / 2);
        }
    };
    RotatedBatch<T, decltype(done)> pairs(stages, done);
    NearBoxes<T> near(!sparse);
    const T* const grad = static_cast<const T*>(a.grad) + batch * a.grad_batch_stride + begin * a.grad_own_stride;
    for (int64_t at = first; at < last; at += kTile<T>) {
      other.load(a.other, batch, at, std::min<int64_t>(kTile<T>, last - at), unit);
      for (int64_t i = 0; i < other.n; ++i) {
        if (!a.other.has(batch, at + i)) continue;
        const RotatedBox<T> one = other.at(i);
        near(own.surroundings(), own.n, one, other.reach(i), [&](int64_t j) {
          const T g = grad[j * a.grad_own_stride + (at + i) * a.grad_other_stride];
          if (g == 0 || !a.own.has(batch, begin + j)) return;  // not looked at: masked boxes may be anything
          largest_grad[j] = max(abs(g), largest_grad[j]);
          incoming[pairs.size()] = g;
          if (a.own_first) pairs.add(own.at(j), one, j);
          else pairs.add(one, own.at(j), j);
        });
      }
    }
    pairs.flush();
    double* const to = a.partial + ((part * a.batch + batch) * a.own.count + begin) * kPartials;
    for (int64_t j = 0; j < own.n; ++j) {
      for (int c = 0; c < 5; ++c) to[kPartials * j + c] = sum[c][j];
      to[kPartials * j + kLargestGrad] = largest_grad[j];
    }
  }

  // After all tasks, tasks of their own: slices are added up and encoded.
  static constexpr int64_t kFinishRows = 4096;
  int64_t finish_count() const { return (a.batch * a.own.count + kFinishRows - 1) / kFinishRows; }
  void finish(int64_t task) const {
    const int64_t end = std::min(a.batch * a.own.count, (task + 1) * kFinishRows);
    for (int64_t i = task * kFinishRows; i < end; ++i) finish_box<T>(a, i);
  }
};

}  // namespace fastiou
