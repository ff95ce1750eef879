// The operators of pairwise scores, but for the loops, which differ by device.
#pragma once
#include <tuple>

#include "../kernels/pairwise.h"
#include "box_sets.h"

namespace fastiou {

constexpr const char* kPairwiseSchema =
    "pairwise(Tensor boxes1, Tensor boxes2, Tensor? mask1, Tensor? mask2, int kind, int format1, int format2, "
    "float eps_overlap, float eps_area, float eps_ratio) -> Tensor";
// Gradients with respect to both sets, in the compute dtype; without elements for a set that asks for none.
constexpr const char* kPairwiseBackwardSchema =
    "pairwise_backward(Tensor grad, Tensor boxes1, Tensor boxes2, Tensor? mask1, Tensor? mask2, int kind, int format1, "
    "int format2, float eps_overlap, float eps_area, float eps_ratio, bool grad1, bool grad2) -> (Tensor, Tensor)";

struct PairwiseCall {
  PairwiseArgs args;
  ScalarType compute;
  Tensor out;

  PairwiseCall(const Tensor& boxes1, const Tensor& boxes2, const std::optional<Tensor>& mask1,
               const std::optional<Tensor>& mask2, int64_t format1, int64_t format2, Eps<double> eps)
      : compute(compute_type(boxes1, boxes2)),
        out(empty(shape_of(boxes1, {boxes1.size(boxes1.dim() - 2), boxes2.size(boxes2.dim() - 2)}),
                  score_type(boxes1, boxes2), boxes1)) {
    args.first = box_set("boxes1", boxes1, mask1, format1);
    args.second = box_set("boxes2", boxes2, mask2, format2);
    args.batch = batch_of(boxes1, boxes2);
    args.eps = eps;
    check_same_kind(args.first, args.second);
    args.out = out.data_ptr();
    args.out_dtype = dtype_of(out);
  }
};

template <auto run>
Tensor pairwise(const Tensor& boxes1, const Tensor& boxes2, std::optional<Tensor> mask1, std::optional<Tensor> mask2,
                int64_t kind, int64_t format1, int64_t format2, double eps_overlap, double eps_area, double eps_ratio) {
  const PairwiseCall call(boxes1, boxes2, mask1, mask2, format1, format2, {eps_overlap, eps_area, eps_ratio});
  STD_TORCH_CHECK(run(call, kind), "fastiou: there is no kind ", kind);
  return call.out;
}

struct PairwiseBackwardCall {
  PairwiseBackwardArgs args;
  ScalarType compute;
  Tensor out, partial;

  // With respect to the first set, or to the second.
  PairwiseBackwardCall(bool own_first, const Tensor& grad, const Tensor& boxes1, const Tensor& boxes2,
                       const std::optional<Tensor>& mask1, const std::optional<Tensor>& mask2, int64_t format1,
                       int64_t format2, Eps<double> eps)
      : compute(compute_type(boxes1, boxes2)),
        out(allocate(own_first ? boxes1 : boxes2, compute)),
        partial(allocate_partial(own_first ? boxes1 : boxes2, own_first ? boxes2 : boxes1)) {
    const BoxSet first = box_set("boxes1", boxes1, mask1, format1), second = box_set("boxes2", boxes2, mask2, format2);
    args.own = own_first ? first : second;
    args.other = own_first ? second : first;
    args.own_first = own_first;
    args.batch = batch_of(boxes1, boxes2);
    args.eps = eps;
    check_same_kind(first, second);
    const int64_t d = grad.dim();
    STD_TORCH_CHECK(d == boxes1.dim() && (d == 2 || grad.size(0) == args.batch) && grad.size(d - 2) == first.count &&
                        grad.size(d - 1) == second.count && grad.scalar_type() == compute &&
                        grad.get_device_index() == boxes1.get_device_index(),
                    "fastiou: grad must have the shape, dtype and device of the scores");
    args.grad = grad.const_data_ptr();
    args.grad_batch_stride = d == 3 ? grad.stride(0) : 0;
    args.grad_own_stride = grad.stride(own_first ? d - 2 : d - 1);
    args.grad_other_stride = grad.stride(own_first ? d - 1 : d - 2);
    args.out = out.data_ptr();
    args.slices = partial.size(0);
    args.partial = static_cast<double*>(partial.data_ptr());
  }

 private:
  static Tensor allocate(const Tensor& own, ScalarType dtype) {
    return empty(shape_of(own, {own.size(own.dim() - 2), own.size(own.dim() - 1)}), dtype, own);
  }
  static Tensor allocate_partial(const Tensor& own, const Tensor& other) {
    const int64_t count = own.size(own.dim() - 2), batch = own.dim() == 3 ? own.size(0) : 1;
    std::vector<int64_t> shape = shape_of(own, {count, kPartials});
    shape.insert(shape.begin(), slices_for(batch * count, other.size(other.dim() - 2)));
    return empty(shape, ScalarType::Double, own);
  }
};

template <auto run>
std::tuple<Tensor, Tensor> pairwise_backward(const Tensor& grad, const Tensor& boxes1, const Tensor& boxes2,
                                             std::optional<Tensor> mask1, std::optional<Tensor> mask2, int64_t kind,
                                             int64_t format1, int64_t format2, double eps_overlap, double eps_area,
                                             double eps_ratio, bool grad1, bool grad2) {
  const auto side = [&](bool wanted, bool first) {
    if (!wanted) return empty({0}, compute_type(boxes1, boxes2), boxes1);
    const PairwiseBackwardCall call(first, grad, boxes1, boxes2, mask1, mask2, format1, format2,
                                    {eps_overlap, eps_area, eps_ratio});
    STD_TORCH_CHECK(run(call, kind), "fastiou: there is no kind ", kind);
    return call.out;
  };
  return {side(grad1, true), side(grad2, false)};
}

}  // namespace fastiou
