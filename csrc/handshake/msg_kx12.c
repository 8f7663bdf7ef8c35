/*
 * ServerKeyExchange, ServerHelloDone and ClientKeyExchange: ECDHE with a
 * named curve and uncompressed points (RFC 8422 5.4, 5.7; RFC 5246 7.4.5),
 * signed or with a PSK (RFC 5489).
 */
#include "handshake/keys.h"
#include "handshake/msg_cert.h"
#include "handshake/psk.h"

enum {
    NAMED_CURVE = 3,
    PARAMS_MAX = 1 + 2 + 1 + 133,
    SIGNED_MAX = 2 * PYS_RANDOM_LEN + PARAMS_MAX
};

/* RFC 5489 2: a hint and an identity are put in front, nothing is signed. */
static bool
is_psk(const pys_hs *hs)
{
    return (hs->flags & PYS_HS_PSK) != 0;
}

/* RFC 8422 5.4: what is signed: both randoms, then the parameters. */
static bool
signed_content(const pys_hs *hs, pys_rd params, pys_buf *out)
{
    pys_wr w = pys_wr_to(out);

    pys_wr_bytes(&w, hs->random, PYS_RANDOM_LEN);
    pys_wr_bytes(&w, hs->server_random, PYS_RANDOM_LEN);
    pys_wr_rd(&w, params);
    return pys_wr_ok(&w);
}

/* ---- ServerKeyExchange ------------------------------------------------- */

static bool
params_build(pys_hs *hs, pys_buf *out)
{
    pys_wr w = pys_wr_to(out);
    size_t at;

    hs->shares[0] = pys_share_new(hs->group->id);
    if (hs->shares[0] == NULL)
        return false;
    hs->n_shares = 1;
    pys_wr_u8(&w, NAMED_CURVE);
    pys_wr_u16(&w, hs->group->id);
    at = pys_wr_open8(&w);
    if (!pys_share_public(hs->shares[0], &w))
        return false;
    pys_wr_close8(&w, at);
    return pys_wr_ok(&w);
}

static bool
params_sign(pys_hs *hs, pys_rd params, pys_wr *w)
{
    pys_buf content;
    bool ok;

    pys_buf_init(&content, SIGNED_MAX);
    pys_wr_rd(w, params);
    ok = signed_content(hs, params, &content) &&
        pys_sign_build(hs, pys_rd_buf(&content), w);
    pys_buf_wipe(&content);
    return ok;
}

static bool
params_plain(pys_hs *hs, pys_rd params, pys_wr *w)
{
    pys_wr_vec16(w, pys_rd_buf(&hs->conn->set->psk_hint));
    pys_wr_rd(w, params);
    return pys_wr_ok(w);
}

/* The share is made once, however often the signature is asked for. */
static bool
params_keep(pys_hs *hs)
{
    bool ok = true;

    if (pys_buf_size(&hs->params) == 0) {
        pys_buf_init(&hs->params, PARAMS_MAX);
        ok = params_build(hs, &hs->params);
    }
    return ok;
}

/* The signature of what was kept, if somebody else makes it. */
static pys_go
params_prepare(pys_hs *hs)
{
    pys_buf content;
    pys_go go = PYS_GO_FAIL;

    if (is_psk(hs) || hs->id->signer == 0)
        return PYS_GO_NEXT;
    pys_buf_init(&content, SIGNED_MAX);
    if (signed_content(hs, pys_rd_buf(&hs->params), &content))
        go = pys_sign_prepare(hs, pys_rd_buf(&content));
    else
        (void)pys_fail_internal(hs->conn);
    pys_buf_wipe(&content);
    return go;
}

static pys_go
server_kx_prepare(pys_hs *hs)
{
    if (params_keep(hs))
        return params_prepare(hs);
    (void)pys_fail_internal(hs->conn);
    return PYS_GO_FAIL;
}

static bool
server_kx_build(pys_hs *hs, pys_wr *w)
{
    bool ok = (is_psk(hs) ? params_plain : params_sign)(hs,
        pys_rd_buf(&hs->params), w);

    pys_buf_wipe(&hs->params);
    return ok || pys_fail_internal(hs->conn);
}

/* The curve and the point; a curve that we did not offer is refused. */
static bool
params_read(pys_hs *hs, pys_rd *in, pys_rd *point)
{
    pys_conn *c = hs->conn;
    uint16_t group;
    uint8_t type;

    if (!pys_rd_u8(in, &type) || !pys_rd_u16(in, &group) ||
        !pys_rd_vec8(in, point) || point->n == 0)
        return false;
    /* RFC 8422 5.4: explicit curves are gone; and it is one of ours. */
    if (type != NAMED_CURVE || group == PYS_X25519MLKEM768 ||
        !pys_rd_has_u16(pys_offered_own(hs, PYS_OFFER_GROUPS), group))
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_WRONG_CURVE);
    hs->group = pys_group_find(group);
    return true;
}

static bool
params_verify(pys_hs *hs, pys_rd params, uint16_t scheme, pys_rd sig)
{
    pys_key *key = pys_signing_key(hs, scheme);
    pys_buf content;
    bool ok;

    if (key == NULL)
        return false;
    pys_buf_init(&content, SIGNED_MAX);
    ok = signed_content(hs, params, &content);
    if (!ok)
        (void)pys_fail_internal(hs->conn);
    else if (!pys_verify(key, scheme, pys_rd_buf(&content), sig))
        /* RFC 8422 5.4, RFC 5246 7.2.2. */
        ok = pys_fail(hs->conn, PYS_AD_DECRYPT_ERROR, PYS_R_BAD_SIGNATURE);
    pys_buf_wipe(&content);
    return ok;
}

/* The signature over params, and what of it lies behind them. */
static bool
sig_process(pys_hs *hs, pys_rd params, pys_rd *in)
{
    uint16_t scheme;
    pys_rd sig;

    if (!pys_rd_u16(in, &scheme) || !pys_rd_vec16(in, &sig) ||
        params.n > PARAMS_MAX)
        return false;
    if (!params_verify(hs, params, scheme, sig))
        return false;
    hs->conn->peer_scheme = scheme;
    return true;
}

static bool
server_kx_process(pys_hs *hs, pys_rd *in)
{
    const uint8_t *start;
    pys_rd point;

    if (is_psk(hs) && !pys_psk12_hint_process(hs, in))
        return false;
    start = in->p;
    if (!params_read(hs, in, &point))
        return false;
    if (!is_psk(hs) &&
        !sig_process(hs, pys_rd_of(start, (size_t)(in->p - start)), in))
        return false;
    hs->conn->group = hs->group->id;
    return pys_keep(&hs->share_out, point) || pys_fail_internal(hs->conn);
}

const pys_msg pys_msg_server_kx = {
    .type = PYS_MT_SERVER_KEY_EXCHANGE,
    .max = 2 + 65535 + PARAMS_MAX + 2 + 2,
    .prepare = server_kx_prepare,
    .build = server_kx_build,
    .process = server_kx_process,
};

/* ---- ServerHelloDone --------------------------------------------------- */

static bool
done_build(pys_hs *hs, pys_wr *w)
{
    if ((hs->flags & PYS_HS_CLIENT_AUTH) == 0)
        pys_transcript_forget(&hs->transcript);
    return pys_wr_ok(w);
}

/* Empty; the loop refuses anything left over (RFC 5246 7.4.5). */
static bool
done_process(pys_hs *hs, pys_rd *in)
{
    (void)in;
    if ((hs->flags & PYS_HS_CLIENT_AUTH) == 0)
        pys_transcript_forget(&hs->transcript);
    return true;
}

const pys_msg pys_msg_server_done = {
    .type = PYS_MT_SERVER_HELLO_DONE,
    .max = 0,
    .build = done_build,
    .process = done_process,
    .settle = pys_status_settle,
};

/* ---- ClientKeyExchange ------------------------------------------------- */

/* RFC 8422 5.10: the premaster secret, from our share and their point. */
static bool
premaster(pys_hs *hs, pys_rd point)
{
    bool internal = false;

    if (pys_share_derive(hs->shares[0], point, hs->secret, &hs->n_secret,
            &internal))
        return true;
    if (internal)
        return pys_fail_internal(hs->conn);
    /* RFC 8422 5.11: not a point of the curve; illegal_parameter. */
    return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_ECPOINT);
}

static void
shares_drop(pys_hs *hs)
{
    for (size_t i = 0; i < hs->n_shares; i++)
        pys_share_free(hs->shares[i]);
    hs->n_shares = 0;
}

static bool
client_kx_build(pys_hs *hs, pys_wr *w)
{
    size_t at;

    /* Those of the hello were for TLS 1.3. */
    shares_drop(hs);
    hs->shares[0] = pys_share_new(hs->group->id);
    if (hs->shares[0] == NULL)
        return pys_fail_internal(hs->conn);
    hs->n_shares = 1;
    if (is_psk(hs))
        pys_wr_vec16(w, pys_psk_identity(hs));
    at = pys_wr_open8(w);
    if (!pys_share_public(hs->shares[0], w))
        return pys_fail_internal(hs->conn);
    pys_wr_close8(w, at);
    return premaster(hs, pys_rd_buf(&hs->share_out));
}

static bool
client_kx_process(pys_hs *hs, pys_rd *in)
{
    pys_rd point;

    if (is_psk(hs) && !pys_psk12_identity_process(hs, in))
        return false;
    return pys_rd_vec8(in, &point) && point.n != 0 && pys_rd_end(in) &&
        premaster(hs, point);
}

const pys_msg pys_msg_client_kx = {
    .type = PYS_MT_CLIENT_KEY_EXCHANGE,
    .max = 2 + 65535 + 1 + 255, /* of a PSK; others have but the point */
    .prepare = pys_psk12_prepare,
    .build = client_kx_build,
    .process = client_kx_process,
    .settle = pys_psk12_settle,
};
