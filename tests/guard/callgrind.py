"""Instructions that calls take, counted by Valgrind: the same numbers on every machine.

    valgrind --tool=callgrind … python -m guard.callgrind dtype [names …]

counts those of kernels for one element, and of whole operations (`operations`) for one sample or
number: the difference of a longer and a shorter call, so that what both have in common goes away.
Kernels must be in the cache, where `assembly` leaves them: Valgrind makes the compiler slow.
`count` runs all this.
"""

import ctypes
import gc
import mmap
import re
import sys

__all__ = ["COMMAND", "read"]

COMMAND = "valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--combine-dumps=yes"

_ZERO, _DUMP, _START = 1, 3, 4
_CALLGRIND = ord("C") << 24 | ord("T") << 16
# Valgrind sees these instructions, which do nothing, and looks at what rax points to
_REQUEST = bytes.fromhex(
    "4889f8"  # mov rax, rdi
    "48c1c703 48c1c70d 48c1c73d 48c1c733"  # rol rdi by 3, 13, 61 and 51
    "4887db"  # xchg rbx, rbx
    "c3"  # ret
)
_SHORT, _LONG = 2304, 4 * 2304  # elements: in whole rows of 4, 8 and 9 features, in whole blocks
_TIMES = 3  # that a call is counted


class Counter:
    """Asks Valgrind to count."""

    def __init__(self):
        self._page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._page.write(_REQUEST)
        place = ctypes.addressof(ctypes.c_char.from_buffer(self._page))
        self._request = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(place)
        self._zero, self._start = self._arguments(_ZERO), self._arguments(_START)

    def _arguments(self, kind, text=None):
        return (ctypes.c_uint64 * 6)(_CALLGRIND + kind, text or 0)

    def start(self):
        """From now on, slowly."""
        gc.disable()
        self._request(self._start)

    def count(self, name, call, short, long, each):
        """Write down what both calls take, the longer of which does `each` things more.

        Each is counted several times, and `read` takes the least: what a call does once, because
        another network was at work or a symbol is looked up, is in none but the first.
        """
        for which, given, things in (("short", short, 0), ("long", long, each)):
            text = ctypes.create_string_buffer(f"{name}/{which}/{things}".encode())
            dump = self._arguments(_DUMP, ctypes.addressof(text))
            for _ in range(_TIMES):
                self._request(self._zero)
                call(*given)
                self._request(dump)


def read(path):
    """What was counted for one thing, by name."""
    text, least, things = path.read_text(), {}, {}
    pattern = (
        r"(?m)^desc: Trigger: Client Request: (.*)/(short|long)/(\d+)$[^\x00]*?^totals: (\d+)$"
    )
    for name, which, each, total in re.findall(pattern, text):
        least[name, which] = min(int(total), least.get((name, which), int(total)))
        things[name] = int(each)
    return {name: (least[name, "long"] - least[name, "short"]) / n for name, n in things.items()}


def _main(dtype, names):
    import numpy as np

    from fastnn.kernels.codegen.declare import address
    from guard.operations import operations
    from guard.table import KERNELS, Memory, prototype

    memory, calls = Memory(dtype), []
    for name in (name for name in KERNELS if name in (names or KERNELS)):
        kernel = KERNELS[name]
        if dtype != "float32" and kernel.has_remainder:
            continue  # the loops around formulas are those of float32
        call = prototype(kernel)(address(kernel.function, np.dtype(dtype), kernel.signature))
        calls.append((kernel, call))
    counter = Counter()
    ready = operations(dtype, names)
    for _, call, short, long, _ in ready:
        call(*short)
        call(*long)
    counter.start()
    for kernel, call in calls:
        short, long = (kernel.given(memory, size) for size in (_SHORT, _LONG))
        counter.count(kernel.name, call, short, long, _LONG - _SHORT)
    for operation in ready:
        counter.count(*operation)


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
