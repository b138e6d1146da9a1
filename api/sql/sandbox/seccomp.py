"""A seccomp filter that leaves a process the system calls of computing, as classic BPF without a library; x86-64 only.

Everything not listed fails with EPERM: opening files, sockets, processes, signals to others, executable memory.
Numbers and layout: linux/audit.h, linux/filter.h, linux/seccomp.h, arch/x86/entry/syscalls/syscall_64.tbl.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

_ARCH_X86_64: Final = 0xC000003E
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16  # offsets into struct seccomp_data
_LOAD, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06
_KILL, _ALLOW, _ERROR = 0x80000000, 0x7FFF0000, 0x00050000
_X32: Final = 0x40000000
_SECCOMP, _SET_FILTER, _ALL_THREADS = 317, 1, 1
_CLONE_THREAD: Final = 0x00010000
_PROT_EXEC: Final = 4

_ALLOWED: Final = {
    "read": 0, "write": 1, "close": 3, "fstat": 5, "poll": 7, "lseek": 8, "munmap": 11, "brk": 12,
    "rt_sigaction": 13, "rt_sigprocmask": 14, "rt_sigreturn": 15, "pread64": 17, "sched_yield": 24, "mremap": 25,
    "madvise": 28, "nanosleep": 35, "getpid": 39, "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47,
    "shutdown": 48, "exit": 60, "uname": 63, "gettimeofday": 96, "getrlimit": 97, "getrusage": 98, "sysinfo": 99,
    "times": 100, "sigaltstack": 131, "setrlimit": 160, "gettid": 186, "futex": 202, "sched_getaffinity": 204,
    "restart_syscall": 219, "clock_gettime": 228, "clock_getres": 229, "clock_nanosleep": 230, "exit_group": 231,
    "ppoll": 271, "set_robust_list": 273, "getcpu": 309, "getrandom": 318, "membarrier": 324, "rseq": 334,
}  # fmt: skip
_MMAP, _MPROTECT, _CLONE, _TGKILL, _PRLIMIT, _CLONE3 = 9, 10, 56, 234, 302, 435

_libc = ctypes.CDLL(None, use_errno=True)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def _unless(number: int, rule: list[bytes]) -> list[bytes]:
    """The rule for one system call, skipped for all others; a rule ends in a return."""
    return [_step(_EQUAL, number, no=len(rule)), *rule]


def _if_argument(index: int, code: int, value: int, *, then: int, otherwise: int) -> list[bytes]:
    """Test the lower half of an argument; these arguments have no upper half."""
    return [
        _step(_LOAD, _ARGUMENTS + 8 * index),
        _step(code, value, no=1),
        _step(_RETURN, then),
        _step(_RETURN, otherwise),
    ]


def _program(pid: int) -> bytes:
    refuse = _ERROR | errno.EPERM
    steps = [
        _step(_LOAD, _ARCH),
        _step(_EQUAL, _ARCH_X86_64, yes=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
        _step(_AT_LEAST, _X32, no=1),
        _step(_RETURN, refuse),
        # Threads, but no processes; clone3 hides its flags from filters, and the C library falls back to clone.
        *_unless(_CLONE3, [_step(_RETURN, _ERROR | errno.ENOSYS)]),
        *_unless(_CLONE, _if_argument(0, _ANY_BIT, _CLONE_THREAD, then=_ALLOW, otherwise=refuse)),
        *_unless(_MMAP, _if_argument(2, _ANY_BIT, _PROT_EXEC, then=refuse, otherwise=_ALLOW)),
        *_unless(_MPROTECT, _if_argument(2, _ANY_BIT, _PROT_EXEC, then=refuse, otherwise=_ALLOW)),
        # abort() signals its own process; limits may be lowered for this process only.
        *_unless(_TGKILL, _if_argument(0, _EQUAL, pid, then=_ALLOW, otherwise=refuse)),
        *_unless(_PRLIMIT, _if_argument(0, _EQUAL, 0, then=_ALLOW, otherwise=refuse)),
    ]
    for number in _ALLOWED.values():
        steps += _unless(number, [_step(_RETURN, _ALLOW)])
    return b"".join([*steps, _step(_RETURN, refuse)])


def install_filter() -> str:
    """Confine all threads of this process; `yes: …`, or `no: …` and why. Needs no_new_privs."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return f"no: not on {sys.platform} {platform.machine()}"
    code = _program(os.getpid())
    program = _Program(len(code) // 8, code)
    outcome = _libc.syscall(_SECCOMP, _SET_FILTER, _ALL_THREADS, ctypes.byref(program))
    if outcome != 0:
        return f"no: seccomp: {errno.errorcode.get(ctypes.get_errno(), outcome)}"
    return f"yes: seccomp, {len(_ALLOWED)} calls"
