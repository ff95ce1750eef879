// The operator of the losses over pixels, but for the loops, which differ by device.
#pragma once
#include "../kernels/pixel_loss.h"
#include "pair_loss.h"

namespace fastiou {

// `link` is one of math/link.h: none, one_minus or log_floor. `factor` multiplies the loss.
constexpr const char* kPixelLossSchema =
    "pixel_loss(Tensor pred, Tensor target, Tensor? weight, Tensor? avg_factor, int pred_format, int target_format, "
    "int link, bool area_union, bool hard, float k, float scale, float floor, float factor, bool straight_through, "
    "int reduction, float? divisor, bool grad_pred, bool grad_target) -> (Tensor, Tensor, Tensor)";

struct PixelLossCall {
  PairLossCall pair;
  PixelLossArgs args;

  PixelLossCall(PairLossCall call, const PixelOptions& options) : pair(std::move(call)), args{pair.args, options} {
    const PairLossArgs& a = args.pair;
    STD_TORCH_CHECK(a.pred_format != Format::ltrb && a.target_format != Format::ltrb,
                    "fastiou: boxes must not be ltrb");
    STD_TORCH_CHECK(is_rotated(a.pred_format) == is_rotated(a.target_format) &&
                        in_degrees(a.pred_format) == in_degrees(a.target_format),
                    "fastiou: boxes must both be rotated, with angles in one unit, or neither");
    const Link link = options.link;
    STD_TORCH_CHECK(link == Link::none || link == Link::one_minus || link == Link::log_floor,
                    "fastiou: there is no pixel loss with link ", static_cast<int64_t>(link));
    STD_TORCH_CHECK(options.k > 0 && options.scale > 0, "fastiou: k and scale must be positive");
    STD_TORCH_CHECK(!options.hard || (a.reduction == Reduction::none && pair.grad == Grad::none && link == Link::none),
                    "fastiou: counted pixels have neither a gradient nor a reduction");
  }
};

template <auto run>
std::tuple<Tensor, Tensor, Tensor> pixel_loss(const Tensor& pred, const Tensor& target, std::optional<Tensor> weight,
                                              std::optional<Tensor> avg_factor, int64_t pred_format,
                                              int64_t target_format, int64_t link, bool area_union, bool hard, double k,
                                              double scale, double floor, double factor, bool straight_through,
                                              int64_t reduction, std::optional<double> divisor, bool grad_pred,
                                              bool grad_target) {
  const PixelLossCall call(
      PairLossCall(pred, target, std::nullopt, weight, avg_factor, pred_format, target_format, reduction, divisor,
                   {0, 0, 0}, grad_pred, grad_target),
      PixelOptions{k, scale, area_union, hard, static_cast<Link>(link), floor, factor, straight_through});
  run(call);
  return {call.pair.loss, call.pair.grad_pred, call.pair.grad_target};
}

}  // namespace fastiou
