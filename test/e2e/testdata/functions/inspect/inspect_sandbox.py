"""Looks at the sandbox from inside and tells what it sees."""
import ctypes
import errno
import os
import resource
import socket
import subprocess

libc = ctypes.CDLL(None, use_errno=True)


def handler(event, context):
    answer = {}
    for name, probe in PROBES.items():
        try:
            answer[name] = probe(event)
        except Exception as e:  # a probe that fails is an answer too
            answer[name] = "%s: %s" % (type(e).__name__, e)
    return answer


def status(event):
    with open("/proc/self/status") as f:
        pairs = (line.rstrip("\n").split(":\t", 1) for line in f)
        return {p[0]: p[1].strip() for p in pairs if len(p) == 2}


def attempt(f, *args):
    """The name of the errno that f fails with, or 'allowed'."""
    try:
        f(*args)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))
    return "allowed"


def syscall(number, *args):
    """The name of the errno of a raw system call, or 'allowed'."""
    ctypes.set_errno(0)
    if libc.syscall(number, *args) >= 0:
        return "allowed"
    return errno.errorcode.get(ctypes.get_errno(), str(ctypes.get_errno()))


def create(path):
    with open(path, "w") as f:
        f.write("x")


def writes(event):
    paths = ["/x", "/usr/x", "/usr/lib/x", "/etc/x", "/opt/x", "/var/task/x", "/var/task/inspect_sandbox.py", "/var/x", "/dev/x", "/run/x", "/home/x", "/proc/sys/kernel/hostname"]
    return {p: attempt(create, p) for p in paths}


def masked(event):
    """What can be read of /proc files that tell of the host."""
    out = {}
    for p in ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/kallsyms", "/proc/interrupts", "/proc/latency_stats"]:
        try:
            with open(p, "rb") as f:
                out[p] = len(f.read(4096))
        except OSError as e:
            out[p] = errno.errorcode.get(e.errno, str(e.errno))
    return out


def processes(event):
    out = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            with open("/proc/%s/cmdline" % p, "rb") as f:
                out[p] = f.read().replace(b"\0", b" ").decode(errors="replace")
    return out


def reach(event):
    """Whether each of event['targets'] ("host:port") takes a connection."""
    out = {}
    for target in event.get("targets", []):
        host, port = target.rsplit(":", 1)
        s = socket.socket()
        s.settimeout(1.5)
        try:
            s.connect((host, int(port)))
            out[target] = "connected"
        except OSError as e:
            out[target] = type(e).__name__ + ": " + str(e)
        finally:
            s.close()
    return out


def tmp(event):
    v = os.statvfs("/tmp")
    create("/tmp/mine")
    mounts = [line.split() for line in open("/proc/self/mounts")]
    options = [m[3] for m in mounts if m[1] == "/tmp"]
    return {"mb": v.f_bavail * v.f_frsize >> 20, "options": options[-1] if options else "", "exec": attempt(run_from_tmp)}


def run_from_tmp():
    with open("/tmp/program", "w") as f:
        f.write("#!/bin/sh\nexit 0\n")
    os.chmod("/tmp/program", 0o755)
    subprocess.run(["/tmp/program"], check=True)


PROBES = {
    "ids": lambda e: {"uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(), "euid": os.geteuid()},
    "status": status,
    "uid_map": lambda e: open("/proc/self/uid_map").read().split(),
    "writes": writes,
    "masked": masked,
    "processes": processes,
    "interfaces": lambda e: [name for _, name in socket.if_nameindex()],
    "reach": reach,
    "tmp": tmp,
    "devices": lambda e: sorted(os.listdir("/dev")),
    "hostname": lambda e: socket.gethostname(),
    "cwd": lambda e: os.getcwd(),
    "environ": lambda e: dict(os.environ),
    "descriptors": lambda e: sorted(os.readlink("/proc/self/fd/" + d) for d in os.listdir("/proc/self/fd") if os.path.islink("/proc/self/fd/" + d)),
    "nofile": lambda e: resource.getrlimit(resource.RLIMIT_NOFILE),
    "cgroup": lambda e: open("/proc/self/cgroup").read(),
    "refused": lambda e: {
        "setuid": attempt(os.setuid, 0),
        "mknod": attempt(os.mknod, "/tmp/null", 0o20666, os.makedev(1, 3)),
        "chroot": attempt(os.chroot, "/tmp"),
        "mount": syscall(165, b"none", b"/tmp", b"tmpfs", 0, None),
        "unshare user": syscall(272, 0x10000000),
        "bpf": syscall(321, 0, None, 0),
        "keyctl": syscall(250, 0, -3, 0),
        "perf_event_open": syscall(298, None, 0, -1, -1, 0),
        "userfaultfd": syscall(323, 0),
        "init_module": syscall(175, None, 0, b""),
        "reboot": syscall(169, 0, 0, 0, None),
        "open_by_handle_at": syscall(304, -1, None, 0),
        "io_uring_setup": syscall(425, 1, None),
        "ptrace init": syscall(101, 16, 1, 0, 0),
        "kill everybody outside": attempt(os.kill, 2147483, 9),
        "sethostname": attempt(socket.sethostname, "mine"),
    },
}
