// No sanitizer looks into this file: it is told what matters (sanitizers.h).
#undef _FORTIFY_SOURCE  // it has no jumps between stacks
#include "engine.h"

#include <dlfcn.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "sanitizers.h"
#include "shared_memory.h"

Index threadIdx, blockIdx, gridDim, blockDim;

namespace emulated {
namespace {

constexpr unsigned kWarp = 32, kMostThreads = 1024;
constexpr size_t kStackBytes = size_t(1) << 17;

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  unsigned below(unsigned n) { return static_cast<unsigned>((next() >> 32) * n >> 32); }

 private:
  uint64_t next() {  // splitmix64
    uint64_t x = state_ += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
  }
  uint64_t state_;
};

enum class Meeting : uint8_t { none, block_barrier, warp_barrier, shuffle, vote };
constexpr const char* kMeetings[] = {"runs", "waits at __syncthreads", "waits at __syncwarp", "waits at a shuffle",
                                     "waits at a vote"};

// Where a thread runs: a stack, and what a sanitizer takes for a thread.
struct Place {
  char* stack;
  Fiber fiber;
};

// Places are used again: making one takes longer than most threads run. Where races are looked for, not before the next
// launch, because what happens at one place happens in order; and not too many are kept.
class Places {
 public:
  Place take() {
    if (free_.empty()) return make();
    const Place place = free_.back();
    free_.pop_back();
    return place;
  }
  void give_back(const Place& place, bool is_done) {
    if (!is_done || used_.size() == kMost) return remove(place);
    (kSeesRaces ? used_ : free_).push_back(place);
  }
  void end_launch() {
    free_.insert(free_.end(), used_.begin(), used_.end());
    used_.clear();
  }

 private:
  static constexpr size_t kMost = 1024;

  static Place make() {
    constexpr int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    void* const stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (stack == MAP_FAILED) throw std::runtime_error("emulation: no memory for stacks");
    return {static_cast<char*>(stack), Fiber::start({stack, kStackBytes})};
  }
  static void remove(const Place& place) {
    place.fiber.end();
    munmap(place.stack, kStackBytes);
  }
  std::vector<Place> free_, used_;
};

// What a thread waits for, and where it goes on: a context starts it; jumps, which ask nothing of the system, take
// turns.
struct Thread {
  ucontext_t start;
  jmp_buf turn;
  bool started = false, done = false;
  Meeting at = Meeting::none;
  unsigned lanes = 0;          // that it waits for, of its warp
  unsigned from = 0, yes = 0;  // the lane that it asks, what it says; then who said yes
  Shown shown{}, found{};
  Place place{};
};

Places places;
Thread threads[kMostThreads];
unsigned self;  // the thread whose turn it is
jmp_buf scheduler;
Fiber scheduler_fiber;
Random order(0);
std::string error;
char clock_of_fences, clock_of_blocks, clock_of_launch;
std::map<const void*, unsigned> threads_of_kernels;

struct Work {
  void (*body)(const void*);
  const void* arguments;
} work;

class Block {
 public:
  explicit Block(unsigned count) : count_(count) {
    publish(&clock_of_blocks);
    for (unsigned t = 0; t < count; ++t) start(t);
  }
  ~Block() {
    for (unsigned t = 0; t < count_; ++t) {
      threads[t].place.fiber.act();
      publish(&clock_of_launch);
    }
    scheduler_fiber.act();
    for (unsigned t = 0; t < count_; ++t) places.give_back(threads[t].place, threads[t].done);
  }

  void run() {
    while (ready_count_ > 0 && error.empty()) {
      unsigned& chosen = ready_[order.below(ready_count_)];
      const unsigned t = chosen;
      chosen = ready_[--ready_count_];
      resume(t);
    }
    if (done_ < count_ && error.empty()) error = why_in_vain();
  }

  unsigned meet_block(bool yes) {
    threads[self].at = Meeting::block_barrier, threads[self].lanes = ~0u;
    yes_ += yes;
    if (++arrived_ < count_) {
      suspend();
      return answer_;
    }
    answer_ = yes_;
    arrived_ = yes_ = 0;
    order_all(0, count_, ~0u);
    release(0, count_, ~0u);
    return answer_;
  }

  void meet_lanes(Meeting at, unsigned lanes) {
    const unsigned first = self / kWarp * kWarp;
    unsigned& waiting = waiting_[self / kWarp];
    threads[self].at = at, threads[self].lanes = lanes;
    if (!is_named(self, lanes)) return fail("does not name itself", self);
    waiting |= 1u << self % kWarp;
    if ((waiting & lanes) != lanes) return suspend();
    for (unsigned t = first; t < first + kWarp; ++t)
      if (is_named(t, lanes) && !is_there(t, at, lanes)) return suspend();
    waiting &= ~lanes;
    if (at == Meeting::warp_barrier) order_all(first, kWarp, lanes);
    if (at == Meeting::shuffle && !hand_over(first, lanes)) return;
    if (at == Meeting::vote) count_votes(first, lanes);
    release(first, kWarp, lanes);
  }

  void suspend() {
    if (_setjmp(threads[self].turn) != 0) return Fiber::arrived();
    scheduler_fiber.leave_for();
    _longjmp(scheduler, 1);
  }
  void yield() {
    ready_[ready_count_++] = self;
    suspend();
  }
  void finish() {
    threads[self].done = true;
    ++done_;
    suspend();
  }

 private:
  static bool is_named(unsigned t, unsigned lanes) { return lanes >> t % kWarp & 1; }
  static bool is_there(unsigned t, Meeting at, unsigned lanes) {
    return threads[t].at == at && threads[t].lanes == lanes;
  }

  void start(unsigned t) {
    Thread& thread = threads[t] = {};
    thread.place = places.take();
    thread.place.fiber.act();
    observe(&clock_of_blocks);
    scheduler_fiber.act();
    char name[64];
    std::snprintf(name, sizeof name, "block (%u, %u) thread %u", blockIdx.x, blockIdx.y, t);
    thread.place.fiber.set_name(name);
    getcontext(&thread.start);
    thread.start.uc_stack.ss_sp = thread.place.stack;
    thread.start.uc_stack.ss_size = kStackBytes;
    makecontext(&thread.start, &run_thread, 0);
    ready_[ready_count_++] = t;
  }
  static void run_thread();

  void resume(unsigned t) {
    self = t, threadIdx = {t, 0};
    if (_setjmp(scheduler) != 0) return Fiber::arrived();
    threads[t].place.fiber.leave_for();
    if (threads[t].started) _longjmp(threads[t].turn, 1);
    threads[t].started = true;
    setcontext(&threads[t].start);
  }

  // Threads that have met may go on; this one does.
  void release(unsigned first, unsigned count, unsigned lanes) {
    for (unsigned t = first; t < first + count; ++t) {
      if (!is_named(t, lanes)) continue;
      threads[t].at = Meeting::none;
      if (t != self) ready_[ready_count_++] = t;
    }
    maybe_yield();
  }

  // What these threads have done happens before what they do next.
  void order_all(unsigned first, unsigned count, unsigned lanes) {
    if (!kSeesRaces) return;
    void* const clock = std::malloc(1);  // a new one: an old one remembers others
    for (const auto tell : {publish, observe})
      for (unsigned t = first; t < first + count; ++t) {
        if (!is_named(t, lanes)) continue;
        threads[t].place.fiber.act();
        tell(clock);
      }
    threads[self].place.fiber.act();
    std::free(clock);
  }

  bool hand_over(unsigned first, unsigned lanes) {
    for (unsigned t = first; t < first + kWarp; ++t) {
      if (!is_named(t, lanes)) continue;
      const unsigned from = threads[t].from;
      if (from < kWarp && !is_named(from, lanes)) return fail("asks a lane that takes no part", t), false;
      threads[t].found = threads[from < kWarp ? first + from : t].shown;
    }
    return true;
  }
  void count_votes(unsigned first, unsigned lanes) {
    unsigned yes = 0;
    for (unsigned t = first; t < first + kWarp; ++t)
      if (is_named(t, lanes)) yes |= threads[t].yes << t % kWarp;
    for (unsigned t = first; t < first + kWarp; ++t)
      if (is_named(t, lanes)) threads[t].yes = yes;
  }

  // Ends the launch: this thread never goes on.
  void fail(const char* what, unsigned t) {
    error = describe(t) + ", and " + what;
    suspend();
  }
  static std::string describe(unsigned t) {
    char text[128];
    const Thread& thread = threads[t];
    const char* const state = thread.done ? "has returned" : kMeetings[static_cast<int>(thread.at)];
    const int n = std::snprintf(text, sizeof text, "thread %u %s", t, state);
    if (thread.at > Meeting::block_barrier) std::snprintf(text + n, sizeof text - n, " of lanes %#x", thread.lanes);
    return text;
  }
  // Names a thread that waits, and one that it waits for.
  std::string why_in_vain() const {
    unsigned waits = 0;
    while (threads[waits].done) ++waits;
    const Thread& w = threads[waits];
    const bool in_warp = w.at != Meeting::block_barrier;
    const unsigned lanes = in_warp ? w.lanes : ~0u;
    unsigned other = in_warp ? waits / kWarp * kWarp : 0;
    while (!is_named(other, lanes) || is_there(other, w.at, w.lanes)) ++other;
    return describe(waits) + ", but " + describe(other);
  }

  unsigned count_, done_ = 0, ready_count_ = 0;
  unsigned arrived_ = 0, yes_ = 0, answer_ = 0;  // at the barrier of the block
  unsigned waiting_[kMostThreads / kWarp] = {};  // lanes, at meetings of their warp
  unsigned ready_[kMostThreads];
};
Block* block;

void Block::run_thread() {
  Fiber::arrived();
  work.body(work.arguments);
  block->finish();
}

void run_block(unsigned threads) {
  scheduler_fiber = Fiber::current();
  poison_shared_memory();
  Block here(threads);
  block = &here;
  here.run();
}

// Runs a block in a thread of its own, which has shared memory of its own. Waiting for it is hidden from the sanitizer
// (no barrier on a GPU orders two blocks); all of them are joined at the end of the launch.
class BlockThreads {
 public:
  void run(unsigned threads) {
    const unsigned before = done_;
    threads_.emplace_back([=, this] {
      run_block(threads);
      ++done_;
      done_.notify_one();
    });
    done_.wait(before);
  }
  ~BlockThreads() {
    for (std::thread& t : threads_) t.join();
    observe(&clock_of_launch);
    places.end_launch();
  }

 private:
  std::atomic<unsigned> done_ = 0;
  std::vector<std::thread> threads_;
};

std::vector<unsigned> shuffled(unsigned n) {
  std::vector<unsigned> numbers(n);
  std::iota(numbers.begin(), numbers.end(), 0);
  for (unsigned i = n; i > 1; --i) std::swap(numbers[i - 1], numbers[order.below(i)]);
  return numbers;
}

}  // namespace

void run_grid(Index grid, unsigned threads, void (*body)(const void*), const void* arguments) {
  gridDim = grid, blockDim = {threads, 1};
  work = {body, arguments};
  error.clear();
  BlockThreads apart;
  for (const unsigned b : shuffled(grid.x * grid.y)) {
    blockIdx = {b % grid.x, b / grid.x};
    if (kSeesRaces) apart.run(threads);
    else run_block(threads);
    if (error.empty()) continue;
    const std::string where = "block (" + std::to_string(blockIdx.x) + ", " + std::to_string(blockIdx.y) + "): ";
    throw std::runtime_error("emulation: " + where + error);
  }
}

void check_launch(Index grid, unsigned threads, unsigned parameter_bytes) {
  const auto require = [](bool ok, const char* what) {
    if (!ok) throw std::runtime_error(std::string("emulation: a launch needs ") + what);
  };
  require(threads > 0 && threads <= kMostThreads && threads % kWarp == 0, "whole warps, at most 1024 threads");
  require(grid.x > 0 && grid.y > 0, "blocks");
  require(grid.x <= 0x7fffffffu && grid.y <= 0xffffu, "at most 2^31 - 1 times 65535 blocks");
  require(parameter_bytes <= 4096, "at most 4096 bytes of parameters");
}

void note_launch(const void* kernel, unsigned threads) {
  unsigned& most = threads_of_kernels[kernel];
  most = std::max(most, threads);
}

unsigned meet_block(bool yes) { return block->meet_block(yes); }
void meet_warp(unsigned lanes) { block->meet_lanes(Meeting::warp_barrier, lanes); }
Shown shuffle(unsigned lanes, const Shown& shown, unsigned lane) {
  Thread& me = threads[self];
  me.shown = shown, me.from = lane;
  block->meet_lanes(Meeting::shuffle, lanes);
  return me.found;
}
unsigned vote(unsigned lanes, bool yes) {
  Thread& me = threads[self];
  me.yes = yes;
  block->meet_lanes(Meeting::vote, lanes);
  return me.yes;
}
void fence() {
  observe(&clock_of_fences);
  publish(&clock_of_fences);
}
void maybe_yield() {
  if (order.below(4) == 0) block->yield();
}

}  // namespace emulated

void set_emulation_seed(uint64_t seed) {
  emulated::order = emulated::Random(seed);
}

unsigned launched_kernels(uint64_t* offsets, unsigned* threads, unsigned most) {
  Dl_info library;
  if (dladdr(reinterpret_cast<void*>(&launched_kernels), &library) == 0) return 0;
  unsigned n = 0;
  for (const auto& [kernel, largest] : emulated::threads_of_kernels) {
    if (n == most) break;
    offsets[n] = static_cast<uint64_t>(static_cast<const char*>(kernel) - static_cast<const char*>(library.dli_fbase));
    threads[n++] = largest;
  }
  return n;
}

#ifdef EMULATED_WITH_TSAN
// A volatile access is a relaxed atomic one on a GPU (PTX: ld.volatile, st.volatile).
#define VOLATILE_ACCESS(bytes, bits, Int)                                           \
  Int __tsan_atomic##bits##_load(const volatile Int*, int order);                   \
  Int __tsan_atomic##bits##_fetch_or(volatile Int*, Int, int order);                \
  void __tsan_volatile_read##bytes(Int* p) { __tsan_atomic##bits##_load(p, 0); }    \
  void __tsan_volatile_write##bytes(Int* p) { __tsan_atomic##bits##_fetch_or(p, 0, 0); }
extern "C" {
VOLATILE_ACCESS(1, 8, char)
VOLATILE_ACCESS(2, 16, short)
VOLATILE_ACCESS(4, 32, int)
VOLATILE_ACCESS(8, 64, long long)
}
#endif
