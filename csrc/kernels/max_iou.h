// The best box of one set for every box of another, both ways, without the matrix.
//
// Boxes that are masked, and boxes that hold NaN or infinity, are nobody's match and have none: value 0, index -1. Ties
// go to the lowest index.
#pragma once
#include <algorithm>

#include "box_set.h"
#include "rotated.h"

namespace fastiou {

struct MaxIoUArgs {
  BoxSet boxes, gts;
  int64_t batch = 1;
  Eps<double> eps{0, 0, 0};
  void* values = nullptr;      // (batch, boxes) in the compute dtype
  int64_t* indices = nullptr;  // (batch, boxes), of gts
  void* gt_values = nullptr;   // (batch, gts)
  int64_t* gt_indices = nullptr;
};

// For every box the last gt whose best score it attains, if that is at least `least`; else -1. What low-quality matches
// are made of: scores are computed again, the same numbers as before.
struct TiedGtsArgs {
  BoxSet boxes, gts;
  int64_t batch = 1;
  Eps<double> eps{0, 0, 0};
  const void* gt_values = nullptr;  // (batch, gts) in the compute dtype, contiguous
  double least = 0;
  int64_t* indices = nullptr;       // (batch, boxes)
};

// What is known of a box before it meets another.
enum class Presence : unsigned char { absent, plain, odd };

template <Real T> FASTIOU_HD Presence presence(const BoxSet& set, int64_t batch, int64_t i, const Box<T>& b) {
  const T nan = nan_unless_finite(b.x1) + nan_unless_finite(b.y1) + nan_unless_finite(b.x2) + nan_unless_finite(b.y2);
  if (!set.has(batch, i) || nan != 0) return Presence::absent;
  return is_plain(b) ? Presence::plain : Presence::odd;
}
template <Real T> FASTIOU_HD Presence presence(const BoxSet& set, int64_t batch, int64_t i, const RotatedBox<T>& b) {
  return set.has(batch, i) && nan_unless_finite(b) == 0 ? Presence::plain : Presence::absent;
}

// Whether no box inside `hull` has a point in common with b.
template <Real T> FASTIOU_HD bool disjoint(const Box<T>& hull, const Box<T>& b) {
  return (hull.x2 <= b.x1) | (b.x2 <= hull.x1) | (hull.y2 <= b.y1) | (b.y2 <= hull.y1);
}

}  // namespace fastiou
