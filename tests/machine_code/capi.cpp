// The machine for languages that speak C. Functions that can fail return nullptr or -1, and last_error() says why.
#include <cstring>

#include "machine.h"

using namespace machine;

namespace {

thread_local std::string error;

template <class T, class F> T guarded(T failed, F f) {
  try {
    return f();
  } catch (const std::exception& e) {
    error = e.what();
    return failed;
  }
}

// Text that stays until the next call.
const char* keep(std::string text) {
  static thread_local std::string kept;
  kept = std::move(text);
  return kept.c_str();
}

// One line of "name value" per count.
std::string lines_of(const Counts& c) {
  std::string out;
  const auto add = [&](const std::string& name, uint64_t value) { out += name + " " + std::to_string(value) + "\n"; };
  add("instructions", c.instructions);
  add("lanes", c.lanes);
  add("bytes_loaded", c.bytes_loaded);
  add("sectors_loaded", c.sectors_loaded);
  add("bytes_stored", c.bytes_stored);
  add("sectors_stored", c.sectors_stored);
  add("bytes_local", c.bytes_local);
  add("atomics", c.atomics);
  add("shared_accesses", c.shared_accesses);
  add("shared_conflicts", c.shared_conflicts);
  add("divergent_branches", c.divergent_branches);
  add("barriers", c.barriers);
  for (const auto& [pipe, n] : c.by_pipe) add("pipe." + pipe, n);
  for (const auto& [opcode, n] : c.by_opcode) add("opcode." + opcode, n);
  return out;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const std::string& line : lines) out += line + "\n";
  return out;
}

}  // namespace

extern "C" {

const char* last_error() { return error.c_str(); }

Machine* machine_new() { return new Machine; }
void machine_delete(Machine* m) { delete m; }

int machine_load(Machine* m, const char* cubin, const char* listing) {
  return guarded(-1, [&] { return m->load(cubin, listing), 0; });
}
const char* machine_kernels(Machine* m) {
  return guarded<const char*>(nullptr, [&] { return keep(joined(m->kernels())); });
}
const char* machine_unknown(Machine* m, const char* kernel) {
  return guarded<const char*>(nullptr, [&] { return keep(joined(m->unknown(kernel))); });
}
long machine_parameter_bytes(Machine* m, const char* kernel) {
  return guarded(-1L, [&] { return static_cast<long>(m->parameter_bytes(kernel)); });
}

int machine_allow(Machine* m, const void* p, size_t bytes, int written) {
  return guarded(-1, [&] { return m->allow(p, bytes, written != 0), 0; });
}
void machine_forget(Machine* m, const void* p) { m->forget(p); }
int machine_note_written(Machine* m, const void* p, size_t bytes) {
  return guarded(-1, [&] { return m->note_written(p, bytes), 0; });
}
int machine_written(Machine* m, const void* p, size_t bytes) { return m->written(p, bytes); }
void* machine_variable(Machine* m, const char* name) {
  return guarded<void*>(nullptr, [&] { return m->variable(name); });
}

void machine_options(Machine* m, uint64_t seed, unsigned resident, int inexact, uint64_t most_instructions) {
  m->options() = {seed, resident, inexact != 0, most_instructions};
}

// What the run did, as lines; nullptr after a fault.
const char* machine_run(Machine* m, const char* kernel, unsigned x, unsigned y, unsigned threads, size_t dynamic_shared,
                        const unsigned char* params, size_t bytes) {
  return guarded<const char*>(nullptr, [&] {
    return keep(lines_of(m->run(kernel, {x, y, threads, dynamic_shared}, {params, params + bytes})));
  });
}

}  // extern "C"
