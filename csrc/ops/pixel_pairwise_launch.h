// Which kernels run for pairwise scores over pixels, in which order and with what scratch.
#pragma once
#include "../kernels/pixel_pairwise_cuda.cuh"
#include "launch.h"
#include "pixel_pairwise.h"

namespace fastiou {

// What kernels know of the boxes of two sets. It goes back to the stream-ordered allocator after the launches.
template <Real T> struct PixelScratch {
  Tensor bytes;
  PixelSetView<T> first, second;

  PixelScratch(int64_t n, int64_t m, const Tensor& like) : bytes(empty({(n + m) * kBytes}, ScalarType::Byte, like)) {
    auto* const places = static_cast<PixelPlace<T>*>(bytes.data_ptr());
    auto* const boxes = reinterpret_cast<CountedBox<T>*>(places + n + m);
    first = {places, boxes}, second = {places + n, boxes + n};
  }

 private:
  static constexpr int64_t kBytes = sizeof(PixelPlace<T>) + sizeof(CountedBox<T>);
};

// A warp per task. Kernels walk: no grid need be larger than a GPU takes.
template <class Launch> Blocks warp_blocks(const Launch& launch, int64_t warps) {
  return walking_blocks(launch, warps, kPixelWarps);
}

template <bool kGrad, Real T, class Launch>
void launch_fill(const BoxSet& set, int64_t batch, const PixelParams<T>& params, const PixelSetView<T>& to,
                 const Launch& launch) {
  const int64_t boxes = batch * set.count;
  if (boxes == 0) return;
  launch(fill_pixel_set_kernel<kGrad, T>, warp_blocks(launch, boxes), kPixelThreads, set, boxes, params, to);
}

template <Real T, class Launch> void launch_pixel_pairwise(const PixelPairwiseCall& call, const Launch& launch) {
  const PairwiseArgs& a = call.args.pair;
  const PixelPairwiseGrid grid(a);
  if (grid.tasks == 0) return;
  const PixelParams<T> params(call.args.options);
  const PixelScratch<T> scratch(a.batch * a.first.count, a.batch * a.second.count, call.pair.out);
  launch_fill<false>(a.first, a.batch, params, scratch.first, launch);
  launch_fill<false>(a.second, a.batch, params, scratch.second, launch);
  launch(pixel_pairwise_kernel<T>, warp_blocks(launch, grid.tasks), kPixelThreads, a, grid, params, scratch.first,
         scratch.second);
}

template <Real T, class Launch> void launch_pixel_backward(const PixelBackwardCall& call, const Launch& launch) {
  const PairwiseBackwardArgs& a = call.args.pair;
  const PixelBackwardGrid grid(a);
  if (grid.tasks == 0) return;
  const PixelParams<T> params(call.args.options);
  const PixelScratch<T> scratch(grid.rows, a.batch * a.other.count, call.pair.out);
  launch_fill<true>(a.own, a.batch, params, scratch.first, launch);
  launch_fill<false>(a.other, a.batch, params, scratch.second, launch);
  launch(pixel_backward_kernel<T>, walking_blocks(launch, grid.tasks, 1), kPixelThreads, a, grid, params, scratch.first,
         scratch.second);
  launch(finish_pixel_boxes_kernel<T>, walking_blocks(launch, grid.rows, kPixelThreads), kPixelThreads, a);
}

// The operators: a launcher is made for the tensors' device. Pixels are counted in double.
template <class Launch> void run_pixel_pairwise(const PixelPairwiseCall& call) {
  const Launch launch(call.pair.out);
  if (call.pair.compute == ScalarType::Double || call.args.options.hard) launch_pixel_pairwise<double>(call, launch);
  else launch_pixel_pairwise<float>(call, launch);
}
template <class Launch> void run_pixel_backward(const PixelBackwardCall& call) {
  const Launch launch(call.pair.out);
  if (call.pair.compute == ScalarType::Double) launch_pixel_backward<double>(call, launch);
  else launch_pixel_backward<float>(call, launch);
}

}  // namespace fastiou
