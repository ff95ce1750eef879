// Pairwise scores over pixels on CUDA, and their gradient, recomputed. What pairs ask of a box is found once; a warp
// looks at 32 pairs at a time, a lane at each, and together its lanes take those that may meet, one after the other.
#pragma once
#include "box_set_cuda.cuh"
#include "pixel_pairwise.h"
#include "pixel_sums_cuda.cuh"

namespace fastiou {

// What tells whether boxes may meet, and what those that do are asked.
template <Real T> struct alignas(16) PixelPlace { T x, y, reach_x, reach_y; };
template <Real T> struct CountedBox {
  PixelBox<T> box;
  OwnCount<T> own;
};
// That of a set, (batch, count).
template <Real T> struct PixelSetView {
  PixelPlace<T>* places = nullptr;
  CountedBox<T>* boxes = nullptr;
};

// A box that is not finite has no finite reach: it may meet everything.
template <Real T> FASTIOU_HD bool may_meet(const PixelPlace<T>& a, const PixelPlace<T>& b) {
  return !((abs(a.x - b.x) - (a.reach_x + b.reach_x) > 0) | (abs(a.y - b.y) - (a.reach_y + b.reach_y) > 0));
}

template <bool kGrad, Real T>
__global__ void __launch_bounds__(kPixelThreads, kPixelBlocks<T>)
    fill_pixel_set_kernel(const __grid_constant__ BoxSet set, const int64_t boxes,
                          const __grid_constant__ PixelParams<T> params, const PixelSetView<T> out) {
  const AngleUnit<T> unit = angle_unit<T>(in_degrees(set.format));
#pragma unroll 1
  for (PixelTurns turn(boxes); turn.there(); turn.next()) {
    T numbers[5] = {};
    const int64_t batch = turn.at / set.count, i = turn.at % set.count;
    if (set.rotated()) load_numbers(set, batch, i, numbers);
    else load_numbers(set, batch, i, reinterpret_cast<T(&)[4]>(numbers));
    const PixelBox<T> b = pixel_box(read_box(set.format, numbers), unit);
    const bool counted = !params.area_union;
    if (!turn.takes(counted && pixels_to_visit(b, params) > T(kManyPixels))) continue;
    const PixelTeam<T> team(turn.together);
    const PixelReach<T> reach = reach_of(b, params);
    OwnCount<T> own{};
    if (counted && !b.empty() && reach.x == reach.x) own = own_count<kGrad>(team, params, b);
    if (!team.leads()) continue;
    out.places[turn.at] = {b.box.x, b.box.y, reach.x, reach.y};
    out.boxes[turn.at] = {b, own};
  }
}

// Pairs of one box of the first set that a warp takes: many, but so few that there are warps enough to fill a GPU. It
// depends on nothing but the sizes.
constexpr int64_t kMostColumns = 256, kEnoughWarps = 1 << 14;
struct PixelPairwiseGrid {
  int64_t columns = kMostColumns, tiles, tasks;
  explicit PixelPairwiseGrid(const PairwiseArgs& a) {
    const auto split = [&] {
      tiles = (a.second.count + columns - 1) / columns;
      tasks = a.batch * a.first.count * tiles;
    };
    for (split(); columns > 1 && tasks < kEnoughWarps; split()) columns /= 2;
  }
};

template <Real T>
__global__ void __launch_bounds__(kPixelThreads, kPixelBlocks<T>)
    pixel_pairwise_kernel(const __grid_constant__ PairwiseArgs a, const PixelPairwiseGrid grid,
                          const __grid_constant__ PixelParams<T> params, const PixelSetView<T> first,
                          const PixelSetView<T> second) {
  const PixelTeam<T> warp(false);
  const int lane = threadIdx.x % 32;
  const int64_t step = static_cast<int64_t>(gridDim.x) * kPixelWarps;
  int64_t task = static_cast<int64_t>(blockIdx.x) * kPixelWarps + threadIdx.x / 32;
#pragma unroll 1
  for (; task < grid.tasks; task += step) {
    const int64_t i = task / grid.tiles, tile = task % grid.tiles, base = i / a.first.count * a.second.count;
    const int64_t end = a.second.count < (tile + 1) * grid.columns ? a.second.count : (tile + 1) * grid.columns;
    const PixelPlace<T> place = first.places[i];
#pragma unroll 1
    for (int64_t column = tile * grid.columns; column < end; column += 32) {
      const int64_t j = column + lane;
      const bool meets = j < end && may_meet(place, second.places[base + j]);
      T score = 0;
#pragma unroll 1
      for (unsigned left = __ballot_sync(kAllLanes, meets); left != 0; left &= left - 1) {
        const int k = __ffs(left) - 1;
        const CountedBox<T> p = first.boxes[i], g = second.boxes[base + column + k];
        const T value = met_score<0>(warp, params, p.box, g.box, p.own, g.own).value;
        score = lane == k ? value : score;
      }
      if (j >= end) continue;
      const int64_t at = i * a.second.count + j;
      if (a.out_dtype == DType::f32) static_cast<float*>(a.out)[at] = static_cast<float>(score);
      else static_cast<double*>(a.out)[at] = static_cast<double>(score);
    }
  }
}

// A block takes an own box and a slice of the others, of which its warps look at `columns` at a time in turn.
struct PixelBackwardGrid {
  int64_t rows, slice, columns, tasks;
  explicit PixelBackwardGrid(const PairwiseBackwardArgs& a)
      : rows(a.batch * a.own.count),
        slice((a.other.count + a.slices - 1) / a.slices),
        columns(std::clamp<int64_t>((slice + kPixelWarps - 1) / kPixelWarps, 1, 32)),
        tasks(a.slices * rows) {}
};

template <Real T>
__global__ void __launch_bounds__(kPixelThreads, kPixelBlocks<T>)
    pixel_backward_kernel(const __grid_constant__ PairwiseBackwardArgs a, const PixelBackwardGrid grid,
                          const __grid_constant__ PixelParams<T> params, const PixelSetView<T> own,
                          const PixelSetView<T> other) {
  __shared__ double sums[kPixelWarps][kPartials];
  const PixelTeam<T> warp(false);
  const int lane = threadIdx.x % 32, turn = threadIdx.x / 32;
#pragma unroll 1
  for (int64_t task = blockIdx.x; task < grid.tasks; task += gridDim.x) {
    const int64_t i = task % grid.rows, part = task / grid.rows, batch = i / a.own.count;
    const int64_t base = batch * a.other.count;
    const int64_t first = batch * a.grad_batch_stride + i % a.own.count * a.grad_own_stride;
    const int64_t end = a.other.count < (part + 1) * grid.slice ? a.other.count : (part + 1) * grid.slice;
    const T* const grad = static_cast<const T*>(a.grad) + first;
    const PixelPlace<T> place = own.places[i];
    double sum[5] = {};
    T largest_grad = 1;
#pragma unroll 1
    for (int64_t at = part * grid.slice + turn * grid.columns; at < end; at += kPixelWarps * grid.columns) {
      const int64_t j = at + lane;
      const bool meets = lane < grid.columns && j < end && may_meet(place, other.places[base + j]);
      const T mine = meets ? grad[j * a.grad_other_stride] : T(0);
#pragma unroll 1
      for (unsigned left = __ballot_sync(kAllLanes, mine != 0); left != 0; left &= left - 1) {
        const int k = __ffs(left) - 1;
        const T g = __shfl_sync(kAllLanes, mine, k);
        const CountedBox<T> p = own.boxes[i], q = other.boxes[base + at + k];
        largest_grad = max(abs(g), largest_grad);
        add_gradient(warp, params, p.box, q.box, p.own, q.own, g, sum);
      }
    }
    if (lane == 0) {
      FASTIOU_UNROLL
      for (int k = 0; k < 5; ++k) sums[turn][k] = sum[k];
      sums[turn][kLargestGrad] = static_cast<double>(largest_grad);
    }
    __syncthreads();
    if (threadIdx.x < kPartials) {
      const bool adds = threadIdx.x != kLargestGrad;
      double x = sums[0][threadIdx.x];
      for (int w = 1; w < kPixelWarps; ++w) {
        const double y = sums[w][threadIdx.x];
        x = adds ? bounded(x + y, kLargest<double> / 4) : max(y, x);
      }
      a.partial[task * kPartials + threadIdx.x] = x;
    }
    __syncthreads();  // sums may be used again
  }
}

// Adds the slices up and encodes.
template <Real T>
__global__ void __launch_bounds__(kPixelThreads)
    finish_pixel_boxes_kernel(const __grid_constant__ PairwiseBackwardArgs a) {
  const T radians = angle_unit<T>(in_degrees(a.own.format)).radians;
  const int64_t rows = a.batch * a.own.count, step = static_cast<int64_t>(gridDim.x) * kPixelThreads;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kPixelThreads + threadIdx.x; i < rows; i += step)
    finish_pixel_box<T>(a, radians, i);
}

}  // namespace fastiou
