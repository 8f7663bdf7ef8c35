/*
 * Certificate, CertificateRequest and CertificateVerify of TLS 1.2 (RFC 5246
 * 7.4.2, 7.4.4, 7.4.8).
 */
#include "handshake/ext.h"
#include "handshake/msg_cert.h"

/* ---- Certificate ------------------------------------------------------- */

static bool
certificate_build(pys_hs *hs, pys_wr *w)
{
    size_t at = pys_wr_open24(w);

    if (hs->id != NULL && !pys_chain_build(hs, false, w))
        return false;
    pys_wr_close24(w, at);
    if (!hs->server && hs->id != NULL) {
        hs->flags |= PYS_HS_CLIENT_CERT;
        hs->conn->own_scheme = hs->scheme->id;
    }
    return true;
}

static bool
certificate_process(pys_hs *hs, pys_rd *in)
{
    pys_rd list;

    if (!pys_rd_vec24(in, &list))
        return false;
    /* RFC 5246 7.4.2: a server must send one. */
    if (list.n == 0 && !hs->server)
        return false;
    if (list.n != 0 && hs->server)
        hs->flags |= PYS_HS_CLIENT_CERT;
    return pys_chain_process(hs, false, list);
}

/* RFC 8422 5.1, 2: does the certificate fit the suite? */
static bool
fits_suite(pys_hs *hs)
{
    pys_key *key = pys_cert_key(hs->conn->peer_chain[0]);

    return key != NULL && pys_key_auth(key) == hs->suite->auth;
}

static pys_go
certificate_settle(pys_hs *hs)
{
    if (!hs->server && !fits_suite(hs)) {
        (void)pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_WRONG_CERTIFICATE_TYPE);
        return PYS_GO_FAIL;
    }
    return pys_certificate_settle(hs);
}

const pys_msg pys_msg_certificate12 = {
    .type = PYS_MT_CERTIFICATE,
    .max = PYS_CERT_MESSAGE_MAX,
    .build = certificate_build,
    .process = certificate_process,
    .settle = certificate_settle,
};

/* ---- CertificateRequest ------------------------------------------------ */

enum { RSA_SIGN = 1, ECDSA_SIGN = 64 };

static bool
request_build(pys_hs *hs, pys_wr *w)
{
    static const uint8_t types[] = {RSA_SIGN, ECDSA_SIGN};
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_schemes(hs->conn->set, ids);
    size_t at;

    hs->flags |= PYS_HS_CLIENT_AUTH;
    pys_wr_vec8(w, pys_rd_of(types, sizeof(types)));
    at = pys_wr_open16(w);
    for (size_t i = 0; i < n; i++)
        pys_wr_u16(w, ids[i]);
    pys_wr_close16(w, at);
    pys_wr_vec16(w, pys_rd_buf(&hs->conn->set->ca_names));
    return pys_offer_put(hs, PYS_OFFER_SCHEMES, ids, n);
}

/* RFC 5246 7.4.4, RFC 8422 5.5: Edwards curves go with ecdsa_sign. */
static void
types_take(pys_hs *hs, pys_rd types)
{
    hs->types_taken[PYS_AUTH_RSA] = memchr(types.p, RSA_SIGN, types.n) != NULL;
    hs->types_taken[PYS_AUTH_ECDSA] = memchr(types.p, ECDSA_SIGN, types.n) !=
        NULL;
}

static bool
names_check(pys_rd names)
{
    pys_rd name;

    while (!pys_rd_end(&names)) {
        if (!pys_rd_vec16(&names, &name) || name.n == 0)
            return false;
    }
    return true;
}

static bool
request_process(pys_hs *hs, pys_rd *in)
{
    pys_rd types;
    pys_rd schemes;
    pys_rd names;

    if (!pys_rd_vec8(in, &types) || types.n == 0 ||
        !pys_rd_vec16(in, &schemes) || schemes.n == 0 || schemes.n % 2 != 0 ||
        !pys_rd_vec16(in, &names) || !names_check(names))
        return false;
    hs->flags |= PYS_HS_CLIENT_AUTH;
    types_take(hs, types);
    return pys_offer_take(hs, PYS_OFFER_SCHEMES, schemes) &&
        (pys_keep(&hs->conn->peer_ca_names, names) ||
            pys_fail_internal(hs->conn));
}

const pys_msg pys_msg_certificate_request12 = {
    .type = PYS_MT_CERTIFICATE_REQUEST,
    .max = 1 + 255 + 2 + 65535 + 2 + 65535,
    .build = request_build,
    .process = request_process,
    .wanted = pys_request_wanted,
    .settle = pys_request_settle,
};

/* ---- CertificateVerify ------------------------------------------------- */

static pys_go
verify_prepare(pys_hs *hs)
{
    return pys_sign_prepare(hs, pys_rd_buf(&hs->transcript.kept));
}

static bool
verify_build(pys_hs *hs, pys_wr *w)
{
    if (!pys_sign_build(hs, pys_rd_buf(&hs->transcript.kept), w))
        return false;
    pys_transcript_forget(&hs->transcript);
    return true;
}

static bool
verify_process(pys_hs *hs, pys_rd *in)
{
    pys_rd messages = pys_rd_buf(&hs->transcript.kept);
    uint16_t scheme;
    pys_key *key;
    pys_rd sig;

    if (!pys_rd_u16(in, &scheme) || !pys_rd_vec16(in, &sig))
        return false;
    key = pys_signing_key(hs, scheme);
    if (key == NULL)
        return false;
    /* RFC 5246 7.4.8, 7.2.2. */
    if (!pys_verify(key, scheme, messages, sig))
        return pys_fail(hs->conn, PYS_AD_DECRYPT_ERROR, PYS_R_BAD_SIGNATURE);
    hs->conn->peer_scheme = scheme;
    pys_transcript_forget(&hs->transcript);
    return true;
}

const pys_msg pys_msg_certificate_verify12 = {
    .type = PYS_MT_CERTIFICATE_VERIFY,
    .max = 2 + 2 + 65535,
    .prepare = verify_prepare,
    .build = verify_build,
    .process = verify_process,
};
