// Tiles of pairs of rotated boxes on the CPU. What is done to them stands in rotated_stages_cpu.h, which is long to
// compile: one source file includes it, others this.
#pragma once
#include "loops_cpu.h"
#include "rotated.h"

namespace fastiou {

// A value and its partial derivatives by the numbers of a pose.
template <Real T> struct DualColumns {
  Columns<T, 1> v;
  Columns<T, by::count> d;
};

template <Real T> struct RotatedTile {
  alignas(64) Columns<T, 5> p, g;            // in
  Columns<T, 12> pose;                       // scaled
  Columns<T, 1> scale, poison;               // poison is 0, or NaN for rows that hold NaN or infinity
  DualColumns<T> shared, enclosing, result;  // result: the score, later the loss
  Columns<T, 5> grad_p, grad_g;              // out
};

template <Real T> FASTIOU_HD RotatedBox<T> rotated_at(const Columns<T, 5>& c, int64_t j) {
  return {c[0][j], c[1][j], c[2][j], c[3][j], c[4][j]};
}
template <Real T> FASTIOU_HD void set_rotated(Columns<T, 5>& c, int64_t j, const RotatedBox<T>& b) {
  c[0][j] = b.x, c[1][j] = b.y, c[2][j] = b.w, c[3][j] = b.h, c[4][j] = b.angle;
}

// The stages that a call needs, with or without partial derivatives.
template <Real T> class RotatedStages {
 public:
  RotatedStages(const RotatedOptions& o, bool degrees, bool grad);
  bool ok() const { return kind_ != nullptr && link_ != nullptr; }

  // result.v and, with gradient, grad_p and grad_g of the first n pairs. `factor` weighs them.
  void operator()(RotatedTile<T>& t, int64_t n, const T* factor) const;

 private:
  using Stage = void (*)(RotatedTile<T>&, int64_t);

  AngleUnit<T> unit_;
  T alpha_;
  bool grad_, exact_ = true;
  Stage shared_ = nullptr, enclosing_ = nullptr, kind_ = nullptr;
  void (*link_)(RotatedTile<T>&, int64_t, const LinkOptions<T>&, const T*) = nullptr;
  LinkOptions<T> options_;
};

}  // namespace fastiou
