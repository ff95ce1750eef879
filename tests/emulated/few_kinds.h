// Leaves kernels for few kinds alone, so that a sanitizer compiles them in less time: one of every way through them.
// Formulas are the business of the other builds. Include it before anything that dispatches kinds.
#pragma once
#include "../../csrc/math/rotated_kinds.h"

namespace fastiou {

template <class K> constexpr bool kIsChosen = false;
template <> inline constexpr bool kIsChosen<IoU> = true;   // a quotient, compared without division
template <> inline constexpr bool kIsChosen<IoF> = true;   // one that asks which box is the first
template <> inline constexpr bool kIsChosen<CIoU> = true;  // a score that asks for more of a box
template <> inline constexpr bool kIsChosen<Exact<IoU>> = true;
template <> inline constexpr bool kIsChosen<Exact<GIoU, Around::area>> = true;
template <> inline constexpr bool kIsChosen<Gaussian<GWD>> = true;

template <class F, class... K> bool dispatch_chosen(int64_t index, F&& f, TypeList<K...>) {
  int64_t i = 0;
  const auto call = [&]<class Kind>() {
    if constexpr (kIsChosen<Kind>) f.template operator()<Kind>();
    return kIsChosen<Kind>;
  };
  return ((i++ == index && call.template operator()<K>()) || ...);
}

// These are preferred to the template in kinds.h.
template <class F> bool dispatch_kind(int64_t index, F&& f, Kinds kinds) { return dispatch_chosen(index, f, kinds); }
template <class F> bool dispatch_kind(int64_t index, F&& f, PairwiseKinds kinds) { return dispatch_chosen(index, f, kinds); }
template <class F> bool dispatch_kind(int64_t index, F&& f, RotatedKinds kinds) { return dispatch_chosen(index, f, kinds); }

}  // namespace fastiou
