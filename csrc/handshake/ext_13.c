/*
 * Extensions of TLS 1.3 alone (RFC 8446 4.2): supported_versions, cookie,
 * key_share, certificate_authorities.
 */
#include "handshake/ext.h"

/* ---- supported_versions ------------------------------------------------ */

/* Versions this library speaks, best first. */
static const uint16_t spoken[] = {PYS_TLS1_3, PYS_TLS1_2};

size_t
pys_versions(const pys_conn *c, uint16_t out[PYS_VERSIONS_MAX])
{
    uint16_t min = pys_version_min(c);
    uint16_t max = pys_version_max(c);
    size_t n = 0;

    for (size_t i = 0; i < PYS_COUNT(spoken); i++) {
        if (min != 0 && spoken[i] >= min && spoken[i] <= max)
            out[n++] = spoken[i];
    }
    return n;
}

size_t
pys_suites_offered(const pys_conn *c, uint16_t out[PYS_LIST_MAX])
{
    uint16_t versions[PYS_VERSIONS_MAX];
    size_t n_versions = pys_versions(c, versions);
    size_t n = 0;

    for (size_t i = 0; i < n_versions; i++)
        n += pys_suites_of(c, versions[i], out + n);
    return n;
}

/* Does our own range reach TLS 1.3? */
static bool
offers_13(const pys_hs *hs)
{
    return pys_version_max(hs->conn) >= PYS_TLS1_3;
}

static bool
versions_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && offers_13(hs);
}

static bool
versions_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    uint16_t ids[PYS_VERSIONS_MAX];
    size_t n = pys_versions(hs->conn, ids);
    size_t at = pys_wr_open8(w);

    (void)where;
    for (size_t i = 0; i < n; i++)
        pys_wr_u16(w, ids[i]);
    pys_wr_close8(w, at);
    return pys_wr_ok(w) && pys_offer_put(hs, PYS_OFFER_VERSIONS, ids, n);
}

/* The version the server settled on, in a ServerHello or a retry. */
static bool
versions_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_conn *c = hs->conn;
    pys_rd list = *in;
    uint16_t chosen;

    if (!pys_rd_u16(in, &chosen))
        return false;
    if (!pys_offer_take(hs, PYS_OFFER_VERSIONS, pys_rd_of(list.p, 2)))
        return false;

    /* RFC 8446 4.2.1: older than 1.3, or never offered. */
    if (chosen < PYS_TLS1_3 ||
        !pys_rd_has_u16(pys_offered_own(hs, PYS_OFFER_VERSIONS), chosen))
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_WRONG_SSL_VERSION);

    /* RFC 8446 4.1.4: the ServerHello repeats what the retry said. */
    if (where == PYS_IN_SH && (hs->flags & PYS_HS_RETRIED) != 0 &&
        chosen != c->version)
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_WRONG_SSL_VERSION);

    c->version = chosen;
    return true;
}

static bool
versions_server_offer(pys_hs *hs, pys_where where)
{
    (void)hs;
    return where == PYS_IN_SH || where == PYS_IN_HRR;
}

static bool
versions_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    pys_wr_u16(w, hs->conn->version);
    return pys_wr_ok(w);
}

static bool
versions_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;

    (void)where;
    return pys_rd_vec8(in, &list) && list.n != 0 && list.n % 2 == 0 &&
        pys_offer_take(hs, PYS_OFFER_VERSIONS, list);
}

/* RFC 8446 4.2.1. */
const pys_ext pys_ext_versions = {
    .type = PYS_EXT_SUPPORTED_VERSIONS,
    .where = PYS_IN_CH | PYS_IN_SH | PYS_IN_HRR,
    .client = {versions_client_offer, versions_client_build,
        versions_client_process},
    .server = {versions_server_offer, versions_server_build,
        versions_server_process},
};

/* ---- cookie ------------------------------------------------------------ */

/* RFC 8446 4.2.2: a retry's cookie comes back with the second hello. */
static bool
cookie_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && pys_buf_size(&hs->cookie) != 0;
}

static bool
cookie_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_HRR && pys_buf_size(&hs->cookie) != 0;
}

static bool
cookie_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    pys_wr_vec16(w, pys_rd_buf(&hs->cookie));
    return pys_wr_ok(w);
}

static bool
cookie_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd cookie;

    (void)where;
    /* RFC 8446 4.2.2: not empty. */
    if (!pys_rd_vec16(in, &cookie) || cookie.n == 0)
        return false;
    return pys_keep(&hs->cookie, cookie) || pys_fail_internal(hs->conn);
}

static bool
cookie_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd cookie;

    (void)where;
    if (!pys_rd_vec16(in, &cookie) || cookie.n == 0)
        return false;
    /* RFC 8446 4.2.2: none in a first hello, then the one we gave. */
    if (!pys_rd_is(cookie, pys_rd_buf(&hs->cookie)))
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_COOKIE_MISMATCH);
    return true;
}

/* RFC 8446 4.2.2. */
const pys_ext pys_ext_cookie = {
    .type = PYS_EXT_COOKIE,
    .where = PYS_IN_CH | PYS_IN_HRR,
    .client = {cookie_client_offer, cookie_build, cookie_client_process},
    .server = {cookie_server_offer, cookie_build, cookie_server_process},
};

/* ---- key_share --------------------------------------------------------- */

static bool
share_bad(pys_hs *hs)
{
    return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_KEY_SHARE);
}

static bool
share_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && offers_13(hs);
}

static bool
share_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    size_t list = pys_wr_open16(w);

    (void)where;
    for (size_t i = 0; i < hs->n_shares; i++) {
        size_t at;

        pys_wr_u16(w, pys_share_group(hs->shares[i]));
        at = pys_wr_open16(w);
        if (!pys_share_public(hs->shares[i], w))
            return false;
        pys_wr_close16(w, at);
    }
    pys_wr_close16(w, list);
    return pys_wr_ok(w);
}

/* Our share of the group, or NULL. */
static pys_share *
share_own(const pys_hs *hs, uint16_t group)
{
    for (size_t i = 0; i < hs->n_shares; i++) {
        if (pys_share_group(hs->shares[i]) == group)
            return hs->shares[i];
    }
    return NULL;
}

/* The group that a HelloRetryRequest asks for. */
static bool
share_retry_process(pys_hs *hs, pys_rd *in)
{
    pys_rd offered = pys_offered_own(hs, PYS_OFFER_GROUPS);
    uint16_t group;

    if (!pys_rd_u16(in, &group))
        return false;
    /* RFC 8446 4.2.8: one that we offered and sent no share for. */
    if (!pys_rd_has_u16(offered, group) || share_own(hs, group) != NULL)
        return share_bad(hs);
    hs->retry_group = group;
    return true;
}

static bool
share_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd key;
    uint16_t group;

    if (where == PYS_IN_HRR)
        return share_retry_process(hs, in);
    if (!pys_rd_u16(in, &group) || !pys_rd_vec16(in, &key) || key.n == 0)
        return false;
    /*
     * RFC 8446 4.2.8: the group of a share that we sent. After a retry that
     * named a group there is but this one.
     */
    if (share_own(hs, group) == NULL)
        return share_bad(hs);
    hs->group = pys_group_find(group);
    hs->peer_shares = key;
    return true;
}

/* A retry asks for a group, or for a cookie alone. */
static bool
share_server_offer(pys_hs *hs, pys_where where)
{
    /* RFC 8446 4.2.9: none in psk_ke. */
    return (where == PYS_IN_SH && !hs->psk_plain) ||
        (where == PYS_IN_HRR && hs->retry_group != 0);
}

static bool
share_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    if (where == PYS_IN_HRR) {
        pys_wr_u16(w, hs->retry_group);
        return pys_wr_ok(w);
    }
    pys_wr_u16(w, hs->group->id);
    pys_wr_vec16(w, pys_rd_buf(&hs->share_out));
    return pys_wr_ok(w);
}

/* Judges the shares; choose.c picks one later. */
static bool
share_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd groups = pys_offered(hs, PYS_OFFER_GROUPS);
    pys_ids offered = {{0}};
    pys_ids shared = {{0}};
    pys_rd at;
    pys_rd key;
    uint16_t group;

    (void)where;
    if (!pys_rd_vec16(in, &hs->peer_shares))
        return false;
    /* RFC 8446 9.2 refuses shares without a list: msg_client_hello.c. */
    if (!pys_ext_seen(hs, PYS_EXT_SUPPORTED_GROUPS))
        return true;
    while (pys_rd_u16(&groups, &group))
        (void)!pys_ids_add(&offered, group);
    for (at = hs->peer_shares; !pys_rd_end(&at);) {
        if (!pys_rd_u16(&at, &group) || !pys_rd_vec16(&at, &key) || key.n == 0)
            return false;
        /* RFC 8446 4.2.8: of groups offered, and one of each. */
        if (!pys_ids_has(&offered, group) || !pys_ids_add(&shared, group))
            return share_bad(hs);
    }
    return true;
}

/* RFC 8446 4.2.8. */
const pys_ext pys_ext_key_share = {
    .type = PYS_EXT_KEY_SHARE,
    .where = PYS_IN_CH | PYS_IN_SH | PYS_IN_HRR,
    .client = {share_client_offer, share_client_build, share_client_process},
    .server = {share_server_offer, share_server_build, share_server_process},
};

/* ---- certificate_authorities ------------------------------------------- */

static bool
authorities_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CR && pys_buf_size(&hs->conn->set->ca_names) != 0;
}

static bool
authorities_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    pys_wr_vec16(w, pys_rd_buf(&hs->conn->set->ca_names));
    return pys_wr_ok(w);
}

static bool
rd_authorities(pys_rd *in, pys_rd *list)
{
    pys_rd at;
    pys_rd name;

    if (!pys_rd_vec16(in, list) || pys_rd_end(list))
        return false;
    for (at = *list; !pys_rd_end(&at);) {
        if (!pys_rd_vec16(&at, &name) || name.n == 0)
            return false;
    }
    return true;
}

/* RFC 8446 4.2.4: a hint about our chain; see msg_cert.c. */
static bool
authorities_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;

    (void)where;
    if (!rd_authorities(in, &list))
        return false;
    return pys_keep(&hs->conn->peer_ca_names, list) ||
        pys_fail_internal(hs->conn);
}

/* RFC 8446 4.2.4. */
const pys_ext pys_ext_authorities = {
    .type = PYS_EXT_CERTIFICATE_AUTHORITIES,
    .where = PYS_IN_CH | PYS_IN_CR,
    .client = {NULL, NULL, authorities_process},
    .server = {authorities_server_offer, authorities_server_build,
        authorities_process},
};

/* ---- post_handshake_auth ----------------------------------------------- */

/* Asked for by SSL_set_post_handshake_auth(3), or by the verify mode. */
static bool
post_client_offer(pys_hs *hs, pys_where where)
{
    const pys_settings *set = hs->conn->set;

    return where == PYS_IN_CH && offers_13(hs) &&
        (set->numbers[PYS_POST_HANDSHAKE_AUTH] != 0 ||
            pys_setting(set, PYS_VERIFY_MODE, PYS_VERIFY_POST));
}

/* RFC 8446 4.2.6: empty. */
static bool
post_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    hs->post_offered = true;
    return pys_wr_ok(w);
}

static bool
post_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    (void)where;
    (void)in;
    hs->post_offered = true;
    return true;
}

/* RFC 8446 4.2.6. */
const pys_ext pys_ext_post = {
    .type = PYS_EXT_POST_HANDSHAKE_AUTH,
    .where = PYS_IN_CH,
    .client = {post_client_offer, post_client_build, NULL},
    .server = {NULL, NULL, post_server_process},
};
