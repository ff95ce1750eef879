// What sanitizers are told of coroutines, which they cannot see; nothing in a build for another one.
//
// To ThreadSanitizer a coroutine is a thread of its own (a fiber). What one does is ordered before what another does
// only where one has published at a clock what the other observes: neither by taking turns nor by shuffles.
// AddressSanitizer is told which stack is the current one.
#pragma once
#include <cstddef>

namespace emulated {

// The stack of a fiber.
struct Stack {
  const void* begin = nullptr;
  size_t bytes = 0;
};

}  // namespace emulated

#if defined(EMULATED_WITH_TSAN)
#include <sanitizer/tsan_interface.h>

namespace emulated {

constexpr bool kSeesRaces = true;

class Fiber {
 public:
  static Fiber current() { return {__tsan_get_current_fiber()}; }
  static Fiber start(Stack) { return {__tsan_create_fiber(0)}; }
  void set_name(const char* name) const { __tsan_set_fiber_name(fiber_, name); }
  void end() const { __tsan_destroy_fiber(fiber_); }

  // What follows is done by this fiber.
  void act() const { __tsan_switch_to_fiber(fiber_, __tsan_switch_to_fiber_no_sync); }
  // Right before a jump to this fiber, and right after a jump.
  void leave_for() const { act(); }
  static void arrived() {}

  Fiber(void* fiber = nullptr) : fiber_(fiber) {}

 private:
  void* fiber_;
};
inline void publish(void* clock) { __tsan_release(clock); }
inline void observe(void* clock) { __tsan_acquire(clock); }

}  // namespace emulated

#elif defined(EMULATED_WITH_ASAN)
#include <pthread.h>
#include <sanitizer/common_interface_defs.h>

namespace emulated {

constexpr bool kSeesRaces = false;

class Fiber {
 public:
  static Fiber current() {
    pthread_attr_t attributes;
    void* begin = nullptr;
    size_t bytes = 0;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &begin, &bytes);
    pthread_attr_destroy(&attributes);
    return {{begin, bytes}};
  }
  static Fiber start(Stack stack) { return {stack}; }
  void set_name(const char*) const {}
  void end() const {}
  void act() const {}
  void leave_for() const { __sanitizer_start_switch_fiber(nullptr, stack_.begin, stack_.bytes); }
  static void arrived() { __sanitizer_finish_switch_fiber(nullptr, nullptr, nullptr); }

  Fiber(Stack stack = {}) : stack_(stack) {}

 private:
  Stack stack_;
};
inline void publish(void*) {}
inline void observe(void*) {}

}  // namespace emulated

#else

namespace emulated {

constexpr bool kSeesRaces = false;

struct Fiber {
  static Fiber current() { return {}; }
  static Fiber start(Stack) { return {}; }
  void set_name(const char*) const {}
  void end() const {}
  void act() const {}
  void leave_for() const {}
  static void arrived() {}
};
inline void publish(void*) {}
inline void observe(void*) {}

}  // namespace emulated

#endif
