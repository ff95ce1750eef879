// The operators of non-maximum suppression, but for the loops, which differ by device.
#pragma once
#include <optional>
#include <tuple>

#include "../kernels/nms.h"
#include "box_sets.h"

namespace fastiou {

// keep (N,) in input order; the kept boxes (N,), best first, then -1; how many they are, (); and, if asked for, the
// boxes (N, 4) that they become when those they suppress are merged into them.
constexpr const char* kNmsSchema =
    "nms(Tensor boxes, Tensor scores, Tensor? idxs, float threshold, int kind, float beta, int format, bool merge) -> "
    "(Tensor, Tensor, Tensor, Tensor)";
// Boxes in the order of selection (N,), then -1; their scores (N,), then 0; how many they are, ().
constexpr const char* kSoftNmsSchema =
    "soft_nms(Tensor boxes, Tensor scores, Tensor? idxs, bool gaussian, float sigma, float threshold, "
    "float score_threshold, int kind, float beta, int format) -> (Tensor, Tensor, Tensor)";
constexpr const char* kMatrixNmsSchema =
    "matrix_nms(Tensor boxes, Tensor scores, Tensor? idxs, bool gaussian, float sigma, int kind, float beta, int "
    "format) "
    "-> Tensor";

// Python has checked the arguments, with their names. What is left here protects memory.
inline Detections detections(const Tensor& boxes, const Tensor& scores, const std::optional<Tensor>& idxs,
                             int64_t format) {
  STD_TORCH_CHECK(boxes.dim() == 2, "fastiou: boxes must be (N, 4) or (N, 5)");
  const auto fits = [&](const Tensor& t) {
    return t.dim() == 1 && t.size(0) == boxes.size(0) && t.is_cuda() == boxes.is_cuda() &&
           t.get_device_index() == boxes.get_device_index();
  };
  Detections d;
  d.boxes = box_set("boxes", boxes, std::nullopt, format);
  d.score_dtype = dtype_of(scores);
  STD_TORCH_CHECK(fits(scores) && is_floating(d.score_dtype),
                  "fastiou: scores must be floating point, one for every box, on the device of boxes");
  d.scores = scores.const_data_ptr();
  d.score_stride = scores.stride(0);
  if (idxs) {
    d.class_dtype = dtype_of(*idxs);
    STD_TORCH_CHECK(fits(*idxs) && !is_floating(d.class_dtype) && d.class_dtype != DType::boolean,
                    "fastiou: idxs must be integers, one for every box, on the device of boxes");
    d.classes = idxs->const_data_ptr();
    d.class_stride = idxs->stride(0);
  }
  return d;
}

inline ScalarType float_type(DType dtype) { return dtype == DType::f64 ? ScalarType::Double : ScalarType::Float; }

struct NmsCall {
  NmsArgs args;
  ScalarType compute;  // as pairwise scores of the boxes
  Tensor keep, selected, kept_count, merged;

  NmsCall(const Tensor& boxes, const Tensor& scores, const std::optional<Tensor>& idxs, double threshold,
          OverlapKind overlap, int64_t format, bool merge)
      : compute(compute_type(boxes, boxes)),
        keep(empty({boxes.size(0)}, ScalarType::Bool, boxes)),
        selected(empty({boxes.size(0)}, ScalarType::Long, boxes)),
        kept_count(empty({}, ScalarType::Long, boxes)),
        merged(empty({merge ? boxes.size(0) : 0, 4}, compute, boxes)) {
    STD_TORCH_CHECK(!merge || !is_rotated(static_cast<Format>(format)), "fastiou: rotated boxes have no mean");
    args.in = detections(boxes, scores, idxs, format);
    args.overlap = overlap;
    args.threshold = threshold;
    args.keep = static_cast<bool*>(keep.data_ptr());
    args.selected = static_cast<int64_t*>(selected.data_ptr());
    args.kept_count = static_cast<int64_t*>(kept_count.data_ptr());
    args.merged = merge ? merged.data_ptr() : nullptr;
  }
};

struct SoftNmsCall {
  SoftNmsArgs args;
  ScalarType compute;  // float64 where boxes or scores ask for it
  Tensor selected, scores, kept_count;

  SoftNmsCall(const Tensor& boxes, const Tensor& in_scores, const std::optional<Tensor>& idxs, bool gaussian,
              double sigma, double threshold, double score_threshold, OverlapKind overlap, int64_t format)
      : compute(compute_type(boxes, in_scores)), selected(empty({boxes.size(0)}, ScalarType::Long, boxes)),
        scores(empty({boxes.size(0)}, float_type(dtype_of(in_scores)), boxes)),
        kept_count(empty({}, ScalarType::Long, boxes)) {
    args.in = detections(boxes, in_scores, idxs, format);
    args.overlap = overlap;
    args.gaussian = gaussian, args.sigma = sigma, args.threshold = threshold, args.score_threshold = score_threshold;
    args.selected = static_cast<int64_t*>(selected.data_ptr());
    args.scores = scores.data_ptr();
    args.out_dtype = dtype_of(scores);
    args.kept_count = static_cast<int64_t*>(kept_count.data_ptr());
  }
};

struct MatrixNmsCall {
  MatrixNmsArgs args;
  ScalarType compute;
  Tensor scores;

  MatrixNmsCall(const Tensor& boxes, const Tensor& in_scores, const std::optional<Tensor>& idxs, bool gaussian,
                double sigma, OverlapKind overlap, int64_t format)
      : compute(compute_type(boxes, in_scores)),
        scores(empty({boxes.size(0)}, float_type(dtype_of(in_scores)), boxes)) {
    args.in = detections(boxes, in_scores, idxs, format);
    args.overlap = overlap;
    args.gaussian = gaussian, args.sigma = sigma;
    args.scores = scores.data_ptr();
    args.out_dtype = dtype_of(scores);
  }
};

// The operators with the loops of a device: run(call, scores) is false if there is no such kind.
template <auto run>
std::tuple<Tensor, Tensor, Tensor, Tensor> nms(const Tensor& boxes, const Tensor& scores, std::optional<Tensor> idxs,
                                               double threshold, int64_t kind, double beta, int64_t format,
                                               bool merge) {
  const NmsCall call(boxes, scores, idxs, threshold, {kind, beta}, format, merge);
  STD_TORCH_CHECK(run(call, scores), "fastiou: there is no kind ", kind);
  return {call.keep, call.selected, call.kept_count, call.merged};
}

template <auto run>
std::tuple<Tensor, Tensor, Tensor> soft_nms(const Tensor& boxes, const Tensor& scores, std::optional<Tensor> idxs,
                                            bool gaussian, double sigma, double threshold, double score_threshold,
                                            int64_t kind, double beta, int64_t format) {
  const SoftNmsCall call(boxes, scores, idxs, gaussian, sigma, threshold, score_threshold, {kind, beta}, format);
  STD_TORCH_CHECK(run(call, scores), "fastiou: there is no kind ", kind);
  return {call.selected, call.scores, call.kept_count};
}

template <auto run>
Tensor matrix_nms(const Tensor& boxes, const Tensor& scores, std::optional<Tensor> idxs, bool gaussian, double sigma,
                  int64_t kind, double beta, int64_t format) {
  const MatrixNmsCall call(boxes, scores, idxs, gaussian, sigma, {kind, beta}, format);
  STD_TORCH_CHECK(run(call, scores), "fastiou: there is no kind ", kind);
  return call.scores;
}

}  // namespace fastiou
