"""What a worker process gives up before it sees a statement: files, network, processes, privileges, memory without end.

Needs no privileges itself. Each layer that the system lacks is named in the report, and the others hold without it:
Landlock (no file may be opened, no TCP; Linux 5.13, any CPU), seccomp (only the system calls that computing takes;
x86-64), resource limits (memory, CPU, files).
"""

import ctypes
import errno
import os
import resource
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from api.sql.sandbox.seccomp import install_filter

_NOBODY: Final = 65_534
_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same numbers on every CPU
_VERSION_FLAG: Final = 1
# Rights by Landlock version (linux/landlock.h): the first version has 13 file rights, each later one adds some.
_FILE_RIGHTS: Final = ((5, 16), (3, 15), (2, 14), (1, 13))
_NET_RIGHTS: Final = 0b11
_SCOPES: Final = 0b11
_NET_SINCE, _SCOPES_SINCE = 4, 6
_MEBIBYTE: Final = 1024 * 1024
_PAGE: Final = resource.getpagesize()
_OPEN_FILES: Final = 256
_NICE: Final = 3

_libc = ctypes.CDLL(None, use_errno=True)


def _failed(what: str) -> str:
    number = ctypes.get_errno()
    return f"no: {what}: {errno.errorcode.get(number, number)}"


def drop_privileges() -> str:
    """Stop being root, if we are; and never gain privileges again."""
    if sys.platform == "linux" and _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return _failed("no_new_privs")
    if os.geteuid() != 0:
        return "yes: an ordinary user from the start"
    try:
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
    except OSError as error:
        return f"no: {errno.errorcode.get(error.errno or 0, str(error))}"
    return "yes: from root to nobody"


def close_files() -> str:
    """Landlock: from here on no path can be opened, made, renamed or removed, and no TCP port connected to or bound.

    It holds for the calling thread and those it starts, so call it before any library starts threads.
    """
    if sys.platform != "linux":
        return "no: not Linux"
    version = _libc.syscall(_CREATE_RULESET, None, 0, _VERSION_FLAG)
    if version < 1:
        return _failed("landlock")
    rights = next(1 << bits for since, bits in _FILE_RIGHTS if version >= since) - 1
    attributes = struct.pack(
        "=QQQ", rights, _NET_RIGHTS if version >= _NET_SINCE else 0, _SCOPES if version >= _SCOPES_SINCE else 0
    )
    known = attributes[: 24 if version >= _SCOPES_SINCE else 16 if version >= _NET_SINCE else 8]
    ruleset = _libc.syscall(_CREATE_RULESET, known, len(known), 0)
    if ruleset < 0:
        return _failed("landlock")
    try:
        if _libc.syscall(_RESTRICT_SELF, ruleset, 0) != 0:
            return _failed("landlock")
    finally:
        os.close(ruleset)
    return f"yes: landlock {version}"


def close_system_calls() -> str:
    """seccomp: from here on, in all threads, only the system calls that computing and answering take."""
    return install_filter()


@dataclass(frozen=True, slots=True)
class MemoryGauge:
    """Reads this process's data size although no file can be opened any more."""

    descriptor: int | None

    @classmethod
    def open(cls) -> "MemoryGauge":
        """Open the gauge; to be called before `close_files`."""
        try:
            return cls(os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return cls(None)

    def data_bytes(self) -> int:
        """What RLIMIT_DATA counts: private writable memory, mapped files apart. 0 where the system does not tell."""
        if self.descriptor is None:
            return 0
        return int(os.pread(self.descriptor, 256, 0).split()[5]) * _PAGE

    def resident_bytes(self) -> int:
        """Private memory that is really held. 0 where the system does not tell."""
        if self.descriptor is None:
            return 0
        _size, resident, shared, *_rest = os.pread(self.descriptor, 256, 0).split()
        return (int(resident) - int(shared)) * _PAGE


def limit_resources(*, data_bytes: int) -> str:
    """Kernel limits: private memory, no file may grow, no core dumps, few descriptors. Never raised again."""
    for kind, value in (
        (resource.RLIMIT_DATA, data_bytes),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        _soft, hard = resource.getrlimit(kind)
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))
    return f"yes: {data_bytes // _MEBIBYTE} MiB"


def limit_cpu(*, seconds: float) -> None:
    """Let this process use so much CPU from now on; the kernel ends it after that, even if the server is gone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 2
    _soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def be_last() -> None:
    """Let the server and everybody else have the processor first, and be the first to go when memory runs out."""
    os.nice(_NICE)
    _tell_kernel("/proc/self/oom_score_adj", 1000)


def be_last_session() -> None:
    """Let other sessions have the processor before this one, with all that are forked in it.

    Many kernels share the processor out among sessions first (sched(7), autogroup): there a nice value counts within a
    session only.
    """
    _tell_kernel("/proc/self/autogroup", _NICE)


def _tell_kernel(path: str, value: int) -> None:
    """Write a value to a file of /proc; a system that lacks it or refuses does without."""
    with suppress(OSError):
        Path(path).write_text(str(value), encoding="ascii")
