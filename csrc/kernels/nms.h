// Boxes with scores, and what non-maximum suppression and its variants make of them.
#pragma once
#include <cmath>

#include "../math/kinds.h"
#include "box_set.h"

namespace fastiou {

// One box, one score and one class per row. A box whose score is NaN is not there.
struct Detections {
  BoxSet boxes;  // of one batch, without a mask
  const void* scores = nullptr;
  DType score_dtype = DType::f32;
  int64_t score_stride = 1;
  const void* classes = nullptr;  // integers; absent if all boxes belong together
  DType class_dtype = DType::i64;
  int64_t class_stride = 1;

  template <Real T = double> FASTIOU_HD T score(int64_t i) const {
    T x = 0;
    dispatch_dtype(score_dtype,
                   [&]<class S>() { x = static_cast<T>(static_cast<const S*>(scores)[i * score_stride]); });
    return x;
  }
  FASTIOU_HD bool has_score(int64_t i) const {
    if (score_dtype == DType::f64) return score(i) == score(i);
    return score<float>(i) == score<float>(i);
  }
  FASTIOU_HD int64_t class_of(int64_t i) const {
    if (classes == nullptr) return 0;
    int64_t x = 0;
    dispatch_integer(class_dtype,
                     [&]<class S>() { x = static_cast<int64_t>(static_cast<const S*>(classes)[i * class_stride]); });
    return x;
  }
  // Number k of box i as it is written.
  FASTIOU_HD double number(int64_t i, int k) const {
    double x = 0;
    dispatch_dtype<Accept::boxes>(boxes.dtype, [&]<class S>() {
      x = static_cast<double>(static_cast<const S*>(boxes.data)[i * boxes.stride + k * boxes.inner]);
    });
    return x;
  }

  // f.template operator()<S>() for an integer type.
  template <class F> FASTIOU_HD static void dispatch_integer(DType dtype, F&& f) {
    switch (dtype) {
      case DType::u8: return f.template operator()<uint8_t>();
      case DType::i8: return f.template operator()<int8_t>();
      case DType::i16: return f.template operator()<int16_t>();
      case DType::i32: return f.template operator()<int32_t>();
      default: return f.template operator()<int64_t>();
    }
  }
};

// How much two boxes overlap: the score of a pairwise kind without eps, the box that would be kept first. For DIoU,
// beta != 1 is the power of its second term: Zheng et al., "Enhancing Geometric Factors", TCYB 2021, eq. 12.
struct OverlapKind {
  int64_t kind = 0;  // a code of math/rotated_kinds.h where boxes are rotated
  double beta = 1;   // 1 there

  // Whether it is IoU minus a power of the distance.
  bool powers() const {
    bool diou = false;
    dispatch_score(kind, [&]<class K>() { diou = std::is_same_v<K, DIoU>; });
    return diou && beta != 1;
  }
};

// Greedy suppression: from the best box down, a box is kept unless a kept one of its class overlaps it beyond the
// threshold.
struct NmsArgs {
  Detections in;
  OverlapKind overlap;
  double threshold = 0;
  bool* keep = nullptr;          // (count), in input order
  int64_t* selected = nullptr;   // (count): the kept boxes, best first; then -1
  int64_t* kept_count = nullptr; // a number
  // (count, 4) in the compute dtype, or absent. Row i is the mean of box selected[i] and of all boxes that it
  // suppresses, as they are written, with weights score * overlap; its own weight is its score. Then 0.
  void* merged = nullptr;
};

// The weighted mean of boxes as they are written. A negative score is no weight.
struct MergedBox {
  double weight = 0, sum[4] = {};

  FASTIOU_HD void add(const Detections& in, int64_t i, double overlap) {
    const double w = relu(in.score(i)) * overlap;
    weight += w;
    for (int k = 0; k < 4; ++k) sum[k] += w * in.number(i, k);
  }
  // Of box i that the mean is for, where weights do not make one.
  FASTIOU_HD double mean(const Detections& in, int64_t i, int k) const {
    const double m = sum[k] / weight;
    return weight > 0 && m - m == 0 ? m : in.number(i, k);
  }
};

struct SoftNmsArgs {
  Detections in;
  OverlapKind overlap;
  bool gaussian = true;
  double sigma = 0.5, threshold = 0.3, score_threshold = 1e-3;
  int64_t* selected = nullptr;  // (count): boxes in the order of selection; then -1
  void* scores = nullptr;       // (count): their scores then; 0 after them
  DType out_dtype = DType::f32;
  int64_t* kept_count = nullptr;
};

struct MatrixNmsArgs {
  Detections in;
  OverlapKind overlap;
  bool gaussian = true;
  double sigma = 2;
  void* scores = nullptr;  // (count), in input order
  DType out_dtype = DType::f32;
};

// The largest number of T that is not above x, and the smallest not below it: T(s) > x is s > floor_to<T>(x), though x
// may be no number of T.
template <Real T> T floor_to(double x) {
  const T t = static_cast<T>(x);
  return static_cast<double>(t) > x ? std::nextafter(t, -std::numeric_limits<T>::infinity()) : t;
}
template <Real T> T ceil_to(double x) { return -floor_to<T>(-x); }

// x > 0 as T, no further than its largest number: infinity times no overlap would be NaN.
template <Real T> T finite(double x) { return static_cast<T>(min(x, static_cast<double>(kLargest<T>))); }

// An overlap as a share: kinds below 0 count as no overlap, and so does NaN.
template <Real T> FASTIOU_HD T share(T score) { return min(relu(score), T(1)); }

// What remains of a score beside a selected box that overlaps. Bodla et al., "Soft-NMS", ICCV 2017, section 3:
// linear in the overlap from the threshold on, or Gaussian.
template <Real T> struct SoftDecay {
  T inverse_sigma, threshold;
  explicit SoftDecay(const SoftNmsArgs& a)
      : inverse_sigma(finite<T>(1 / a.sigma)), threshold(ceil_to<T>(a.threshold)) {}

  template <bool kGaussian> FASTIOU_HD T factor(T score) const {
    const T o = share(score);
    if constexpr (kGaussian) return exp(-(o * o * inverse_sigma));
    else return o >= threshold ? T(1) - o : T(1);
  }
};

// Wang et al., "SOLOv2", NeurIPS 2020, eqs. 4 and 5: a box decays by the least f(overlap) / f(compensation) over all
// better boxes, where a box's compensation is its own largest overlap with one better still. As the largest `pull`,
// from 0 on: f(o) is 1 - o, or exp(-sigma o^2).
template <Real T> struct MatrixDecay {
  T sigma;
  explicit MatrixDecay(const MatrixNmsArgs& a) : sigma(finite<T>(a.sigma)) {}

  // A box that has no weight of its own, f(compensation) = 0, does not pull.
  template <bool kGaussian> FASTIOU_HD static T pull(T score, T compensation) {
    const T overlap = share(score);
    if constexpr (kGaussian) return overlap * overlap - compensation * compensation;
    else return divide(overlap - compensation, T(1) - compensation);
  }
  template <Real S> FASTIOU_HD S decayed(bool gaussian, S score, T pull) const {
    const T factor = gaussian ? exp(-(sigma * pull)) : T(1) - pull;
    if (score != score || factor == 0) return 0;  // also of infinity
    return score * static_cast<S>(factor);
  }
};

}  // namespace fastiou
