/*
 * The application's view of resumption: the session to offer, those that came
 * to be, and what the cache did.
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

void
pys_conn_keep_fresh(pys_conn *c, bool on)
{
    c->keep_fresh = on;
    if (!on)
        pys_fresh_drop(c);
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

unsigned
pys_conn_cache_news(pys_conn *c)
{
    unsigned news = c->cache_news;

    c->cache_news = 0;
    return news;
}

pys_session *
pys_conn_dropped_session(pys_conn *c)
{
    pys_session *s = c->dropped;

    c->dropped = NULL;
    return s;
}
