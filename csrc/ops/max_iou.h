// The operators of matching, but for the loops, which differ by device.
#pragma once
#include <tuple>

#include "../kernels/max_iou.h"
#include "box_sets.h"

namespace fastiou {

// Values are in the compute dtype, so that what attains a best score can be asked for again.
constexpr const char* kMaxIoUSchema =
    "max_iou(Tensor boxes, Tensor gts, Tensor? boxes_mask, Tensor? gts_mask, int kind, int format1, int format2, "
    "float eps_overlap, float eps_area, float eps_ratio) -> (Tensor, Tensor, Tensor, Tensor)";
constexpr const char* kTiedGtsSchema =
    "tied_gts(Tensor boxes, Tensor gts, Tensor? boxes_mask, Tensor? gts_mask, Tensor gt_values, float least, int kind, "
    "int format1, int format2, float eps_overlap, float eps_area, float eps_ratio) -> Tensor";

struct MaxIoUCall {
  MaxIoUArgs args;
  ScalarType compute;
  Tensor values, indices, gt_values, gt_indices;

  MaxIoUCall(const Tensor& boxes, const Tensor& gts, const std::optional<Tensor>& boxes_mask,
             const std::optional<Tensor>& gts_mask, int64_t format1, int64_t format2, Eps<double> eps)
      : compute(compute_type(boxes, gts)),
        values(empty(shape_of(boxes, {boxes.size(boxes.dim() - 2)}), compute, boxes)),
        indices(empty(shape_of(boxes, {boxes.size(boxes.dim() - 2)}), ScalarType::Long, boxes)),
        gt_values(empty(shape_of(gts, {gts.size(gts.dim() - 2)}), compute, boxes)),
        gt_indices(empty(shape_of(gts, {gts.size(gts.dim() - 2)}), ScalarType::Long, boxes)) {
    args.boxes = box_set("boxes", boxes, boxes_mask, format1);
    args.gts = box_set("gts", gts, gts_mask, format2);
    args.batch = batch_of(boxes, gts);
    args.eps = eps;
    check_same_kind(args.boxes, args.gts);
    STD_TORCH_CHECK(args.boxes.count < INT32_MAX && args.gts.count < INT32_MAX,
                    "fastiou: more than 2^31 - 2 boxes in a set");
    args.values = values.data_ptr();
    args.indices = static_cast<int64_t*>(indices.data_ptr());
    args.gt_values = gt_values.data_ptr();
    args.gt_indices = static_cast<int64_t*>(gt_indices.data_ptr());
  }
};

template <auto run>
std::tuple<Tensor, Tensor, Tensor, Tensor> max_iou(const Tensor& boxes, const Tensor& gts,
                                                   std::optional<Tensor> boxes_mask, std::optional<Tensor> gts_mask,
                                                   int64_t kind, int64_t format1, int64_t format2, double eps_overlap,
                                                   double eps_area, double eps_ratio) {
  const MaxIoUCall call(boxes, gts, boxes_mask, gts_mask, format1, format2, {eps_overlap, eps_area, eps_ratio});
  STD_TORCH_CHECK(run(call, kind), "fastiou: there is no kind ", kind);
  return {call.values, call.indices, call.gt_values, call.gt_indices};
}

struct TiedGtsCall {
  TiedGtsArgs args;
  ScalarType compute;
  Tensor indices;

  TiedGtsCall(const Tensor& boxes, const Tensor& gts, const std::optional<Tensor>& boxes_mask,
              const std::optional<Tensor>& gts_mask, const Tensor& gt_values, double least, int64_t format1,
              int64_t format2, Eps<double> eps)
      : compute(compute_type(boxes, gts)),
        indices(empty(shape_of(boxes, {boxes.size(boxes.dim() - 2)}), ScalarType::Long, boxes)) {
    args.boxes = box_set("boxes", boxes, boxes_mask, format1);
    args.gts = box_set("gts", gts, gts_mask, format2);
    args.batch = batch_of(boxes, gts);
    args.eps = eps;
    check_same_kind(args.boxes, args.gts);
    args.least = least;
    const int64_t d = gt_values.dim();
    STD_TORCH_CHECK(args.boxes.count < INT32_MAX && args.gts.count < INT32_MAX,
                    "fastiou: more than 2^31 - 2 boxes in a set");
    STD_TORCH_CHECK(d == gts.dim() - 1 && gt_values.size(d - 1) == args.gts.count &&
                        (d == 1 || gt_values.size(0) == args.batch) && gt_values.scalar_type() == compute &&
                        gt_values.is_contiguous() && gt_values.get_device_index() == boxes.get_device_index(),
                    "fastiou: gt_values must be the third result of max_iou");
    args.gt_values = gt_values.const_data_ptr();
    args.indices = static_cast<int64_t*>(indices.data_ptr());
  }
};

template <auto run>
Tensor tied_gts(const Tensor& boxes, const Tensor& gts, std::optional<Tensor> boxes_mask,
                std::optional<Tensor> gts_mask, const Tensor& gt_values, double least, int64_t kind, int64_t format1,
                int64_t format2, double eps_overlap, double eps_area, double eps_ratio) {
  const TiedGtsCall call(boxes, gts, boxes_mask, gts_mask, gt_values, least, format1, format2,
                         {eps_overlap, eps_area, eps_ratio});
  STD_TORCH_CHECK(run(call, kind), "fastiou: there is no kind ", kind);
  return call.indices;
}

}  // namespace fastiou
