/* Residues in balanced form: integers of absolute value at most (p + 1) / 2, held in floating point, exactly. */
#ifndef CLEXACT_BALANCED_H
#define CLEXACT_BALANCED_H
#include <stddef.h>

/* The same loops for AVX2 and for any machine; which ones run is settled when the module is loaded. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) \
    && !defined(CLEXACT_PORTABLE)
#define CLEXACT_CLONES __attribute__((target_clones("avx2", "default")))
#define CLEXACT_CLONED 1
#else
#define CLEXACT_CLONES
#define CLEXACT_CLONED 0
#endif

/* Adding and taking off 1.5 times the largest power of two rounds to the nearest integer.
   reduce: a <- a mod p;  subtract: a <- a - b mod p;  eliminate: a <- a - c b mod p;  scale: a <- c a mod p */
#define CLEXACT_BALANCED(T, ROUND)                                                                              \
    static inline T balanced_##T(T t, T p, T inverse) {                                                         \
        T quotient = (t * inverse + (ROUND)) - (ROUND);                                                         \
        return t - quotient * p;                                                                                \
    }                                                                                                           \
    CLEXACT_CLONES static void reduce_##T(T *a, ptrdiff_t n, T p) {                                             \
        T inverse = 1 / p;                                                                                      \
        for (ptrdiff_t i = 0; i < n; i++) a[i] = balanced_##T(a[i], p, inverse);                                \
    }                                                                                                           \
    CLEXACT_CLONES static void subtract_##T(T *restrict a, const T *restrict b, ptrdiff_t n, T p) {             \
        T inverse = 1 / p;                                                                                      \
        for (ptrdiff_t i = 0; i < n; i++) a[i] = balanced_##T(a[i] - b[i], p, inverse);                         \
    }                                                                                                           \
    CLEXACT_CLONES static void eliminate_##T(T *restrict a, T c, const T *restrict b, ptrdiff_t n, T p) {       \
        T inverse = 1 / p;                                                                                      \
        for (ptrdiff_t i = 0; i < n; i++) a[i] = balanced_##T(a[i] - c * b[i], p, inverse);                     \
    }                                                                                                           \
    CLEXACT_CLONES static void scale_##T(T *a, T c, ptrdiff_t n, T p) {                                         \
        T inverse = 1 / p;                                                                                      \
        for (ptrdiff_t i = 0; i < n; i++) a[i] = balanced_##T(a[i] * c, p, inverse);                            \
    }

CLEXACT_BALANCED(double, 6755399441055744.0) /* 1.5 * 2^52 */
CLEXACT_BALANCED(float, 12582912.0f)         /* 1.5 * 2^23 */

#endif
