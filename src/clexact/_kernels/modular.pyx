"""Dense arithmetic modulo a word prime p < 2^62. Entries are uint64 in [0, p). Long loops look for Ctrl-C."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint64_t
from clexact._kernels.word cimport CLEXACT_WIDE, dot, inverse, mulmod, mulmod_by, shoup, subtract_multiple

cdef Py_ssize_t MANY = 1 << 26  # multiplications, some 0.1 s


def wide():
    """Whether products of two words are the compiler's own integers of 128 bits."""
    return CLEXACT_WIDE == 1


def matmul(const uint64_t[:, :, ::1] a, const uint64_t[:, :, ::1] bt, uint64_t p):
    """c[s] = a[s] @ bt[s]^T mod p for stacks of matrices; a stack of one is shared by all."""
    cdef Py_ssize_t stack = max(a.shape[0], bt.shape[0]), n = a.shape[1], k = bt.shape[1], m = a.shape[2], s, i, j
    cdef Py_ssize_t step_a = a.shape[0] != 1, step_b = bt.shape[0] != 1
    if a.shape[0] == 0 or bt.shape[0] == 0:
        stack = 0
    out = np.zeros((stack, n, k), dtype=np.uint64)
    cdef uint64_t[:, :, ::1] c = out
    cdef Py_ssize_t work = 0
    if m == 0:
        return out
    with nogil:
        for s in range(stack):
            for i in range(n):
                for j in range(k):
                    c[s, i, j] = dot(&a[s * step_a, i, 0], &bt[s * step_b, j, 0], m, p)
                work += k * m
                if work > MANY:
                    work = 0
                    with gil:
                        PyErr_CheckSignals()
    return out


def multiply(const uint64_t[::1] a, const uint64_t[::1] b, uint64_t p):
    """a * b mod p, entry by entry."""
    cdef Py_ssize_t n = a.shape[0], i
    out = np.empty(n, dtype=np.uint64)
    cdef uint64_t[::1] c = out
    with nogil:
        for i in range(n):
            c[i] = mulmod(a[i], b[i], p)
    return out


def segment_sums(const uint64_t[:, ::1] a, const int64_t[::1] start, uint64_t p):
    """out[s, j] = sum of a[s, start[j] : start[j + 1]] mod p."""
    cdef Py_ssize_t stack = a.shape[0], segments = start.shape[0] - 1, s, j, i
    cdef uint64_t total
    out = np.empty((stack, segments), dtype=np.uint64)
    cdef uint64_t[:, ::1] c = out
    with nogil:
        for s in range(stack):
            for j in range(segments):
                total = 0
                for i in range(start[j], start[j + 1]):
                    total += a[s, i]
                    if total >= p:
                        total -= p
                c[s, j] = total
    return out


def echelon(uint64_t[:, ::1] a, uint64_t p):
    """Bring a to reduced echelon form in place, rows kept in their order, and return the pivot column of each row.

    A row that depends on the rows above it becomes zero and has pivot -1, so the first independent rows are chosen.
    """
    cdef Py_ssize_t rows = a.shape[0], cols = a.shape[1], i, k, j
    cdef uint64_t c, c_shoup
    cdef Py_ssize_t work = 0
    pivots = np.full(rows, -1, dtype=np.int64)
    cdef int64_t[::1] pivot = pivots
    if cols == 0:
        return pivots
    with nogil:
        for i in range(rows):
            work += i * cols
            if work > MANY:
                work = 0
                with gil:
                    PyErr_CheckSignals()
            for k in range(i):
                if pivot[k] >= 0 and a[i, pivot[k]]:
                    subtract_multiple(&a[i, 0], a[i, pivot[k]], &a[k, 0], cols, p)
            for j in range(cols):
                if a[i, j]:
                    pivot[i] = j
                    break
            if pivot[i] < 0:
                continue
            c = inverse(a[i, pivot[i]], p)
            c_shoup = shoup(c, p)
            for j in range(cols):
                a[i, j] = mulmod_by(c, c_shoup, a[i, j], p)
            for k in range(i):
                if pivot[k] >= 0 and a[k, pivot[i]]:
                    subtract_multiple(&a[k, 0], a[k, pivot[i]], &a[i, 0], cols, p)
    return pivots
