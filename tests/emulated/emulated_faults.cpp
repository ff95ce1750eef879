// Kernels with faults that the emulation has to find, beside kernels without. test_emulated_faults.py calls them by
// name.
#include "launcher.h"

#include <torch/csrc/stable/library.h>

#include <map>
#include <string>

#include "../../csrc/kernels/loads_cuda.cuh"

namespace fastiou {
namespace {

constexpr unsigned kBlock = 64;
constexpr unsigned kAll = 0xffffffffu;

// Passes a number to the next thread of the block.
template <bool kBarrier> __global__ void rotate_kernel(int* x) {
  __shared__ int shown[kBlock];
  shown[threadIdx.x] = x[threadIdx.x];
  if (kBarrier) __syncthreads();
  x[threadIdx.x] = shown[(threadIdx.x + 1) % kBlock];
}

// Passes a number to the next lane of the warp. A shuffle orders nothing in memory.
template <bool kBarrier> __global__ void rotate_lanes_kernel(int* x) {
  __shared__ int shown[kBlock];
  shown[threadIdx.x] = x[threadIdx.x];
  if (kBarrier) __syncwarp();
  else __shfl_xor_sync(kAll, 0, 1);
  x[threadIdx.x] = shown[threadIdx.x / 32 * 32 + (threadIdx.x + 1) % 32];
}

// Every block adds to one number.
template <bool kAtomic> __global__ void count_kernel(int* x) {
  if (threadIdx.x != 0) return;
  if (kAtomic) atomicAdd(x, 1);
  else *x += 1;
}

// The block that comes last reads what the others have written.
enum class Order { none, fence, acq_rel };
template <Order order> __global__ void last_block_kernel(int* x) {
  if (threadIdx.x != 0) return;
  x[1 + blockIdx.x] = 1;
  if (order == Order::fence) __threadfence();
  const cuda::atomic_ref<int, cuda::thread_scope_device> ticket(x[0]);
  const int before =
      ticket.fetch_add(1, order == Order::acq_rel ? cuda::memory_order_acq_rel : cuda::memory_order_relaxed);
  if (before != static_cast<int>(gridDim.x) - 1) return;
  if (order == Order::fence) __threadfence();
  for (unsigned b = 0; b < gridDim.x; ++b) x[kBlock - 1] += x[1 + b];
}

// A look at a number that others raise: volatile, it is a relaxed load.
template <bool kVolatile> __global__ void peek_kernel(int* x) {
  int seen;
  if constexpr (kVolatile) seen = *static_cast<volatile int*>(x);
  else seen = *x;
  if (seen < static_cast<int>(threadIdx.x)) atomicMax(x, static_cast<int>(threadIdx.x));
}

__global__ void left_barrier_kernel(int*) {
  if (threadIdx.x == 5) return;
  __syncthreads();
}
__global__ void left_shuffle_kernel(int* x) {
  if (threadIdx.x == 40) return;
  x[threadIdx.x] = __shfl_xor_sync(kAll, x[threadIdx.x], 1);
}
__global__ void split_warp_kernel(int* x) {
  if (threadIdx.x % 32 < 8) x[threadIdx.x] = __any_sync(kAll, 1);
  else __syncwarp();
}
__global__ void half_warp_kernel(int* x) {  // right: each half names itself
  const unsigned lanes = threadIdx.x % 32 < 16 ? 0xffffu : 0xffff0000u;
  x[threadIdx.x] = __shfl_xor_sync(lanes, x[threadIdx.x], 8);
}
__global__ void absent_lane_kernel(int* x) {
  if (threadIdx.x % 32 < 16) x[threadIdx.x] = __shfl_sync(0xffffu, x[threadIdx.x], 20);
}
__global__ void not_named_kernel(int* x) { x[threadIdx.x] = __ballot_sync(1, 1); }

__global__ void fresh_memory_kernel(int* x) {
  __shared__ int first;
  __shared__ double second[3];
  x[threadIdx.x] = first == -1 && second[2] != second[2];
  __syncthreads();
  if (threadIdx.x == 0) first = 3, second[2] = 4;
}
__global__ void nothing_kernel(int*) {}
__global__ void last_thread_wins_kernel(int* x) { *x = static_cast<int>(threadIdx.x); }
__global__ void last_block_wins_kernel(int* x) { *x = static_cast<int>(blockIdx.x); }

template <int kOffset> __global__ void packed_kernel(int* x) {  // a vector load
  if (threadIdx.x > 0) return;
  const auto v = *reinterpret_cast<const Packed<int, 4>*>(x + kOffset);
  x[0] = v.x[0] + v.x[3];
}
template <unsigned kBeyond> __global__ void beyond_kernel(int* x) { x[threadIdx.x + kBeyond] = 1; }
template <unsigned kBeyond> __global__ void beyond_shared_kernel(int* x) {
  __shared__ int shown[kBlock];
  int* const p = shown + kBeyond;
  p[threadIdx.x] = static_cast<int>(threadIdx.x);
  __syncthreads();
  x[threadIdx.x] = p[threadIdx.x];
}
__global__ void beyond_local_kernel(int* x) {
  int own[4] = {};
  x[0] = own[x[1] + 4];
}
__global__ void overflow_kernel(int* x) { x[threadIdx.x] = INT32_MAX + x[1]; }

struct Large {
  char bytes[5000];
};
__global__ void large_kernel(Large, int*) {}

using Case = void (*)(const EmulatedLaunch&, int*);
template <auto kernel, unsigned blocks = 1> void run(const EmulatedLaunch& launch, int* x) {
  launch(kernel, {blocks}, kBlock, x);
}
template <unsigned x, unsigned y, int threads> void run_nothing(const EmulatedLaunch& launch, int* p) {
  launch(nothing_kernel, {x, y}, threads, p);
}
void run_large(const EmulatedLaunch& launch, int* x) { launch(large_kernel, {1}, kBlock, Large{}, x); }

const std::map<std::string, Case> cases = {
    {"barrier", run<rotate_kernel<true>>},
    {"no barrier", run<rotate_kernel<false>>},
    {"warp barrier", run<rotate_lanes_kernel<true>>},
    {"no warp barrier", run<rotate_lanes_kernel<false>>},
    {"atomic", run<count_kernel<true>, 3>},
    {"no atomic", run<count_kernel<false>, 3>},
    {"fence", run<last_block_kernel<Order::fence>, 3>},
    {"acquire and release", run<last_block_kernel<Order::acq_rel>, 3>},
    {"no fence", run<last_block_kernel<Order::none>, 3>},
    {"volatile", run<peek_kernel<true>>},
    {"not volatile", run<peek_kernel<false>>},
    {"left barrier", run<left_barrier_kernel>},
    {"left shuffle", run<left_shuffle_kernel>},
    {"split warp", run<split_warp_kernel>},
    {"half a warp", run<half_warp_kernel>},
    {"absent lane", run<absent_lane_kernel>},
    {"not named", run<not_named_kernel>},
    {"fresh memory", run<fresh_memory_kernel, 3>},
    {"last thread", run<last_thread_wins_kernel>},
    {"last block", run<last_block_wins_kernel, 5>},
    {"aligned", run<packed_kernel<4>>},
    {"misaligned", run<packed_kernel<1>>},
    {"inside", run<beyond_kernel<0>>},
    {"beyond", run<beyond_kernel<1>>},
    {"inside shared", run<beyond_shared_kernel<0>>},
    {"beyond shared", run<beyond_shared_kernel<1>>},
    {"beyond local", run<beyond_local_kernel>},
    {"overflow", run<overflow_kernel>},
    {"no threads", run_nothing<1, 1, 0>},
    {"half warps", run_nothing<1, 1, 48>},
    {"many threads", run_nothing<1, 1, 1056>},
    {"most threads", run_nothing<1, 1, 1024>},
    {"no blocks", run_nothing<0, 1, 32>},
    {"many rows", run_nothing<1, 65536, 32>},
    {"many columns", run_nothing<1u << 31, 1, 32>},
    {"large parameters", run_large},
};

}  // namespace

// Returns 0, 1, ... 63 as the kernel has left them.
Tensor run_case(const Tensor& like, int64_t seed, std::string name) {
  set_emulation_seed(static_cast<uint64_t>(seed));
  const EmulatedLaunch launch(like);
  const Tensor numbers = empty({kBlock}, ScalarType::Int, like);
  int* const x = static_cast<int*>(numbers.data_ptr());
  for (int i = 0; i < static_cast<int>(kBlock); ++i) x[i] = i;
  cases.at(name)(launch, x);
  return numbers;
}
// Returns new memory, as operators get it.
Tensor fresh(const Tensor& like) { return empty({3, 5}, like.scalar_type(), like); }

STABLE_TORCH_LIBRARY(fastiou_emulated_faults, m) {
  m.def("run_case(Tensor like, int seed, str name) -> Tensor");
  m.def("fresh(Tensor like) -> Tensor");
}
STABLE_TORCH_LIBRARY_IMPL(fastiou_emulated_faults, CPU, m) {
  m.impl("run_case", TORCH_BOX(&run_case));
  m.impl("fresh", TORCH_BOX(&fresh));
}

}  // namespace fastiou
