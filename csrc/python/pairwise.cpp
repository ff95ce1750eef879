#include "../kernels/pairwise_cpu.h"
#include "arrays.h"
#include "module.h"
#include "threads.h"

namespace py = pybind11;

namespace fastiou {
namespace {

constexpr int64_t kGrain = 16;  // tasks of kOnes * kTile pairs, which take 4 to 30 us

template <Real T> bool run(const PairwiseArgs& args, int64_t kind, int64_t threads) {
  const PairwiseTasks<T> tasks(args, kind);
  if (!tasks.ok()) return false;
  const py::gil_scoped_release release;
  for_tasks(tasks.count(), threads, kGrain, tasks);
  return true;
}

py::array pairwise(const py::array& boxes1, const py::array& boxes2, int64_t kind, int64_t format1, int64_t format2,
                   double eps, int64_t threads) {
  PairwiseArgs args;
  args.first = box_set("boxes1", boxes1, format1);
  args.second = box_set("boxes2", boxes2, format2);
  args.batch = boxes1.shape(0);
  require(boxes2.shape(0) == args.batch, "boxes2", "of the batch of boxes1");
  args.eps = {eps, eps, eps};
  const bool in_double = needs_double(args.first.dtype) || needs_double(args.second.dtype);
  py::array out = scores_array(in_double, {args.batch, args.first.count, args.second.count});
  args.out = out.mutable_data();
  args.out_dtype = in_double ? DType::f64 : DType::f32;
  require(in_double ? run<double>(args, kind, threads) : run<float>(args, kind, threads), "kind", "of the registry");
  return out;
}

}  // namespace

void add_pairwise(py::module_& m) {
  m.def("pairwise", &pairwise, "Scores (batch, N, M) of boxes (batch, N, 4) and (batch, M, 4).");
}

}  // namespace fastiou
