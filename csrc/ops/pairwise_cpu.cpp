#include <torch/csrc/stable/library.h>

#include "../kernels/pairwise_backward_cpu.h"
#include "../kernels/pairwise_cpu.h"
#include "../kernels/rotated_pairwise_cpu.h"
#include "parallel.h"
#include "pairwise.h"

namespace fastiou {
namespace {

template <template <Real> class Tasks, Real T> bool run_pairwise(const PairwiseCall& call, int64_t kind) {
  const Tasks<T> tasks(call.args, kind);
  if (!tasks.ok()) return false;
  for_tasks(tasks.count(), tasks);
  return true;
}

bool pairwise_cpu(const PairwiseCall& call, int64_t kind) {
  const bool doubles = call.compute == ScalarType::Double;
  if (call.args.first.rotated())
    return doubles ? run_pairwise<RotatedPairwiseTasks, double>(call, kind)
                   : run_pairwise<RotatedPairwiseTasks, float>(call, kind);
  return doubles ? run_pairwise<PairwiseTasks, double>(call, kind) : run_pairwise<PairwiseTasks, float>(call, kind);
}

template <template <Real> class Tasks, Real T> bool run_backward(const PairwiseBackwardCall& call, int64_t kind) {
  const Tasks<T> tasks(call.args, kind);
  if (!tasks.ok()) return false;
  for_tasks(tasks.count(), tasks);
  for_tasks(tasks.finish_count(), [&](int64_t task) { tasks.finish(task); });
  return true;
}

bool pairwise_backward_cpu(const PairwiseBackwardCall& call, int64_t kind) {
  const bool doubles = call.compute == ScalarType::Double;
  if (call.args.own.rotated())
    return doubles ? run_backward<RotatedPairwiseBackwardTasks, double>(call, kind)
                   : run_backward<RotatedPairwiseBackwardTasks, float>(call, kind);
  return doubles ? run_backward<PairwiseBackwardTasks, double>(call, kind)
                 : run_backward<PairwiseBackwardTasks, float>(call, kind);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("pairwise", TORCH_BOX(&pairwise<pairwise_cpu>));
  m.impl("pairwise_backward", TORCH_BOX(&pairwise_backward<pairwise_backward_cpu>));
}

}  // namespace fastiou
