"""The monomial system modulo a word prime: its equations, and the presolve of equations of one or two terms."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint64_t
from clexact._kernels.word cimport inverse, mulmod, submod


def equations(const int64_t[::1] start, const int32_t[::1] var, const int32_t[::1] power,
              const uint64_t[::1] monomial_hash, const uint64_t[::1] variable_hash,
              const int64_t[::1] component_start, const uint64_t[::1] term_hash, const uint64_t[::1] term_coef,
              uint64_t p):
    """All entries of the system sum_a a X_i(x^a) = 0 as triples (key of the equation, unknown, value mod p).

    Each monomial x^a, each x_j in it, each term c x^b d/dx_j of a field X_i gives the value a_j c in the equation
    keyed by hash(x^a) - hash(x_j) + hash(x^b) + salt(i); term_hash holds the last two, terms sorted by component j.
    """
    cdef Py_ssize_t rows = start.shape[0] - 1, t, s, f, n = 0
    for t in range(rows):
        for s in range(start[t], start[t + 1]):
            n += component_start[var[s] + 1] - component_start[var[s]]
    keys, unknowns, values = np.empty(n, np.uint64), np.empty(n, np.int64), np.empty(n, np.uint64)
    cdef uint64_t[::1] key = keys, value = values
    cdef int64_t[::1] unknown = unknowns
    cdef uint64_t base
    with nogil:
        n = 0
        for t in range(rows):
            for s in range(start[t], start[t + 1]):
                base = monomial_hash[t] - variable_hash[var[s]]
                for f in range(component_start[var[s]], component_start[var[s] + 1]):
                    key[n] = base + term_hash[f]
                    unknown[n] = t
                    value[n] = mulmod(<uint64_t>power[s] % p, term_coef[f], p)
                    n += 1
    return keys, unknowns, values


cdef int64_t find(int64_t[::1] root, uint64_t[::1] weight, int64_t x, uint64_t p) noexcept nogil:
    # the root of x, with weight[x] brought up to date: x = weight[x] * root; the path is halved on the way
    cdef int64_t parent
    while root[x] != root[root[x]]:
        parent = root[x]
        weight[x] = mulmod(weight[x], weight[parent], p)
        root[x] = root[parent]
    return root[x]


def presolve(const int64_t[::1] start, const int64_t[::1] unknown, const uint64_t[::1] value,
             Py_ssize_t unknowns, uint64_t p):
    """Apply every equation of one term (a = 0) and of two terms (a = c b) until none is left.

    Returns (root, weight, zero, open): unknown x = weight[x] * unknown root[x], and is 0 where zero[root[x]];
    open lists the equations with three terms or more in the remaining unknowns. A root is the least of its class.
    """
    cdef Py_ssize_t rows = start.shape[0] - 1, r, s, k, count, left, keep, longest = 0
    roots, weights = np.arange(unknowns, dtype=np.int64), np.ones(unknowns, dtype=np.uint64)
    zeros = np.zeros(unknowns, dtype=np.uint8)
    active = np.arange(rows, dtype=np.int64)
    cdef int64_t[::1] root = roots, row = active
    cdef uint64_t[::1] weight = weights
    cdef unsigned char[::1] zero = zeros
    sums, marks = np.zeros(unknowns, dtype=np.uint64), np.full(unknowns, -1, dtype=np.int64)
    cdef uint64_t[::1] total = sums
    cdef int64_t[::1] mark = marks
    for r in range(rows):
        longest = max(longest, start[r + 1] - start[r])
    seen_array = np.empty(longest, dtype=np.int64)
    cdef int64_t[::1] seen = seen_array
    cdef int64_t a, b, stamp = 0
    cdef uint64_t c
    cdef bint changed = True
    left = rows
    with nogil:
        while changed:
            changed = False
            keep = 0
            for r in range(left):
                if r & 0xFFFFF == 0:
                    with gil:
                        PyErr_CheckSignals()
                stamp += 1
                count = 0
                for s in range(start[row[r]], start[row[r] + 1]):
                    a = find(root, weight, unknown[s], p)
                    if zero[a]:
                        continue
                    if mark[a] != stamp:
                        mark[a] = stamp
                        total[a] = 0
                        seen[count] = a
                        count += 1
                    total[a] = submod(total[a], p - mulmod(value[s], weight[unknown[s]], p), p)
                k = 0
                for s in range(count):
                    if total[seen[s]] % p:
                        seen[k] = seen[s]
                        k += 1
                if k == 0:
                    continue
                if k == 1:
                    zero[seen[0]] = 1
                    changed = True
                elif k == 2:
                    a, b = min(seen[0], seen[1]), max(seen[0], seen[1])
                    c = mulmod(total[a], inverse(total[b], p), p)
                    root[b] = a
                    weight[b] = p - c  # total[a] a + total[b] b = 0
                    changed = True
                else:
                    row[keep] = row[r]
                    keep += 1
            left = keep
        for s in range(unknowns):
            find(root, weight, s, p)
    return roots, weights, zeros.astype(bool), active[:left].copy()
