#include "session.h"

#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstring>

namespace machine_code {

Session& Session::get() {
  static Session session;
  return session;
}

void Session::allow(const void* p, size_t bytes, bool written) {
  const char *const begin = static_cast<const char*>(p), *const end = begin + bytes;
  auto at = allowed_.lower_bound(begin);
  if (at != allowed_.begin() && std::prev(at)->first + std::prev(at)->second > begin) --at;
  while (at != allowed_.end() && at->first < end) {
    machine().forget(at->first);
    at = allowed_.erase(at);
  }
  if (bytes == 0) return;
  machine().allow(p, bytes, written);
  allowed_[begin] = bytes;
}

void Session::zero(void* p, size_t bytes) {
  if (bytes == 0) return;
  std::memset(p, 0, bytes);
  machine().note_written(p, bytes);
}

void Session::forget() {
  for (const auto& [begin, bytes] : allowed_) machine().forget(begin);
  allowed_.clear();
}

void Session::run(const std::string& kernel, machine::Grid grid, const std::vector<unsigned char>& parameters) {
  runs_.push_back({machine().name(kernel), grid, machine().run(kernel, grid, parameters)});
}

namespace {

namespace py = pybind11;

py::dict as_dict(const Run& run) {
  const machine::Counts& c = run.counts;
  py::dict d;
  d["kernel"] = run.kernel;
  d["blocks"] = uint64_t(run.grid.x) * run.grid.y;
  d["threads"] = run.grid.threads;
  d["instructions"] = c.instructions;
  d["lanes"] = c.lanes;
  d["by_pipe"] = c.by_pipe;
  d["by_opcode"] = c.by_opcode;
  d["bytes_loaded"] = c.bytes_loaded, d["sectors_loaded"] = c.sectors_loaded;
  d["bytes_stored"] = c.bytes_stored, d["sectors_stored"] = c.sectors_stored;
  d["bytes_local"] = c.bytes_local;
  d["atomics"] = c.atomics;
  d["shared_accesses"] = c.shared_accesses, d["shared_conflicts"] = c.shared_conflicts;
  return d;
}

PYBIND11_MODULE(machine_session, m) {
  py::register_exception<machine::Fault>(m, "Fault", PyExc_RuntimeError);
  const auto pointer = [](uintptr_t p) { return reinterpret_cast<const void*>(p); };
  m.def("use", [](const std::string& name) { Session::get().use(name); });
  m.def("load",
        [](const std::string& cubin, const std::string& listing) { Session::get().machine().load(cubin, listing); });
  m.def("kernels", [] { return Session::get().machine().kernels(); });
  m.def("allow", [=](uintptr_t p, size_t bytes) { Session::get().allow(pointer(p), bytes, true); });
  m.def("written", [=](uintptr_t p, size_t bytes) { return Session::get().machine().written(pointer(p), bytes); });
  m.def("forget", [] { Session::get().forget(); });
  m.def("take_runs", [] {
    py::list runs;
    for (const Run& run : Session::get().take_runs()) runs.append(as_dict(run));
    return runs;
  });
  m.def("order", [](uint64_t seed) { Session::get().machine().options().seed = seed; });
}

}  // namespace
}  // namespace machine_code
