"""Takes from Python what it has on Linux and not on macOS, before anything else is imported.

Python imports it when it starts where this folder is in PYTHONPATH, and so does each Python that a test starts. The
names are those that CPython's documentation has with "Availability: Linux", or without macOS, and what is defined by
headers of Linux alone. What is written in C still finds them.
"""

import _signal  # type: ignore[import-not-found]
import _socket
import errno
import fcntl
import mmap
import os
import posix
import resource
import select
import time

_NAMES = {
    # os, documented under "Linux extended attributes", "Interface to the scheduler", and with each function.
    posix: (
        "O_PATH O_TMPFILE O_NOATIME O_DIRECT O_RSYNC O_LARGEFILE getxattr listxattr removexattr setxattr "
        "XATTR_CREATE XATTR_REPLACE XATTR_SIZE_MAX memfd_create setns unshare pidfd_open posix_fadvise "
        "posix_fallocate pipe2 eventfd eventfd_read eventfd_write copy_file_range splice getrandom GRND_NONBLOCK "
        "GRND_RANDOM getresuid getresgid setresuid setresgid fdatasync sched_getaffinity sched_setaffinity "
        "sched_getparam sched_setparam sched_getscheduler sched_setscheduler sched_rr_get_interval sched_param "
        "timerfd_create timerfd_settime timerfd_gettime waitid P_PIDFD ST_APPEND ST_MANDLOCK ST_NOATIME ST_NODEV "
        "ST_NODIRATIME ST_NOEXEC ST_RELATIME ST_SYNCHRONOUS ST_WRITE SCHED_BATCH SCHED_IDLE SCHED_RESET_ON_FORK "
        "RTLD_DEEPBIND"
    ),
    select: "epoll POLLRDHUP",
    _socket: (
        "AF_NETLINK AF_PACKET AF_TIPC AF_ALG AF_CAN AF_VSOCK AF_QIPCRTR AF_BLUETOOTH AF_RDS SO_PEERCRED "
        "SO_PASSCRED SO_PEERSEC SO_PASSSEC SO_BINDTODEVICE SO_MARK SO_DOMAIN SO_PROTOCOL SO_PRIORITY "
        "SO_INCOMING_CPU SOCK_CLOEXEC SOCK_NONBLOCK SCM_CREDENTIALS MSG_CMSG_CLOEXEC MSG_CONFIRM MSG_ERRQUEUE "
        "MSG_FASTOPEN MSG_MORE TCP_CORK TCP_QUICKACK TCP_USER_TIMEOUT TCP_DEFER_ACCEPT TCP_INFO TCP_LINGER2 "
        "TCP_SYNCNT TCP_WINDOW_CLAMP TCP_CONGESTION"
    ),
    fcntl: (
        "F_SETPIPE_SZ F_GETPIPE_SZ F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW F_ADD_SEALS F_GET_SEALS F_NOTIFY "
        "F_SETLEASE F_GETLEASE F_SETSIG F_GETSIG FICLONE FICLONERANGE LOCK_MAND"
    ),
    _signal: "sigtimedwait sigwaitinfo pidfd_send_signal SIGRTMIN SIGRTMAX SIGPWR SIGSTKFLT SIGPOLL SIGCLD",
    resource: (
        "prlimit RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO RLIMIT_RTTIME RLIMIT_OFILE RUSAGE_THREAD"
    ),
    time: "CLOCK_BOOTTIME CLOCK_TAI pthread_getcpuclockid",
    mmap: "MAP_POPULATE MAP_LOCKED",
    errno: (
        "EUCLEAN EBADFD ENOTUNIQ EREMCHG ELIBACC ELIBBAD ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EMEDIUMTYPE "
        "ENOMEDIUM ERESTART ECHRNG EISNAM ENAVAIL ENOTNAM EREMOTEIO ESTRPIPE EUNATCH EXFULL EBADE EBADR EBADRQC "
        "EBADSLT EBFONT ECOMM EDOTDOT EADV"
    ),
}

for _module, _words in _NAMES.items():
    for _name in _words.split():
        vars(_module).pop(_name, None)
        if _module is posix:
            vars(os).pop(_name, None)
os.__all__ = [name for name in os.__all__ if hasattr(os, name)]
