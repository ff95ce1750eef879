// MUFU: approximations of functions. A GPU's are not rounded exactly, so neither are these: each result is one of the
// two floats around the true one, chosen by the bits of the argument. Exact results (zeros, infinities, powers of two
// where they have one) stay. Small arguments and results are flushed: code scales where that matters.
#include <cmath>
#include <numbers>

#include "block.h"
#include "compute.h"
#include "random.h"
#include "rounding.h"

namespace machine {
namespace {

// One of -1, 0 and 1.
int wobble(uint64_t bits) { return static_cast<int>(mix(bits) % 3) - 1; }

// The float nearest to an exact result, or the one on its other side.
float neighbour(double exact, uint64_t bits, bool inexact) {
  const auto nearest = static_cast<float>(exact);
  if (!inexact || nearest == exact || nearest != nearest || std::isinf(nearest) || wobble(bits) != 1) return nearest;
  return std::nextafter(nearest, exact > nearest ? INFINITY : -INFINITY);
}

using Function = double (*)(double);
double reciprocal(double x) { return 1 / x; }
double root(double x) { return std::sqrt(x); }
double reciprocal_root(double x) { return 1 / std::sqrt(x); }
double power(double x) { return std::exp2(x); }
double logarithm(double x) { return std::log2(x); }
// The argument is in turns.
double sine(double x) { return std::sin(2 * std::numbers::pi * std::remainder(x, 1.0)); }
double cosine(double x) { return std::cos(2 * std::numbers::pi * std::remainder(x, 1.0)); }

// How far off a result may be beside its rounding: a GPU's logarithms near 1, sines and cosines are right to a fixed
// place.
double absolute_error(Function f, double x, double y) {
  if (f == logarithm) return x > 0.5 && x < 2 && x != 1 ? 0x1p-23 : 0;
  if (f == sine || f == cosine) return y == 0 || std::fabs(y) == 1 ? 0 : std::fmin(0x1p-22, std::fabs(y) / 16);
  return 0;
}

template <Function f> void run_function(Warp& w, const Instruction& i) {
  Words room, out;
  const Words& in = w.floats(i.operand[1], room);
  const bool inexact = w.launch.options.inexact;
  each_lane(w.active(), [&](unsigned l) {
    const uint32_t bits = flushed(in[l]);
    const double x = as_float(bits);
    double y = f(x);
    if (inexact) y += absolute_error(f, x, y) * wobble(mix(bits));
    out[l] = flushed(result_bits(neighbour(y, bits, inexact)));
  });
  w.put(i.operand[0], out);
}

// RCP64H and RSQ64H: the upper half of a double's, to start Newton's steps from.
template <Function f> void run_upper(Warp& w, const Instruction& i) {
  Words room, out;
  const Words& in = w.floats(i.operand[1], room);
  const bool inexact = w.launch.options.inexact;
  each_lane(w.active(), [&](unsigned l) {
    const bool small = (in[l] & 0x7ff00000u) == 0;
    const uint64_t bits = uint64_t(small ? in[l] & 0x80000000u : in[l]) << 32;
    const double y = f(as_double(bits));
    const uint64_t result = bits_of(y);
    const bool exact = static_cast<uint32_t>(result) == 0 || y != y;
    uint32_t upper = static_cast<uint32_t>(result >> 32);
    if (!exact && inexact && wobble(bits) == 1) ++upper;
    if ((upper & 0x7ff00000u) == 0) upper &= 0x80000000u;
    out[l] = y != y ? kNaN : upper;
  });
  w.put(i.operand[0], out);
}

Execute build_function(Instruction& i, Modifiers& m) {
  if (i.count != 2 || !are_numbers(i, 0, 2)) return nullptr;
  constexpr Execute functions[] = {run_function<reciprocal>, run_function<reciprocal_root>, run_function<root>,
                                   run_function<power>,      run_function<logarithm>,       run_function<sine>,
                                   run_function<cosine>,     run_upper<reciprocal>,         run_upper<reciprocal_root>};
  const int which = m.take_one({"RCP", "RSQ", "SQRT", "EX2", "LG2", "SIN", "COS", "RCP64H", "RSQ64H"});
  return which < 0 ? nullptr : functions[which];
}

}  // namespace

Entries function_instructions() { return {{"MUFU", build_function, Pipe::xu}}; }

}  // namespace machine
