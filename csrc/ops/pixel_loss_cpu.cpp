// Sums over pixels need no product that is rounded as another one is: they may be fused.
#pragma GCC optimize("fp-contract=fast")
#include <torch/csrc/stable/library.h>

#include "../kernels/pixel_loss_cpu.h"
#include "pair_rows_cpu.h"
#include "pixel_loss.h"

namespace fastiou {
namespace {

template <Real T> void run_pixel_loss(const PixelLossCall& call) {
  const PixelLossArgs& args = call.args;
  const PixelParams<T> params(args.options);
  const auto run = [&](const auto& rows) {
    for_loss_rows<T>(
        args.pair,
        [&](double factor, int64_t begin, int64_t end) { return rows(args, params, factor, begin, end); },
        std::clamp<int64_t>(args.pair.rows.count / 256, 1, 32));
  };
  switch (call.pair.grad) {
    case Grad::none: return run(pixel_loss_rows<0, T>);
    case Grad::pred: return run(pixel_loss_rows<1, T>);
    case Grad::both: return run(pixel_loss_rows<2, T>);
  }
}

void pixel_loss_cpu(const PixelLossCall& call) {
  if (call.pair.compute == ScalarType::Double || call.args.options.hard) run_pixel_loss<double>(call);
  else run_pixel_loss<float>(call);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) { m.impl("pixel_loss", TORCH_BOX(&pixel_loss<pixel_loss_cpu>)); }

}  // namespace fastiou
