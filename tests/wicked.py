"""The user's Python file of the tests of sweeps: functions that do what a case should not do.

Each call leaves a line in the file that CLEXACT_RUNS names, so that a test sees how often each case ran.
"""

import ctypes
import os
import time

import clexact


def ran(name, n):
    """Say that a case runs."""
    if "CLEXACT_RUNS" in os.environ:
        with open(os.environ["CLEXACT_RUNS"], "a", encoding="ascii") as file:
            file.write(f"{name} {n}\n")


def nap(n):
    """Well behaved, but slow: a tenth of a second. n - 1 laws are known: x_1 ... x_n has the differences of squares."""
    ran("nap", n)
    time.sleep(0.1)
    return clexact.models.product(2 + n % 3)


def sleeps(n):
    """Never ends, in Python."""
    ran("sleeps", n)
    while True:
        time.sleep(0.01)


def is_stuck(n):
    """Never ends, inside a C call that holds the GIL: no signal is looked at."""
    ran("is_stuck", n)
    ctypes.PyDLL(None).sleep(1000)


def eats(n):
    """Takes memory piece by piece."""
    hoard = []
    while True:
        hoard.append(bytearray(2**22))


def gulps(n):
    """Takes so many GiB at once."""
    return bytearray(n * 2**30)


def predicted(n):
    """A network whose certification is known, before it starts, to take too much memory."""
    return clexact.models.linear([n, n, n])


def raises(n):
    """An error."""
    raise KeyError("no such thing")


def exits(n):
    """Ends its process, and says that all went well."""
    os._exit(0)


def aborts(n):
    """Ends its process as failing C code does."""
    os.abort()


def crashes(n):
    """Reads where it must not."""
    ctypes.string_at(0)


def is_killed(n):
    """Is always killed, as by the kernel for want of memory."""
    ran("is_killed", n)
    os.kill(os.getpid(), 9)


def leaves(n):
    """Raises what ends a program."""
    raise SystemExit(4)


def interrupts(n):
    """Raises what Ctrl-C raises."""
    raise KeyboardInterrupt


def forks(n):
    """Leaves a child behind."""
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(3)


def prints(n):
    """Writes where the answers could be."""
    print("x" * 100_000, flush=True)
    return clexact.models.product(3)
