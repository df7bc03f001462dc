/* Arithmetic of residues modulo a word prime, p < 2^62. In C, since Cython does not know 128-bit integers. */
#ifndef CLEXACT_WORD_H
#define CLEXACT_WORD_H
#include <stddef.h>
#include <stdint.h>

/* Numbers of 128 bits: the compiler's own, or two words where it has none (or CLEXACT_PORTABLE asks for them). */
#if defined(__SIZEOF_INT128__) && !defined(CLEXACT_PORTABLE)
typedef unsigned __int128 uint128;
#define CLEXACT_WIDE 1

static inline uint128 product(uint64_t a, uint64_t b) { return (uint128)a * b; }
static inline uint128 shifted(uint64_t a) { return (uint128)a << 64; } /* a 2^64 */
static inline uint64_t high(uint128 a) { return (uint64_t)(a >> 64); }
static inline uint128 sum(uint128 a, uint128 b) { return a + b; }
static inline uint64_t remainder128(uint128 a, uint64_t p) { return (uint64_t)(a % p); }
static inline uint64_t quotient128(uint128 a, uint64_t p) { return (uint64_t)(a / p); } /* high(a) < p */
static inline uint128 widened(uint64_t a) { return a; }
#else
typedef struct { uint64_t high, low; } uint128;
#define CLEXACT_WIDE 0

static inline uint128 product(uint64_t a, uint64_t b) {
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t low = a0 * b0, middle = a1 * b0 + (low >> 32), other = a0 * b1 + (uint32_t)middle; /* none overflows */
    uint128 c = {a1 * b1 + (middle >> 32) + (other >> 32), other << 32 | (uint32_t)low};
    return c;
}
static inline uint128 shifted(uint64_t a) { uint128 c = {a, 0}; return c; }
static inline uint64_t high(uint128 a) { return a.high; }
static inline uint128 sum(uint128 a, uint128 b) {
    uint128 c = {a.high + b.high, a.low + b.low};
    c.high += c.low < a.low;
    return c;
}
/* Long division, bit by bit, where high(a) < p */
static inline uint64_t divided(uint128 a, uint64_t p, uint64_t *rest) {
    uint64_t quotient = 0, r = a.high;
    for (int bit = 63; bit >= 0; bit--) { /* r < p < 2^62, so 2 r + 1 fits */
        r = r << 1 | (a.low >> bit & 1);
        quotient <<= 1;
        if (r >= p) { r -= p; quotient |= 1; }
    }
    *rest = r;
    return quotient;
}
static inline uint64_t remainder128(uint128 a, uint64_t p) {
    uint64_t rest;
    a.high %= p;
    divided(a, p, &rest);
    return rest;
}
static inline uint64_t quotient128(uint128 a, uint64_t p) { uint64_t rest; return divided(a, p, &rest); }
static inline uint128 widened(uint64_t a) { uint128 c = {0, a}; return c; }
#endif

/* a b mod p */
static inline uint64_t mulmod(uint64_t a, uint64_t b, uint64_t p) {
    if (p >> 32 == 0) return a * b % p;
    return remainder128(product(a, b), p);
}

/* floor(c 2^64 / p): what mulmod_by needs to multiply by c without a division (Shoup) */
static inline uint64_t shoup(uint64_t c, uint64_t p) {
    return quotient128(shifted(c), p);
}

/* c x mod p; the quotient is short by one at most, so the remainder lies in [0, 2p) */
static inline uint64_t mulmod_by(uint64_t c, uint64_t c_shoup, uint64_t x, uint64_t p) {
    uint64_t q = high(product(c_shoup, x));
    uint64_t r = c * x - q * p;
    return r >= p ? r - p : r;
}

static inline uint64_t submod(uint64_t a, uint64_t b, uint64_t p) {
    return a >= b ? a - b : a + p - b;
}

/* a^(p - 2), Fermat; 1 and -1, which most are, are their own inverses */
static inline uint64_t inverse(uint64_t a, uint64_t p) {
    if (a == 1 || a == p - 1) return a;
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
    uint128 wide = widened(0);
    while (i < n) {
        for (stop = i + 15 < n ? i + 15 : n; i < stop; i++) wide = sum(wide, product(x[i], y[i]));
        wide = widened(remainder128(wide, p));
    }
    return remainder128(wide, p);
}

/* y <- y - c x (mod p) */
static inline void subtract_multiple(uint64_t *y, uint64_t c, const uint64_t *x, ptrdiff_t n, uint64_t p) {
    uint64_t c_shoup = shoup(c, p);
    for (ptrdiff_t i = 0; i < n; i++) y[i] = submod(y[i], mulmod_by(c, c_shoup, x[i], p), p);
}

#endif
