// Leaves few kinds of upright boxes, so that sanitizers compile and run less: formulas are the business of other
// builds. Include it before anything that dispatches kinds.
#pragma once
#include "../../csrc/math/kinds.h"

namespace fastiou {

template <class K> constexpr bool kIsChosen = false;
template <> inline constexpr bool kIsChosen<IoU> = true;   // a quotient, which is compared without division
template <> inline constexpr bool kIsChosen<CIoU> = true;  // a score that asks for more of a box

template <class F, class... K> bool dispatch_chosen(int64_t index, F&& f, TypeList<K...>) {
  const auto call = [&]<class Kind>() {
    if constexpr (kIsChosen<Kind>) f.template operator()<Kind>();
    return kIsChosen<Kind>;
  };
  int64_t i = 0;
  return ((i++ == index && call.template operator()<K>()) || ...);
}

// These are preferred to the template in kinds.h.
template <class F> bool dispatch_kind(int64_t index, F&& f, Kinds kinds) { return dispatch_chosen(index, f, kinds); }
template <class F> bool dispatch_kind(int64_t index, F&& f, PairwiseKinds kinds) {
  return dispatch_chosen(index, f, kinds);
}

}  // namespace fastiou
