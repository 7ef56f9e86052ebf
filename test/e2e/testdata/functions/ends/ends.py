"""Handlers that end badly, each in its own way.

An event with {"calm": true} makes any of them answer calmly instead, with
what tells one environment from another: the test asks for it after the bad end.
"""
import os
import signal
import socket
import subprocess
import sys
import time
import uuid

ENVIRONMENT = str(uuid.uuid4())


def calm(handler):
    def wrapped(event, context):
        if isinstance(event, dict) and event.get("calm"):
            return {"calm": True, "environment": ENVIRONMENT, "processes": processes(), "tmp": os.listdir("/tmp")}
        return handler(event, context)

    return wrapped


def processes():
    return [int(p) for p in os.listdir("/proc") if p.isdigit()]


@calm
def echo(event, context):
    return event


@calm
def raises(event, context):
    print("about to fail")
    raise ValueError("as asked: " + event["why"])


@calm
def raises_nested(event, context):
    class Broken(Exception):
        pass

    raise Broken({"code": 7})


@calm
def unserialisable(event, context):
    return {"answer": {1, 2, 3}}


@calm
def exits(event, context):
    sys.exit(event.get("status", 0))


@calm
def exits_hard(event, context):
    os._exit(event["status"])


@calm
def killed(event, context):
    os.kill(os.getpid(), event["signal"])
    time.sleep(10)


@calm
def sleeps(event, context):
    print("going to sleep", flush=True)
    time.sleep(event.get("seconds", 60))
    return "awake"


@calm
def spins(event, context):
    while True:
        pass


@calm
def ignores_term(event, context):
    for s in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(s, signal.SIG_IGN)
    time.sleep(60)


@calm
def eats_memory(event, context):
    held = []
    while True:
        held.append(bytearray(16 << 20))


@calm
def answers_much(event, context):
    return "x" * event["bytes"]


@calm
def leaves_children(event, context):
    # One that sleeps in a session of its own, one that spins, one that holds
    # the output open.
    subprocess.Popen(["/bin/sleep", "3600"], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"], start_new_session=True)
    if os.fork() == 0:
        if os.fork() == 0:
            time.sleep(3600)
        os._exit(0)
    return {"left": True}


@calm
def fork_bomb(event, context):
    while True:
        try:
            os.fork()
        except OSError:
            pass


@calm
def opens_files(event, context):
    held = []
    while True:
        held.append(socket.socket())


@calm
def fills_tmp(event, context):
    written = 0
    block = b"\xa5" * (4 << 20)
    with open("/tmp/full", "wb", buffering=0) as f:
        try:
            while True:
                written += f.write(block)
        except OSError as e:
            os.unlink("/tmp/full")
            return {"errno": e.errno, "written": written}


@calm
def writes_code(event, context):
    with open("/var/task/more.py", "w") as f:
        f.write("# not ours to write\n")


@calm
def logs_much(event, context):
    line = "spam " * 200
    while True:
        print(line)


@calm
def logs_one_long_line(event, context):
    sys.stdout.write("x" * (2 << 20))
    sys.stdout.write("\n")
    return "done"


@calm
def logs_binary(event, context):
    sys.stdout.buffer.write(bytes(range(256)) + b"\n")
    sys.stdout.flush()
    return "done"
