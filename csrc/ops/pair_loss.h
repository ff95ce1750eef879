// The operators of the aligned losses, but for the loops, which differ by device.
#pragma once
#include <algorithm>
#include <optional>
#include <tuple>

#include "../kernels/pair_loss.h"
#include "../kernels/scale_rows.h"
#include "operands.h"

namespace fastiou {

// pred and target (..., 4), or (..., 5) in a rotated format, points (..., 2) and weight (...) have one and the same
// leading shape: Python has checked the arguments, with their names, and expanded what was to be broadcast. What is
// left here protects memory.
struct PairLossCall {
  PairLossArgs args;
  ScalarType compute;  // float64 if a box is float64, else float32
  int64_t width;
  Grad grad;
  Tensor loss, grad_pred, grad_target;  // tensors without elements stand for gradients that nobody asked for

  PairLossCall(const Tensor& pred, const Tensor& target, const std::optional<Tensor>& points,
               const std::optional<Tensor>& weight, const std::optional<Tensor>& avg_factor, int64_t pred_format,
               int64_t target_format, int64_t reduction, std::optional<double> divisor, Eps<double> eps, bool want_pred,
               bool want_target)
      : compute(pred.scalar_type() == ScalarType::Double || target.scalar_type() == ScalarType::Double
                    ? ScalarType::Double
                    : ScalarType::Float),
        width(width_of(static_cast<Format>(pred_format))),
        grad(want_target ? Grad::both : (want_pred ? Grad::pred : Grad::none)),
        loss(allocate_loss(pred, reduction)),
        grad_pred(want_pred ? empty_dense_like(pred, compute) : empty({0}, compute, pred)),
        grad_target(want_target ? empty_dense_like(target, compute) : empty({0}, compute, pred)) {
    check_rows("target", target, pred, width);
    if (points) check_rows("points", *points, pred, 2);
    if (weight) check_rows("weight", *weight, pred, 0);

    const int64_t leading = pred.dim() - 1;
    args.reduction = static_cast<Reduction>(reduction);
    Operand unused;
    view_rows(args.rows, leading,
              {{&args.pred, &pred},
               {&args.target, &target},
               {points ? &args.points : &unused, points ? &*points : &pred},
               {weight ? &args.weight : &unused, weight ? &*weight : &pred},
               {want_pred ? &args.grad_pred : &unused, want_pred ? &grad_pred : &pred},
               {want_target ? &args.grad_target : &unused, want_target ? &grad_target : &pred},
               {args.reduction == Reduction::none ? &args.loss : &unused,
                args.reduction == Reduction::none ? &loss : &pred}});
    if (args.reduction != Reduction::none) args.loss.data = loss.data_ptr(), args.loss.dtype = dtype_of(loss);
    args.pred_format = static_cast<Format>(pred_format);
    args.target_format = static_cast<Format>(target_format);
    args.eps = eps;
    if (divisor) args.factor = 1 / (*divisor + kAvgFactorEps);
    else if (avg_factor) args.avg_factor = avg_factor->const_data_ptr(), args.avg_factor_dtype = dtype_of(*avg_factor);
    else if (args.reduction == Reduction::mean) args.factor = 1.0 / std::max<int64_t>(args.rows.count, 1);
  }

 private:
  Tensor allocate_loss(const Tensor& pred, int64_t reduction) const {
    check_rows("pred", pred, pred, width);
    std::vector<int64_t> size;
    if (static_cast<Reduction>(reduction) == Reduction::none)
      for (int64_t d = 0; d + 1 < pred.dim(); ++d) size.push_back(pred.size(d));
    return empty(size, compute, pred);
  }

  static void check_rows(const char* name, const Tensor& t, const Tensor& pred, int64_t width) {
    const DType dtype = dtype_of(t);
    const bool accepted = is_floating(dtype) || (width == 0 && (dtype == DType::boolean || dtype == DType::i64));
    STD_TORCH_CHECK(accepted, "fastiou: ", name, " is not floating point");
    bool ok = t.dim() == pred.dim() - (width == 0);
    for (int64_t d = 0; ok && d + 1 < pred.dim(); ++d) ok = t.size(d) == pred.size(d);
    if (ok && width > 0) ok = t.dim() > 0 && t.size(t.dim() - 1) == width;
    STD_TORCH_CHECK(ok, "fastiou: ", name, " does not have the rows of pred");
    STD_TORCH_CHECK(t.get_device_index() == pred.get_device_index() && t.is_cuda() == pred.is_cuda(), "fastiou: ", name,
                    " is not on the device of pred");
  }
};

// grad has the rows of partials, or is one number for all of them.
struct ScaleRowsCall {
  ScaleRowsArgs args;
  ScalarType compute;
  Tensor out;

  ScaleRowsCall(const Tensor& partials, const Tensor& grad, ScalarType dtype)
      : compute(partials.scalar_type()), out(empty_dense_like(partials, dtype)) {
    const int64_t leading = partials.dim() - 1;
    bool ok = leading >= 0 && (partials.size(leading) == 4 || partials.size(leading) == 5) &&
              (grad.dim() == leading || grad.dim() == 0) &&
              grad.scalar_type() == partials.scalar_type() && grad.get_device_index() == partials.get_device_index();
    for (int64_t d = 0; ok && d < grad.dim(); ++d) ok = grad.size(d) == partials.size(d);
    STD_TORCH_CHECK(ok, "fastiou: grad must have the rows, dtype and device of partials");
    args.width = partials.size(leading);
    const bool one = grad.dim() == 0 && leading > 0;
    Operand unused;
    view_rows(args.rows, leading,
              {{&args.partials, &partials}, {one ? &unused : &args.grad, one ? &partials : &grad}, {&args.out, &out}});
    if (one) args.grad.data = grad.data_ptr(), args.grad.dtype = args.partials.dtype;
  }
};

// The schemas, and the operators with the loops of a device: run(call, kind) and run(call).
constexpr const char* kPairLossSchema =
    "pair_loss(Tensor pred, Tensor target, Tensor? points, Tensor? weight, Tensor? avg_factor, int kind, "
    "int pred_format, int target_format, int reduction, float? divisor, float eps_area, float eps_ratio, "
    "bool grad_pred, bool grad_target) -> (Tensor, Tensor, Tensor)";
// `link` is not read: it ties the result to the box that a second derivative would be taken of.
constexpr const char* kScaleRowsSchema =
    "scale_rows(Tensor partials, Tensor grad, ScalarType dtype, Tensor? link=None) -> Tensor";

template <auto run>
std::tuple<Tensor, Tensor, Tensor> pair_loss(const Tensor& pred, const Tensor& target, std::optional<Tensor> points,
                                             std::optional<Tensor> weight, std::optional<Tensor> avg_factor,
                                             int64_t kind, int64_t pred_format, int64_t target_format,
                                             int64_t reduction, std::optional<double> divisor, double eps_area,
                                             double eps_ratio, bool grad_pred, bool grad_target) {
  STD_TORCH_CHECK(!is_rotated(static_cast<Format>(pred_format)), "fastiou: rotated boxes have losses of their own");
  const PairLossCall call(pred, target, points, weight, avg_factor, pred_format, target_format, reduction, divisor,
                          {eps_area, eps_area, eps_ratio}, grad_pred, grad_target);
  STD_TORCH_CHECK(run(call, kind), "fastiou: there is no kind ", kind);
  return {call.loss, call.grad_pred, call.grad_target};
}

template <auto run>
Tensor scale_rows(const Tensor& partials, const Tensor& grad, ScalarType dtype, std::optional<Tensor>) {
  const ScaleRowsCall call(partials, grad, dtype);
  run(call);
  return call.out;
}

}  // namespace fastiou
