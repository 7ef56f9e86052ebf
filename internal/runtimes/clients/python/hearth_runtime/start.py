"""From a bare interpreter to a function's process."""

import gc
import json
import os
import site
import sys
import time

from .api import RuntimeAPI
from .errors import OWN_FILES
from .marshal import encoder
from .server import Server


def main():
    own_path = prepare()
    descriptor = os.environ.pop("HEARTH_CONTROL_FD", None)
    if descriptor is not None:
        argv, env = read_start_message(int(descriptor))
        if argv:
            replace_process(argv, env)
        adopt_environment(env)
    enter_task_root(own_path)
    Server(RuntimeAPI(os.environ["AWS_LAMBDA_RUNTIME_API"])).run(os.environ.get("_HANDLER", ""))


def prepare():
    """Does what needs no function. Returns the interpreter's own sys.path."""
    # The interpreter starts without the site module (-S). What programs expect
    # of it are exit() and its kin, and installed packages at the end of the path.
    site.setquit()
    site.setcopyright()
    site.sethelper()
    own_path = [p for p in sys.path if p and p + os.sep != OWN_FILES]
    own_path += [p for p in site.getsitepackages() if os.path.isdir(p)]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)
    # What every start will run, once before anybody waits for it: the compiler
    # and the encoder are page faults the first time.
    exec(compile("import os\ndef handler(event, context):\n    return {'warm': event}\n", "warm.py", "exec"), {})
    json.loads(encoder().encode({"warm": [1.5, None, True, "up"]}))
    gc.collect()
    gc.freeze()
    return own_path


def read_start_message(descriptor):
    """Waits for the start message and returns its (argv, env)."""

    def read(n):
        data = b""
        while len(data) < n:
            piece = os.read(descriptor, n - len(data))
            if not piece:
                os._exit(0)  # the node let go of this environment
            data += piece
        return data

    strings = read(int.from_bytes(read(4), "little")).split(b"\0")
    os.close(descriptor)
    argc = int(strings[0])
    return strings[1 : 1 + argc], [s for s in strings[1 + argc :] if s]


def replace_process(argv, env):
    environment = dict(s.split(b"=", 1) for s in env)
    try:
        os.chdir(environment.get(b"LAMBDA_TASK_ROOT", b"."))
        os.execve(argv[0], argv, environment)
    except OSError as e:
        print(f"{os.fsdecode(argv[0])}: {e.strerror}", file=sys.stderr)
        os._exit(127 if isinstance(e, FileNotFoundError) else 126)


def adopt_environment(env):
    os.environ.clear()
    for entry in env:
        name, _, value = entry.partition(b"=")
        os.environ[os.fsdecode(name)] = os.fsdecode(value)
    time.tzset()


def enter_task_root(own_path):
    """Makes the task root the working directory and puts sys.path together:
    the code, layers, what the function asked for, then the interpreter's own."""
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    versions = ["python%d.%d" % sys.version_info[:2]]
    wanted = os.environ.get("AWS_EXECUTION_ENV", "").replace("AWS_Lambda_", "")
    if wanted.startswith("python3.") and wanted not in versions:
        versions.append(wanted)  # layers are built for the version asked for
    path = [root]
    path += ["/opt/python/lib/%s/site-packages" % v for v in versions]
    path += ["/opt/python"]
    path += [p for p in os.environ.get("PYTHONPATH", "").split(":") if p and p != os.environ.get("LAMBDA_RUNTIME_DIR")]
    path += own_path
    sys.path[:] = list(dict.fromkeys(path))
    sys.path_importer_cache.clear()  # the mounts appeared after the boot
    os.chdir(root)
