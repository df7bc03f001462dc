"""Dense rows of balanced residues modulo a prime p, |entry| <= (p + 1) / 2, in floats: exact while sums stay small.

What is reduced is an integer below both 2^53 - p and 2^51 p in float64, below 2^24 - p and 2^22 p in float32; the
caller's sums of products keep within that. Rows may be slices of wider ones, but each is contiguous.
"""

import numpy as np

from cython cimport floating
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint64_t
from clexact._kernels.word cimport inverse

cdef extern from "balanced.h" nogil:
    int CLEXACT_CLONED
    void reduce_double(double* a, Py_ssize_t n, double p)
    void reduce_float(float* a, Py_ssize_t n, float p)
    void subtract_double(double* a, const double* b, Py_ssize_t n, double p)
    void subtract_float(float* a, const float* b, Py_ssize_t n, float p)
    void eliminate_double(double* a, double c, const double* b, Py_ssize_t n, double p)
    void eliminate_float(float* a, float c, const float* b, Py_ssize_t n, float p)
    void scale_double(double* a, double c, Py_ssize_t n, double p)
    void scale_float(float* a, float c, Py_ssize_t n, float p)


def cloned():
    """Whether there are loops for AVX2 beside those for any machine."""
    return CLEXACT_CLONED == 1


cdef int check_rows(floating[:, :] a) except -1:
    if a.shape[0] and a.shape[1] > 1 and a.strides[1] != sizeof(floating):
        raise ValueError("each row must be contiguous.")
    return 0


def reduce(floating[:, :] a, uint64_t p):
    """a <- a mod p, in place."""
    cdef Py_ssize_t i, n = a.shape[1]
    check_rows(a)
    with nogil:
        for i in range(a.shape[0] if n else 0):
            if floating is double:
                reduce_double(&a[i, 0], n, p)
            else:
                reduce_float(&a[i, 0], n, p)


def subtract(floating[:, :] a, floating[:, :] b, uint64_t p):
    """a <- a - b mod p, in place; same shapes."""
    cdef Py_ssize_t i, n = a.shape[1]
    check_rows(a)
    check_rows(b)
    if a.shape[0] != b.shape[0] or a.shape[1] != b.shape[1]:
        raise ValueError("a and b must have the same shape.")
    with nogil:
        for i in range(a.shape[0] if n else 0):
            if floating is double:
                subtract_double(&a[i, 0], &b[i, 0], n, p)
            else:
                subtract_float(&a[i, 0], &b[i, 0], n, p)


cdef inline uint64_t residue(floating x, uint64_t p) noexcept nogil:
    cdef int64_t whole = <int64_t> x
    return <uint64_t> (whole + <int64_t> p if whole < 0 else whole)


def words(floating[:, :] a, uint64_t p):
    """a mod p as words in [0, p); a is reduced in place."""
    cdef Py_ssize_t i, j
    out = np.empty((a.shape[0], a.shape[1]), dtype=np.uint64)
    cdef uint64_t[:, ::1] b = out
    reduce(a, p)
    with nogil:
        for i in range(a.shape[0]):
            for j in range(a.shape[1]):
                b[i, j] = residue(a[i, j], p)
    return out


def echelon(floating[:, :] a, uint64_t p):
    """Bring a few rows to reduced echelon form in place, in their order, and return the pivot column of each.

    A row that depends on the rows above it becomes zero and has pivot -1, so the first independent rows are chosen.
    """
    cdef Py_ssize_t rows = a.shape[0], n = a.shape[1], i, j, k
    cdef floating c
    cdef uint64_t r
    pivots = np.full(rows, -1, dtype=np.int64)
    cdef int64_t[::1] pivot = pivots
    check_rows(a)
    if n == 0:
        return pivots
    with nogil:
        for i in range(rows):
            for k in range(i):
                if pivot[k] >= 0 and a[i, pivot[k]] != 0:
                    c = a[i, pivot[k]]
                    if floating is double:
                        eliminate_double(&a[i, 0], c, &a[k, 0], n, p)
                    else:
                        eliminate_float(&a[i, 0], c, &a[k, 0], n, p)
            for j in range(n):
                if a[i, j] != 0:
                    pivot[i] = j
                    break
            if pivot[i] < 0:
                continue
            r = inverse(residue(a[i, pivot[i]], p), p)
            c = <floating> r if r <= p // 2 else <floating> r - <floating> p
            if floating is double:
                scale_double(&a[i, 0], c, n, p)
            else:
                scale_float(&a[i, 0], c, n, p)
            a[i, pivot[i]] = 1
            for k in range(i):
                if pivot[k] >= 0 and a[k, pivot[i]] != 0:
                    c = a[k, pivot[i]]
                    if floating is double:
                        eliminate_double(&a[k, 0], c, &a[i, 0], n, p)
                    else:
                        eliminate_float(&a[k, 0], c, &a[i, 0], n, p)
                    a[k, pivot[i]] = 0
    PyErr_CheckSignals()
    return pivots
