/*
 * ECDHE_PSK in TLS 1.2 (RFC 5489, RFC 4279 2): a PSK in place of certificates
 * and signatures; the key exchange has a hint, an identity, and a premaster
 * secret of two parts.
 */
#include "handshake/flight.h"
#include "handshake/psk.h"

static pys_go
refuse(pys_hs *hs, int alert, unsigned reason)
{
    (void)pys_fail(hs->conn, alert, reason);
    return PYS_GO_FAIL;
}

/* RFC 4279 5.3: longer ones need not be supported. */
static bool
short_enough(pys_hs *hs, pys_rd bytes)
{
    return bytes.n <= PYS_PSK_IDENTITY_MAX ||
        pys_fail(hs->conn, PYS_AD_HANDSHAKE_FAILURE,
            PYS_R_DATA_LENGTH_TOO_LONG);
}

/* An empty hint is none (RFC 4279 5.2). */
static bool
hint_keep(pys_conn *c, pys_rd hint)
{
    pys_psk_hint_drop(c);
    if (hint.n == 0)
        return true;
    c->psk_hint = pys_alloc(sizeof(*c->psk_hint));
    return (c->psk_hint != NULL && pys_keep(c->psk_hint, hint)) ||
        pys_fail_internal(c);
}

bool
pys_psk12_hint_process(pys_hs *hs, pys_rd *in)
{
    pys_rd hint;

    return pys_rd_vec16(in, &hint) && short_enough(hs, hint) &&
        hint_keep(hs->conn, hint) &&
        (pys_keep(&hs->psk_about, hint) || pys_fail_internal(hs->conn));
}

/* The answer's key, or the fault for none. */
static pys_go
key_check(pys_hs *hs, int alert)
{
    if (hs->answer == PYS_REFUSE)
        return refuse(hs, PYS_AD_INTERNAL_ERROR, PYS_R_CALLBACK_FAILED);
    /* RFC 4279 2: this identity has no key. */
    if (hs->external == NULL || hs->external->n_secret == 0)
        return refuse(hs, alert, PYS_R_PSK_IDENTITY_NOT_FOUND);
    return PYS_GO_NEXT;
}

pys_go
pys_psk12_prepare(pys_hs *hs)
{
    if ((hs->flags & PYS_HS_PSK) == 0)
        return PYS_GO_NEXT;
    /* One that was offered in vain for TLS 1.3 is another one. */
    if (!hs->answered) {
        pys_session_free(hs->external);
        hs->external = NULL;
    }
    if (!pys_ask(hs, PYS_ASK_PSK_CLIENT))
        return PYS_GO_ASK;
    return key_check(hs, PYS_AD_HANDSHAKE_FAILURE);
}

bool
pys_psk12_identity_process(pys_hs *hs, pys_rd *in)
{
    pys_rd identity;

    return pys_rd_vec16(in, &identity) && short_enough(hs, identity) &&
        (pys_keep(&hs->psk_about, identity) || pys_fail_internal(hs->conn));
}

pys_go
pys_psk12_settle(pys_hs *hs)
{
    if ((hs->flags & PYS_HS_PSK) == 0)
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_PSK_SERVER))
        return PYS_GO_ASK;
    return key_check(hs, PYS_AD_UNKNOWN_PSK_IDENTITY);
}

/* RFC 5489 2: the ECDH secret, then the PSK, each with its length. */
bool
pys_psk12_premaster(pys_hs *hs, pys_buf *out)
{
    pys_wr w = pys_wr_to(out);

    pys_wr_vec16(&w, pys_rd_of(hs->secret, hs->n_secret));
    pys_wr_vec16(&w, pys_session_secret(hs->external));
    return pys_wr_ok(&w);
}
