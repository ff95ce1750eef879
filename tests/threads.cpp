// csrc/python/threads.h: every task is run once, on no more threads than allowed, and an exception reaches the caller.
#include "../csrc/python/threads.h"

#include <cstdio>
#include <cstdlib>
#include <set>
#include <stdexcept>

static void expect(bool ok, const char* what) {
  if (ok) return;
  std::printf("failed: %s\n", what);
  std::exit(1);
}

int main() {
  for (int64_t count : {0, 1, 5, 1000})
    for (int64_t threads : {0, 1, 2, 7})
      for (int64_t grain : {1, 100}) {
        std::vector<std::atomic<int>> runs(count);
        std::mutex mutex;
        std::set<std::thread::id> seen;
        fastiou::for_tasks(count, threads, grain, [&](int64_t i) {
          ++runs[i];
          const std::lock_guard lock(mutex);
          seen.insert(std::this_thread::get_id());
        });
        for (const auto& n : runs) expect(n == 1, "every task is run once");
        const int64_t most = std::max<int64_t>(1, count / grain);
        expect(static_cast<int64_t>(seen.size()) <= most, "no thread without enough tasks");
        if (threads > 0) expect(static_cast<int64_t>(seen.size()) <= threads, "no more threads than allowed");
      }

  for (int64_t threads : {1, 4}) {
    std::atomic<int> runs{0};
    try {
      fastiou::for_tasks(1 << 20, threads, 1, [&](int64_t i) {
        ++runs;
        if (i == 3) throw std::runtime_error("of task 3");
      });
      expect(false, "the exception arrives");
    } catch (const std::runtime_error& error) {
      expect(std::string(error.what()) == "of task 3", "it is the task's");
    }
    expect(runs < 1 << 20, "it ends the work");
  }
}
