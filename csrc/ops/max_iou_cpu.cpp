#include <torch/csrc/stable/library.h>

#include "../kernels/rotated_max_iou_cpu.h"
#include "max_iou.h"
#include "parallel.h"

namespace fastiou {
namespace {

template <template <Real, class> class Tasks, Real T, class Match, class Args>
bool run(const Args& args, const Match& match) {
  const Tasks<T, Match> tasks(args, match);
  if (!tasks.ok()) return false;
  for_tasks(tasks.count(), tasks);
  if constexpr (requires { tasks.merge(); }) tasks.merge();
  return true;
}

template <template <Real, class> class Tasks, Real T, class Args> bool run(const Args& args, int64_t kind) {
  if (args.boxes.rotated()) return run<Tasks, T>(args, RotatedMatcher<T>(kind, args.boxes.format));
  return run<Tasks, T>(args, matcher<T>(kind));
}

bool max_iou_cpu(const MaxIoUCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run<MaxIoUTasks, double>(call.args, kind)
                                            : run<MaxIoUTasks, float>(call.args, kind);
}
bool tied_gts_cpu(const TiedGtsCall& call, int64_t kind) {
  return call.compute == ScalarType::Double ? run<TiedGtsTasks, double>(call.args, kind)
                                            : run<TiedGtsTasks, float>(call.args, kind);
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CPU, m) {
  m.impl("max_iou", TORCH_BOX(&max_iou<max_iou_cpu>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<tied_gts_cpu>));
}

}  // namespace fastiou
