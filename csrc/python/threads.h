// Tasks on threads that live for one call: without a pool nothing is left that a fork could lose.
#pragma once
#ifdef __linux__
#include <sched.h>
#endif

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace fastiou {

// The cores that this process may use.
inline int64_t usable_cores() {
#ifdef __linux__
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
  return std::max(1u, std::thread::hardware_concurrency());
}

// Calls task(i) for all i < count, on `threads` threads (0: one for every usable core), the caller's among them, but on
// no more than there are `grain` tasks for each: what one thread takes to start. The first exception ends the work and
// is thrown here.
template <class Task> void for_tasks(int64_t count, int64_t threads, int64_t grain, const Task& task) {
  threads = std::min(threads > 0 ? threads : usable_cores(), std::max<int64_t>(1, count / grain));
  std::atomic<int64_t> next{0};
  std::exception_ptr failure;
  std::mutex failing;
  const auto work = [&] {
    try {
      for (int64_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < count;) task(i);
    } catch (...) {
      const std::lock_guard lock(failing);
      if (!failure) failure = std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> others;
  others.reserve(threads - 1);
  try {
    while (static_cast<int64_t>(others.size()) < threads - 1) others.emplace_back(work);
  } catch (...) {
    // No more threads, or no memory for them: those that there are do the work.
  }
  work();
  for (std::thread& other : others) other.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace fastiou
