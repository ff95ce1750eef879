#include "../kernels/max_iou_cpu.h"
#include "arrays.h"
#include "module.h"
#include "threads.h"

namespace py = pybind11;

namespace fastiou {
namespace {

template <Real T> bool run(const MaxIoUArgs& args, int64_t kind, int64_t threads) {
  constexpr int64_t worth_a_thread = 1 << 19;  // pairs, which take 100 us and more
  const py::gil_scoped_release release;
  const MaxIoUTasks<T> tasks(args, matcher<T>(kind));
  if (!tasks.ok()) return false;
  const int64_t pairs = tasks.chunk * args.gts.count;
  for_tasks(tasks.count(), threads, 1 + worth_a_thread / (pairs + 1), tasks);
  tasks.merge();
  return true;
}

py::tuple max_iou(const py::array& boxes, const py::array& gts, int64_t kind, int64_t format1, int64_t format2,
                  double eps, int64_t threads) {
  MaxIoUArgs args;
  args.boxes = box_set("boxes", boxes, format1);
  args.gts = box_set("gts", gts, format2);
  args.batch = boxes.shape(0);
  require(gts.shape(0) == args.batch, "gts", "of the batch of boxes");
  require(args.boxes.count < INT32_MAX && args.gts.count < INT32_MAX, "boxes, gts", "fewer than 2^31 - 1 each");
  args.eps = {eps, eps, eps};
  const bool in_double = needs_double(args.boxes.dtype) || needs_double(args.gts.dtype);
  py::array values = scores_array(in_double, {args.batch, args.boxes.count});
  py::array_t<int64_t> indices({args.batch, args.boxes.count});
  py::array gt_values = scores_array(in_double, {args.batch, args.gts.count});
  py::array_t<int64_t> gt_indices({args.batch, args.gts.count});
  args.values = values.mutable_data();
  args.indices = indices.mutable_data();
  args.gt_values = gt_values.mutable_data();
  args.gt_indices = gt_indices.mutable_data();
  require(in_double ? run<double>(args, kind, threads) : run<float>(args, kind, threads), "kind", "of the registry");
  return py::make_tuple(values, indices, gt_values, gt_indices);
}

}  // namespace

void add_max_iou(py::module_& m) {
  m.def("max_iou", &max_iou, "Best scores and their indices: (batch, N) twice of boxes, (batch, M) twice of gts.");
}

}  // namespace fastiou
