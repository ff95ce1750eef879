// As pixel_loss_cpu.cpp.
#pragma GCC optimize("fp-contract=fast")
#include <torch/csrc/stable/library.h>

#include "../kernels/pixel_pairwise_cpu.h"
#include "parallel.h"
#include "pixel_pairwise.h"

namespace fastiou {
namespace {

template <Real T> void fill(PixelSet<T>& set) {
  for_uneven_tasks(set.tasks(), [&](int64_t task) { set(task); });
}

template <Real T> void run_pairwise(const PixelPairwiseCall& call) {
  PixelPairwiseTasks<T> tasks(call.args);
  fill(tasks.first), fill(tasks.second);
  for_uneven_tasks(tasks.count(), tasks);
}
void pixel_pairwise_cpu(const PixelPairwiseCall& call) {
  if (call.pair.compute == ScalarType::Double || call.args.options.hard) run_pairwise<double>(call);
  else run_pairwise<float>(call);
}

template <Real T> void run_backward(const PixelBackwardCall& call) {
  PixelBackwardTasks<T> tasks(call.args);
  fill(tasks.own), fill(tasks.other);
  for_uneven_tasks(tasks.count(), tasks);
  for_tasks(tasks.finish_count(), [&](int64_t task) { tasks.finish(task); });
}
void pixel_pairwise_backward_cpu(const PixelBackwardCall& call) {
  if (call.pair.compute == ScalarType::Double) run_backward<double>(call);
  else run_backward<float>(call);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("pixel_pairwise", TORCH_BOX(&pixel_pairwise<pixel_pairwise_cpu>));
  m.impl("pixel_pairwise_backward", TORCH_BOX(&pixel_pairwise_backward<pixel_pairwise_backward_cpu>));
}

}  // namespace fastiou
