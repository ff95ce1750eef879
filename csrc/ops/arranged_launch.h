// Both sets that are matched, arranged: their memory, and the launch that fills it.
#pragma once
#include "../kernels/match_warp_cuda.cuh"
#include "launch.h"

namespace fastiou {

// Arrays one after the other in one piece of memory. Starting from 0 it tells how much they take.
struct Carver {
  uintptr_t at = 0;

  template <class S> S* take(int64_t count) {
    if (count == 0) return nullptr;
    constexpr uintptr_t alignment = 16;
    at = (at + alignment - 1) / alignment * alignment;
    S* const p = reinterpret_cast<S*>(at);
    at += static_cast<uintptr_t>(count) * sizeof(S);
    return p;
  }
};

template <class B, Real T>
ArrangedSet<B, T> carve_arranged(Carver& memory, int64_t batch, int64_t count, bool in_order) {
  ArrangedSet<B, T> s;
  s.size = tiles_of(count, kArranged) * kArranged;
  s.boxes = memory.take<Kept<B>>(batch * s.size);
  s.groups = memory.take<GroupOfBoxes<T>>(batch * s.size / 32);
  if (in_order) s.order = memory.take<uint16_t>(batch * s.size);
  return s;
}

// How the boxes of a call are taken by kernels: `groups` of 32 by a warp, in an order of neighbours or not. Several, if
// there are enough boxes to fill a GPU all the same. An order pays where boxes are many, and for rotated ones, whose
// pairs take long.
template <class Kind, Real T> struct MatchPlan {
  static constexpr int kMostGroups = kIsRotated<Kind> || sizeof(T) > sizeof(float) ? 1 : 2;
  bool sparse, many;

  MatchPlan(const Given<Kind, T>& given, int64_t boxes, int64_t many_boxes)
      : sparse(zero_if_disjoint<Kind>(given)), many(boxes >= many_boxes) {}
  bool in_order() const { return sparse && (many || kIsRotated<Kind>); }
  int groups() const { return many ? kMostGroups : 1; }
  // The grid of a kernel. An order spreads the boxes of a tile over all of its places.
  MatchGrid grid(int64_t batch, int64_t boxes, int64_t gts, int64_t enough_warps) const {
    const int64_t places = in_order() ? tiles_of(boxes, kArranged) * kArranged : boxes;
    return MatchGrid(batch, places, gts, groups() * kThreads, enough_warps);
  }
  // Calls f.operator()<groups>().
  template <class F> void with_groups(F&& f) const {
    if (groups() == 1) f.template operator()<1>();
    else f.template operator()<kMostGroups>();
  }
};

template <class B, Real T, class Launch> void launch_arrange(const ArrangeArgs<B, T>& a, const Launch& launch) {
  const int64_t blocks = a.blocks(0) + a.blocks(1);
  if (blocks > 0) launch(arrange_kernel<B, T>, tile_blocks(blocks), kThreads, a);
}

}  // namespace fastiou
