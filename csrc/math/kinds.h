// The registry of kinds. To add one: a header beside this file, its name in the list below, and a function of the same
// name in fastiou/reference/kinds.py. Kernels, Python, tests and benchmarks follow from here.
#pragma once
#include "ciou.h"
#include "diou.h"
#include "giou.h"
#include "iof.h"
#include "iou.h"
#include "iou_log.h"
#include "iou_square.h"

namespace fastiou {

template <class... K> struct TypeList {};

// Kinds with a score and a loss: aligned losses, and all that compares sets of boxes.
using Kinds = TypeList<IoU, IoULog, IoUSquare, GIoU, DIoU, CIoU>;

// Scores alone: what compares sets of boxes has these as well.
using ScoreOnly = TypeList<IoF>;

template <class A, class B> struct ConcatOf;
template <class... A, class... B> struct ConcatOf<TypeList<A...>, TypeList<B...>> {
  using type = TypeList<A..., B...>;
};
using PairwiseKinds = ConcatOf<Kinds, ScoreOnly>::type;

// The kind whose score this one has: itself, or the base that it inherits the score from.
template <class K> struct Scorer { using type = K; };
template <class K> requires requires { typename K::Score; }
struct Scorer<K> { using type = typename K::Score; };

// Whether boxes without a common point score exactly 0, and no pair scores less.
template <class K> constexpr bool kZeroIfDisjoint = requires { requires K::zero_if_disjoint; };

// Whether a score asks for aspect angles.
template <class K> constexpr bool kByAngle = requires { requires K::by_angle; };

// A box of a set as a kind wants it: with its area, and with its angle.
template <class K, Real T> FASTIOU_HD auto prepared(const Box<T>& b, T angle) {
  if constexpr (kByAngle<K>) return AngledBox<T>{{b, b.area()}, angle};
  else return AreaBox<T>{b, b.area()};
}
template <class K, Real T> FASTIOU_HD auto prepared(const Box<T>& b) {
  if constexpr (kByAngle<K>) return AngledBox<T>{{b, b.area()}, aspect_angle(b)};
  else return AreaBox<T>{b, b.area()};
}
template <class K, Real T> using Prepared = decltype(prepared<K>(Box<T>{}));

// Calls f.operator()<Kind>() for the index-th kind; false if there is none.
FASTIOU_ANY_CALLABLE
template <class F, class... K> FASTIOU_HD bool dispatch_kind(int64_t index, F&& f, TypeList<K...>) {
  int64_t i = 0;
  return ((i++ == index && (f.template operator()<K>(), true)) || ...);
}

// The same for kinds as scores.
template <class F> bool dispatch_score(int64_t index, F&& f) {
  return dispatch_kind(
      index, [&]<class K>() { f.template operator()<typename Scorer<K>::type>(); }, PairwiseKinds{});
}

}  // namespace fastiou
