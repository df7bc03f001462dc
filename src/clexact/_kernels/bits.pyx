"""Rank modulo 2 and modulo 3 of dense matrices, 64 entries to a word.

Modulo 2 an entry is a bit, and a row is subtracted by exclusive or. Modulo 3 it is a pair of bits, (0, 0), (1, 0) and (0, 1) for
0, 1 and 2 (T. J. Boothby, R. W. Bradshaw: Bitslicing and the method of four Russians over larger finite fields,
arXiv 0901.1413): negation exchanges the two, and a sum takes seven operations on words.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uint64_t

cdef enum:
    WORD = 64
    CHECKED = 64  # columns between two looks for Ctrl-C


cdef inline Py_ssize_t words_for(Py_ssize_t columns) noexcept nogil:
    return (columns + WORD - 1) // WORD


cdef inline bint bit(const uint64_t[:, ::1] a, Py_ssize_t i, Py_ssize_t j) noexcept nogil:
    return a[i, j // WORD] >> (j % WORD) & 1


def packed(const uint64_t[:, :] rows, uint64_t p):
    """(p - 1, rows, columns / 64) words, rounded up: bit j of row i of ``out[v - 1]`` says whether entry (i, j) is v.

    ValueError for an entry that is no residue modulo p = 2 or 3.
    """
    cdef Py_ssize_t i, j, k, first, n = rows.shape[1], width = words_for(n)
    cdef uint64_t ones, twos, x, largest = 0
    out = np.zeros((p - 1, rows.shape[0], width), dtype=np.uint64)
    cdef uint64_t[:, :, ::1] a = out
    with nogil:
        for i in range(rows.shape[0]):
            for k in range(width):
                first, ones, twos = k * WORD, 0, 0
                for j in range(min(WORD, n - first)):
                    x = rows[i, first + j]
                    largest = max(largest, x)
                    ones |= (x & 1) << j
                    twos |= (x >> 1 & 1) << j
                a[0, i, k] = ones
                if p == 3:
                    a[1, i, k] = twos
    if largest >= p:
        raise ValueError(f"entries must be below {p}, not {largest}.")
    return out


def rank(const uint64_t[:, :] rows, uint64_t p):
    """Rank modulo p = 2 or 3 of a matrix of residues. Memory beside it: (p - 1)/64 of it."""
    words = packed(rows, p)
    return rank2(words[0], rows.shape[1]) if p == 2 else rank3(words[0], words[1], rows.shape[1])


cdef void swap(uint64_t[:, ::1] a, Py_ssize_t i, Py_ssize_t k, Py_ssize_t first) noexcept nogil:
    cdef Py_ssize_t w
    cdef uint64_t kept
    for w in range(first, a.shape[1]):
        kept = a[i, w]
        a[i, w] = a[k, w]
        a[k, w] = kept


cdef void add2(uint64_t* y, const uint64_t* x, Py_ssize_t n) noexcept nogil:
    # y <- y + x (mod 2)
    cdef Py_ssize_t w
    for w in range(n):
        y[w] ^= x[w]


cdef void add3(uint64_t* y1, uint64_t* y2, const uint64_t* x1, const uint64_t* x2, Py_ssize_t n) noexcept nogil:
    # (y1, y2) <- (y1, y2) + (x1, x2) (mod 3)
    cdef Py_ssize_t w
    cdef uint64_t either, t
    for w in range(n):
        either = (x1[w] | y2[w]) ^ (x2[w] | y1[w])
        t = (x2[w] | y2[w]) ^ either
        y2[w] = (x1[w] | y1[w]) ^ either
        y1[w] = t


def rank2(uint64_t[:, ::1] a, Py_ssize_t columns):
    """Rank modulo 2 of packed rows, which are overwritten."""
    cdef Py_ssize_t i, j, first, found = 0, rows = a.shape[0], width = a.shape[1]
    for j in range(columns):
        if j % CHECKED == 0:
            PyErr_CheckSignals()
        if found == rows:
            break
        with nogil:
            first = j // WORD
            for i in range(found, rows):
                if bit(a, i, j):
                    break
            else:
                continue
            swap(a, i, found, first)
            for i in range(i + 1, rows):
                if bit(a, i, j):
                    add2(&a[i, first], &a[found, first], width - first)
            found += 1
    return found


def rank3(uint64_t[:, ::1] ones, uint64_t[:, ::1] twos, Py_ssize_t columns):
    """Rank modulo 3 of packed rows, which are overwritten: which entries are 1, and which are 2."""
    cdef Py_ssize_t i, j, first, found = 0, rows = ones.shape[0], width = ones.shape[1]
    cdef bint two
    for j in range(columns):
        if j % CHECKED == 0:
            PyErr_CheckSignals()
        if found == rows:
            break
        with nogil:
            first = j // WORD
            for i in range(found, rows):
                if bit(ones, i, j) or bit(twos, i, j):
                    break
            else:
                continue
            swap(ones, i, found, first)
            swap(twos, i, found, first)
            two = bit(twos, found, j)
            for i in range(i + 1, rows):
                if bit(twos, i, j) if two else bit(ones, i, j):  # the same as the pivot: its negative is added
                    add3(&ones[i, first], &twos[i, first], &twos[found, first], &ones[found, first], width - first)
                elif bit(ones, i, j) if two else bit(twos, i, j):
                    add3(&ones[i, first], &twos[i, first], &ones[found, first], &twos[found, first], width - first)
            found += 1
    return found
