// The CUDA language, as far as kernels here use it, for a C++ compiler: it turns a .cuh file into code that engine.h
// runs on the CPU. Include it before any kernel.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "engine.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#ifdef EMULATED_WITH_ASAN
#define __shared__ static  // one block at a time; the sanitizer puts red zones around globals alone
#else
#define __shared__ static thread_local  // shared_memory.h finds them
#endif

using dim3 = Index;
constexpr int warpSize = 32;

// Barriers, and fences.
inline void __syncthreads() { emulated::meet_block(); }
inline int __syncthreads_count(int yes) { return static_cast<int>(emulated::meet_block(yes != 0)); }
inline int __syncthreads_or(int yes) { return emulated::meet_block(yes != 0) > 0; }
inline int __syncthreads_and(int yes) { return emulated::meet_block(yes != 0) == blockDim.x; }
inline void __syncwarp(unsigned lanes = 0xffffffffu) { emulated::meet_warp(lanes); }
inline void __threadfence() { emulated::fence(); }
inline void __threadfence_block() { emulated::fence(); }

// Votes, and shuffles of up to 16 bytes.
inline unsigned __ballot_sync(unsigned lanes, int yes) { return emulated::vote(lanes, yes != 0); }
inline int __any_sync(unsigned lanes, int yes) { return emulated::vote(lanes, yes != 0) != 0; }
inline int __all_sync(unsigned lanes, int yes) { return emulated::vote(lanes, yes != 0) == lanes; }

namespace emulated {
template <class T> T shuffle(unsigned lanes, T x, unsigned lane) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(Shown));
  Shown shown{};
  std::memcpy(&shown, &x, sizeof x);
  shown = shuffle(lanes, shown, lane);
  std::memcpy(&x, &shown, sizeof x);
  return x;
}
inline unsigned lane() { return threadIdx.x % 32; }
}  // namespace emulated
template <class T> T __shfl_sync(unsigned lanes, T x, int lane) { return emulated::shuffle(lanes, x, lane & 31); }
template <class T> T __shfl_xor_sync(unsigned lanes, T x, int mask) {
  return emulated::shuffle(lanes, x, emulated::lane() ^ static_cast<unsigned>(mask));
}
template <class T> T __shfl_down_sync(unsigned lanes, T x, unsigned offset) {
  return emulated::shuffle(lanes, x, emulated::lane() + offset);
}
template <class T> T __shfl_up_sync(unsigned lanes, T x, unsigned offset) {
  return emulated::shuffle(lanes, x, emulated::lane() - offset);
}

// Atomics: relaxed, and others may come in before. They return what was there.
namespace emulated {
template <class T, class F> T update(T* p, F f) {
  maybe_yield();
  T old, now;
  __atomic_load(p, &old, __ATOMIC_RELAXED);
  do {
    now = f(old);
  } while (!__atomic_compare_exchange(p, &old, &now, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}
}  // namespace emulated
template <class T> T atomicAdd(T* p, T x) { return emulated::update(p, [x](T old) { return old + x; }); }
template <class T> T atomicSub(T* p, T x) { return emulated::update(p, [x](T old) { return old - x; }); }
template <class T> T atomicMax(T* p, T x) { return emulated::update(p, [x](T old) { return old < x ? x : old; }); }
template <class T> T atomicMin(T* p, T x) { return emulated::update(p, [x](T old) { return x < old ? x : old; }); }
template <class T> T atomicOr(T* p, T x) { return emulated::update(p, [x](T old) { return old | x; }); }
template <class T> T atomicAnd(T* p, T x) { return emulated::update(p, [x](T old) { return old & x; }); }
template <class T> T atomicXor(T* p, T x) { return emulated::update(p, [x](T old) { return old ^ x; }); }
template <class T> T atomicExch(T* p, T x) { return emulated::update(p, [x](T) { return x; }); }
template <class T> T atomicCAS(T* p, T expected, T x) {
  return emulated::update(p, [=](T old) { return old == expected ? x : old; });
}
inline unsigned atomicInc(unsigned* p, unsigned last) {
  return emulated::update(p, [last](unsigned old) { return old >= last ? 0 : old + 1; });
}

// Atomics with an order (cuda/atomic).
namespace cuda {
enum thread_scope { thread_scope_system, thread_scope_device, thread_scope_block, thread_scope_thread };
enum memory_order {
  memory_order_relaxed = __ATOMIC_RELAXED,
  memory_order_acquire = __ATOMIC_ACQUIRE,
  memory_order_release = __ATOMIC_RELEASE,
  memory_order_acq_rel = __ATOMIC_ACQ_REL,
  memory_order_seq_cst = __ATOMIC_SEQ_CST
};
template <class T, thread_scope = thread_scope_system> class atomic_ref {
 public:
  explicit atomic_ref(T& x) : p_(&x) {}
  T load(memory_order order = memory_order_seq_cst) const { return __atomic_load_n(p_, order); }
  void store(T x, memory_order order = memory_order_seq_cst) const { __atomic_store_n(p_, x, order); }
  T exchange(T x, memory_order order = memory_order_seq_cst) const { return __atomic_exchange_n(p_, x, order); }
  T fetch_add(T x, memory_order order = memory_order_seq_cst) const {
    emulated::maybe_yield();
    return __atomic_fetch_add(p_, x, order);
  }
  T fetch_or(T x, memory_order order = memory_order_seq_cst) const { return __atomic_fetch_or(p_, x, order); }
  T fetch_and(T x, memory_order order = memory_order_seq_cst) const { return __atomic_fetch_and(p_, x, order); }

 private:
  T* p_;
};
}  // namespace cuda

// Loads and stores that say what a cache should do.
template <class T> T __ldg(const T* p) { return *p; }
template <class T> T __ldca(const T* p) { return *p; }
template <class T> T __ldcg(const T* p) { return *p; }
template <class T> T __ldcs(const T* p) { return *p; }
template <class T> T __ldlu(const T* p) { return *p; }
template <class T> T __ldcv(const T* p) { return *static_cast<const volatile T*>(p); }
template <class T> void __stcg(T* p, T x) { *p = x; }
template <class T> void __stcs(T* p, T x) { *p = x; }
template <class T> void __stwt(T* p, T x) { *p = x; }

// Numbers. The compiler is told not to fuse a product with a sum.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }  // NaN is 0
inline float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
inline float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
inline int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
inline unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
inline double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
inline long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }

// Bits.
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
inline int __clzll(long long x) { return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x)); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }

namespace emulated {

// Where the parameters of a kernel end, one behind the other, each on a place that fits it.
template <class... Params> constexpr unsigned parameter_bytes() {
  unsigned end = 0;
  ((end = static_cast<unsigned>((end + alignof(Params) - 1) / alignof(Params) * alignof(Params) + sizeof(Params))),
   ...);
  return end;
}

// kernel<<<grid, threads>>>(args...)
template <class... Params, class... Args>
void launch(void (*kernel)(Params...), Index grid, unsigned threads, const Args&... args) {
  static_assert((std::is_trivially_copyable_v<Params> && ...), "parameters are copied byte by byte");
  check_launch(grid, threads, parameter_bytes<Params...>());
  note_launch(reinterpret_cast<const void*>(kernel), threads);
  const auto thread = [&] { kernel(args...); };
  using Thread = decltype(thread);
  run_grid(grid, threads, [](const void* f) { (*static_cast<Thread*>(f))(); }, &thread);
}

}  // namespace emulated
