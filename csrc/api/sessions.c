/*
 * The application's view of resumption: the session to offer, those that came
 * to be, what the cache did, and external PSKs.
 */
#include "conn/conn.h"
#include "handshake/psk.h"

void
pys_conn_set_session(pys_conn *c, pys_session *s)
{
    pys_session *old = c->session;

    c->session = pys_session_up_ref(s);
    pys_session_free(old);
}

pys_session *
pys_conn_session(const pys_conn *c)
{
    return pys_session_up_ref(c->session);
}

bool
pys_conn_retire(pys_conn *c, bool anyway)
{
    int phase = atomic_load(&c->phase);

    if (c->session == NULL)
        return false;
    if (!anyway &&
        ((phase != PYS_OPEN && phase != PYS_DEAD) ||
            (atomic_load(&c->closing) & PYS_SENT_SHUTDOWN) != 0))
        return false;
    pys_session_retire(c->session);
    if (c->set->cache != NULL)
        pys_session_free(pys_cache_remove(c->set->cache, c->session));
    return true;
}

pys_session *
pys_conn_fresh_session(pys_conn *c)
{
    pys_session *s;

    if (c->n_fresh == 0)
        return NULL;
    s = c->fresh[0];
    c->n_fresh--;
    for (size_t i = 0; i < c->n_fresh; i++)
        c->fresh[i] = c->fresh[i + 1];
    c->fresh[c->n_fresh] = NULL;
    if (c->n_fresh == 0)
        pys_fresh_drop(c);
    return s;
}

bool
pys_conn_resumed(const pys_conn *c)
{
    return c->resumed;
}

const uint8_t *
pys_conn_asked_id(const pys_conn *c, size_t *n)
{
    *n = 0;
    if (pys_conn_asked(c) != PYS_ASK_SESSION)
        return NULL;
    *n = c->hs->n_session_id;
    return c->hs->session_id;
}

void
pys_conn_give_session(pys_conn *c, pys_session *s)
{
    if (pys_conn_asked(c) != PYS_ASK_SESSION)
        return;
    pys_session_free(c->hs->given);
    c->hs->given = pys_session_up_ref(s);
}

pys_session *
pys_conn_dropped_session(pys_conn *c)
{
    pys_session *s;

    if (c->n_dropped == 0)
        return NULL;
    s = c->dropped[0];
    c->n_dropped--;
    for (size_t i = 0; i < c->n_dropped; i++)
        c->dropped[i] = c->dropped[i + 1];
    if (c->n_dropped == 0) {
        pys_free(c->dropped);
        c->dropped = NULL;
    }
    return s;
}

bool
pys_conn_clear_due(pys_conn *c)
{
    bool due = c->clear_due;

    c->clear_due = false;
    return due;
}

/* ---- external PSKs ----------------------------------------------------- */

static bool
asked_psk(const pys_conn *c)
{
    int what = pys_conn_asked(c);

    return what == PYS_ASK_PSK_OFFER || what == PYS_ASK_PSK_LOOKUP ||
        what == PYS_ASK_PSK_CLIENT || what == PYS_ASK_PSK_SERVER;
}

const uint8_t *
pys_conn_asked_psk(const pys_conn *c, size_t *n)
{
    *n = 0;
    if (!asked_psk(c))
        return NULL;
    *n = pys_buf_size(&c->hs->psk_about);
    return pys_buf_head(&c->hs->psk_about);
}

bool
pys_conn_give_psk(pys_conn *c, const pys_session *s, const uint8_t *identity,
    size_t n)
{
    pys_session *copy;

    if (!asked_psk(c) || n > PYS_PSK_IDENTITY_MAX)
        return false;
    copy = pys_session_copy(s);
    if (copy == NULL)
        return false;
    /* A server's is the one that it was asked for. */
    if (!pys_session_set_identity(copy,
            c->role == PYS_SERVER ? pys_rd_buf(&c->hs->psk_about) :
                                    pys_rd_of(identity, n))) {
        pys_session_free(copy);
        return false;
    }
    pys_session_free(c->hs->external);
    c->hs->external = copy;
    return true;
}

const uint8_t *
pys_conn_psk_hint(const pys_conn *c, size_t *n)
{
    *n = 0;
    if (c->psk_hint == NULL)
        return NULL;
    *n = pys_buf_size(c->psk_hint);
    return pys_buf_head(c->psk_hint);
}

/* ---- ticket keys of the application -------------------------------------- */

const uint8_t *
pys_conn_asked_ticket(const pys_conn *c)
{
    return pys_conn_asked(c) == PYS_ASK_TICKET_OPEN ? c->hs->ticket_about.p :
                                                      NULL;
}

bool
pys_conn_answer_ticket(pys_conn *c, const pys_ticket_setup *setup, bool renew)
{
    int what = pys_conn_asked(c);

    if (what != PYS_ASK_TICKET_OPEN && what != PYS_ASK_TICKET_SEAL)
        return false;
    pys_free_secret(c->hs->setup, sizeof(*c->hs->setup));
    c->hs->setup = pys_copy(setup, sizeof(*setup));
    c->hs->setup_renews = renew;
    return c->hs->setup != NULL;
}
