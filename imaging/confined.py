"""Giving up, for good, what a process that reads hostile bytes does not need.

Limits of memory, time and files stand wherever Linux does. Landlock (Linux 5.13) leaves it the
files it is told and no other, seccomp no socket, no other program and no other process. What the
kernel does not offer is left out and said: `python -m imaging.confined` prints what stands here.
"""

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # Landlock's, on every machine
_PATH_BENEATH, _VERSION = 1, 1
_FILE_RIGHTS, _READ_FILE, _READ_DIRECTORY = (1 << 13) - 1, 1 << 2, 1 << 3
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_CLONE3, _CLONE_VM = 435, 0x100

# What none of these processes does: speak to another machine or process, run a program.
_REFUSED: dict[str, dict[str, Any]] = {
    "x86_64": {
        "arch": 0xC000003E,
        "clone": 56,
        "calls": {
            "socket": 41,
            "connect": 42,
            "socketpair": 53,
            "bind": 49,
            "fork": 57,
            "vfork": 58,
            "execve": 59,
            "kill": 62,
            "ptrace": 101,
            "mount": 165,
            "unshare": 272,
            "process_vm_readv": 310,
            "process_vm_writev": 311,
            "bpf": 321,
            "execveat": 322,
            "io_uring_setup": 425,
            "pidfd_getfd": 438,
        },
    },
    "aarch64": {
        "arch": 0xC00000B7,
        "clone": 220,
        "calls": {
            "mount": 40,
            "unshare": 97,
            "ptrace": 117,
            "kill": 129,
            "socket": 198,
            "socketpair": 199,
            "bind": 200,
            "connect": 203,
            "execve": 221,
            "process_vm_readv": 270,
            "process_vm_writev": 271,
            "bpf": 280,
            "execveat": 281,
            "io_uring_setup": 425,
            "pidfd_getfd": 438,
        },
    },
}
_X32 = 0x40000000  # a second numbering of x86-64's calls, which nothing here uses


def limit(*, max_seconds: int | None = None, max_files: int = 64) -> None:
    """Set limits of processor time and open files; write no file, leave no core behind."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    if max_seconds is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (max_seconds, max_seconds + 5))


def confine(readable: Iterable[Path] = ()) -> tuple[str, ...]:
    """Let this process read Python, the system's libraries and `readable`, and reach nothing else.

    Returns:
        What stands: of "files" and "network"; empty where the kernel offers neither.
    """
    if _LIBC.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return ()
    stands = []
    if _keep_files([*_libraries(), *readable]):
        stands.append("files")
    if _refuse_calls():
        stands.append("network")
    return tuple(stands)


def _libraries() -> list[Path]:
    """Return where code lies that is still to be loaded."""
    folders = {Path(path) for path in (*sys.path, *sysconfig.get_paths().values()) if path}
    folders |= {Path(prefix) for prefix in (sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64")}
    devices = {Path("/dev/urandom"), Path("/dev/null"), Path("/proc/cpuinfo"), Path("/proc/self")}
    return [*sorted(folders), *sorted(devices), Path("/sys/devices/system/cpu")]


def _keep_files(readable: Iterable[Path]) -> bool:
    attributes = struct.pack("Q", _FILE_RIGHTS)
    ruleset = _LIBC.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    if ruleset < 0:
        return False
    try:
        for path in readable:
            if path.exists():
                _allow(ruleset, path)
        return bool(_LIBC.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path) -> None:
    rights = _READ_FILE | (_READ_DIRECTORY if path.is_dir() else 0)
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("=Qi", rights, descriptor)
        _LIBC.syscall(_ADD_RULE, ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(descriptor)


def _refuse_calls() -> bool:
    """Let the kernel refuse the calls of `_REFUSED`, and new processes (seccomp, classic BPF)."""
    machine = _REFUSED.get(platform.machine())
    if machine is None:
        return False
    program = _assembled(machine)
    steps = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(steps))
    return bool(_LIBC.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head, 0, 0) == 0)


def _assembled(machine: Mapping[str, Any]) -> bytes:
    """Return the filter: each step's code, where it leads if true and if not, and its number."""
    load, equal, at_least, any_bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    steps: list[tuple[int, str, str, int]] = [
        (load, "", "", 4),  # the architecture
        (equal, "", "refuse", machine["arch"]),
        (load, "", "", 0),  # the call's number
        (at_least, "refuse", "", _X32),
        *((equal, "refuse", "", number) for number in machine["calls"].values()),
        (equal, "absent", "", _CLONE3),  # its flags lie where no filter sees them: clone is tried
        (equal, "", "allow", machine["clone"]),
        (load, "", "", 16),  # its flags: a thread shares its memory, a process does not
        (any_bit, "allow", "refuse", _CLONE_VM),
        (give, "", "", _ALLOW),
        (give, "", "", _ERRNO | errno.EPERM),
        (give, "", "", _ERRNO | errno.ENOSYS),
    ]
    ends = {"allow": len(steps) - 3, "refuse": len(steps) - 2, "absent": len(steps) - 1}
    return b"".join(
        struct.pack("HBBI", code, *(ends[to] - n - 1 if to else 0 for to in (yes, no)), number)
        for n, (code, yes, no, number) in enumerate(steps)
    )


if __name__ == "__main__":
    sys.stdout.write(f"confined: {', '.join(confine()) or 'only limits stand here'}\n")
