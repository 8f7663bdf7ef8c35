/*
 * PSKs that were agreed on elsewhere, in TLS 1.3 (RFC 8446 4.2.11, 2.2; RFC
 * 9257): the application is asked for them, and they go beside those of
 * tickets.
 */
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/psk.h"

/* What the answer left, or NULL; hs->external is empty then. */
static pys_session *
given(pys_hs *hs)
{
    pys_session *s = hs->external;

    hs->external = NULL;
    return s;
}

/* PSK-4: the callback demands it. */
static pys_go
refuse(pys_hs *hs, int alert)
{
    (void)pys_fail(hs->conn, alert, PYS_R_CALLBACK_FAILED);
    return PYS_GO_FAIL;
}

/* RFC 8446 4.2.11: a key, and a suite whose hash it is bound to. */
static bool
usable(const pys_session *s)
{
    const pys_suite *suite = pys_suite_find(s->suite);

    return suite != NULL && suite->version == PYS_TLS1_3 && s->n_secret != 0;
}

pys_go
pys_external_offer(pys_hs *hs)
{
    pys_session *s;

    if ((hs->flags & PYS_HS_RETRIED) != 0 ||
        !pys_registered(hs->conn, PYS_ASK_PSK_OFFER) ||
        pys_version_max(hs->conn) < PYS_TLS1_3)
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_PSK_OFFER))
        return PYS_GO_ASK;
    /* Nobody was greeted yet, so nobody hears of it. */
    if (hs->answer == PYS_REFUSE)
        return refuse(hs, PYS_NO_ALERT);
    s = given(hs);
    /* RFC 8446 4.2.11: an identity has at least one byte. */
    if (s != NULL && usable(s) && s->n_psk_identity != 0)
        hs->external = s;
    else
        pys_session_free(s);
    return PYS_GO_NEXT;
}

pys_go
pys_external_find(pys_hs *hs, pys_rd identity)
{
    pys_session *s;

    if (!pys_registered(hs->conn, PYS_ASK_PSK_LOOKUP))
        return PYS_GO_NEXT;
    if (!hs->answered && !pys_keep(&hs->psk_about, identity)) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    if (!pys_ask(hs, PYS_ASK_PSK_LOOKUP))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE)
        return refuse(hs, PYS_AD_INTERNAL_ERROR);
    s = given(hs);
    if (s != NULL && usable(s) && pys_psk_fits(hs, s)) {
        hs->psk = s;
        hs->psk_external = true;
    } else {
        pys_session_free(s);
    }
    return PYS_GO_NEXT;
}

pys_rd
pys_psk_identity(const pys_hs *hs)
{
    const pys_session *s = hs->psk;

    if ((hs->flags & (PYS_HS_PSK | PYS_HS_RESUMED)) == 0)
        return pys_rd_of(NULL, 0);
    /* TLS 1.2: in a full handshake. */
    if (pys_is_12(hs->conn) && (hs->flags & PYS_HS_RESUMED) == 0)
        s = hs->external;
    return s == NULL ? pys_rd_of(NULL, 0) :
                       pys_rd_of(s->psk_identity, s->n_psk_identity);
}

void
pys_psk_hint_drop(pys_conn *c)
{
    if (c->psk_hint != NULL)
        pys_buf_wipe(c->psk_hint);
    pys_free(c->psk_hint);
    c->psk_hint = NULL;
}
