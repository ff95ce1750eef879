// Every atomic of integers. Lanes take one of two sets of cells in turn, so that the compiler cannot sum up for a warp.
#include <type_traits>

using i64 = long long;
using u64 = unsigned long long;
constexpr int kKinds = 6;

// Add, min, max, and, or, xor: results are written one after the other where they are wanted.
template <bool wanted, class T> __device__ void update(T* cells, T x, T* seen) {
  using Bits = std::conditional_t<std::is_same_v<T, i64>, u64, T>;  // of signed 64 bits there are min and max alone
  auto* const bits = reinterpret_cast<Bits*>(cells);
  const auto note = [&](int kind, T old) {
    if constexpr (wanted) seen[kind] = old;
  };
  note(0, atomicAdd(bits, Bits(x)));
  note(1, atomicMin(cells + 1, x));
  note(2, atomicMax(cells + 2, x));
  note(3, atomicAnd(bits + 3, Bits(x)));
  note(4, atomicOr(bits + 4, Bits(x)));
  note(5, atomicXor(bits + 5, Bits(x)));
}

// cells: two sets each for global memory without results, with them, and for shared memory.
template <class T> __device__ void update_everywhere(const T* in, T* cells, T* seen) {
  constexpr int kCells = 2 * kKinds;
  __shared__ T shared[kCells];
  const int lane = threadIdx.x, mine = lane % 2 * kKinds;
  const T x = in[lane];
  if (lane < kCells) shared[lane] = cells[2 * kCells + lane];
  __syncthreads();
  update<false>(cells + mine, x, seen);
  update<true>(cells + kCells + mine, x, seen + kKinds * lane);
  update<true>(shared + mine, x, seen + kKinds * (32 + lane));
  __syncthreads();
  if (lane < kCells) cells[2 * kCells + lane] = shared[lane];
}

extern "C" __global__ void int_atomics(const int* in, int* cells, int* seen) {
  update_everywhere(in, cells, seen);
}
extern "C" __global__ void uint_atomics(const unsigned* in, unsigned* cells, unsigned* seen) {
  update_everywhere(in, cells, seen);
}
extern "C" __global__ void long_atomics(const i64* in, i64* cells, i64* seen) {
  update_everywhere(in, cells, seen);
}
extern "C" __global__ void ulong_atomics(const u64* in, u64* cells, u64* seen) {
  update_everywhere(in, cells, seen);
}
