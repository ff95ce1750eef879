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

template <template <class> class Run, class Call> bool dispatch(const Call& call, int64_t kind) {
  return dispatch_score(kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) Run<Kind>::template run<double>(call);
    else Run<Kind>::template run<float>(call);
  });
}

template <class Kind> struct RunPairwise {
  template <Real T> static void run(const PairwiseCall& call) {
    const PairwiseGrid grid(call.args);
    launch(pairwise_kernel<Kind, T>, grid.blocks, kThreads, call.args, grid);
  }
};

template <class Kind> struct RunBackward {
  template <Real T> static void run(const PairwiseBackwardCall& call) {
    const PairwiseBackwardArgs& a = call.args;
    const PairwiseBackwardGrid grid(a);
    if (a.own_first) launch(pairwise_backward_kernel<Kind, true, T>, grid.blocks, kOwnBoxes, a, grid);
    else launch(pairwise_backward_kernel<Kind, false, T>, grid.blocks, kOwnBoxes, a, grid);
    launch(finish_boxes_kernel<T>, 1, kThreads, a);
  }
};

template <class Kind> struct RunMaxIoU {
  template <Real T> static void run(const MaxIoUCall& call) {
    constexpr int boxes = sizeof(T) == 4 ? 2 : 1;
    const MaxIoUArgs& a = call.args;
    const int64_t tiles = tiles_of(a.boxes.count, boxes * kThreads);
    std::vector<Key> keys(a.batch * a.gts.count), indices(keys.size()), first(a.batch);
    const MaxIoUScratch scratch{keys.data(), indices.data(), first.data()};
    const unsigned blocks = a.batch * tiles;
    if constexpr (sizeof(T) == 4) {
      launch(max_iou_kernel<Kind, T, boxes, Offer::both>, blocks, kThreads, a, scratch, tiles);
    } else {
      launch(max_iou_kernel<Kind, T, boxes, Offer::score>, blocks, kThreads, a, scratch, tiles);
      launch(max_iou_kernel<Kind, T, boxes, Offer::index>, blocks, kThreads, a, scratch, tiles);
    }
    if (a.gts.count > 0) launch(read_keys_kernel<T>, 2, kThreads, a, scratch);
  }
};

template <class Kind> struct RunTiedGts {
  template <Real T> static void run(const TiedGtsCall& call) {
    const int64_t tiles = tiles_of(call.args.boxes.count, 2 * kThreads);
    launch(tied_gts_kernel<Kind, T, 2>, call.args.batch * tiles, kThreads, call.args, tiles);
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
