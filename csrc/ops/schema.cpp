// The operators' schemas. They are private: fastiou/functional.py is the interface.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY(fastiou, m) {
  // Loss, and the partial derivatives of the loss (times weight and factor) with respect to pred and target.
  m.def(
      "pair_loss(Tensor pred, Tensor target, Tensor? points, Tensor? weight, Tensor? avg_factor, int kind, "
      "int pred_format, int target_format, int reduction, float? divisor, float eps, bool grad_pred, bool grad_target) "
      "-> (Tensor, Tensor, Tensor)");
  m.def("scale_rows(Tensor partials, Tensor grad, ScalarType dtype) -> Tensor");
}
