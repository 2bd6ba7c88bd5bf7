"""A filter of system calls for bubblewrap: what no build needs and what namespaces do not keep apart.

That is looking into other processes (also the sandbox's own first one), the kernel's keyrings, which belong to no
namespace, interfaces known for holes (io_uring, bpf, userfaultfd), System V shared memory, which is where no limit
counts it, and sockets of any other kind than local and internet ones: vsock, for one, leads past the network namespace
to the virtual machine's host.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Mapping

# Audit architecture (linux/audit.h), number of `socket`, and the numbers of what is refused, from the kernel's tables
# arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h, in this order: ptrace,
# process_vm_readv, process_vm_writev, kcmp, pidfd_getfd, add_key, request_key, keyctl, bpf, perf_event_open,
# userfaultfd, io_uring_setup, io_uring_enter, io_uring_register, open_by_handle_at, kexec_load, kexec_file_load,
# init_module, finit_module, shmget.
_MACHINES: Mapping[str, tuple[int, int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E, 41,
        (101, 310, 311, 312, 438, 248, 249, 250, 321, 298, 323, 425, 426, 427, 304, 246, 320, 175, 313, 29),
    ),
    "aarch64": (
        0xC00000B7, 198,
        (117, 270, 271, 272, 438, 217, 218, 219, 280, 241, 282, 425, 426, 427, 265, 104, 294, 105, 273, 194),
    ),
}  # fmt: skip
_FAMILIES = (1, 2, 10, 16)  # AF_UNIX, AF_INET, AF_INET6, AF_NETLINK
_X32 = 0x40000000  # x86_64 has a second set of numbers from here on
# linux/bpf_common.h: load a word; jump if equal; jump if greater or equal; return
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in linux/seccomp.h's seccomp_data
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000


def program(machine: str = "") -> bytes:
    """Return the filter as an array of the kernel's ``sock_filter``; empty for an unknown architecture.

    Args:
        machine: as `platform.machine` says; by default this one.
    """
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    audit, socket, refused = known
    code = [_word(_LOAD, _MACHINE), _word(_EQUAL, audit, 1, 0), _word(_RETURN, _FAIL | errno.ENOSYS)]
    code += [_word(_LOAD, _NUMBER), *_refuse_unless_below(_X32)]
    for number in refused:
        code += [_word(_EQUAL, number, 0, 1), _word(_RETURN, _FAIL | errno.EPERM)]
    code += [_word(_EQUAL, socket, 1, 0), _word(_RETURN, _ALLOW), _word(_LOAD, _FIRST_ARGUMENT)]
    for family in _FAMILIES:
        code += [_word(_EQUAL, family, 0, 1), _word(_RETURN, _ALLOW)]
    return b"".join([*code, _word(_RETURN, _FAIL | errno.EAFNOSUPPORT)])


def _refuse_unless_below(number: int) -> list[bytes]:
    return [_word(_AT_LEAST, number, 0, 1), _word(_RETURN, _FAIL | errno.ENOSYS)]


def _word(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
