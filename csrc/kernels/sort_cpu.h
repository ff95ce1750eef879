// Boxes in the order of their scores or classes.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "nms.h"

namespace fastiou {

struct Keyed {
  uint64_t key;
  int64_t index;
};

// By ascending key, equal keys in the order they had: a radix sort, byte by byte, but for bytes that all keys share.
inline void sort_by_key(std::vector<Keyed>& items) {
  constexpr int kDigits = 8, kValues = 256;
  uint64_t any = 0, all = ~uint64_t(0);
  for (const Keyed& x : items) any |= x.key, all &= x.key;
  std::vector<Keyed> other(items.size());
  for (int digit = 0; digit < kDigits; ++digit) {
    const int shift = 8 * digit;
    if (((any ^ all) >> shift & (kValues - 1)) == 0) continue;
    std::array<int64_t, kValues> at{};
    for (const Keyed& x : items) ++at[x.key >> shift & (kValues - 1)];
    int64_t next = 0;
    for (int64_t& a : at) next += std::exchange(a, next);
    for (const Keyed& x : items) other[at[x.key >> shift & (kValues - 1)]++] = x;
    items.swap(other);
  }
}

// A key that rises as x falls; the same for both zeros.
inline uint64_t descending_key(double x) {
  constexpr uint64_t sign = uint64_t(1) << 63;
  const uint64_t bits = __builtin_bit_cast(uint64_t, x), rising = bits & sign ? ~bits : bits | sign;
  return bits << 1 == 0 ? ~sign : ~rising;
}

// The boxes with a score of at least `least`, in input order; none whose score is NaN.
inline std::vector<Keyed> candidates(const Detections& in, double least = -std::numeric_limits<double>::infinity()) {
  std::vector<Keyed> items;
  items.reserve(in.boxes.count);
  dispatch_dtype(in.score_dtype, [&]<class S>() {
    const S* const scores = static_cast<const S*>(in.scores);
    for (int64_t i = 0; i < in.boxes.count; ++i) {
      const double score = static_cast<double>(scores[i * in.score_stride]);
      if (score >= least) items.push_back({descending_key(score), i});
    }
  });
  return items;
}

// Boxes class by class, otherwise in the order given.
struct Segments {
  std::vector<int64_t> order;
  std::vector<int64_t> begin;  // of each class in `order`, and the end

  Segments(const Detections& in, std::vector<Keyed> items) {
    begin.push_back(0);
    if (in.classes != nullptr && !items.empty()) {
      int64_t least = INT64_MAX;
      for (const Keyed& x : items) least = std::min(least, in.class_of(x.index));
      for (Keyed& x : items) x.key = static_cast<uint64_t>(in.class_of(x.index)) - static_cast<uint64_t>(least);
      sort_by_key(items);
    }
    order.reserve(items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      if (in.classes != nullptr && i > 0 && items[i].key != items[i - 1].key) begin.push_back(static_cast<int64_t>(i));
      order.push_back(items[i].index);
    }
    if (!items.empty()) begin.push_back(static_cast<int64_t>(items.size()));
  }

  int64_t count() const { return static_cast<int64_t>(begin.size()) - 1; }
  const int64_t* of(int64_t segment) const { return order.data() + begin[segment]; }
  int64_t size(int64_t segment) const { return begin[segment + 1] - begin[segment]; }
};

}  // namespace fastiou
