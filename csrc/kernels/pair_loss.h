// The arguments of the aligned losses, and what their CPU and CUDA loops do to every row beside evaluate() in pair.h.
#pragma once
#include "operand.h"
#include "pair.h"

namespace fastiou {

enum class Reduction : int { none, mean, sum };

struct PairLossArgs {
  Rows rows;
  Operand pred, target;            // (rows, 4)
  Operand points;                  // (rows, 2), or absent
  Operand weight;                  // (rows), or absent
  Operand loss;                    // (rows), or one number where reduced
  Operand grad_pred, grad_target;  // (rows, 4) in the compute dtype, or absent
  Format pred_format = Format::xyxy, target_format = Format::xyxy;
  Reduction reduction = Reduction::none;
  Eps<double> eps{0, 0, 0};
  double factor = 1;        // loss and gradients are multiplied by this,
  const void* avg_factor = nullptr;  // and divided by this number + float32's epsilon where given
  DType avg_factor_dtype = DType::f32;
};

// MMDetection's reading of avg_factor: sum / (avg_factor + eps), eps of float32 whatever the dtype.
constexpr double kAvgFactorEps = 1.1920928955078125e-07;

// What losses and gradients are multiplied by, but for the weights.
FASTIOU_HD double factor_of(const PairLossArgs& a) {
  return a.avg_factor ? a.factor / (load_number<double>(a.avg_factor, a.avg_factor_dtype) + kAvgFactorEps) : a.factor;
}

// The numbers of a call in the dtype that a kernel computes in: GPUs are slow at others.
template <Real T> struct LossNumbers {
  Eps<T> eps;
  T factor;
  const void* avg_factor;
  DType avg_factor_dtype;

  explicit LossNumbers(const PairLossArgs& a)
      : eps{static_cast<T>(a.eps.overlap), static_cast<T>(a.eps.area), static_cast<T>(a.eps.ratio)},
        factor(static_cast<T>(a.factor)),
        avg_factor(a.avg_factor),
        avg_factor_dtype(a.avg_factor_dtype) {}

  FASTIOU_HD T total_factor() const {
    return avg_factor ? factor / (load_number<T>(avg_factor, avg_factor_dtype) + T(kAvgFactorEps)) : factor;
  }
};

}  // namespace fastiou
