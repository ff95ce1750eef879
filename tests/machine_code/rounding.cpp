#include "rounding.h"

#include <cfenv>

namespace machine {
namespace {

// Sets the direction for as long as it lives. Compilers do not know of it: what is computed meanwhile goes through
// volatile.
class Direction {
 public:
  explicit Direction(Rounding r) : before_(std::fegetround()) {
    constexpr int directions[] = {FE_TONEAREST, FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    std::fesetround(directions[static_cast<int>(r)]);
  }
  ~Direction() { std::fesetround(before_); }

 private:
  int before_;
};

template <class T> T fused_in(T a, T b, T c, Rounding r) {
  const Direction direction(r);
  volatile T x = a, y = b, z = c;
  volatile T out = std::fma(x, y, z);
  return out;
}

template <class T> float narrowed_in(T x, Rounding r) {
  const Direction direction(r);
  volatile T in = x;
  volatile float out = static_cast<float>(in);
  return out;
}

}  // namespace

float fused(float a, float b, float c, Rounding r) { return fused_in(a, b, c, r); }
double fused(double a, double b, double c, Rounding r) { return fused_in(a, b, c, r); }

double product(double a, double b, Rounding r) {
  const Direction direction(r);
  volatile double x = a, y = b;
  volatile double out = x * y;
  return out;
}

float narrowed(double x, Rounding r) { return narrowed_in(x, r); }
float narrowed(int64_t x, Rounding r) { return narrowed_in(x, r); }
float narrowed(uint64_t x, Rounding r) { return narrowed_in(x, r); }

}  // namespace machine
