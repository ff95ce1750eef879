// The operators of pairwise scores over pixels, but for the loops, which differ by device.
#pragma once
#include "../kernels/pixel_pairwise.h"
#include "pairwise.h"

namespace fastiou {

constexpr const char* kPixelPairwiseSchema =
    "pixel_pairwise(Tensor boxes1, Tensor boxes2, int format1, int format2, bool area_union, bool hard, float k, "
    "float scale) -> Tensor";
constexpr const char* kPixelPairwiseBackwardSchema =
    "pixel_pairwise_backward(Tensor grad, Tensor boxes1, Tensor boxes2, int format1, int format2, bool area_union, "
    "float k, float scale, bool grad1, bool grad2) -> (Tensor, Tensor)";

inline PixelOptions pixel_options(bool area_union, bool hard, double k, double scale) {
  STD_TORCH_CHECK(k > 0 && scale > 0, "fastiou: k and scale must be positive");
  return {.k = k, .scale = scale, .area_union = area_union, .hard = hard};
}

struct PixelPairwiseCall {
  PairwiseCall pair;
  PixelPairwiseArgs args;
};
struct PixelBackwardCall {
  PairwiseBackwardCall pair;
  PixelBackwardArgs args;
};

template <auto run>
Tensor pixel_pairwise(const Tensor& boxes1, const Tensor& boxes2, int64_t format1, int64_t format2, bool area_union,
                      bool hard, double k, double scale) {
  PairwiseCall pair(boxes1, boxes2, std::nullopt, std::nullopt, format1, format2, {0, 0, 0});
  const PixelPairwiseArgs args{pair.args, pixel_options(area_union, hard, k, scale)};
  run(PixelPairwiseCall{pair, args});
  return pair.out;
}

template <auto run>
std::tuple<Tensor, Tensor> pixel_pairwise_backward(const Tensor& grad, const Tensor& boxes1, const Tensor& boxes2,
                                                   int64_t format1, int64_t format2, bool area_union, double k,
                                                   double scale, bool grad1, bool grad2) {
  const auto side = [&](bool wanted, bool first) {
    if (!wanted) return empty({0}, compute_type(boxes1, boxes2), boxes1);
    PairwiseBackwardCall pair(first, grad, boxes1, boxes2, std::nullopt, std::nullopt, format1, format2, {0, 0, 0});
    const PixelBackwardArgs args{pair.args, pixel_options(area_union, false, k, scale)};
    run(PixelBackwardCall{pair, args});
    return pair.out;
  };
  return {side(grad1, true), side(grad2, false)};
}

}  // namespace fastiou
