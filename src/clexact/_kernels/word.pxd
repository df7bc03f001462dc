# Arithmetic of residues modulo a word prime, p < 2^62.
from libc.stdint cimport uint64_t

cdef extern from "word.h" nogil:
    int CLEXACT_WIDE
    uint64_t mulmod(uint64_t a, uint64_t b, uint64_t p)
    uint64_t shoup(uint64_t c, uint64_t p)
    uint64_t mulmod_by(uint64_t c, uint64_t c_shoup, uint64_t x, uint64_t p)
    uint64_t submod(uint64_t a, uint64_t b, uint64_t p)
    uint64_t inverse(uint64_t a, uint64_t p)
    uint64_t dot(const uint64_t* x, const uint64_t* y, Py_ssize_t n, uint64_t p)
    void subtract_multiple(uint64_t* y, uint64_t c, const uint64_t* x, Py_ssize_t n, uint64_t p)
