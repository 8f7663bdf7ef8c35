/*
 * ClientHello, the first and the one after a HelloRetryRequest (RFC 8446
 * 4.1.2). The server's decisions follow in choose.c.
 */
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/psk.h"

enum { SSL3_0 = 0x0300, COMPRESSION_NULL = 0 };

/* ---- the client writes ------------------------------------------------- */

static void
shares_drop(pys_hs *hs)
{
    for (size_t i = 0; i < hs->n_shares; i++)
        pys_share_free(hs->shares[i]);
    hs->n_shares = 0;
}

static bool
share_add(pys_hs *hs, uint16_t group)
{
    pys_share *share = pys_share_new(group);

    if (share == NULL)
        return pys_fail_internal(hs->conn);
    hs->shares[hs->n_shares++] = share;
    return true;
}

/*
 * A share of the best group. Beside the hybrid goes a plain X25519, so that
 * a server without the former needs no retry.
 */
static bool
shares_make(pys_hs *hs, const uint16_t *groups, size_t n)
{
    if (!share_add(hs, groups[0]))
        return false;
    if (groups[0] != PYS_X25519MLKEM768)
        return true;
    for (size_t i = 1; i < n; i++) {
        if (groups[i] == PYS_X25519)
            return share_add(hs, PYS_X25519);
    }
    return true;
}

/* A hello that could not succeed is not sent. */
static bool
offer_nothing(pys_hs *hs, unsigned reason)
{
    return pys_fail(hs->conn, PYS_NO_ALERT, reason);
}

/* What both hellos have in common: random, session id, shares. */
static bool
hello_start(pys_hs *hs)
{
    const pys_settings *set = hs->conn->set;
    uint8_t fresh[PYS_RANDOM_LEN + PYS_SESSION_ID_MAX];
    uint16_t ids[PYS_LIST_MAX];
    size_t n;

    if (pys_schemes(set, ids) == 0)
        return offer_nothing(hs, PYS_R_NO_SUITABLE_SIGNATURE_ALGORITHM);
    n = pys_groups_offered(hs->conn, ids);
    if (n == 0)
        return offer_nothing(hs, PYS_R_NO_SUITABLE_GROUPS);

    /* At once: libcrypto asks much for a call and little for a byte. */
    if (!pys_random(fresh, sizeof(fresh)))
        return pys_fail_internal(hs->conn);
    memcpy(hs->random, fresh, PYS_RANDOM_LEN);
    memcpy(hs->session_id, fresh + PYS_RANDOM_LEN, PYS_SESSION_ID_MAX);
    /* RFC 8446 D.4: a session id makes it look like a resumption. */
    if (pys_version_max(hs->conn) >= PYS_TLS1_3 &&
        pys_setting(set, PYS_OPTIONS, PYS_OP_MIDDLEBOX_COMPAT)) {
        hs->n_session_id = sizeof(hs->session_id);
        hs->flags |= PYS_HS_COMPAT;
    }
    pys_session12_offer(hs);
    /* RFC 8446 4.2.8: shares are of TLS 1.3 alone. */
    return pys_version_max(hs->conn) < PYS_TLS1_3 || shares_make(hs, ids, n);
}

/* RFC 8446 4.1.2: one share, of the group that the retry named. */
static bool
hello_again(pys_hs *hs)
{
    if (hs->retry_group == 0)
        return true;
    shares_drop(hs);
    return share_add(hs, hs->retry_group);
}

static bool
client_hello_build(pys_hs *hs, pys_wr *w)
{
    bool again = (hs->flags & PYS_HS_RETRIED) != 0;
    static const uint8_t null = COMPRESSION_NULL;
    uint16_t ids[PYS_LIST_MAX];
    size_t at;
    size_t n;

    if (again ? !hello_again(hs) : !hello_start(hs))
        return false;
    /* RFC 8446 4.1.2: the version of TLS 1.2 for ever. */
    pys_wr_u16(w, PYS_TLS1_2);
    pys_wr_bytes(w, hs->random, sizeof(hs->random));
    pys_wr_vec8(w, pys_rd_of(hs->session_id, hs->n_session_id));
    n = pys_suites_offered(hs->conn, ids);
    at = pys_wr_open16(w);
    for (size_t i = 0; i < n; i++)
        pys_wr_u16(w, ids[i]);
    /* RFC 7507 4: after a failed try with a higher version. */
    if (pys_setting(hs->conn->set, PYS_MODE, PYS_MODE_FALLBACK_SCSV))
        pys_wr_u16(w, PYS_FALLBACK_SCSV);
    pys_wr_close16(w, at);
    pys_wr_vec8(w, pys_rd_of(&null, 1));
    return pys_offer_put(hs, PYS_OFFER_SUITES, ids, n) &&
        pys_exts_build(hs, PYS_IN_CH, w);
}

/* ---- the server reads -------------------------------------------------- */

typedef struct hello {
    uint16_t version;
    pys_rd random;
    pys_rd session_id;
    pys_rd suites;
    pys_rd compression;
    pys_rd exts;
} hello;

/* The shape. Hellos older than TLS 1.3 may end before the extensions. */
static bool
hello_read(pys_rd *in, hello *h)
{
    *h = (hello){.version = 0};
    if (!pys_rd_u16(in, &h->version) ||
        !pys_rd_bytes(in, PYS_RANDOM_LEN, &h->random) ||
        !pys_rd_vec8(in, &h->session_id) ||
        h->session_id.n > PYS_SESSION_ID_MAX ||
        !pys_rd_vec16(in, &h->suites) || h->suites.n == 0 ||
        h->suites.n % 2 != 0 || !pys_rd_vec8(in, &h->compression) ||
        h->compression.n == 0)
        return false;
    return pys_rd_end(in) || (pys_rd_vec16(in, &h->exts) && pys_rd_end(in));
}

/* RFC 8446 4.1.2: what a second hello may add, drop or change. */
static bool
may_change(uint16_t type)
{
    return type == PYS_EXT_KEY_SHARE || type == PYS_EXT_COOKIE ||
        type == PYS_EXT_EARLY_DATA || type == PYS_EXT_PRE_SHARED_KEY ||
        type == PYS_EXT_PADDING;
}

typedef struct item {
    bool found; /* false: the block has ended */
    uint16_t type;
    pys_rd content;
} item;

/* The next extension that must stay as it is; false for a bad block. */
static bool
next_fixed(pys_rd *block, item *out)
{
    do {
        *out = (item){.found = !pys_rd_end(block)};
        if (!out->found)
            return true;
        if (!pys_rd_u16(block, &out->type) ||
            !pys_rd_vec16(block, &out->content))
            return false;
    } while (may_change(out->type));
    return true;
}

/*
 * Finds an extension in a block, from *at on and then from the beginning,
 * with few looks if it is the next one; *looks bounds what all cost.
 */
static bool
find_fixed(pys_rd block, pys_rd *at, const item *wanted, unsigned *looks)
{
    bool again = at->n != block.n;
    item here;

    while (*looks != 0) {
        --*looks;
        if (!next_fixed(at, &here))
            return false;
        if (here.found && here.type == wanted->type)
            return pys_rd_is(here.content, wanted->content);
        if (here.found)
            continue;
        if (!again)
            return false;
        again = false;
        *at = block;
    }
    return false;
}

/*
 * Has the second block the fixed extensions of the first, and no others? In
 * any order (RFC 8446 4.2), which some clients change. None comes twice: the
 * first hello was looked at already, the second is going to be.
 */
static bool
exts_compare(pys_rd first, pys_rd second, bool *same)
{
    unsigned looks = 4096;
    pys_rd at = first;
    pys_rd left = first;
    item a;
    item b;

    /* RFC 8446 4.1.2: a PSK may go, but not come. */
    *same = pys_exts_find(first, PYS_EXT_PRE_SHARED_KEY) ||
        !pys_exts_find(second, PYS_EXT_PRE_SHARED_KEY);
    do {
        if (!next_fixed(&left, &a) || !next_fixed(&second, &b))
            return false;
        *same = *same && a.found == b.found &&
            (!b.found || find_fixed(first, &at, &b, &looks));
    } while (*same && b.found);
    return true;
}

/* RFC 8446 4.1.2: the second hello repeats the first. */
static bool
hello_repeats(pys_hs *hs, const hello *second)
{
    pys_rd kept = pys_rd_buf(&hs->hello);
    hello first;
    bool same;

    if (!hello_read(&kept, &first) ||
        !exts_compare(first.exts, second->exts, &same))
        return false;
    if (!same || first.version != second->version ||
        !pys_rd_is(first.random, second->random) ||
        !pys_rd_is(first.session_id, second->session_id) ||
        !pys_rd_is(first.suites, second->suites) ||
        !pys_rd_is(first.compression, second->compression))
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_BAD_EXTENSION);
    return true;
}

/* What does not come from extensions. */
static bool
hello_keep(pys_hs *hs, const hello *h)
{
    pys_rd random = h->random;
    pys_rd id = h->session_id;

    hs->n_session_id = id.n;
    if (id.n != 0)
        hs->flags |= PYS_HS_COMPAT;
    return pys_rd_copy(&random, hs->random, sizeof(hs->random)) &&
        pys_rd_copy(&id, hs->session_id, id.n) &&
        pys_offer_take(hs, PYS_OFFER_SUITES, h->suites);
}

/* Our side of the report on a failure. */
static bool
own_lists_keep(pys_hs *hs)
{
    const pys_settings *set = hs->conn->set;
    uint16_t versions[PYS_VERSIONS_MAX];
    uint16_t ids[PYS_LIST_MAX];

    return pys_offer_put(hs, PYS_OFFER_VERSIONS, versions,
               pys_versions(hs->conn, versions)) &&
        pys_offer_put(hs, PYS_OFFER_SUITES, ids,
            pys_suites_offered(hs->conn, ids)) &&
        pys_offer_put(hs, PYS_OFFER_GROUPS, ids,
            pys_groups_offered(hs->conn, ids)) &&
        pys_offer_put(hs, PYS_OFFER_SCHEMES, ids, pys_schemes(set, ids));
}

/* RFC 8446 4.2.1: our best version that the client's list has; or 0. */
static uint16_t
version_listed(pys_hs *hs)
{
    pys_rd theirs = pys_offered(hs, PYS_OFFER_VERSIONS);
    uint16_t ours[PYS_VERSIONS_MAX];
    size_t n = pys_versions(hs->conn, ours);

    for (size_t i = 0; i < n; i++) {
        if (pys_rd_has_u16(theirs, ours[i]))
            return ours[i];
    }
    return 0;
}

/* RFC 5246 E.1: a hello without the list says its highest version. */
static uint16_t
version_legacy(const pys_hs *hs, const hello *h)
{
    return h->version >= PYS_TLS1_2 &&
            pys_version_min(hs->conn) == PYS_TLS1_2 ?
        PYS_TLS1_2 :
        0;
}

static bool
version_choose(pys_hs *hs, const hello *h)
{
    pys_conn *c = hs->conn;

    c->version = pys_ext_seen(hs, PYS_EXT_SUPPORTED_VERSIONS) ?
        version_listed(hs) :
        version_legacy(hs, h);
    /* RFC 8446 4.2.1, RFC 5246 E.1: none in common. */
    if (c->version == 0)
        return pys_fail(c, PYS_AD_PROTOCOL_VERSION,
            PYS_R_UNSUPPORTED_PROTOCOL);
    /* RFC 7507 3: the client could have had more. */
    if (c->version < pys_version_max(c) &&
        pys_rd_has_u16(h->suites, PYS_FALLBACK_SCSV))
        return pys_fail(c, PYS_AD_INAPPROPRIATE_FALLBACK,
            PYS_R_INAPPROPRIATE_FALLBACK);
    return true;
}

static bool
missing(pys_hs *hs, unsigned reason)
{
    return pys_fail(hs->conn, PYS_AD_MISSING_EXTENSION, reason);
}

/* RFC 8446 9.2, 4.2.9: extensions that a TLS 1.3 hello must have. */
static bool
required_check(pys_hs *hs)
{
    bool groups = pys_ext_seen(hs, PYS_EXT_SUPPORTED_GROUPS);
    bool share = pys_ext_seen(hs, PYS_EXT_KEY_SHARE);
    bool psk = pys_ext_seen(hs, PYS_EXT_PRE_SHARED_KEY);

    /* RFC 8446 4.2.9. */
    if (psk && !pys_ext_seen(hs, PYS_EXT_PSK_MODES))
        return missing(hs, PYS_R_MISSING_PSK_KEX_MODES_EXTENSION);
    /* RFC 8446 9.2: each of the two needs the other. */
    if (groups && !share)
        return missing(hs, PYS_R_NO_SUITABLE_KEY_SHARE);
    if (!groups && (share || !psk))
        return missing(hs, PYS_R_MISSING_SUPPORTED_GROUPS_EXTENSION);
    /* RFC 8446 9.2: not needed with a PSK; choose.c asks again then. */
    if (!psk && !pys_ext_seen(hs, PYS_EXT_SIGNATURE_ALGORITHMS))
        return missing(hs, PYS_R_MISSING_SIGALGS_EXTENSION);
    /* RFC 8446 4.2.2: a cookie comes back. */
    if (pys_buf_size(&hs->cookie) != 0 && !pys_ext_seen(hs, PYS_EXT_COOKIE))
        return missing(hs, PYS_R_COOKIE_MISMATCH);
    return true;
}

static bool
compression_bad(pys_hs *hs)
{
    return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
        PYS_R_INVALID_COMPRESSION_ALGORITHM);
}

/* What only a hello of TLS 1.2 says, or may leave out. */
static bool
hello_judge_12(pys_hs *hs, const hello *h)
{
    /* RFC 5246 7.4.1.2: the null method must be among them. */
    if (memchr(h->compression.p, COMPRESSION_NULL, h->compression.n) == NULL)
        return compression_bad(hs);
    /* RFC 5746 3.6: the suite says what the extension says. */
    if (pys_rd_has_u16(h->suites, PYS_RENEGOTIATION_SCSV))
        hs->secure = true;
    /* Dummy records are of TLS 1.3. */
    hs->flags &= ~(unsigned)PYS_HS_COMPAT;
    hs->transcript.keep = true;
    return true;
}

/* What can be said once all extensions are known. */
static bool
hello_judge(pys_hs *hs, const hello *h)
{
    if (!version_choose(hs, h))
        return false;
    if (pys_is_12(hs->conn))
        return hello_judge_12(hs, h);
    /* RFC 8446 4.1.2: exactly the null method. */
    if (h->compression.n != 1 || h->compression.p[0] != COMPRESSION_NULL)
        return compression_bad(hs);
    return required_check(hs);
}

static bool
client_hello_process(pys_hs *hs, pys_rd *in)
{
    bool again = (hs->flags & PYS_HS_RETRIED) != 0;
    pys_conn *c = hs->conn;
    pys_rd body = *in;
    hello h;

    if (!hello_read(in, &h))
        return false;
    /* RFC 8446 D.5: SSL 3.0 or older, whatever else it says. */
    if (h.version <= SSL3_0)
        return pys_fail(c, PYS_AD_PROTOCOL_VERSION,
            PYS_R_UNSUPPORTED_PROTOCOL);
    if (again && !hello_repeats(hs, &h))
        return false;
    /* RFC 8446 4.2.10: a second hello ends early data. */
    if (again && c->early != NULL)
        c->early->skipping = false;

    /* From here on everything points into our copy, which lives on. */
    if (!pys_keep(&hs->hello, body))
        return pys_fail_internal(c);
    body = pys_rd_buf(&hs->hello);
    if (!hello_read(&body, &h))
        return false;
    if (!again) {
        pys_buf_wipe(&c->server_name);
        if (!own_lists_keep(hs))
            return false;
    }
    hs->peer_shares = pys_rd_of(NULL, 0);
    hs->ticket12 = pys_rd_of(NULL, 0);
    hs->psk_list = pys_rd_of(NULL, 0);
    hs->binder_list = pys_rd_of(NULL, 0);
    return hello_keep(hs, &h) && pys_exts_process(hs, PYS_IN_CH, h.exts) &&
        hello_judge(hs, &h);
}

/* The longest that hs->hello takes; RFC 8446 allows little more. */
const pys_msg pys_msg_client_hello = {
    .type = PYS_MT_CLIENT_HELLO,
    .max = 2 * 65535,
    .prepare = pys_external_offer,
    .build = client_hello_build,
    .finish = pys_psk_bind,
    .process = client_hello_process,
    .settle = pys_choose,
};
