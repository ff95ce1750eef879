// Which kernels run for matching, in which order and with what scratch.
#pragma once
#include "../kernels/max_iou_cuda.cuh"
#include "launch.h"
#include "max_iou.h"

namespace fastiou {

// Boxes per thread: several share the work on a gt, if there are enough of them to fill a GPU all the same.
constexpr int kFew = 1, kMany = 4;

template <class Kind, Real T, int kBoxes, class Launch>
void launch_max_iou(const MaxIoUArgs& a, const MaxIoUScratch& scratch, int64_t kind, const Launch& launch) {
  const auto given = fastiou::given<Kind, T>(kind, a.boxes.format);
  const int64_t tiles = tiles_of(a.boxes.count, kBoxes * kThreads);
  const auto run = [&](auto* kernel) {
    if (a.batch * tiles > 0) launch(kernel, tile_blocks(a.batch * tiles), kThreads, a, scratch, tiles, given);
  };
  if constexpr (sizeof(T) == sizeof(float)) {
    run(max_iou_kernel<Kind, T, kBoxes, Offer::both>);
  } else {
    run(max_iou_kernel<Kind, T, kBoxes, Offer::score>);
    run(max_iou_kernel<Kind, T, kBoxes, Offer::index>);
  }
  const int64_t gts = a.batch * a.gts.count;
  if (gts > 0) launch(read_keys_kernel<Loaded<Kind, T>, T>, walking_blocks(launch, gts), kThreads, a, scratch);
}

template <class Kind, Real T, class Launch>
void launch_tied_gts(const TiedGtsArgs& a, int64_t kind, const Launch& launch) {
  const int64_t tiles = tiles_of(a.boxes.count, kFew * kThreads);
  if (a.batch * tiles == 0) return;
  launch(tied_gts_kernel<Kind, T, kFew>, tile_blocks(a.batch * tiles), kThreads, a, tiles,
         given<Kind, T>(kind, a.boxes.format));
}

// The operators: a launcher is made for the tensors' device.
template <class Launch> bool run_max_iou(const MaxIoUCall& call, int64_t kind) {
  const MaxIoUArgs& a = call.args;
  const Launch launch(call.values);
  const int64_t keys = a.batch * a.gts.count, words = 2 * keys + a.batch;
  const Tensor zeros = empty({words}, ScalarType::Long, call.values);
  Key* const first = static_cast<Key*>(zeros.data_ptr());
  launch.zero(first, words * static_cast<int64_t>(sizeof(Key)));
  const MaxIoUScratch scratch{first, first + keys, first + 2 * keys};
  const bool many = a.batch * a.boxes.count >= Launch::kManyBoxes;
  return dispatch_set(a.boxes, kind, [&]<class Kind>() {
    constexpr int most = kIsRotated<Kind> ? kFew : kMany;  // a pair of rotated boxes takes longer than reading one
    if (call.compute == ScalarType::Double) launch_max_iou<Kind, double, kFew>(a, scratch, kind, launch);
    else if (many) launch_max_iou<Kind, float, most>(a, scratch, kind, launch);
    else launch_max_iou<Kind, float, kFew>(a, scratch, kind, launch);
  });
}

template <class Launch> bool run_tied_gts(const TiedGtsCall& call, int64_t kind) {
  const Launch launch(call.indices);
  return dispatch_set(call.args.boxes, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_tied_gts<Kind, double>(call.args, kind, launch);
    else launch_tied_gts<Kind, float>(call.args, kind, launch);
  });
}

}  // namespace fastiou
