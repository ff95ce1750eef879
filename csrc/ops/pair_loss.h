// The operators of the aligned losses, but for the loops, which differ by device.
#pragma once
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
  Grad grad;
  Tensor loss, grad_pred, grad_target;  // undefined for a gradient that nobody asked for

  PairLossCall(const Tensor& pred, const Tensor& target, const std::optional<Tensor>& points,
               const std::optional<Tensor>& weight, const std::optional<Tensor>& avg_factor, int64_t pred_format,
               int64_t target_format, int64_t reduction, std::optional<double> divisor, Eps<double> eps, bool want_pred,
               bool want_target)
      : grad(want_target ? Grad::both : (want_pred ? Grad::pred : Grad::none)) {
    const Layout p(pred), g(target);
    const int64_t width = width_of(static_cast<Format>(pred_format)), leading = p.dim - 1;
    check_rows("pred", p, p, width);
    check_rows("target", g, p, width);
    compute = p.dtype == DType::f64 || g.dtype == DType::f64 ? ScalarType::Double : ScalarType::Float;
    args.pred_format = static_cast<Format>(pred_format);
    args.target_format = static_cast<Format>(target_format);
    args.reduction = static_cast<Reduction>(reduction);
    args.eps = eps;
    const bool reduced = args.reduction != Reduction::none;
    loss = empty(Sizes(p.size, reduced ? 0 : leading), compute, p);
    if (want_pred) grad_pred = empty_dense_like(p, compute);
    if (want_target) grad_target = empty_dense_like(g, compute);

    RowViews views(leading);
    views.add(args.pred, pred, p);
    views.add(args.target, target, g);
    const auto add_given = [&](const char* name, const std::optional<Tensor>& given, Operand& operand, int64_t width) {
      if (!given) return;
      const Layout layout(*given);
      check_rows(name, layout, p, width);
      views.add(operand, *given, layout);
    };
    add_given("points", points, args.points, 2);
    add_given("weight", weight, args.weight, 0);
    if (want_pred) views.add(args.grad_pred, grad_pred);
    if (want_target) views.add(args.grad_target, grad_target);
    if (!reduced) views.add(args.loss, loss);
    else args.loss.data = loss.data_ptr(), args.loss.dtype = dtype_of(loss);
    views.fill(args.rows);

    if (divisor) args.factor = 1 / (*divisor + kAvgFactorEps);
    else if (avg_factor) args.avg_factor = avg_factor->const_data_ptr(), args.avg_factor_dtype = dtype_of(*avg_factor);
    else if (args.reduction == Reduction::mean) args.factor = 1.0 / std::max<int64_t>(args.rows.count, 1);
  }

 private:
  static void check_rows(const char* name, const Layout& t, const Layout& pred, int64_t width) {
    const bool accepted = is_floating(t.dtype) || (width == 0 && (t.dtype == DType::boolean || t.dtype == DType::i64));
    STD_TORCH_CHECK(accepted, "fastiou: ", name, " is not floating point");
    const int64_t leading = pred.dim - 1;
    const bool ok = leading >= 0 && t.dim == leading + (width > 0) &&
                    std::equal(pred.size, pred.size + leading, t.size) && (width == 0 || t.size[leading] == width);
    STD_TORCH_CHECK(ok, "fastiou: ", name, " does not have the rows of pred");
    STD_TORCH_CHECK(t.is_beside(pred), "fastiou: ", name, " is not on the device of pred");
  }
};

// grad has the rows of partials, or is one number for all of them.
struct ScaleRowsCall {
  ScaleRowsArgs args;
  ScalarType compute;
  Tensor out;

  ScaleRowsCall(const Tensor& partials, const Tensor& grad, ScalarType dtype) {
    const Layout p(partials), g(grad);
    const int64_t leading = p.dim - 1;
    STD_TORCH_CHECK(leading >= 0 && (p.size[leading] == 4 || p.size[leading] == 5) &&
                        (p.dtype == DType::f32 || p.dtype == DType::f64),
                    "fastiou: partials must be (..., 4) or (..., 5), float32 or float64");
    const bool fits = (g.dim == leading || g.dim == 0) && std::equal(g.size, g.size + g.dim, p.size);
    STD_TORCH_CHECK(fits && g.dtype == p.dtype && g.is_beside(p),
                    "fastiou: grad must have the rows, dtype and device of partials");
    compute = p.dtype == DType::f64 ? ScalarType::Double : ScalarType::Float;
    out = empty_dense_like(p, dtype);
    args.width = p.size[leading];
    RowViews views(leading);
    views.add(args.partials, partials, p);
    views.add(args.out, out);
    STD_TORCH_CHECK(is_floating(args.out.dtype), "fastiou: gradients are floating point");
    if (g.dim == leading) views.add(args.grad, grad, g);
    else args.grad.data = grad.data_ptr(), args.grad.dtype = g.dtype;
    views.fill(args.rows);
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
