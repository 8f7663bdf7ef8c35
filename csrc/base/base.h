/*
 * What every other file may use: fixed-size types, the must-use mark, wiping
 * and constant-time comparison, the allocator. No other file names memset or
 * memcmp, so that a search proves what happens to secrets.
 */
#ifndef PYS_BASE_H
#define PYS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define PYS_MUST __attribute__((warn_unused_result))
#else
#define PYS_MUST
#endif

#define PYS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Overwrites n bytes of a secret; never optimised away. */
void pys_wipe(void *p, size_t n);

/* True if both hold the same n bytes; the time depends on n alone. */
PYS_MUST bool pys_same(const void *a, const void *b, size_t n);

/*
 * n zeroed bytes, or NULL. Every allocation of the core passes here, so that
 * the test build can let the n-th one fail.
 */
PYS_MUST void *pys_alloc(size_t n);

/* The same, but not zeroed: for buffers that are written before read. */
PYS_MUST void *pys_alloc_raw(size_t n);

/* Frees what pys_alloc gave; NULL is fine. Does not wipe. */
void pys_free(void *p);

/* Wipes n bytes, then frees. For whatever may have held a secret. */
void pys_free_secret(void *p, size_t n);

/* A copy of n bytes that the caller owns, or NULL. */
PYS_MUST void *pys_copy(const void *p, size_t n);

/* Sets n bytes to zero; for plain data, not for secrets. */
static inline void
pys_zero(void *p, size_t n)
{
    if (n != 0)
        memset(p, 0, n);
}

/* True if both hold the same n bytes; for public data only. */
static inline bool
pys_equal(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

/*
 * In place of a message type: the cookie of a HelloRetryRequest; a ticket of
 * ours, for one that a trace shows.
 */
enum { PYS_INJECT_COOKIE = 255, PYS_INJECT_TICKET = 253 };

/* Milliseconds since the epoch; the test build can set it. */
int64_t pys_now_ms(void);

#ifdef PYS_TEST
/* Lets the n-th allocation from now fail (1: the next); 0 switches it off. */
void pys_test_fail_alloc(long n);
/* Allocations asked for since the last pys_test_fail_alloc. */
long pys_test_n_alloc(void);
/* Allocations that were given and not yet given back. */
long pys_test_n_live(void);
/*
 * The next handshake message of this type is sent as these bytes (header
 * included) instead of what was built.
 */
void pys_test_put_message(int type, const uint8_t *p, size_t n);
/* Hands such a message out, once; pys_free. */
uint8_t *pys_injected(int type, size_t *n);
/* Fixes the clock; a negative value gives the system's back. */
void pys_test_set_now(int64_t ms);
#else
static inline uint8_t *
pys_injected(int type, size_t *n)
{
    (void)type;
    *n = 0;
    return NULL;
}
#endif

#endif
