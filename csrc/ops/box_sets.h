// Torch tensors -> sets of boxes.
#pragma once
#include <optional>

#include "../kernels/box_set.h"
#include "operands.h"

namespace fastiou {

// boxes (count, width) or (batch, count, width), mask of the same leading shape or none. Python has checked the
// arguments, with their names, and expanded what was to be broadcast. What is left here protects memory.
inline BoxSet box_set(const char* name, const Tensor& boxes, const std::optional<Tensor>& mask, int64_t format) {
  const int64_t d = boxes.dim();
  const int64_t width = width_of(static_cast<Format>(format));
  STD_TORCH_CHECK((d == 2 || d == 3) && boxes.size(d - 1) == width, "fastiou: ", name, " must be (count, ", width,
                  ") or (batch, count, ", width, ")");
  BoxSet s;
  s.data = boxes.const_data_ptr();
  s.dtype = dtype_of(boxes);
  STD_TORCH_CHECK(s.dtype != DType::boolean, "fastiou: ", name, " must be numbers");
  s.format = static_cast<Format>(format);
  STD_TORCH_CHECK(s.format != Format::ltrb, "fastiou: ", name, " must not be ltrb");
  s.count = boxes.size(d - 2);
  s.batch_stride = d == 3 ? boxes.stride(0) : 0;
  s.stride = boxes.stride(d - 2);
  s.inner = boxes.stride(d - 1);
  const int64_t element = size_of(s.dtype), alignment = std::min<int64_t>(16, width * element);
  s.packed = width == 4 && s.inner == 1 && reinterpret_cast<uintptr_t>(s.data) % alignment == 0 &&
             s.stride * element % alignment == 0 && s.batch_stride * element % alignment == 0;
  if (mask) {
    bool ok = mask->dim() == d - 1 && dtype_of(*mask) == DType::boolean &&
              mask->get_device_index() == boxes.get_device_index();
    for (int64_t i = 0; ok && i < d - 1; ++i) ok = mask->size(i) == boxes.size(i);
    STD_TORCH_CHECK(ok, "fastiou: the mask of ", name, " must be bool and have a number for every box");
    s.mask = static_cast<const bool*>(mask->const_data_ptr());
    s.mask_batch_stride = d == 3 ? mask->stride(0) : 0;
    s.mask_stride = mask->stride(d - 2);
  }
  return s;
}

// Boxes of a pair have one geometry, and angles of a pair one unit.
inline void check_same_kind(const BoxSet& a, const BoxSet& b) {
  STD_TORCH_CHECK(a.rotated() == b.rotated() && in_degrees(a.format) == in_degrees(b.format),
                  "fastiou: boxes of both sets must be rotated, with angles in one unit, or neither");
}

// Two sets with the same batch, on one device.
inline int64_t batch_of(const Tensor& boxes1, const Tensor& boxes2) {
  const bool batched = boxes1.dim() == 3;
  const bool alike = boxes1.dim() == boxes2.dim() && boxes1.size(boxes1.dim() - 1) == boxes2.size(boxes2.dim() - 1);
  STD_TORCH_CHECK(alike && (!batched || boxes1.size(0) == boxes2.size(0)) &&
                      boxes1.get_device_index() == boxes2.get_device_index() && boxes1.is_cuda() == boxes2.is_cuda(),
                  "fastiou: boxes1 and boxes2 must have the same batch, width and device");
  return batched ? boxes1.size(0) : 1;
}

// What scores are computed in, and what they are returned as.
inline ScalarType compute_type(const Tensor& boxes1, const Tensor& boxes2) {
  return needs_double(dtype_of(boxes1)) || needs_double(dtype_of(boxes2)) ? ScalarType::Double : ScalarType::Float;
}
inline ScalarType score_type(const Tensor& boxes1, const Tensor& boxes2) {
  return dtype_of(boxes1) == DType::f64 || dtype_of(boxes2) == DType::f64 ? ScalarType::Double : ScalarType::Float;
}

inline std::vector<int64_t> shape_of(const Tensor& boxes, std::initializer_list<int64_t> last) {
  std::vector<int64_t> shape;
  if (boxes.dim() == 3) shape.push_back(boxes.size(0));
  shape.insert(shape.end(), last);
  return shape;
}

}  // namespace fastiou
