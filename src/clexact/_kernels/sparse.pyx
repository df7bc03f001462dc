"""Sparse elimination modulo a word prime p < 2^62. Long loops look for Ctrl-C."""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from clexact._kernels.word cimport inverse, mulmod, mulmod_by, shoup, submod

cdef int64_t MANY = 1 << 24  # multiplications, some 0.1 s


cdef class SparseForm:
    """A growing echelon form of sparse rows, one after the other (Gilbert and Peierls 1988, by rows).

    A new row is reduced by the pivot rows it meets, in the order in which they came: each of them is zero on the pivots
    before it. Its own pivot is, of the columns left, the one with the fewest entries in all rows given so far, which
    keeps the rows sparse (Markowitz's count, not brought up to date). ``entries`` is the number stored.
    """

    cdef readonly int64_t entries
    cdef readonly int64_t rank
    cdef uint64_t p
    cdef Py_ssize_t columns, room
    cdef int64_t* column_of  # arena: columns of the entries of the pivot rows
    cdef uint64_t* value_of  # their values, 1 at the pivot
    cdef object _count, _pivot_of, _sum, _touched, _seen, _start, _pivot, _heap, _queued

    def __cinit__(self, Py_ssize_t columns, uint64_t p):
        self.columns, self.p, self.entries, self.rank, self.room = columns, p, 0, 0, 0
        self.column_of, self.value_of = NULL, NULL
        self._count = np.zeros(columns, dtype=np.int64)
        self._pivot_of = np.full(columns, -1, dtype=np.int64)  # number of the pivot row of each column
        self._sum = np.zeros(columns, dtype=np.uint64)  # the row at work, dense
        self._touched, self._seen = np.empty(columns, dtype=np.int64), np.zeros(columns, dtype=np.uint8)
        self._start = np.zeros(columns + 1, dtype=np.int64)  # of each pivot row in the arena
        self._pivot = np.empty(columns, dtype=np.int64)  # column of each pivot row
        self._heap, self._queued = np.empty(columns + 1, dtype=np.int64), np.zeros(columns, dtype=np.uint8)

    def __dealloc__(self):
        free(self.column_of)
        free(self.value_of)

    @property
    def pivots(self):
        """(rank,) pivot column of each row of the form."""
        return self._pivot[: self.rank].copy()

    def rows(self):
        """(start, columns, values) of the rows of the form, compressed."""
        columns, values = np.empty(self.entries, dtype=np.int64), np.empty(self.entries, dtype=np.uint64)
        cdef int64_t[::1] column = columns
        cdef uint64_t[::1] value = values
        cdef Py_ssize_t e
        for e in range(self.entries):
            column[e], value[e] = self.column_of[e], self.value_of[e]
        return self._start[: self.rank + 1].copy(), columns, values

    def add(self, const int64_t[::1] start, const int64_t[::1] column, const uint64_t[::1] value,
            const int64_t[::1] order, int64_t most):
        """Add rows start[i]:start[i + 1] in this order; for each row, whether it was independent of those before.

        MemoryError when more than ``most`` entries would be stored; the form then holds the rows before.
        """
        cdef Py_ssize_t i, n = order.shape[0]
        cdef int64_t[::1] count = self._count
        cdef int64_t work = 0, done
        fresh = np.zeros(start.shape[0] - 1, dtype=np.uint8)
        cdef uint8_t[::1] is_fresh = fresh
        for i in range(column.shape[0]):
            count[column[i]] += 1
        for i in range(n):
            done = self.reduce_row(start[order[i]], start[order[i] + 1], column, value)
            work += done if done > 0 else -done
            is_fresh[order[i]] = done > 0
            if self.entries > most:
                raise MemoryError(f"sparse elimination fills in: more than {most} entries.")
            if work > MANY:
                work = 0
                PyErr_CheckSignals()
        return fresh.astype(bool)

    def weigh(self, const int64_t[::1] columns, int64_t rows):
        """Count so many rows more, or less, that have entries there: others are pivots before them, or not."""
        cdef int64_t[::1] count = self._count
        cdef Py_ssize_t i
        for i in range(columns.shape[0]):
            count[columns[i]] += rows

    def annihilator(self, const uint64_t[::1] free):
        """A vector (columns,) that is orthogonal to all rows so far; ``free`` gives its entries at columns of no pivot.

        Row k is zero on the pivots before it: the entries at pivots follow from the last row to the first.
        """
        vector = np.array(free, dtype=np.uint64)
        cdef uint64_t[::1] v = vector
        cdef int64_t[::1] start = self._start, pivot = self._pivot
        cdef int64_t k, e, work = 0
        cdef uint64_t total, p = self.p
        for k in range(self.columns):
            v[k] = v[k] % p
        for k in range(self.rank):
            v[pivot[k]] = 0
        for k in range(self.rank - 1, -1, -1):
            total = 0
            for e in range(start[k], start[k + 1]):
                total = submod(total, mulmod(self.value_of[e], v[self.column_of[e]], p), p)
            v[pivot[k]] = total  # its own entry was 0
            work += start[k + 1] - start[k]
            if work > MANY:
                work = 0
                PyErr_CheckSignals()
        return vector

    def products(self, const int64_t[::1] start, const int64_t[::1] column, const uint64_t[::1] value,
                 const uint64_t[::1] vector):
        """Of rows start[i]:start[i + 1] with a vector, times -1."""
        cdef Py_ssize_t i, n = start.shape[0] - 1
        out = np.zeros(n, dtype=np.uint64)
        cdef uint64_t[::1] total = out
        cdef uint64_t p = self.p
        cdef int64_t e
        for i in range(n):
            for e in range(start[i], start[i + 1]):
                total[i] = submod(total[i], mulmod(value[e] % p, vector[column[e]], p), p)
        return out

    cdef int64_t reduce_row(self, int64_t first, int64_t last, const int64_t[::1] column,
                            const uint64_t[::1] value) except 0:
        """Work done, negative if the row is dependent."""
        cdef uint64_t[::1] total = self._sum
        cdef int64_t[::1] touched = self._touched, pivot_of = self._pivot_of, start = self._start, heap = self._heap
        cdef int64_t[::1] count = self._count, pivot = self._pivot
        cdef uint8_t[::1] seen = self._seen, queued = self._queued
        cdef int64_t size = 0, waiting = 0, work = 1, e, c, k, best = -1, kept = 0
        cdef uint64_t a, a_shoup, p = self.p
        for e in range(first, last):
            c = column[e]
            if not seen[c]:
                seen[c] = 1
                touched[size] = c
                size += 1
                total[c] = 0
            total[c] = (total[c] + value[e] % p) % p
            k = pivot_of[c]
            if k >= 0 and not queued[k]:
                queued[k] = 1
                waiting = push(&heap[0], waiting, k)
        while waiting:
            k = heap[0]
            waiting = pop(&heap[0], waiting)
            queued[k] = 0
            a = total[pivot[k]]
            if a == 0:
                continue
            a_shoup = shoup(a, p)
            work += start[k + 1] - start[k]
            for e in range(start[k], start[k + 1]):
                c = self.column_of[e]
                if not seen[c]:
                    seen[c] = 1
                    touched[size] = c
                    size += 1
                    total[c] = 0
                total[c] = submod(total[c], mulmod_by(a, a_shoup, self.value_of[e], p), p)
                if pivot_of[c] > k and not queued[pivot_of[c]]:
                    queued[pivot_of[c]] = 1
                    waiting = push(&heap[0], waiting, pivot_of[c])
        for e in range(size):
            c = touched[e]
            seen[c] = 0
            if total[c]:
                kept += 1
                if best < 0 or count[c] < count[best] or (count[c] == count[best] and c < best):
                    best = c
        if best < 0:
            return -work
        self.grow(kept)
        a = inverse(total[best], p)
        for e in range(size):
            c = touched[e]
            if total[c]:
                self.column_of[self.entries] = c
                self.value_of[self.entries] = mulmod(a, total[c], p)
                self.entries += 1
        pivot_of[best] = self.rank
        pivot[self.rank] = best
        self.rank += 1
        start[self.rank] = self.entries
        return work + size

    cdef int grow(self, Py_ssize_t more) except -1:
        cdef Py_ssize_t room = self.room
        cdef void* larger
        if self.entries + more <= room:
            return 0
        room = max(2 * room, self.entries + more, 1024)
        larger = realloc(self.column_of, room * sizeof(int64_t))
        if larger == NULL:
            raise MemoryError
        self.column_of = <int64_t*> larger
        larger = realloc(self.value_of, room * sizeof(uint64_t))
        if larger == NULL:
            raise MemoryError
        self.value_of = <uint64_t*> larger
        self.room = room
        return 0


cdef int64_t push(int64_t* heap, int64_t n, int64_t k) noexcept nogil:
    """Add k to a heap of n; its new size. The smallest stands first."""
    cdef int64_t i = n
    while i > 0 and heap[(i - 1) // 2] > k:
        heap[i] = heap[(i - 1) // 2]
        i = (i - 1) // 2
    heap[i] = k
    return n + 1


cdef int64_t pop(int64_t* heap, int64_t n) noexcept nogil:
    """Take the smallest off a heap of n; its new size."""
    cdef int64_t last = heap[n - 1], i = 0, child
    n -= 1
    while 2 * i + 1 < n:
        child = 2 * i + 1
        if child + 1 < n and heap[child + 1] < heap[child]:
            child += 1
        if heap[child] >= last:
            break
        heap[i] = heap[child]
        i = child
    if n:
        heap[i] = last
    return n
