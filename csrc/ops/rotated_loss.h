// The operator of the losses of rotated boxes, but for the loops, which differ by device.
#pragma once
#include "../kernels/rotated_loss.h"
#include "pair_loss.h"

namespace fastiou {

// `kind` is a code of math/rotated_kinds.h, `link` one of math/link.h.
constexpr const char* kRotatedLossSchema =
    "rotated_loss(Tensor pred, Tensor target, Tensor? weight, Tensor? avg_factor, int kind, int format, int link, "
    "float alpha, float tau, float eps, int reduction, float? divisor, bool grad_pred, bool grad_target) -> "
    "(Tensor, Tensor, Tensor)";

struct RotatedLossCall {
  PairLossCall pair;
  RotatedLossArgs args;

  RotatedLossCall(PairLossCall call, const RotatedOptions& options) : pair(std::move(call)), args{pair.args, options} {}
};

template <auto run>
std::tuple<Tensor, Tensor, Tensor> rotated_loss(const Tensor& pred, const Tensor& target, std::optional<Tensor> weight,
                                                std::optional<Tensor> avg_factor, int64_t kind, int64_t format,
                                                int64_t link, double alpha, double tau, double eps, int64_t reduction,
                                                std::optional<double> divisor, bool grad_pred, bool grad_target) {
  STD_TORCH_CHECK(is_rotated(static_cast<Format>(format)), "fastiou: ", format, " is no format of rotated boxes");
  const RotatedLossCall call(PairLossCall(pred, target, std::nullopt, weight, avg_factor, format, format, reduction,
                                          divisor, {0, 0, 0}, grad_pred, grad_target),
                             RotatedOptions{kind, link, alpha, tau, eps});
  STD_TORCH_CHECK(run(call), "fastiou: there is no kind ", kind, " with link ", link);
  return {call.pair.loss, call.pair.grad_pred, call.pair.grad_target};
}

}  // namespace fastiou
