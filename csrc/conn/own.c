/*
 * The choice of our own certificate, on either side (RFC 8446 4.4.2.2,
 * 4.4.2.3; RFC 5246 7.4.2, 7.4.6).
 */
#include "conn/own.h"

/* RFC 8422 5.1.1, 5.3: the client must know the curve of the certificate. */
static bool
curve_known(const pys_hs *hs, const pys_key *key)
{
    static const uint16_t curves[PYS_N_KEY_TYPES] = {
        [PYS_KEY_P256] = PYS_SECP256R1,
        [PYS_KEY_P384] = PYS_SECP384R1,
        [PYS_KEY_P521] = PYS_SECP521R1,
    };
    pys_rd groups = pys_offered(hs, PYS_OFFER_GROUPS);
    enum pys_key_type type = pys_key_type(key);

    return !hs->server || groups.n == 0 || type == PYS_KEY_OTHER ||
        curves[type] == 0 || pys_rd_has_u16(groups, curves[type]);
}

/* RFC 8446 4.2.3, RFC 5246 7.4.2: one list may serve both uses. */
static bool
signed_well(const pys_hs *hs, pys_cert *c)
{
    pys_rd list = pys_rd_buf(&hs->peer_schemes_cert);

    if (list.n == 0)
        list = pys_offered(hs, PYS_OFFER_SCHEMES);
    /* RFC 8446 4.4.2.2: nobody verifies what an anchor says of itself. */
    return list.n == 0 || pys_cert_self_issued(c) ||
        pys_rd_has_u16(list, pys_cert_signed_with(c));
}

/* Has a server said how certificates are to be signed? */
static bool
told(const pys_hs *hs)
{
    return !hs->server && pys_buf_size(&hs->peer_schemes_cert) != 0;
}

bool
pys_cert_showable(const pys_hs *hs, pys_cert *c)
{
    if (signed_well(hs, c))
        return true;
    /*
     * RFC 8446 4.4.2.3: what a server lists for certificates binds a client.
     * 4.4.2.2: SHA-1 only where it is asked for, also in a chain that is
     * sent for want of a better one.
     */
    return !told(hs) && !pys_cert_hash_weak(c);
}

/* The certificates that go behind a leaf of ours, but for the store's. */
static pys_cert *const *
chain_of(const pys_hs *hs, const pys_identity *id, size_t *n)
{
    const pys_identities *ids = &hs->conn->set->ids;
    bool own = id->n_chain != 0;

    *n = own ? id->n_chain : ids->n_extra;
    return own ? id->chain : ids->extra;
}

static bool
chain_showable(const pys_hs *hs, const pys_identity *id)
{
    size_t n;
    pys_cert *const *chain = chain_of(hs, id, &n);
    bool ok = pys_cert_showable(hs, id->leaf);

    for (size_t i = 0; ok && i < n; i++)
        ok = pys_cert_showable(hs, chain[i]);
    return ok;
}

static bool
showable(const pys_hs *hs, const pys_identity *id)
{
    /* The levels above 0 let no such hash in. */
    return (hs->conn->set->numbers[PYS_SECURITY_LEVEL] > 0 && !told(hs)) ||
        chain_showable(hs, id);
}

static bool
may_use(const pys_hs *hs, const pys_scheme *scheme, const pys_identity *id,
    enum pys_auth auth)
{
    const pys_key *key;

    if (!pys_identity_whole(id))
        return false;
    key = pys_identity_key(id);
    if (!pys_is_12(hs->conn))
        return pys_scheme_fits(scheme, key) && showable(hs, id);
    return pys_scheme_fits12(scheme, key) &&
        (auth == PYS_AUTH_ANY || pys_key_auth(key) == auth) &&
        /* RFC 5246 7.4.4, RFC 8422 5.5: the types that a server takes. */
        (hs->server || hs->types_taken[pys_key_auth(key)]) &&
        curve_known(hs, key) && showable(hs, id);
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
    size_t n;
    pys_cert *const *chain = chain_of(hs, id, &n);
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
    pys_rd theirs = pys_offered(hs, PYS_OFFER_SCHEMES);
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

bool
pys_identity_pick(pys_hs *hs)
{
    pys_rd theirs = pys_offered(hs, PYS_OFFER_SCHEMES);
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
    if (!pys_identity_pick(hs))
        return pys_fail_internal(c);
    /* RFC 8446 4.4.3: a scheme the client offered, or none at all. */
    if (hs->id == NULL)
        return pys_fail(c, PYS_AD_HANDSHAKE_FAILURE,
            PYS_R_NO_SUITABLE_SIGNATURE_ALGORITHM);
    c->own_scheme = hs->scheme->id;
    return true;
}
