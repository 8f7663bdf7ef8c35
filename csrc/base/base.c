#include "base/base.h"

#include <stdlib.h>
#include <time.h>

#ifdef PYS_TEST
#include <stdatomic.h>

static atomic_long allocs_left;
static atomic_long allocs_seen;
static atomic_long allocs_live;
static _Atomic int64_t fixed_now = -1;

/* Counts what was given, or takes back. */
static void *
counted(void *p, long one)
{
    if (p != NULL)
        atomic_fetch_add(&allocs_live, one);
    return p;
}

void
pys_test_fail_alloc(long n)
{
    atomic_store(&allocs_left, n);
    atomic_store(&allocs_seen, 0);
}

long
pys_test_n_alloc(void)
{
    return atomic_load(&allocs_seen);
}

long
pys_test_n_live(void)
{
    return atomic_load(&allocs_live);
}

void
pys_test_set_now(int64_t ms)
{
    atomic_store(&fixed_now, ms);
}

/* One message of each type may wait; any thread may take it. */
static struct {
    uint8_t *_Atomic p;
    size_t n;
} injected[256];

void
pys_test_put_message(int type, const uint8_t *p, size_t n)
{
    uint8_t *copy = counted(malloc(n != 0 ? n : 1), 1);

    if (copy != NULL && n != 0)
        memcpy(copy, p, n);
    injected[type & 255].n = n;
    pys_free(atomic_exchange(&injected[type & 255].p, copy));
}

uint8_t *
pys_injected(int type, size_t *n)
{
    uint8_t *p = atomic_exchange(&injected[type & 255].p, NULL);

    *n = p != NULL ? injected[type & 255].n : 0;
    return p;
}

static bool
alloc_must_fail(void)
{
    atomic_fetch_add(&allocs_seen, 1);
    return atomic_load(&allocs_left) > 0 &&
        atomic_fetch_sub(&allocs_left, 1) == 1;
}

#else
static void *
counted(void *p, long one)
{
    (void)one;
    return p;
}
#endif

/*
 * The compiler cannot know which function this is, so no call is left out. The
 * system's way to set bytes takes a fraction of OPENSSL_cleanse's time, and a
 * handshake has tens of kilobytes to wipe.
 */
static void (*const volatile set_zero)(void *, size_t) = pys_zero;

void
pys_wipe(void *p, size_t n)
{
    if (p != NULL)
        set_zero(p, n);
}

/* The volatile place wants every bit, so that no loop can end early. */
bool
pys_same(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a;
    const uint8_t *q = b;
    volatile uint64_t differ;
    uint64_t all = 0;
    uint64_t one;
    uint64_t two;

    for (; n >= sizeof(one); n -= sizeof(one)) {
        memcpy(&one, p, sizeof(one));
        memcpy(&two, q, sizeof(two));
        all |= one ^ two;
        p += sizeof(one);
        q += sizeof(two);
    }
    for (; n != 0; n--)
        all |= (uint64_t)(*p++ ^ *q++);
    differ = all;
    return differ == 0;
}

/*
 * glibc keeps small blocks at hand for each thread, and before 2.41 its calloc
 * took none of them: up to this size, malloc and zeros cost less.
 */
enum { AT_HAND_MAX = 1024 };

void *
pys_alloc(size_t n)
{
    void *p;

#ifdef PYS_TEST
    if (alloc_must_fail())
        return NULL;
#endif
    if (n > AT_HAND_MAX)
        return counted(calloc(1, n), 1);
    p = malloc(n != 0 ? n : 1);
    if (p != NULL)
        pys_zero(p, n);
    return counted(p, 1);
}

void *
pys_alloc_raw(size_t n)
{
#ifdef PYS_TEST
    if (alloc_must_fail())
        return NULL;
#endif
    return counted(malloc(n != 0 ? n : 1), 1);
}

void
pys_free(void *p)
{
    free(counted(p, -1));
}

void
pys_free_secret(void *p, size_t n)
{
    pys_wipe(p, n);
    pys_free(p);
}

void *
pys_copy(const void *p, size_t n)
{
    void *copy = pys_alloc(n);

    if (copy != NULL && n != 0)
        memcpy(copy, p, n);
    return copy;
}

int64_t
pys_now_ms(void)
{
    struct timespec now;

#ifdef PYS_TEST
    if (atomic_load(&fixed_now) >= 0)
        return atomic_load(&fixed_now);
#endif
    if (timespec_get(&now, TIME_UTC) != TIME_UTC)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
