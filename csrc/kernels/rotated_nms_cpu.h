// The overlap of rotated boxes, as suppression asks for it: one box against a tile.
#pragma once
#include "rotated_set_cpu.h"
#include "tiles_cpu.h"

namespace fastiou {

template <Real T> struct RotatedRows {
  AngleUnit<T> unit;
  RotatedStages<T> stages;
  bool sparse;

  RotatedRows(int64_t code, Format format)
      : unit(angle_unit<T>(in_degrees(format))),
        stages(RotatedOptions{code}, in_degrees(format), false),
        sparse(zero_if_disjoint(code)) {}

  void operator()(const BoxTile<T>& ones, int64_t i, const BoxTile<T>& lanes, T* row) const {
    std::fill_n(row, padded(lanes.n), T(0));
    const auto done = [row](const RotatedTile<T>& pairs, const int64_t* tags, int64_t n) {
      for (int64_t k = 0; k < n; ++k) row[tags[k]] = pairs.result.v[0][k];
    };
    RotatedBatch<T, decltype(done)> pairs(stages, done);
    NearBoxes<T> near(!sparse);
    const RotatedBox<T> one = rotated_at(ones, i);
    const Surroundings<T> around{lanes.boxes[0], lanes.boxes[1], lanes.more[1], lanes.more[2]};
    const Reach<T> reach{ones.more[1][i], ones.more[2][i]};
    near(around, lanes.n, one, reach, [&](int64_t j) { pairs.add(one, rotated_at(lanes, j), j); });
    pairs.flush();
  }
};

template <Real T> RowOverlap<T> rotated_overlap(int64_t code, Format format) {
  const RotatedRows<T> rows(code, format);
  return rows.stages.ok() ? RowOverlap<T>(rows) : RowOverlap<T>(typename RowOverlap<T>::Rows{});
}

}  // namespace fastiou
