/*
 * Ways into session/ for tests, without a connection. Empty in the shipped
 * build.
 */
#include "session/cache.h"
#include "session/session.h"
#include "session/ticket.h"

#ifdef PYS_TEST
#include "pys_test.h"

pys_test_session
pys_test_session_facts(const pys_session *s)
{
    return (pys_test_session){
        .refs = atomic_load(&s->refs),
        .group = s->group,
        .extended = s->extended,
        .not_resumable = atomic_load(&s->not_resumable),
        .made_ms = s->made_ms,
        .lifetime = s->lifetime,
        .age_add = s->age_add,
        .chain = s->chain,
        .n_chain = s->n_chain,
    };
}

bool
pys_test_session_fill(pys_session *s, const pys_test_session *facts)
{
    s->group = (uint16_t)facts->group;
    s->extended = facts->extended;
    atomic_store(&s->not_resumable, facts->not_resumable);
    s->made_ms = facts->made_ms;
    s->lifetime = facts->lifetime;
    s->age_add = facts->age_add;
    return pys_session_set_chain(s, facts->chain, facts->n_chain);
}

bool
pys_test_session_fresh(const pys_session *s, int64_t now)
{
    return pys_session_fresh(s, now);
}

/* Hands bytes over if there is room for all; the whole length, or 0. */
static size_t
hand_over(bool ok, pys_buf *bytes, uint8_t *out, size_t max)
{
    size_t n = ok ? pys_buf_size(bytes) : 0;

    if (n != 0 && n <= max)
        memcpy(out, pys_buf_head(bytes), n);
    pys_buf_wipe(bytes);
    return n;
}

size_t
pys_test_session_put(const pys_session *s, uint8_t *out, size_t max)
{
    pys_buf bytes;

    pys_buf_init(&bytes, PYS_TICKET_MAX);
    return hand_over(pys_session_put(s, &bytes), &bytes, out, max);
}

pys_session *
pys_test_session_take(const uint8_t *p, size_t n)
{
    return pys_session_take(pys_rd_of(p, n));
}

size_t
pys_test_ticket_seal(pys_ticket_keys *k, const pys_session *s, uint8_t *out,
    size_t max)
{
    pys_buf bytes;

    pys_buf_init(&bytes, PYS_TICKET_MAX);
    return hand_over(pys_ticket_seal(k, s, &bytes), &bytes, out, max);
}

pys_session *
pys_test_ticket_open(pys_ticket_keys *k, const uint8_t *p, size_t n, bool *old)
{
    return pys_ticket_open(k, pys_rd_of(p, n), old);
}

pys_session *
pys_test_cache_find(pys_cache *c, const uint8_t *p, size_t n)
{
    return pys_cache_find(c, pys_rd_of(p, n));
}
#endif
