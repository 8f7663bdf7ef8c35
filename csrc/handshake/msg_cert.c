/*
 * CertificateRequest, Certificate and CertificateVerify (RFC 8446 4.3.2,
 * 4.4.2, 4.4.3), and the choice of our own certificate.
 */
#include "handshake/msg_cert.h"
#include "handshake/ext.h"

enum { ERR_ASN1_LIB = 0x80000 + 13 };

/* ---- our certificate --------------------------------------------------- */

/* RFC 8422 5.1.1, 5.3: the client must know the curve of the certificate. */
static bool
curve_known(const pys_hs *hs, const pys_key *key)
{
    static const uint16_t curves[PYS_N_KEY_TYPES] = {
        [PYS_KEY_P256] = PYS_SECP256R1,
        [PYS_KEY_P384] = PYS_SECP384R1,
        [PYS_KEY_P521] = PYS_SECP521R1,
    };
    pys_rd groups = pys_rd_buf(&hs->peer[PYS_OFFER_GROUPS]);
    enum pys_key_type type = pys_key_type(key);

    return !hs->server || groups.n == 0 || type == PYS_KEY_OTHER ||
        curves[type] == 0 || pys_rd_has_u16(groups, curves[type]);
}

static bool
may_use(const pys_hs *hs, const pys_scheme *scheme, const pys_identity *id,
    enum pys_auth auth)
{
    if (!pys_identity_whole(id))
        return false;
    if (!pys_is_12(hs->conn))
        return pys_scheme_fits(scheme, id->key);
    return pys_scheme_fits12(scheme, id->key) &&
        (auth == PYS_AUTH_ANY || pys_key_auth(id->key) == auth) &&
        /* RFC 5246 7.4.4, RFC 8422 5.5: the types that a server takes. */
        (hs->server || hs->types_taken[pys_key_auth(id->key)]) &&
        curve_known(hs, id->key);
}

/* Our slot with a key that can make a signature of this scheme. */
static const pys_identity *
slot_for(const pys_hs *hs, uint16_t id, enum pys_auth auth)
{
    const pys_identities *ids = &hs->conn->set->ids;
    const pys_scheme *scheme = pys_scheme_find(id);

    if (scheme == NULL)
        return NULL;
    if (may_use(hs, scheme, &ids->slot[scheme->key], auth))
        return &ids->slot[scheme->key];
    for (size_t i = 0; i < PYS_N_KEY_TYPES; i++) {
        if (may_use(hs, scheme, &ids->slot[i], auth))
            return &ids->slot[i];
    }
    return NULL;
}

/* What the certificate must be good for, once a suite of 1.2 is chosen. */
static enum pys_auth
auth_wanted(const pys_hs *hs)
{
    return hs->server && hs->suite != NULL ? hs->suite->auth : PYS_AUTH_ANY;
}

/*
 * How good an identity is for the peer. What it may be unable to verify is
 * shown only if there is nothing else (RFC 8446 4.4.2.2, 4.4.2.3).
 */
enum { OF_KNOWN_CA = 1, VERIFIABLE = 2, BEST = 3 };

/* RFC 8446 4.2.3, RFC 5246 7.4.2: one list may serve both uses. */
static bool
signed_well(const pys_hs *hs, pys_cert *c)
{
    pys_rd list = pys_rd_buf(&hs->peer_schemes_cert);

    if (list.n == 0)
        list = pys_rd_buf(&hs->peer[PYS_OFFER_SCHEMES]);
    /* RFC 8446 4.4.2.2: nobody verifies what an anchor says of itself. */
    return list.n == 0 || pys_cert_self_issued(c) ||
        pys_rd_has_u16(list, pys_cert_signed_with(c));
}

/* RFC 8446 4.2.4: does the peer name who issued this? */
static bool
issuer_known(const pys_hs *hs, pys_cert *c)
{
    pys_rd names = pys_rd_buf(&hs->conn->peer_ca_names);
    pys_rd issuer;
    pys_rd name;

    issuer.p = pys_cert_issuer_der(c, &issuer.n);
    while (pys_rd_vec16(&names, &name)) {
        if (pys_rd_is(name, issuer))
            return true;
    }
    return false;
}

static int
rate(const pys_hs *hs, const pys_identity *id)
{
    const pys_identities *ids = &hs->conn->set->ids;
    bool own = id->n_chain != 0;
    pys_cert *const *chain = own ? id->chain : ids->extra;
    size_t n = own ? id->n_chain : ids->n_extra;
    bool known = pys_buf_size(&hs->conn->peer_ca_names) == 0 ||
        issuer_known(hs, id->leaf);
    bool well = pys_cert_may_sign(id->leaf) && signed_well(hs, id->leaf);

    for (size_t i = 0; i < n; i++) {
        known = known || issuer_known(hs, chain[i]);
        well = well && signed_well(hs, chain[i]);
    }
    return (known ? OF_KNOWN_CA : 0) + (well ? VERIFIABLE : 0);
}

/* Ratings of all slots; one identity alone is as good as any. */
static void
rate_all(const pys_hs *hs, int out[PYS_N_KEY_TYPES])
{
    const pys_identity *slots = hs->conn->set->ids.slot;
    size_t n = 0;

    for (size_t i = 0; i < PYS_N_KEY_TYPES; i++) {
        out[i] = BEST;
        n += pys_identity_whole(&slots[i]) ? 1 : 0;
    }
    for (size_t i = 0; n > 1 && i < PYS_N_KEY_TYPES; i++) {
        if (pys_identity_whole(&slots[i]))
            out[i] = rate(hs, &slots[i]);
    }
}

/*
 * The first scheme of `first` that is in `second` too and that we can make;
 * a better rated identity goes before a better scheme.
 */
static void
choose_from(pys_hs *hs, pys_rd first, pys_rd second)
{
    const pys_identity *slots = hs->conn->set->ids.slot;
    int rating[PYS_N_KEY_TYPES];
    int best = -1;
    uint16_t id;

    rate_all(hs, rating);
    while (best < BEST && pys_rd_u16(&first, &id)) {
        const pys_identity *own = slot_for(hs, id, auth_wanted(hs));

        if (own == NULL || rating[own - slots] <= best ||
            !pys_rd_has_u16(second, id))
            continue;
        best = rating[own - slots];
        hs->id = own;
        hs->scheme = pys_scheme_find(id);
    }
    if (best >= 0) {
        pys_settings_free(hs->id_owner);
        hs->id_owner = pys_settings_up_ref(hs->conn->set);
    }
}

int
pys_identity_rating(const pys_hs *hs, enum pys_auth auth)
{
    const pys_identity *slots = hs->conn->set->ids.slot;
    pys_rd theirs = pys_rd_buf(&hs->peer[PYS_OFFER_SCHEMES]);
    uint16_t ours[PYS_LIST_MAX];
    size_t n = pys_schemes(hs->conn->set, ours);
    int rating[PYS_N_KEY_TYPES];
    int best = -1;

    rate_all(hs, rating);
    for (size_t i = 0; i < n; i++) {
        const pys_identity *own = slot_for(hs, ours[i], auth);

        if (own != NULL && rating[own - slots] > best &&
            pys_rd_has_u16(theirs, ours[i]))
            best = rating[own - slots];
    }
    return best;
}

/* Our own list in the form of the wire. */
static bool
own_schemes(const pys_settings *set, pys_buf *out)
{
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_schemes(set, ids);
    pys_wr w = pys_wr_to(out);

    for (size_t i = 0; i < n; i++)
        pys_wr_u16(&w, ids[i]);
    return pys_wr_ok(&w);
}

/* Sets hs->id and hs->scheme, or leaves them NULL. False: memory. */
static bool
choose_identity(pys_hs *hs)
{
    pys_rd theirs = pys_rd_buf(&hs->peer[PYS_OFFER_SCHEMES]);
    const pys_settings *set = hs->conn->set;
    pys_buf ours;
    bool ok;

    pys_buf_init(&ours, PYS_LIST_MAX * sizeof(uint16_t));
    ok = own_schemes(set, &ours);
    if (ok && pys_setting(set, PYS_OPTIONS, PYS_OP_SERVER_PREFERENCE))
        choose_from(hs, pys_rd_buf(&ours), theirs);
    else if (ok)
        choose_from(hs, theirs, pys_rd_buf(&ours));
    pys_buf_wipe(&ours);
    return ok;
}

static bool
any_identity(const pys_settings *set)
{
    for (size_t i = 0; i < PYS_N_KEY_TYPES; i++) {
        if (pys_identity_whole(&set->ids.slot[i]))
            return true;
    }
    return false;
}

bool
pys_identity_choose(pys_hs *hs)
{
    pys_conn *c = hs->conn;

    if (!any_identity(c->set))
        return pys_fail(c, PYS_AD_HANDSHAKE_FAILURE, PYS_R_NO_SHARED_CIPHER);
    if (!choose_identity(hs))
        return pys_fail_internal(c);
    /* RFC 8446 4.4.3: a scheme the client offered, or none at all. */
    if (hs->id == NULL)
        return pys_fail(c, PYS_AD_HANDSHAKE_FAILURE,
            PYS_R_NO_SUITABLE_SIGNATURE_ALGORITHM);
    c->own_scheme = hs->scheme->id;
    return true;
}

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
    if (!choose_identity(hs)) {
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
    bool ok;

    if (pys_setting(set, PYS_MODE, PYS_MODE_NO_AUTO_CHAIN) ||
        set->trust == NULL || pys_trust_count(set->trust) == 0)
        return true;
    if (!pys_trust_issuers(set->trust, hs->id->leaf, found, PYS_COUNT(found),
            &n))
        return false;
    ok = others_build(hs, found, n, exts, w);
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

static bool
keep_cert(pys_conn *c, pys_rd der)
{
    pys_fault f;
    pys_cert *cert;

    pys_fault_init(&f);
    if (c->n_peer_chain == PYS_CHAIN_MAX)
        return pys_fail(c, PYS_AD_BAD_CERTIFICATE,
            PYS_R_EXCESSIVE_MESSAGE_SIZE);
    if (c->peer_chain == NULL) {
        c->peer_chain = pys_alloc(PYS_CHAIN_MAX * sizeof(*c->peer_chain));
        if (c->peer_chain == NULL)
            return pys_fail_internal(c);
    }
    cert = pys_cert_from_der(der.p, der.n, &f);
    /* RFC 8446 4.4.2.4, 6.2: corrupt. */
    if (cert == NULL)
        return pys_fail_after(c, &f, PYS_AD_BAD_CERTIFICATE, ERR_ASN1_LIB);
    c->peer_chain[c->n_peer_chain++] = cert;
    return true;
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

static bool
verify_build(pys_hs *hs, pys_wr *w)
{
    uint8_t content[CONTENT_MAX];
    uint8_t sig[PYS_SIG_MAX];
    size_t n;
    size_t n_sig;

    if (!verify_content(hs, hs->server, content, &n) ||
        !pys_sign(hs->id->key, hs->scheme->id, pys_rd_of(content, n), sig,
            &n_sig))
        return pys_fail_internal(hs->conn);
    pys_wr_u16(w, hs->scheme->id);
    pys_wr_vec16(w, pys_rd_of(sig, n_sig));
    return true;
}

/* RFC 8446 4.4.3, RFC 5246 7.4.8: offered, and fit for version and key. */
static bool
scheme_allowed(pys_conn *c, uint16_t id, pys_key *key)
{
    const pys_scheme *scheme = pys_scheme_find(id);

    return scheme != NULL &&
        pys_rd_has_u16(pys_rd_buf(&c->offers[0][PYS_OFFER_SCHEMES]), id) &&
        (pys_is_12(c) ? pys_scheme_fits12(scheme, key) :
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
    if (!scheme_allowed(c, scheme, key)) {
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
    .build = verify_build,
    .process = verify_process,
    .settle = pys_status_settle,
};
