"""Sorting, collecting and joining entries by integer keys, which must not be negative."""

import numpy as np

from libc.stdint cimport int64_t, uint64_t
from clexact._kernels.word cimport submod

DEF BITS = 11


def order(const int64_t[::1] keys):
    """The places of the keys in ascending order, equal ones in their order (radix sort, from the last digit)."""
    cdef Py_ssize_t n = keys.shape[0], i
    cdef int64_t largest = 0
    cdef bint ascending = True
    found, other = np.arange(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    cdef int64_t[::1] places = found, moved = other
    cdef int64_t count[1 << BITS]
    cdef int shift = 0
    with nogil:
        for i in range(n):
            if i and keys[i] < keys[i - 1]:
                ascending = False
            largest |= keys[i]
        while not ascending and largest >> shift:
            sort_by_digit(keys, places, moved, &count[0], shift)
            places, moved = moved, places
            shift += BITS
    return np.asarray(places)


cdef void sort_by_digit(const int64_t[::1] keys, const int64_t[::1] places, int64_t[::1] moved, int64_t* count,
                        int shift) noexcept nogil:
    """moved <- places, in the order of one digit of their keys."""
    cdef Py_ssize_t n = places.shape[0], i
    cdef int64_t mask = (1 << BITS) - 1, digit, before = 0, here
    for digit in range(1 << BITS):
        count[digit] = 0
    for i in range(n):
        count[(keys[i] >> shift) & mask] += 1
    for digit in range(1 << BITS):
        here = count[digit]
        count[digit] = before
        before += here
    for i in range(n):
        digit = (keys[places[i]] >> shift) & mask
        moved[count[digit]] = places[i]
        count[digit] += 1


def collect(const int64_t[::1] keys, const uint64_t[::1] values, uint64_t p):
    """(place of the first of each key, sum of its values mod p < 2^62), keys in order, sums of zero left out."""
    cdef Py_ssize_t n = keys.shape[0], i = 0, kept = 0
    sorted_places = order(keys)
    which, totals = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.uint64)
    cdef const int64_t[::1] place = sorted_places
    cdef int64_t[::1] chosen = which
    cdef uint64_t[::1] total = totals
    cdef int64_t first
    cdef uint64_t sum_here
    with nogil:
        while i < n:
            first, sum_here = place[i], values[place[i]] % p
            i += 1
            while i < n and keys[place[i]] == keys[first]:
                sum_here = submod(sum_here, p - values[place[i]] % p, p)
                i += 1
            if sum_here:
                chosen[kept], total[kept] = first, sum_here
                kept += 1
    return which[:kept], totals[:kept]


def join(const int64_t[::1] left, const int64_t[::1] right):
    """All pairs (i, j) with left[i] = right[j]: ascending in i, and for each in j."""
    cdef Py_ssize_t n = left.shape[0], m = right.shape[0], a, b = 0, end = 0, size = 0
    order_left, order_right = order(left), order(right)
    cdef const int64_t[::1] l = order_left, r = order_right
    firsts, counts = np.zeros(n, dtype=np.int64), np.zeros(n, dtype=np.int64)
    cdef int64_t[::1] first = firsts, count = counts
    with nogil:
        for a in range(n):
            if a == 0 or left[l[a]] != left[l[a - 1]]:
                while b < m and right[r[b]] < left[l[a]]:
                    b += 1
                end = b
                while end < m and right[r[end]] == left[l[a]]:
                    end += 1
            first[l[a]], count[l[a]] = b, end - b
            size += end - b
    ours, theirs = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
    cdef int64_t[::1] i = ours, j = theirs
    with nogil:
        size = 0
        for a in range(n):
            for b in range(first[a], first[a] + count[a]):
                i[size], j[size] = a, r[b]
                size += 1
    return ours, theirs
