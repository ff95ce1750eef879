// Sets of boxes as kernels see them, for all that compares every box of one set with every box of another.
#pragma once
#include "operand.h"
#include "pair.h"

namespace fastiou {

// Boxes (batch, count, 4), or (batch, count, 5) in rotated formats, of any dtype and strides; strides in elements.
// `mask` (batch, count) marks the boxes that are there, or is absent.
struct BoxSet {
  const void* data = nullptr;
  DType dtype = DType::f32;
  Format format = Format::xyxy;
  int64_t count = 0;
  int64_t batch_stride = 0, stride = 4, inner = 1;
  bool packed = false;  // the numbers of each box are adjacent, and aligned as one vector
  const bool* mask = nullptr;
  int64_t mask_batch_stride = 0, mask_stride = 1;

  FASTIOU_HD bool rotated() const { return is_rotated(format); }
  FASTIOU_HD int64_t width() const { return width_of(format); }
  FASTIOU_HD bool has(int64_t batch, int64_t i) const {
    return mask == nullptr || mask[batch * mask_batch_stride + i * mask_stride];
  }
};

// Whether scores of these boxes are computed in double: integers of 32 bits and more do not fit a float.
inline bool needs_double(DType dtype) { return dtype == DType::f64 || dtype == DType::i32 || dtype == DType::i64; }

template <Real T> FASTIOU_HD Eps<T> eps_of(const Eps<double>& eps) {
  return {static_cast<T>(eps.overlap), static_cast<T>(eps.area), static_cast<T>(eps.ratio)};
}

}  // namespace fastiou
