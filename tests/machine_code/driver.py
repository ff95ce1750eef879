"""The emulator from Python, without torch: kernels over NumPy arrays."""

import ctypes
import functools

import numpy as np

from machine_code.toolchain import Built, machine_library


class FaultError(RuntimeError):
    """What a kernel did wrong, or what the machine was asked wrongly."""


@functools.cache
def library() -> ctypes.CDLL:
    lib = ctypes.CDLL(str(machine_library()))
    text, pointer, size, integer = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    unsigned, long = ctypes.c_uint, ctypes.c_uint64
    for name, result, *arguments in [
        ("last_error", text),
        ("machine_new", pointer),
        ("machine_delete", None, pointer),
        ("machine_load", integer, pointer, text, text),
        ("machine_kernels", text, pointer),
        ("machine_unknown", text, pointer, text),
        ("machine_parameter_bytes", ctypes.c_long, pointer, text),
        ("machine_allow", integer, pointer, pointer, size, integer),
        ("machine_forget", None, pointer, pointer),
        ("machine_note_written", integer, pointer, pointer, size),
        ("machine_written", integer, pointer, pointer, size),
        ("machine_variable", pointer, pointer, text),
        ("machine_options", None, pointer, long, unsigned, integer, long),
        ("machine_run", text, pointer, text, unsigned, unsigned, unsigned, size, text, size),
    ]:
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def checked(result):
    """What a function returned; raises where that says that it failed."""
    if result is None or result == -1:
        raise FaultError(library().last_error().decode())
    return result


def packed(arguments) -> bytes:
    """A parameter block: arrays are pointers, numbers are NumPy's, aligned to their own sizes; bytes go as they are."""
    block = bytearray()
    for argument in arguments:
        data, alignment = argument, 8
        if isinstance(argument, np.ndarray):
            data = int(argument.ctypes.data).to_bytes(8, "little")
        elif isinstance(argument, np.generic):
            data, alignment = argument.tobytes(), argument.itemsize
        block += bytes(-len(block) % alignment) + data
    return bytes(block)


class Machine:
    def __init__(self, *built: Built, seed: int = 0, resident: int = 4, inexact: bool = True, most: int = 1 << 30):
        self.handle = library().machine_new()
        self.allowed: dict[int, np.ndarray] = {}
        library().machine_options(self.handle, seed, resident, inexact, most)
        for b in built:
            checked(library().machine_load(self.handle, str(b.cubin).encode(), str(b.listing).encode()))

    def __del__(self):
        library().machine_delete(self.handle)

    def kernels(self) -> list[str]:
        return checked(library().machine_kernels(self.handle)).decode().split()

    def unknown(self, kernel: str) -> list[str]:
        return checked(library().machine_unknown(self.handle, kernel.encode())).decode().splitlines()

    def allow(self, array: np.ndarray, written: bool = True) -> np.ndarray:
        """Lets kernels touch an array; returns it."""
        checked(library().machine_allow(self.handle, array.ctypes.data, array.nbytes, written))
        self.allowed[array.ctypes.data] = array
        return array

    def forget(self, array: np.ndarray) -> None:
        if self.allowed.pop(array.ctypes.data, None) is not None:
            library().machine_forget(self.handle, array.ctypes.data)

    def room(self, shape, dtype) -> np.ndarray:
        """An array that kernels must write before they read it."""
        return self.allow(np.zeros(shape, dtype), written=False)

    def note_written(self, array: np.ndarray) -> None:
        """The host has written an array that kernels may touch."""
        checked(library().machine_note_written(self.handle, array.ctypes.data, array.nbytes))

    def written(self, array: np.ndarray) -> bool:
        return bool(library().machine_written(self.handle, array.ctypes.data, array.nbytes))

    def variable(self, name: str, shape, dtype) -> np.ndarray:
        """A device variable, as an array over its memory."""
        address = checked(library().machine_variable(self.handle, name.encode()))
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return np.frombuffer((ctypes.c_char * size).from_address(address), dtype).reshape(shape)

    def run(self, kernel: str, grid, threads: int, *arguments, dynamic_shared: int = 0) -> dict[str, int]:
        """Runs a kernel; returns what it did. Arrays among the arguments that are not allowed yet are, as written."""
        for a in arguments:
            if isinstance(a, np.ndarray) and a.ctypes.data not in self.allowed:
                self.allow(a)
        x, y = grid if isinstance(grid, tuple) else (grid, 1)
        block = packed(arguments)
        said = checked(
            library().machine_run(self.handle, kernel.encode(), x, y, threads, dynamic_shared, block, len(block))
        )
        return {name: int(count) for name, count in (line.split() for line in said.decode().splitlines())}
