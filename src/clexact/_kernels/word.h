/* Arithmetic of residues modulo a word prime, p < 2^62. In C, since Cython does not know 128-bit integers. */
#ifndef CLEXACT_WORD_H
#define CLEXACT_WORD_H
#include <stddef.h>
#include <stdint.h>

typedef unsigned __int128 uint128;

/* a b mod p */
static inline uint64_t mulmod(uint64_t a, uint64_t b, uint64_t p) {
    if (p >> 32 == 0) return a * b % p;
    return (uint64_t)((uint128)a * b % p);
}

/* floor(c 2^64 / p): what mulmod_by needs to multiply by c without a division (Shoup) */
static inline uint64_t shoup(uint64_t c, uint64_t p) {
    return (uint64_t)(((uint128)c << 64) / p);
}

/* c x mod p; the quotient is short by one at most, so the remainder lies in [0, 2p) */
static inline uint64_t mulmod_by(uint64_t c, uint64_t c_shoup, uint64_t x, uint64_t p) {
    uint64_t q = (uint64_t)((uint128)c_shoup * x >> 64);
    uint64_t r = c * x - q * p;
    return r >= p ? r - p : r;
}

static inline uint64_t submod(uint64_t a, uint64_t b, uint64_t p) {
    return a >= b ? a - b : a + p - b;
}

/* a^(p - 2), Fermat */
static inline uint64_t inverse(uint64_t a, uint64_t p) {
    uint64_t result = 1 % p, base = a % p, e;
    for (e = p - 2; e; e >>= 1) {
        if (e & 1) result = mulmod(result, base, p);
        base = mulmod(base, base, p);
    }
    return result;
}

/* sum x_i y_i mod p. p < 2^26: 4096 products fit 64 bits; else 16 products of 62-bit words fit 128 bits. */
static inline uint64_t dot(const uint64_t *x, const uint64_t *y, ptrdiff_t n, uint64_t p) {
    ptrdiff_t i = 0, stop;
    if (p >> 26 == 0) {
        uint64_t narrow = 0;
        while (i < n) {
            for (stop = i + 4095 < n ? i + 4095 : n; i < stop; i++) narrow += (uint64_t)(uint32_t)x[i] * (uint32_t)y[i];
            narrow %= p;
        }
        return narrow;
    }
    uint128 wide = 0;
    while (i < n) {
        for (stop = i + 15 < n ? i + 15 : n; i < stop; i++) wide += (uint128)x[i] * y[i];
        wide %= p;
    }
    return (uint64_t)wide;
}

/* y <- y - c x (mod p) */
static inline void subtract_multiple(uint64_t *y, uint64_t c, const uint64_t *x, ptrdiff_t n, uint64_t p) {
    uint64_t c_shoup = shoup(c, p);
    for (ptrdiff_t i = 0; i < n; i++) y[i] = submod(y[i], mulmod_by(c, c_shoup, x[i], p), p);
}

#endif
