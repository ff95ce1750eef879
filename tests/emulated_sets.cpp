// The kernels on sets of boxes by emulation.h, registered as operators of a namespace of their own.
// test_emulated_sets.py calls them.
#include "emulation.h"

#include <torch/csrc/stable/library.h>

#include "../csrc/kernels/max_iou_cuda.cuh"
#include "../csrc/kernels/pairwise_backward_cuda.cuh"
#include "../csrc/kernels/pairwise_cuda.cuh"
#include "../csrc/ops/max_iou.h"
#include "../csrc/ops/pairwise.h"

namespace fastiou {
namespace {

const BoxSet& one_set(const PairwiseArgs& a) { return a.first; }
const BoxSet& one_set(const PairwiseBackwardArgs& a) { return a.own; }
template <class Args> const BoxSet& one_set(const Args& a) { return a.boxes; }

template <template <class> class Run, class Call> bool dispatch(const Call& call, int64_t kind) {
  return dispatch_set(one_set(call.args), kind, [&]<class Kind>() {
    const Format format = one_set(call.args).format;
    if (call.compute == ScalarType::Double) Run<Kind>::template run<double>(call, given<Kind, double>(kind, format));
    else Run<Kind>::template run<float>(call, given<Kind, float>(kind, format));
  });
}

template <class Kind> struct RunPairwise {
  template <Real T> static void run(const PairwiseCall& call, const Given<Kind, T>& given) {
    const PairwiseGrid grid(call.args, kTileColumns<Kind>);
    launch(pairwise_kernel<Kind, T>, grid.blocks, kThreads, call.args, grid, given);
  }
};

template <class Kind> struct RunBackward {
  template <Real T> static void run(const PairwiseBackwardCall& call, const Given<Kind, T>& given) {
    const PairwiseBackwardArgs& a = call.args;
    const PairwiseBackwardGrid grid(a);
    with_backward_kernel<Kind, T>(a.own_first, given,
                                  [&](auto* kernel) { launch(kernel, grid.blocks, kOwnBoxes, a, grid, given); });
    launch(finish_boxes_kernel<T>, 1, kThreads, a);
  }
};

template <class Kind> struct RunMaxIoU {
  template <Real T> static void run(const MaxIoUCall& call, const Given<Kind, T>& given) {
    constexpr int boxes = sizeof(T) == 4 ? 2 : 1;
    const MaxIoUArgs& a = call.args;
    const int64_t tiles = tiles_of(a.boxes.count, boxes * kThreads);
    std::vector<Key> keys(a.batch * a.gts.count), indices(keys.size()), first(a.batch);
    const MaxIoUScratch scratch{keys.data(), indices.data(), first.data()};
    const unsigned blocks = a.batch * tiles;
    if constexpr (sizeof(T) == 4) {
      launch(max_iou_kernel<Kind, T, boxes, Offer::both>, blocks, kThreads, a, scratch, tiles, given);
    } else {
      launch(max_iou_kernel<Kind, T, boxes, Offer::score>, blocks, kThreads, a, scratch, tiles, given);
      launch(max_iou_kernel<Kind, T, boxes, Offer::index>, blocks, kThreads, a, scratch, tiles, given);
    }
    if (a.gts.count > 0) launch(read_keys_kernel<Loaded<Kind, T>, T>, 2, kThreads, a, scratch);
  }
};

template <class Kind> struct RunTiedGts {
  template <Real T> static void run(const TiedGtsCall& call, const Given<Kind, T>& given) {
    const int64_t tiles = tiles_of(call.args.boxes.count, 2 * kThreads);
    launch(tied_gts_kernel<Kind, T, 2>, call.args.batch * tiles, kThreads, call.args, tiles, given);
  }
};

constexpr auto run_pairwise = &dispatch<RunPairwise, PairwiseCall>;
constexpr auto run_backward = &dispatch<RunBackward, PairwiseBackwardCall>;
constexpr auto run_max_iou = &dispatch<RunMaxIoU, MaxIoUCall>;
constexpr auto run_tied_gts = &dispatch<RunTiedGts, TiedGtsCall>;

}  // namespace

STABLE_TORCH_LIBRARY(fastiou_emulated_sets, m) {
  m.def(kPairwiseSchema);
  m.def(kPairwiseBackwardSchema);
  m.def(kMaxIoUSchema);
  m.def(kTiedGtsSchema);
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_sets, CPU, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<run_pairwise>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<run_backward>));
  m.impl("max_iou", TORCH_BOX(&max_iou<run_max_iou>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<run_tied_gts>));
}

}  // namespace fastiou
