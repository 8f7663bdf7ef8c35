/*
 * CertificateRequest, Certificate and CertificateVerify (RFC 8446 4.3.2,
 * 4.4.2, 4.4.3).
 */
#include "handshake/msg_cert.h"
#include "handshake/ext.h"

enum { ERR_ASN1_LIB = 0x80000 + 13 };

/* ---- CertificateRequest ------------------------------------------------ */

bool
pys_request_wanted(pys_hs *hs)
{
    const pys_settings *set = hs->conn->set;

    return pys_setting(set, PYS_VERIFY_MODE, PYS_VERIFY_PEER) &&
        (pys_is_12(hs->conn) ||
            !pys_setting(set, PYS_VERIFY_MODE, PYS_VERIFY_POST));
}

static bool
request_build(pys_hs *hs, pys_wr *w)
{
    hs->flags |= PYS_HS_CLIENT_AUTH;
    /* RFC 8446 4.3.2: no context but for post-handshake authentication. */
    if (hs->post && !pys_post_context_make(hs))
        return false;
    pys_wr_vec8(w, pys_rd_buf(&hs->request_context));
    return pys_exts_build(hs, PYS_IN_CR, w);
}

static bool
request_process(pys_hs *hs, pys_rd *in)
{
    pys_rd context;
    pys_rd exts;

    if (!pys_rd_vec8(in, &context) || !pys_rd_vec16(in, &exts))
        return false;
    if (!pys_post_context_take(hs, context))
        return false;
    hs->flags |= PYS_HS_CLIENT_AUTH;
    if (!pys_exts_process(hs, PYS_IN_CR, exts))
        return false;
    /* RFC 8446 4.3.2: signature_algorithms must be there. */
    if (!pys_ext_seen(hs, PYS_EXT_SIGNATURE_ALGORITHMS))
        return pys_fail(hs->conn, PYS_AD_MISSING_EXTENSION,
            PYS_R_MISSING_SIGALGS_EXTENSION);
    return true;
}

/* The client may still bring a certificate (CERT-18, CERT-20). */
pys_go
pys_request_settle(pys_hs *hs)
{
    if (!pys_ask(hs, PYS_ASK_CERT))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE) {
        (void)pys_fail(hs->conn, PYS_AD_INTERNAL_ERROR, PYS_R_CERT_CB_ERROR);
        return PYS_GO_FAIL;
    }
    if (!pys_identity_pick(hs)) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    return PYS_GO_NEXT;
}

const pys_msg pys_msg_certificate_request = {
    .type = PYS_MT_CERTIFICATE_REQUEST,
    .max = 1 + 255 + 2 + 65535,
    .build = request_build,
    .process = request_process,
    .wanted = pys_request_wanted,
    .settle = pys_request_settle,
};

/* ---- Certificate ------------------------------------------------------- */

/* None goes out that the security level forbids (it may have risen). */
static bool
entry_build(pys_hs *hs, pys_cert *cert, pys_wr *w)
{
    int bits = pys_security_bits(hs->conn->set);
    unsigned weak = pys_cert_weakness(cert, cert == hs->id->leaf, bits);
    pys_rd der = pys_cert_bytes(cert);

    if (weak != 0)
        return pys_fail(hs->conn, PYS_AD_INTERNAL_ERROR, weak);
    pys_wr_u24(w, der.n);
    pys_wr_rd(w, der);
    return true;
}

/* Certificates behind the leaf; none of them has extensions to tell. */
static bool
others_build(pys_hs *hs, pys_cert *const *chain, size_t n, bool exts,
    pys_wr *w)
{
    for (size_t i = 0; i < n; i++) {
        if (!entry_build(hs, chain[i], w))
            return false;
        if (exts)
            pys_wr_u16(w, 0);
    }
    return true;
}

/* CERT-12: with no chain of its own, issuers come from the trust store. */
static bool
issuers_build(pys_hs *hs, bool exts, pys_wr *w)
{
    const pys_settings *set = hs->id_owner;
    pys_cert *found[PYS_CHAIN_MAX];
    size_t n = 0;
    size_t good = 0;
    bool ok;

    if (pys_setting(set, PYS_MODE, PYS_MODE_NO_AUTO_CHAIN) ||
        set->trust == NULL || pys_trust_count(set->trust) == 0)
        return true;
    if (!pys_trust_issuers(set->trust, hs->id->leaf, found, PYS_COUNT(found),
            &n))
        return false;
    while (good < n && pys_cert_showable(hs, found[good]))
        good++;
    ok = others_build(hs, found, good, exts, w);
    for (size_t i = 0; i < n; i++)
        pys_cert_free(found[i]);
    return ok;
}

bool
pys_chain_build(pys_hs *hs, bool exts, pys_wr *w)
{
    const pys_identity *id = hs->id;
    const pys_identities *ids = &hs->id_owner->ids;

    if (!entry_build(hs, id->leaf, w) ||
        (exts && !pys_exts_build(hs, PYS_IN_CT, w)))
        return false;
    if (id->n_chain != 0)
        return others_build(hs, id->chain, id->n_chain, exts, w);
    if (ids->n_extra != 0)
        return others_build(hs, ids->extra, ids->n_extra, exts, w);
    return issuers_build(hs, exts, w);
}

static bool
certificate_build(pys_hs *hs, pys_wr *w)
{
    size_t at;

    pys_wr_vec8(w, pys_rd_buf(&hs->request_context));
    at = pys_wr_open24(w);
    if (hs->id != NULL && !pys_chain_build(hs, true, w))
        return false;
    pys_wr_close24(w, at);
    if (!hs->server && hs->id != NULL) {
        hs->flags |= PYS_HS_CLIENT_CERT;
        hs->conn->own_scheme = hs->scheme->id;
    }
    return true;
}

/* RFC 8446 4.4.2.4, 6.2: corrupt, unless it is us who lack memory. */
static bool
not_decoded(pys_conn *c, const pys_fault *f)
{
    for (int i = 0; i < f->n_codes; i++) {
        if ((f->codes[i] & 0x7fffff) == PYS_ERR_MALLOC)
            return pys_fail_after(c, f, PYS_AD_INTERNAL_ERROR,
                PYS_ERR_INTERNAL);
    }
    return pys_fail_after(c, f, PYS_AD_BAD_CERTIFICATE, ERR_ASN1_LIB);
}

static bool
keep_cert(pys_conn *c, pys_rd der)
{
    pys_fault f;
    pys_cert *cert;

    pys_fault_init(&f);
    if (c->n_peer_chain == PYS_CHAIN_MAX)
        return pys_fail(c, PYS_AD_BAD_CERTIFICATE,
            PYS_R_EXCESSIVE_MESSAGE_SIZE);
    cert = pys_cert_from_der(der.p, der.n, &f);
    if (cert == NULL)
        return not_decoded(c, &f);
    return pys_peer_add(c, cert);
}

bool
pys_chain_process(pys_hs *hs, bool exts, pys_rd list)
{
    pys_rd block;
    pys_rd der;

    while (!pys_rd_end(&list)) {
        if (!pys_rd_vec24(&list, &der) || der.n == 0 ||
            (exts && !pys_rd_vec16(&list, &block)))
            return false;
        if (!keep_cert(hs->conn, der) ||
            (exts && !pys_exts_process(hs, PYS_IN_CT, block)))
            return false;
    }
    return true;
}

static bool
certificate_process(pys_hs *hs, pys_rd *in)
{
    pys_rd context;
    pys_rd list;

    if (!pys_rd_vec8(in, &context) || !pys_rd_vec24(in, &list))
        return false;
    /* RFC 8446 4.4.2: as in our request; empty within the handshake. */
    if (!pys_rd_is(context, pys_rd_buf(&hs->request_context)))
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_LENGTH_MISMATCH);
    /* RFC 8446 4.4.2.4: a server must have one; decode_error. */
    if (list.n == 0 && !hs->server)
        return false;
    if (list.n != 0 && hs->server)
        hs->flags |= PYS_HS_CLIENT_CERT;
    /* It takes the place of who the client was before. */
    if (hs->post)
        pys_peer_drop(hs->conn);
    return pys_chain_process(hs, true, list);
}

/* RFC 8446 4.4.2.4: the server says what it does without one. */
static pys_go
no_certificate(pys_hs *hs)
{
    const pys_settings *set = hs->conn->set;

    if (pys_setting(set, PYS_VERIFY_MODE, PYS_VERIFY_PEER) &&
        pys_setting(set, PYS_VERIFY_MODE, PYS_VERIFY_FAIL_IF_NO_CERT)) {
        /* RFC 5246 7.4.6 knows no alert of its own for it. */
        (void)pys_fail(hs->conn,
            pys_is_12(hs->conn) ? PYS_AD_HANDSHAKE_FAILURE :
                                  PYS_AD_CERTIFICATE_REQUIRED,
            PYS_R_PEER_DID_NOT_RETURN_A_CERTIFICATE);
        return PYS_GO_FAIL;
    }
    return PYS_GO_NEXT;
}

/* Has somebody registered for the question? */
static bool
asks(const pys_hs *hs, enum pys_ask what)
{
    return pys_setting(hs->conn->set, PYS_ASKS, (int64_t)1 << what);
}

bool
pys_verification_run(pys_hs *hs)
{
    pys_conn *c = hs->conn;
    const pys_settings *set = c->set;
    /* Who listens to each step gets them all: nothing is remembered. */
    bool heard = asks(hs, PYS_ASK_VERIFY) || asks(hs, PYS_ASK_JUDGE);
    pys_verify_job job = {
        .trust = set->trust,
        .chain = c->peer_chain,
        .n_chain = c->n_peer_chain,
        .server = !hs->server,
        .depth = (int)set->numbers[PYS_VERIFY_DEPTH],
        .security_level = (int)set->numbers[PYS_SECURITY_LEVEL],
        .host_flags = (unsigned)set->numbers[PYS_HOST_FLAGS],
        .hosts = &c->hosts,
        .remember = !heard && set->numbers[PYS_REMEMBER_CHAINS] != 0,
        .keep_path = heard,
    };

    pys_verdict_wipe(&hs->verdict);
    if (!pys_verify_chain(&job, &hs->verdict))
        return false;
    hs->verdict_taken = true;
    c->verify_result = hs->verdict.result;
    c->verify_depth = hs->verdict.depth;
    pys_free(c->peername);
    c->peername = hs->verdict.peername;
    hs->verdict.peername = NULL;
    return true;
}

/* The application's word counts if it was asked, else libcrypto's. */
static bool
certificate_accepted(const pys_hs *hs, enum pys_ask what)
{
    if (asks(hs, what))
        return hs->answer == PYS_GO_ON;
    return hs->conn->verify_result == 0;
}

/* Anything but a step-by-step listener that was not there before. */
static bool
verdict_serves(const pys_hs *hs)
{
    return hs->verdict_taken &&
        (hs->verdict.n_path != 0 || !asks(hs, PYS_ASK_VERIFY));
}

pys_go
pys_certificate_settle(pys_hs *hs)
{
    enum pys_ask what = asks(hs, PYS_ASK_JUDGE) ? PYS_ASK_JUDGE :
                                                  PYS_ASK_VERIFY;
    pys_conn *c = hs->conn;

    if (c->n_peer_chain == 0)
        return no_certificate(hs);
    if (what == PYS_ASK_VERIFY && !verdict_serves(hs) &&
        !pys_verification_run(hs)) {
        (void)pys_fail_internal(c);
        return PYS_GO_FAIL;
    }
    if (!pys_ask(hs, what))
        return PYS_GO_ASK;
    if (!pys_setting(c->set, PYS_VERIFY_MODE, PYS_VERIFY_PEER) ||
        certificate_accepted(hs, what))
        return PYS_GO_NEXT;
    /* RFC 8446 4.4.2.4. */
    (void)pys_fail(c, pys_verify_alert(c->verify_result),
        PYS_R_CERTIFICATE_VERIFY_FAILED);
    return PYS_GO_FAIL;
}

const pys_msg pys_msg_certificate = {
    .type = PYS_MT_CERTIFICATE,
    .max = PYS_CERT_MESSAGE_MAX,
    .build = certificate_build,
    .process = certificate_process,
    .settle = pys_certificate_settle,
};

/* ---- CertificateVerify ------------------------------------------------- */

enum { PADDING = 64, CONTEXT_MAX = 33, CONTENT_MAX = 64 + 33 + 1 + 48 };

/* RFC 8446 4.4.3: spaces, context, zero, transcript hash. */
static bool
verify_content(pys_hs *hs, bool server, uint8_t *out, size_t *n)
{
    static const char by_server[] = "TLS 1.3, server CertificateVerify";
    static const char by_client[] = "TLS 1.3, client CertificateVerify";

    for (size_t i = 0; i < PADDING; i++)
        out[i] = ' ';
    memcpy(out + PADDING, server ? by_server : by_client, CONTEXT_MAX);
    out[PADDING + CONTEXT_MAX] = 0;
    *n = PADDING + CONTEXT_MAX + 1 + pys_hash_len(hs->suite->hash);
    return pys_transcript_now(&hs->transcript,
        out + PADDING + CONTEXT_MAX + 1);
}

/* A signature that the peer would refuse is not sent. */
static bool
answer_signs(const pys_hs *hs)
{
    return pys_verify(pys_cert_key(hs->id->leaf), hs->scheme->id,
        pys_rd_buf(&hs->to_sign), pys_rd_buf(&hs->answer_data));
}

pys_go
pys_sign_prepare(pys_hs *hs, pys_rd content)
{
    if (hs->id->signer == 0)
        return PYS_GO_NEXT;
    pys_buf_wipe(&hs->to_sign);
    if (!pys_buf_add(&hs->to_sign, content.p, content.n)) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    if (!pys_ask(hs, PYS_ASK_SIGN))
        return PYS_GO_ASK;
    if (hs->answer != PYS_GO_ON) {
        (void)pys_fail(hs->conn, PYS_AD_INTERNAL_ERROR, PYS_R_CALLBACK_FAILED);
        return PYS_GO_FAIL;
    }
    if (!answer_signs(hs)) {
        (void)pys_fail(hs->conn, PYS_AD_INTERNAL_ERROR,
            PYS_R_PRIVATE_KEY_MISMATCH);
        return PYS_GO_FAIL;
    }
    return PYS_GO_NEXT;
}

bool
pys_sign_build(pys_hs *hs, pys_rd content, pys_wr *w)
{
    uint8_t sig[PYS_SIG_MAX];
    size_t n;

    pys_wr_u16(w, hs->scheme->id);
    if (hs->id->signer != 0) {
        pys_wr_vec16(w, pys_rd_buf(&hs->answer_data));
        return true;
    }
    if (!pys_sign(hs->id->key, hs->scheme->id, content, sig, &n))
        return pys_fail_internal(hs->conn);
    pys_wr_vec16(w, pys_rd_of(sig, n));
    return true;
}

static pys_go
verify_prepare(pys_hs *hs)
{
    uint8_t content[CONTENT_MAX];
    size_t n;

    if (hs->id->signer == 0)
        return PYS_GO_NEXT;
    if (!verify_content(hs, hs->server, content, &n)) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    return pys_sign_prepare(hs, pys_rd_of(content, n));
}

static bool
verify_build(pys_hs *hs, pys_wr *w)
{
    uint8_t content[CONTENT_MAX];
    size_t n;

    if (!verify_content(hs, hs->server, content, &n))
        return pys_fail_internal(hs->conn);
    return pys_sign_build(hs, pys_rd_of(content, n), w);
}

/* RFC 8446 4.4.3, RFC 5246 7.4.8: offered, and fit for version and key. */
static bool
scheme_allowed(const pys_hs *hs, uint16_t id, pys_key *key)
{
    const pys_scheme *scheme = pys_scheme_find(id);

    return scheme != NULL &&
        pys_rd_has_u16(pys_offered_own(hs, PYS_OFFER_SCHEMES), id) &&
        (pys_is_12(hs->conn) ? pys_scheme_fits12(scheme, key) :
                               pys_scheme_fits(scheme, key));
}

pys_key *
pys_signing_key(pys_hs *hs, uint16_t scheme)
{
    pys_conn *c = hs->conn;
    pys_key *key = pys_cert_key(c->peer_chain[0]);

    /* RFC 8446 4.4.2: a key that TLS cannot use, or that may not sign. */
    if (key == NULL || !pys_cert_may_sign(c->peer_chain[0])) {
        (void)pys_fail(c, PYS_AD_UNSUPPORTED_CERTIFICATE,
            PYS_R_WRONG_CERTIFICATE_TYPE);
        return NULL;
    }
    if (!scheme_allowed(hs, scheme, key)) {
        (void)pys_fail(c, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_WRONG_SIGNATURE_TYPE);
        return NULL;
    }
    return key;
}

static bool
verify_process(pys_hs *hs, pys_rd *in)
{
    pys_conn *c = hs->conn;
    uint8_t content[CONTENT_MAX];
    uint16_t scheme;
    pys_key *key;
    pys_rd sig;
    size_t n;

    if (!pys_rd_u16(in, &scheme) || !pys_rd_vec16(in, &sig))
        return false;
    key = pys_signing_key(hs, scheme);
    if (key == NULL)
        return false;
    if (!verify_content(hs, !hs->server, content, &n))
        return pys_fail_internal(c);
    /* RFC 8446 4.4.3. */
    if (!pys_verify(key, scheme, pys_rd_of(content, n), sig))
        return pys_fail(c, PYS_AD_DECRYPT_ERROR, PYS_R_BAD_SIGNATURE);
    c->peer_scheme = scheme;
    return true;
}

const pys_msg pys_msg_certificate_verify = {
    .type = PYS_MT_CERTIFICATE_VERIFY,
    .max = 2 + 2 + 65535,
    .prepare = verify_prepare,
    .build = verify_build,
    .process = verify_process,
    .settle = pys_status_settle,
};
