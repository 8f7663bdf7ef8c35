/*
 * What a server shows beside its certificate: an OCSP response (RFC 6066 8,
 * RFC 8446 4.4.2.1) and signed certificate timestamps (RFC 6962 3.3). In TLS
 * 1.2 the one is a message of its own, the other part of the ServerHello; in
 * TLS 1.3 both are extensions of the certificate.
 */
#include "handshake/ext.h"
#include "handshake/flight.h"

enum { OCSP = 1 };

static bool
registered(const pys_hs *hs)
{
    return pys_setting(hs->conn->set, PYS_ASKS, (int64_t)1 << PYS_ASK_STATUS);
}

/*
 * Of the certificates in a message, is it the first one's turn? What comes in
 * a message of its own is always about that one (RFC 6066 8).
 */
static bool
at_leaf(const pys_hs *hs)
{
    return pys_is_12(hs->conn) || hs->conn->n_peer_chain <= 1;
}

/* ---- status_request: CertificateStatus --------------------------------- */

static bool
status_build(pys_hs *hs, pys_wr *w)
{
    size_t at;

    pys_wr_u8(w, OCSP);
    at = pys_wr_open24(w);
    pys_wr_rd(w, pys_rd_buf(&hs->conn->proofs->status));
    pys_wr_close24(w, at);
    return pys_wr_ok(w);
}

static bool
status_take(pys_hs *hs, pys_rd *in)
{
    pys_conn *c = hs->conn;
    pys_proofs *proofs;
    pys_rd response;
    uint8_t type;

    if (!pys_rd_u8(in, &type))
        return false;
    /* RFC 6066 8: of the type that we asked for. */
    if (type != OCSP)
        return pys_fail(c, PYS_AD_DECODE_ERROR, PYS_R_UNSUPPORTED_STATUS_TYPE);
    /* RFC 6066 8: at least one byte, and nothing behind it. */
    if (!pys_rd_vec24(in, &response) || response.n == 0 || !pys_rd_end(in))
        return false;
    /* RFC 8446 4.4.2.1: issuers' may come too; nobody asks for them. */
    if (!at_leaf(hs))
        return true;
    proofs = pys_conn_proofs(c);
    return (proofs != NULL && pys_keep(&proofs->status, response)) ||
        pys_fail_internal(c);
}

static bool
status_wanted(pys_hs *hs)
{
    return (hs->flags & PYS_HS_STATUS) != 0;
}

/* RFC 6066 8: may be left out, whatever the ServerHello said. */
const pys_msg pys_msg_certificate_status = {
    .type = PYS_MT_CERTIFICATE_STATUS,
    .max = 1 + 3 + UINT16_MAX,
    .build = status_build,
    .process = status_take,
    .wanted = status_wanted,
};

/* ---- status_request: the extension ------------------------------------- */

static bool
status_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH &&
        hs->conn->set->numbers[PYS_STATUS_TYPE] == OCSP;
}

/* RFC 6066 8: no responders and no extensions to choose from. */
static bool
status_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)hs;
    (void)where;
    pys_wr_u8(w, OCSP);
    pys_wr_u16(w, 0);
    pys_wr_u16(w, 0);
    return pys_wr_ok(w);
}

static bool
status_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    if (where == PYS_IN_CT)
        return status_take(hs, in);
    /* RFC 8446 4.4.2.1: a server may ask for ours; we have none to show. */
    if (where == PYS_IN_CR) {
        *in = pys_rd_of(NULL, 0);
        return true;
    }
    /* RFC 6066 8: empty in a ServerHello; the message may follow. */
    hs->flags |= PYS_HS_STATUS;
    return true;
}

static bool
status_server_offer(pys_hs *hs, pys_where where)
{
    return (where & (PYS_IN_CT | PYS_IN_SH12)) != 0 && status_wanted(hs);
}

static bool
status_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    return where == PYS_IN_SH12 || status_build(hs, w);
}

static bool
status_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd responders;
    pys_rd exts;
    pys_rd id;
    uint8_t type;

    (void)where;
    if (!pys_rd_u8(in, &type))
        return false;
    /* RFC 6066 8: what other types hold is not known. */
    if (type != OCSP) {
        *in = pys_rd_of(NULL, 0);
        return true;
    }
    if (!pys_rd_vec16(in, &responders) || !pys_rd_vec16(in, &exts))
        return false;
    while (!pys_rd_end(&responders)) {
        if (!pys_rd_vec16(&responders, &id) || id.n == 0)
            return false;
    }
    hs->conn->status_asked = true;
    return true;
}

const pys_ext pys_ext_status = {
    .type = PYS_EXT_STATUS_REQUEST,
    .where = PYS_IN_CH | PYS_IN_CR | PYS_IN_CT | PYS_IN_SH12,
    .client = {status_client_offer, status_client_build,
        status_client_process},
    .server = {status_server_offer, status_server_build,
        status_server_process},
};

/* ---- status_request: the application's say ----------------------------- */

pys_go
pys_status_choose(pys_hs *hs)
{
    pys_conn *c = hs->conn;

    if (!c->status_asked || hs->id == NULL || !registered(hs))
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_STATUS))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE) {
        (void)pys_fail(c, PYS_AD_INTERNAL_ERROR, PYS_R_CLIENTHELLO_TLSEXT);
        return PYS_GO_FAIL;
    }
    if (hs->answer == PYS_GO_ON && c->proofs != NULL &&
        pys_buf_size(&c->proofs->status) != 0)
        hs->flags |= PYS_HS_STATUS;
    return PYS_GO_NEXT;
}

pys_go
pys_status_settle(pys_hs *hs)
{
    bool bad;

    if (hs->server || !registered(hs) || !status_client_offer(hs, PYS_IN_CH))
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_STATUS))
        return PYS_GO_ASK;
    if (hs->answer != PYS_REFUSE)
        return PYS_GO_NEXT;
    /* RFC 6066 8: the response says no; else the callback has failed. */
    bad = hs->answer_alert == PYS_AD_BAD_CERTIFICATE_STATUS_RESPONSE;
    (void)pys_fail(hs->conn, hs->answer_alert,
        bad ? PYS_R_INVALID_STATUS_RESPONSE : PYS_R_OCSP_CALLBACK_FAILURE);
    return PYS_GO_FAIL;
}

/* ---- signed_certificate_timestamp -------------------------------------- */

static bool
scts_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && hs->conn->set->numbers[PYS_ASK_SCTS] != 0;
}

/* RFC 6962 3.3.1: the question is empty. */
static bool
scts_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)hs;
    (void)where;
    return pys_wr_ok(w);
}

static bool
scts_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_conn *c = hs->conn;
    pys_rd list = *in;
    pys_proofs *proofs;

    *in = pys_rd_of(NULL, 0);
    /* RFC 8446 4.4.2.1: a server may ask for ours, too. */
    if (where == PYS_IN_CR)
        return true;
    /* RFC 6962 3.3. */
    if (!pys_scts_check(list))
        return false;
    if (where == PYS_IN_CT && !at_leaf(hs))
        return true;
    proofs = pys_conn_proofs(c);
    return (proofs != NULL && pys_keep(&proofs->scts, list)) ||
        pys_fail_internal(c);
}

/* RFC 6962 3.3.1: not with a session that is resumed. */
static bool
scts_server_offer(pys_hs *hs, pys_where where)
{
    return (where & (PYS_IN_CT | PYS_IN_SH12)) != 0 && hs->scts_asked &&
        (hs->flags & PYS_HS_RESUMED) == 0 &&
        pys_buf_size(&hs->conn->set->scts) != 0;
}

static bool
scts_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    pys_wr_rd(w, pys_rd_buf(&hs->conn->set->scts));
    return pys_wr_ok(w);
}

/* RFC 6962 3.3.1: empty; the loop refuses anything left over. */
static bool
scts_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    (void)where;
    (void)in;
    hs->scts_asked = true;
    return true;
}

const pys_ext pys_ext_scts = {
    .type = PYS_EXT_SCT,
    .where = PYS_IN_CH | PYS_IN_CR | PYS_IN_CT | PYS_IN_SH12,
    .client = {scts_client_offer, scts_client_build, scts_client_process},
    .server = {scts_server_offer, scts_server_build, scts_server_process},
};
