// Which kernels run for non-maximum suppression, in which order and with what scratch.
#pragma once
#include <array>

#include "../kernels/matrix_nms_cuda.cuh"
#include "../kernels/nms_cuda.cuh"
#include "../kernels/soft_nms_cuda.cuh"
#include "launch.h"
#include "nms.h"

namespace fastiou {

inline Blocks nms_blocks(int64_t threads) { return {static_cast<unsigned>((threads + kNmsThreads - 1) / kNmsThreads)}; }

// Indices by decreasing score, ties in input order, NaN anywhere.
inline Tensor argsort_descending(const Tensor& scores) {
  using torch::stable::detail::from;
  std::array<StableIValue, 4> stack{from(scores), from(true), from(int64_t(-1)), from(true)};
  TORCH_ERROR_CODE_CHECK(torch_call_dispatcher("aten::argsort", "stable", stack.data(), TORCH_ABI_VERSION));
  return torch::stable::detail::to<Tensor>(stack[0]);
}

// Scratch goes back to the stream-ordered allocator when it goes out of scope, after the launches.
inline Tensor scratch_bytes(int64_t bytes, const Tensor& like) { return empty({bytes}, ScalarType::Byte, like); }

template <class B> struct RankedScratch {
  std::optional<Tensor> order, classes;
  Tensor boxes, flags;
  RankedBoxes<B> ranked;

  // By rank where an order is given, else in input order.
  template <class Launch>
  RankedScratch(const Detections& in, std::optional<Tensor> ranks, const Tensor& like, const Launch& launch)
      : order(ranks),
        boxes(scratch_bytes(in.boxes.count * sizeof(B), like)),
        flags(scratch_bytes(in.boxes.count, like)) {
    ranked.count = in.boxes.count;
    if (order) ranked.order = static_cast<const int64_t*>(order->const_data_ptr());
    ranked.boxes = static_cast<B*>(boxes.data_ptr());
    ranked.flags = static_cast<uint8_t*>(flags.data_ptr());
    if (in.classes != nullptr) {
      classes = empty({in.boxes.count}, ScalarType::Long, like);
      ranked.classes = static_cast<int64_t*>(classes->data_ptr());
    }
    if (ranked.count > 0) launch(rank_kernel<B>, nms_blocks(ranked.count), kNmsThreads, in, ranked);
  }
};

// Two launches per chunk: bits of its pairs, beside what the chunk before strikes out, and its decisions.
template <class B, Real T, class Launch>
bool launch_nms(const NmsCall& call, const Tensor& scores, const Launch& launch) {
  static_assert(Launch::kChunkBoxes % kWord == 0 && Launch::kChunkBoxes <= kMostChunk);
  const NmsArgs& a = call.args;
  const RankedScratch<B> scratch(a.in, argsort_descending(scores), scores, launch);
  const RankedBoxes<B>& r = scratch.ranked;
  const int64_t words = (r.count + kWord - 1) / kWord;
  NmsChunk chunk;
  chunk.count = r.count;
  chunk.size = std::min<int64_t>(Launch::kChunkBoxes, words * kWord);
  const Tensor bits = scratch_bytes(chunk.size * chunk.size / 8, scores);
  const Tensor struck = scratch_bytes(words * kWord / 8, scores);
  const Tensor ranks = empty({r.count + 1}, ScalarType::Long, scores);
  chunk.bits = static_cast<uint64_t*>(bits.data_ptr());
  chunk.struck = static_cast<uint32_t*>(struck.data_ptr());
  chunk.kept_before = static_cast<int64_t*>(ranks.data_ptr());
  chunk.rank_of = chunk.kept_before + 1;
  chunk.kept_count = a.kept_count;
  launch.zero(chunk.struck, words * kWord / 8);
  return dispatch_overlap<B>(a.overlap, [&]<class Kind>() {
    const SuppressionRule<Kind, T> rule(a);
    do {
      const SuppressionGrid grid(chunk, kOwnBoxes<Kind> * kPairThreads);
      if (grid.blocks > 0) launch(suppression_kernel<Kind, T>, Blocks{grid.blocks}, kPairThreads, r, chunk, grid, rule);
      launch(decide_kernel, Blocks{}, kDecisionThreads, chunk, r.order, static_cast<const uint8_t*>(r.flags), a.keep,
             a.selected);
      chunk.first += chunk.size;
    } while (chunk.first < r.count);
    if constexpr (!kIsPosed<B>) {
      if (a.merged != nullptr && r.count > 0)
        launch(merge_kernel<Kind, T>, nms_blocks(r.count * 32), kNmsThreads, a, r,
               static_cast<const int64_t*>(chunk.rank_of), rule);
    }
  });
}

template <class B, Real T, class Launch>
bool launch_soft_nms(const SoftNmsCall& call, const Tensor& scores, const Launch& launch) {
  static_assert(Launch::kOneBlockThreads % 32 == 0 && Launch::kOneBlockThreads <= kOneBlock);
  const SoftNmsArgs& a = call.args;
  const RankedScratch<B> scratch(a.in, std::nullopt, scores, launch);
  const Tensor left = scratch_bytes(scratch.ranked.count * sizeof(T), scores);
  return dispatch_overlap<B>(a.overlap, [&]<class Kind>() {
    const PairOverlap<Kind, T> overlap(a.overlap, a.in.boxes.format);
    launch(soft_nms_kernel<Kind, T>, Blocks{}, Launch::kOneBlockThreads, a, scratch.ranked, overlap, SoftDecay<T>(a),
           ceil_to<T>(a.score_threshold), static_cast<T*>(left.data_ptr()));
  });
}

template <class B, Real T, class Launch>
bool launch_matrix_nms(const MatrixNmsCall& call, const Tensor& scores, const Launch& launch) {
  const MatrixNmsArgs& a = call.args;
  const RankedScratch<B> scratch(a.in, argsort_descending(scores), scores, launch);
  const RankedBoxes<B>& r = scratch.ranked;
  const int64_t bytes = r.count * 2 * static_cast<int64_t>(sizeof(T));
  const Tensor scratch_numbers = scratch_bytes(bytes, scores);
  MatrixNumbers<T> numbers{static_cast<T*>(scratch_numbers.data_ptr())};
  numbers.pull = numbers.compensation + r.count;
  launch.zero(numbers.compensation, bytes);
  return dispatch_overlap<B>(a.overlap, [&]<class Kind>() {
    if (r.count == 0) return;
    const PairOverlap<Kind, T> overlap(a.overlap, a.in.boxes.format);
    const unsigned rows = static_cast<unsigned>((r.count + kPairThreads - 1) / kPairThreads);
    const Blocks blocks = tile_blocks(rows * ((r.count + kSlice - 1) / kSlice));
    const auto pull = a.gaussian ? matrix_nms_kernel<Kind, T, MatrixPass::gaussian_pull>
                                 : matrix_nms_kernel<Kind, T, MatrixPass::linear_pull>;
    launch(matrix_nms_kernel<Kind, T, MatrixPass::compensation>, blocks, kPairThreads, r, rows, overlap, numbers);
    launch(pull, blocks, kPairThreads, r, rows, overlap, numbers);
    launch(matrix_decay_kernel<T>, nms_blocks(r.count), kNmsThreads, a, r.order, MatrixDecay<T>(a),
           static_cast<const T*>(numbers.pull));
  });
}

// Calls f.template operator()<B, T>() with the boxes that are kept and the numbers that are computed with.
template <class F> bool dispatch_boxes(const BoxSet& boxes, ScalarType compute, F&& f) {
  const bool doubles = compute == ScalarType::Double;
  if (boxes.rotated())
    return doubles ? f.template operator()<PosedBox<double>, double>()
                   : f.template operator()<PosedBox<float>, float>();
  return doubles ? f.template operator()<Box<double>, double>() : f.template operator()<Box<float>, float>();
}

// The operators: a launcher is made for the tensors' device.
template <class Launch> bool run_nms(const NmsCall& call, const Tensor& scores) {
  const Launch launch(scores);
  return dispatch_boxes(call.args.in.boxes, call.compute,
                        [&]<class B, Real T>() { return launch_nms<B, T>(call, scores, launch); });
}
template <class Launch> bool run_soft_nms(const SoftNmsCall& call, const Tensor& scores) {
  const Launch launch(scores);
  return dispatch_boxes(call.args.in.boxes, call.compute,
                        [&]<class B, Real T>() { return launch_soft_nms<B, T>(call, scores, launch); });
}
template <class Launch> bool run_matrix_nms(const MatrixNmsCall& call, const Tensor& scores) {
  const Launch launch(scores);
  return dispatch_boxes(call.args.in.boxes, call.compute,
                        [&]<class B, Real T>() { return launch_matrix_nms<B, T>(call, scores, launch); });
}

}  // namespace fastiou
