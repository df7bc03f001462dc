# Arithmetic of residues modulo a word prime, p < 2^62.
from libc.stdint cimport uint64_t

cdef extern from *:
    ctypedef unsigned long long uint128_t "unsigned __int128"


cdef inline uint64_t mulmod(uint64_t a, uint64_t b, uint64_t p) noexcept nogil:
    if p >> 32 == 0:
        return a * b % p
    return <uint64_t>(<uint128_t>a * b % p)


cdef inline uint64_t shoup(uint64_t c, uint64_t p) noexcept nogil:
    # floor(c 2^64 / p), what mulmod_by needs to multiply by c without a division
    return <uint64_t>((<uint128_t>c << 64) / p)


cdef inline uint64_t mulmod_by(uint64_t c, uint64_t c_shoup, uint64_t x, uint64_t p) noexcept nogil:
    # c x mod p; the quotient estimate is short by one at most, so the remainder lies in [0, 2p)
    cdef uint64_t q = <uint64_t>(<uint128_t>c_shoup * x >> 64)
    cdef uint64_t r = c * x - q * p
    return r - p if r >= p else r


cdef inline uint64_t submod(uint64_t a, uint64_t b, uint64_t p) noexcept nogil:
    return a - b if a >= b else a + p - b


cdef inline uint64_t inverse(uint64_t a, uint64_t p) noexcept nogil:
    # a^(p - 2), Fermat
    cdef uint64_t result = 1, e = p - 2, base = a % p
    while e:
        if e & 1:
            result = mulmod(result, base, p)
        base = mulmod(base, base, p)
        e >>= 1
    return result % p
