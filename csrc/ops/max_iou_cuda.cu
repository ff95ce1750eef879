#include <torch/csrc/stable/library.h>

#include "../kernels/max_iou_cuda.cuh"
#include "launch_cuda.h"
#include "max_iou.h"

namespace fastiou {
namespace {

// Boxes per thread: several share the work on a gt, if there are enough of them to fill a GPU all the same.
constexpr int kFew = 1, kMany = 4;
constexpr int64_t kManyBoxes = int64_t(1) << 18;

template <class Kind, Real T, int kBoxes>
void launch_max_iou(const MaxIoUArgs& a, const MaxIoUScratch& scratch, int64_t kind, cudaStream_t stream) {
  const auto given = fastiou::given<Kind, T>(kind, a.boxes.format);
  const int64_t tiles = tiles_of(a.boxes.count, kBoxes * kThreads);
  const unsigned blocks = grid_of(a.batch * tiles);
  if (blocks > 0) {
    if constexpr (sizeof(T) == sizeof(float)) {
      max_iou_kernel<Kind, T, kBoxes, Offer::both><<<blocks, kThreads, 0, stream>>>(a, scratch, tiles, given);
    } else {
      max_iou_kernel<Kind, T, kBoxes, Offer::score><<<blocks, kThreads, 0, stream>>>(a, scratch, tiles, given);
      STD_CUDA_KERNEL_LAUNCH_CHECK();
      max_iou_kernel<Kind, T, kBoxes, Offer::index><<<blocks, kThreads, 0, stream>>>(a, scratch, tiles, given);
    }
    STD_CUDA_KERNEL_LAUNCH_CHECK();
  }
  if (a.batch * a.gts.count == 0) return;
  read_keys_kernel<Loaded<Kind, T>, T><<<blocks_for(a.batch * a.gts.count, INT32_MAX), kThreads, 0, stream>>>(a, scratch);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

bool max_iou_cuda(const MaxIoUCall& call, int64_t kind) {
  const MaxIoUArgs& a = call.args;
  const DeviceGuard guard(call.values.get_device_index());
  const cudaStream_t stream = current_stream(call.values);
  const int64_t keys = a.batch * a.gts.count;
  const Tensor zeros = empty({2 * keys + a.batch}, ScalarType::Long, call.values);
  Key* const first = static_cast<Key*>(zeros.data_ptr());
  if (a.batch > 0) STD_CUDA_CHECK(cudaMemsetAsync(first, 0, (2 * keys + a.batch) * sizeof(Key), stream));
  const MaxIoUScratch scratch{first, first + keys, first + 2 * keys};
  const bool many = a.batch * a.boxes.count >= kManyBoxes;
  return dispatch_set(a.boxes, kind, [&]<class Kind>() {
    constexpr int most = kIsRotated<Kind> ? kFew : kMany;  // a pair of rotated boxes takes longer than reading one
    if (call.compute == ScalarType::Double) launch_max_iou<Kind, double, kFew>(a, scratch, kind, stream);
    else if (many) launch_max_iou<Kind, float, most>(a, scratch, kind, stream);
    else launch_max_iou<Kind, float, kFew>(a, scratch, kind, stream);
  });
}

template <class Kind, Real T> void launch_tied_gts(const TiedGtsArgs& a, int64_t kind, cudaStream_t stream) {
  const int64_t tiles = tiles_of(a.boxes.count, kFew * kThreads);
  if (a.batch * tiles == 0) return;
  tied_gts_kernel<Kind, T, kFew><<<grid_of(a.batch * tiles), kThreads, 0, stream>>>(a, tiles, given<Kind, T>(kind, a.boxes.format));
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

bool tied_gts_cuda(const TiedGtsCall& call, int64_t kind) {
  const DeviceGuard guard(call.indices.get_device_index());
  const cudaStream_t stream = current_stream(call.indices);
  return dispatch_set(call.args.boxes, kind, [&]<class Kind>() {
    if (call.compute == ScalarType::Double) launch_tied_gts<Kind, double>(call.args, kind, stream);
    else launch_tied_gts<Kind, float>(call.args, kind, stream);
  });
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(fastiou, CUDA, m) {
  m.impl("max_iou", TORCH_BOX(&max_iou<max_iou_cuda>));
  m.impl("tied_gts", TORCH_BOX(&tied_gts<tied_gts_cuda>));
}

}  // namespace fastiou
