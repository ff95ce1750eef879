// Shared memory of the block that runs. Its variables are thread-local ones, and there are no others in a library of
// emulated kernels: so what the library has of thread-local memory is shared memory, and can be found.
#pragma once
#include <link.h>

#include <cstring>

namespace emulated {

inline thread_local char some_shared_memory;  // makes the system give this thread its copy

// Fills shared memory with NaN, or -1, as nobody has written there yet.
inline void poison_shared_memory() {
  static const char here = 0;  // an address of this library
  some_shared_memory = here;
  const auto poison = [](dl_phdr_info* library, size_t, void*) {
    const ElfW(Phdr)* const begin = library->dlpi_phdr;
    const ElfW(Phdr)* const end = begin + library->dlpi_phnum;
    bool mine = false;
    for (const auto* p = begin; p < end; ++p)
      mine |=
          p->p_type == PT_LOAD && reinterpret_cast<ElfW(Addr)>(&here) - library->dlpi_addr - p->p_vaddr < p->p_memsz;
    for (const auto* p = begin; mine && p < end; ++p)
      if (p->p_type == PT_TLS) std::memset(library->dlpi_tls_data, 0xff, p->p_memsz);
    return int(mine);
  };
  dl_iterate_phdr(poison, nullptr);
}

}  // namespace emulated
