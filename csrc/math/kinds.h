// The registry of loss kinds. To add one: a header beside this file, its name in the list below, and a function of the
// same name in fastiou/reference.py. Kernels, Python, tests, benchmarks and the README's table follow from here.
#pragma once
#include "ciou.h"
#include "diou.h"
#include "giou.h"
#include "iou.h"
#include "iou_log.h"
#include "iou_square.h"

namespace fastiou {

template <class... K> struct TypeList {};

using Kinds = TypeList<IoU, IoULog, IoUSquare, GIoU, DIoU, CIoU>;

// Calls f.operator()<Kind>() for the index-th kind; false if there is none.
template <class F, class... K> bool dispatch_kind(int64_t index, F&& f, TypeList<K...>) {
  int64_t i = 0;
  return ((i++ == index && (f.template operator()<K>(), true)) || ...);
}

}  // namespace fastiou
