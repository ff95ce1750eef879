// The threads of a grid on the CPU: what a block of CUDA threads does together, without the language that kernels are
// written in (emulation.h). Threads of a block are coroutines. They take turns in a random order, and wait for each
// other at meetings: barriers, shuffles and votes. A meeting that not all come to is an error. Blocks run one after
// the other, in a random order as well.
#pragma once
#include <cstdint>

struct Index {
  unsigned x = 0, y = 0;
};
extern Index threadIdx, blockIdx, gridDim, blockDim;

// Chooses the order of threads and blocks from the next launch on.
extern "C" __attribute__((visibility("default"))) void set_emulation_seed(uint64_t seed);

// Writes where in this library the kernels begin that have run, and the threads of their largest blocks; at most so
// many. Returns how many they are.
extern "C" __attribute__((visibility("default"))) unsigned launched_kernels(uint64_t* offsets, unsigned* threads,
                                                                            unsigned most);

namespace emulated {

// Calls body(arguments) once for every thread. Throws a std::runtime_error where threads wait in vain.
void run_grid(Index grid, unsigned threads, void (*body)(const void*), const void* arguments);

// Remembers that a kernel runs in blocks of so many threads.
void note_launch(const void* kernel, unsigned threads);

// Throws, as a GPU or nvcc would, if there is no such launch.
void check_launch(Index grid, unsigned threads, unsigned parameter_bytes);

// Returns how many threads of the block say yes, when all have said something.
unsigned meet_block(bool yes = true);

// Waits for the lanes in `lanes`, and makes what they have written visible to each other.
void meet_warp(unsigned lanes);

// What a lane shows others of its warp.
struct Shown {
  uint64_t words[2];
};
// Returns what `lane` shows; what this lane shows itself if there is no such lane. It makes no memory visible.
Shown shuffle(unsigned lanes, const Shown& shown, unsigned lane);

// Returns the lanes that say yes. It makes no memory visible.
unsigned vote(unsigned lanes, bool yes);

// Orders what this thread has done before what threads do after a later fence.
void fence();

// Lets another thread take its turn, now and then. Atomics call it, because others may come in between.
void maybe_yield();

}  // namespace emulated
