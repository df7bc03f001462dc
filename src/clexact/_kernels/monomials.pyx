"""Packed monomials: row t is x_{var[s]}^{power[s]} for start[t] <= s < start[t + 1], var increasing, power > 0.

Powers are int32; a product whose power does not fit raises OverflowError. Coefficients never come here.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint64_t


cdef inline uint64_t mix(uint64_t x) noexcept nogil:
    # splitmix64, a bijection of the 64-bit words: the fixed random number of variable x
    x = x + <uint64_t>0x9E3779B97F4A7C15
    x = (x ^ (x >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * <uint64_t>0x94D049BB133111EB
    return x ^ (x >> 31)


def hashes(const int64_t[::1] start, const int32_t[::1] var, const int32_t[::1] power):
    """hash[t] = sum of power * mix(var) mod 2^64: additive, so hash(a * b) = hash(a) + hash(b)."""
    cdef Py_ssize_t rows = start.shape[0] - 1, t, s
    out = np.zeros(rows, dtype=np.uint64)
    cdef uint64_t[::1] h = out
    with nogil:
        for t in range(rows):
            for s in range(start[t], start[t + 1]):
                h[t] += <uint64_t>power[s] * mix(<uint64_t>var[s])
    return out


def take(const int64_t[::1] start, const int32_t[::1] var, const int32_t[::1] power, const int64_t[::1] index):
    """The rows named by index, in that order."""
    cdef Py_ssize_t rows = index.shape[0], t, s, n = 0
    out_start = np.zeros(rows + 1, dtype=np.int64)
    cdef int64_t[::1] o = out_start
    with nogil:
        for t in range(rows):
            n += start[index[t] + 1] - start[index[t]]
            o[t + 1] = n
    out_var, out_power = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    cdef int32_t[::1] v = out_var, w = out_power
    with nogil:
        n = 0
        for t in range(rows):
            for s in range(start[index[t]], start[index[t] + 1]):
                v[n] = var[s]
                w[n] = power[s]
                n += 1
    return out_start, out_var, out_power


def products(const int64_t[::1] start_a, const int32_t[::1] var_a, const int32_t[::1] power_a,
             const int64_t[::1] start_b, const int32_t[::1] var_b, const int32_t[::1] power_b,
             const int64_t[::1] ia, const int64_t[::1] ib):
    """Row t is (row ia[t] of a) * (row ib[t] of b): a merge of two sorted lists."""
    cdef Py_ssize_t rows = ia.shape[0], t, i, j, end_i, end_j, n = 0
    cdef int64_t total
    cdef bint overflow = False
    for t in range(rows):
        n += start_a[ia[t] + 1] - start_a[ia[t]] + start_b[ib[t] + 1] - start_b[ib[t]]
    out_start = np.zeros(rows + 1, dtype=np.int64)
    out_var, out_power = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    cdef int64_t[::1] o = out_start
    cdef int32_t[::1] v = out_var, w = out_power
    with nogil:
        n = 0
        for t in range(rows):
            i, end_i = start_a[ia[t]], start_a[ia[t] + 1]
            j, end_j = start_b[ib[t]], start_b[ib[t] + 1]
            while i < end_i or j < end_j:
                if j == end_j or (i < end_i and var_a[i] < var_b[j]):
                    v[n], w[n] = var_a[i], power_a[i]
                    i += 1
                elif i == end_i or var_b[j] < var_a[i]:
                    v[n], w[n] = var_b[j], power_b[j]
                    j += 1
                else:
                    total = <int64_t>power_a[i] + power_b[j]
                    overflow |= total > 2147483647
                    v[n], w[n] = var_a[i], <int32_t>total
                    i += 1
                    j += 1
                n += 1
            o[t + 1] = n
    if overflow:
        raise OverflowError("a power exceeds 2^31 - 1, the largest that clexact handles.")
    return out_start, out_var[:n].copy(), out_power[:n].copy()


def partials(const int64_t[::1] start, const int32_t[::1] var, const int32_t[::1] power):
    """One row per (row, variable) met: d/dx of the monomial without its factor. Returns (source, x, factor, rows)."""
    cdef Py_ssize_t rows = start.shape[0] - 1, count = var.shape[0], t, s, r, k = 0, n = 0
    for t in range(rows):
        n += (start[t + 1] - start[t]) * (start[t + 1] - start[t])
    source, wrt, factor = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    out_start = np.zeros(count + 1, dtype=np.int64)
    out_var, out_power = np.empty(n, dtype=np.int32), np.empty(n, dtype=np.int32)
    cdef int64_t[::1] src = source, x = wrt, f = factor, o = out_start
    cdef int32_t[::1] v = out_var, w = out_power
    with nogil:
        n = 0
        for t in range(rows):
            for s in range(start[t], start[t + 1]):
                src[k], x[k], f[k] = t, var[s], power[s]
                for r in range(start[t], start[t + 1]):
                    if r == s and power[r] == 1:
                        continue
                    v[n], w[n] = var[r], power[r] - (1 if r == s else 0)
                    n += 1
                k += 1
                o[k] = n
    return source, wrt, factor, (out_start, out_var[:n].copy(), out_power[:n].copy())


def equal_pairs(const int64_t[::1] start, const int32_t[::1] var, const int32_t[::1] power,
                const int64_t[::1] i, const int64_t[::1] j):
    """out[t] = 1 when rows i[t] and j[t] are the same monomial."""
    cdef Py_ssize_t pairs = i.shape[0], t, s, length, a, b
    out = np.empty(pairs, dtype=np.bool_)
    cdef unsigned char[::1] same = out.view(np.uint8)
    with nogil:
        for t in range(pairs):
            a, b = start[i[t]], start[j[t]]
            length = start[i[t] + 1] - a
            same[t] = length == start[j[t] + 1] - b
            if same[t]:
                for s in range(length):
                    if var[a + s] != var[b + s] or power[a + s] != power[b + s]:
                        same[t] = 0
                        break
    return out
