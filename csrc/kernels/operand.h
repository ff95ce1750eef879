// How a kernel sees tensors: a common index space of rows, and operands with their own dtype and strides in it.
// These plain structs are the whole contract between ops/ (which knows torch) and the loops (which do not).
#pragma once
#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include "../math/scalar.h"

namespace fastiou {

// Boxes of a loss are floating point, those of a set also integers; weights and avg_factor may be masks and counts.
enum class DType : int { f16, bf16, f32, f64, boolean, u8, i8, i16, i32, i64 };
enum class Accept : int { floats, counts, boxes };

constexpr int kMaxDims = 12;

// Rows of boxes under their leading dimensions, outermost first; neighbouring dimensions are merged where all operands
// allow it, so a contiguous tensor has one.
struct Rows {
  int64_t count = 0;
  int ndim = 0;
  int64_t size[kMaxDims] = {};
};

// A tensor (rows..., width). Strides are in elements; a broadcast dimension has stride 0.
struct Operand {
  void* data = nullptr;
  DType dtype = DType::f32;
  bool packed = false;  // the elements of each row are adjacent, and aligned as one vector
  int64_t inner = 1;
  int64_t stride[kMaxDims] = {};

  FASTIOU_HD explicit operator bool() const { return data != nullptr; }
};

// Calls f.template operator()<S>() with the element type of `dtype`; integers only where they are expected.
template <Accept kAccept = Accept::floats, class F> FASTIOU_HD void dispatch_dtype(DType dtype, F&& f) {
  if constexpr (kAccept == Accept::counts) {
    if (dtype == DType::boolean) return f.template operator()<bool>();
    if (dtype == DType::i64) return f.template operator()<int64_t>();
  }
  if constexpr (kAccept == Accept::boxes) {
    switch (dtype) {
      case DType::u8: return f.template operator()<uint8_t>();
      case DType::i8: return f.template operator()<int8_t>();
      case DType::i16: return f.template operator()<int16_t>();
      case DType::i32: return f.template operator()<int32_t>();
      case DType::i64: return f.template operator()<int64_t>();
      default: break;
    }
  }
  switch (dtype) {
    case DType::f16: f.template operator()<c10::Half>(); break;
    case DType::bf16: f.template operator()<c10::BFloat16>(); break;
    case DType::f64: f.template operator()<double>(); break;
    default: f.template operator()<float>();
  }
}

// One number of any dtype.
template <Real T> FASTIOU_HD T load_number(const void* data, DType dtype) {
  T x = 0;
  dispatch_dtype<Accept::counts>(dtype, [&]<class S>() { x = static_cast<T>(*static_cast<const S*>(data)); });
  return x;
}

// The largest finite number of a dtype, as far as T can hold it.
template <Real T> FASTIOU_HD T largest_of(DType dtype) {
  switch (dtype) {
    case DType::f16: return T(65504);
    case DType::bf16: return T(3.3895313892515355e38);
    case DType::f32: return T(kLargest<float>);
    default: return kLargest<T>;
  }
}

}  // namespace fastiou
