// Which kernels run for matching, in which order and with what scratch.
#pragma once
#include <utility>

#include "../kernels/max_iou_cuda.cuh"
#include "../kernels/tied_gts_cuda.cuh"
#include "arranged_launch.h"
#include "max_iou.h"

namespace fastiou {

// Warps that keep a GPU busy while others wait.
template <class Launch> constexpr int64_t kEnoughWarps = 2 * Launch::kManyBoxes / 32;

// Boxes as gts, and gts as boxes.
inline MaxIoUArgs swapped(MaxIoUArgs a) {
  std::swap(a.boxes, a.gts), std::swap(a.values, a.gt_values), std::swap(a.indices, a.gt_indices);
  return a;
}

template <class B, Real T>
MaxIoUScratch<B, T> carve_max_iou(Carver& memory, const MaxIoUArgs& a, int64_t chunks, bool in_order) {
  const int64_t keys = a.batch * a.gts.count, found = chunks > 1 ? chunks * a.batch * a.boxes.count : 0;
  MaxIoUScratch<B, T> s;
  s.boxes = carve_arranged<B, T>(memory, a.batch, a.boxes.count, in_order);
  s.gts = carve_arranged<B, T>(memory, a.batch, a.gts.count, false);
  s.first = memory.take<Key>(2 * keys + a.batch);
  s.keys = s.first + a.batch, s.indices = s.keys + keys;
  s.values = memory.take<T>(found);
  s.chunk_indices = memory.take<int>(found);
  return s;
}

template <class Kind, Real T, class Launch>
void launch_max_iou(const MaxIoUArgs& call, int64_t kind, const Tensor& like, const Launch& launch) {
  using B = Loaded<Kind, T>;
  const bool swaps = call.gts.count > call.boxes.count;  // threads hold the larger set
  const MaxIoUArgs a = swaps ? swapped(call) : call;
  const auto given = fastiou::given<Kind, T>(kind, a.boxes.format, a.eps);
  const MatchPlan<Kind, T> plan(given, a.batch * a.boxes.count, Launch::kManyBoxes);
  MatchGrid grid = plan.grid(a.batch, a.boxes.count, a.gts.count, kEnoughWarps<Launch>);
  grid.swapped = swaps;
  Carver needed;
  carve_max_iou<B, T>(needed, a, grid.chunks, plan.in_order());
  const Tensor memory = empty({static_cast<int64_t>(needed.at)}, ScalarType::Byte, like);
  Carver carver{reinterpret_cast<uintptr_t>(memory.data_ptr())};
  const auto scratch = carve_max_iou<B, T>(carver, a, grid.chunks, plan.in_order());

  const int64_t words = 2 * a.batch * a.gts.count + a.batch;
  launch_arrange<B, T>({{a.boxes, a.gts}, {scratch.boxes, scratch.gts}, a.batch, scratch.first, words}, launch);
  const auto run = [&](auto* kernel) {
    if (grid.blocks > 0) launch(kernel, tile_blocks(grid.blocks), kThreads, a, scratch, grid, given);
  };
  plan.with_groups([&]<int kGroups>() {
    if constexpr (sizeof(T) == sizeof(float)) {
      run(max_iou_kernel<Kind, T, kGroups, Offer::both>);
    } else {
      run(max_iou_kernel<Kind, T, kGroups, Offer::score>);
      run(max_iou_kernel<Kind, T, kGroups, Offer::index>);
    }
  });
  const int64_t rows = a.batch * (a.gts.count + (grid.chunks > 1 ? a.boxes.count : 0));
  if (rows > 0) launch(finish_matches_kernel<B, T>, walking_blocks(launch, rows), kThreads, a, scratch, grid.chunks);
}

// Returns the least number of T that is not less than x.
template <Real T> T at_least(double x) {
  const T r = static_cast<T>(x);
  return r < x ? std::nextafter(r, kInfinity<T>) : r;
}

template <class Kind, Real T, class Launch>
void launch_tied_gts(const TiedGtsArgs& a, int64_t kind, const Tensor& like, const Launch& launch) {
  using B = Loaded<Kind, T>;
  const int64_t boxes = a.batch * a.boxes.count;
  const auto given = fastiou::given<Kind, T>(kind, a.boxes.format, a.eps);
  const MatchPlan<Kind, T> plan(given, boxes, Launch::kManyBoxes);
  const MatchGrid grid = plan.grid(a.batch, a.boxes.count, a.gts.count, kEnoughWarps<Launch>);
  if (grid.blocks == 0) return;
  const auto carve = [&](Carver memory, TiedScratch<B, T>& s) {
    s.boxes = carve_arranged<B, T>(memory, a.batch, a.boxes.count, plan.in_order());
    s.gts = carve_arranged<B, T>(memory, a.batch, a.gts.count, false);
    s.chunk_indices = memory.take<int>(grid.chunks > 1 ? grid.chunks * boxes : 0);
    return static_cast<int64_t>(memory.at);
  };
  TiedScratch<B, T> scratch;
  scratch.least = at_least<T>(a.least);
  const Tensor memory = empty({carve(Carver{}, scratch)}, ScalarType::Byte, like);
  carve(Carver{reinterpret_cast<uintptr_t>(memory.data_ptr())}, scratch);

  launch_arrange<B, T>({{a.boxes, a.gts}, {scratch.boxes, scratch.gts}, a.batch}, launch);
  plan.with_groups([&]<int kGroups>() {
    launch(tied_gts_kernel<Kind, T, kGroups>, tile_blocks(grid.blocks), kThreads, a, scratch, grid, given);
  });
  if (grid.chunks > 1)
    launch(finish_ties_kernel, walking_blocks(launch, boxes), kThreads, scratch.chunk_indices, grid.chunks, boxes,
           a.indices);
}

// The operators: a launcher is made for the tensors' device.
template <class Launch> bool run_max_iou(const MaxIoUCall& call, int64_t kind) {
  const Launch launch(call.values);
  return dispatch_set(call.args.boxes, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_max_iou<Kind, double>(call.args, kind, call.values, launch);
    else launch_max_iou<Kind, float>(call.args, kind, call.values, launch);
  });
}

template <class Launch> bool run_tied_gts(const TiedGtsCall& call, int64_t kind) {
  const Launch launch(call.indices);
  return dispatch_set(call.args.boxes, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_tied_gts<Kind, double>(call.args, kind, call.indices, launch);
    else launch_tied_gts<Kind, float>(call.args, kind, call.indices, launch);
  });
}

}  // namespace fastiou
