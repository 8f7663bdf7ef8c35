/*
 * Extensions that both versions' hellos carry: server_name (RFC 6066 3),
 * supported_groups, signature_algorithms and its _cert sister (RFC 8446
 * 4.2.7, 4.2.3), application_layer_protocol_negotiation (RFC 7301).
 */
#include "handshake/ext.h"

enum { HOST_NAME = 0, HOST_NAME_MAX_LEN = 255 };

/* A vector of at least one 16-bit number. */
static bool
rd_ids(pys_rd *in, pys_rd *list)
{
    return pys_rd_vec16(in, list) && list->n != 0 && list->n % 2 == 0;
}

/* Writes such a vector and keeps it for the report. */
static bool
wr_ids(pys_hs *hs, pys_wr *w, enum pys_offer_list which, const uint16_t *ids,
    size_t n)
{
    size_t at = pys_wr_open16(w);

    for (size_t i = 0; i < n; i++)
        pys_wr_u16(w, ids[i]);
    pys_wr_close16(w, at);
    return pys_wr_ok(w) && pys_offer_put(hs, which, ids, n);
}

/* ---- server_name ------------------------------------------------------- */

static bool
name_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && pys_buf_size(&hs->conn->server_name) != 0;
}

static bool
name_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    size_t at = pys_wr_open16(w);

    (void)where;
    pys_wr_u8(w, HOST_NAME);
    pys_wr_vec16(w, pys_rd_buf(&hs->conn->server_name));
    pys_wr_close16(w, at);
    return pys_wr_ok(w);
}

/* RFC 6066 3: the answer is empty; the loop refuses anything left over. */
static bool
name_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    (void)hs;
    (void)where;
    (void)in;
    return true;
}

static bool
name_server_offer(pys_hs *hs, pys_where where)
{
    return where != PYS_IN_CH && hs->name_accepted;
}

/* RFC 6066 3: an empty extension says that the name was used. */
static bool
name_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)hs;
    (void)where;
    return pys_wr_ok(w);
}

static bool
name_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;
    pys_rd name;
    uint8_t type;

    (void)where;
    /* RFC 6066 3: one name of a type, and there is but one type. */
    if (!pys_rd_vec16(in, &list) || !pys_rd_u8(&list, &type) ||
        type != HOST_NAME || !pys_rd_vec16(&list, &name) || name.n == 0 ||
        !pys_rd_end(&list))
        return false;
    /* RFC 6066 3, RFC 1035 3.1: nothing that could be a host's name. */
    if (name.n > HOST_NAME_MAX_LEN || memchr(name.p, 0, name.n) != NULL)
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_SSL3_EXT_INVALID_SERVERNAME);
    return pys_keep(&hs->conn->server_name, name) ||
        pys_fail_internal(hs->conn);
}

const pys_ext pys_ext_server_name = {
    .type = PYS_EXT_SERVER_NAME,
    .where = PYS_IN_CH | PYS_IN_EE | PYS_IN_SH12,
    .client = {name_client_offer, name_client_build, name_client_process},
    .server = {name_server_offer, name_server_build, name_server_process},
};

/* ---- supported_groups -------------------------------------------------- */

size_t
pys_groups_offered(const pys_conn *c, uint16_t out[PYS_LIST_MAX])
{
    size_t n = pys_groups(c->set, out);
    size_t kept = 0;

    if (pys_version_max(c) >= PYS_TLS1_3)
        return n;
    /* RFC 8446 4.2.7: a KEM has no place in the key exchange of TLS 1.2. */
    for (size_t i = 0; i < n; i++) {
        if (out[i] != PYS_X25519MLKEM768)
            out[kept++] = out[i];
    }
    return kept;
}

static bool
groups_client_offer(pys_hs *hs, pys_where where)
{
    (void)hs;
    return where == PYS_IN_CH;
}

static bool
groups_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_groups_offered(hs->conn, ids);

    (void)where;
    return wr_ids(hs, w, PYS_OFFER_GROUPS, ids, n);
}

/* A client's list, or what a server would rather have (RFC 8446 4.2.7). */
static bool
groups_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;

    (void)where;
    return rd_ids(in, &list) && pys_offer_take(hs, PYS_OFFER_GROUPS, list);
}

/* RFC 8446 4.2.7. There are servers that echo it in TLS 1.2. */
const pys_ext pys_ext_groups = {
    .type = PYS_EXT_SUPPORTED_GROUPS,
    .where = PYS_IN_CH | PYS_IN_EE | PYS_IN_SH12,
    .client = {groups_client_offer, groups_client_build, groups_process},
    .server = {NULL, NULL, groups_process},
};

/* ---- signature_algorithms, signature_algorithms_cert ------------------- */

/* RFC 8446 4.2.3, 4.3.2: whoever wants a certificate sends the list. */
static bool
schemes_client_offer(pys_hs *hs, pys_where where)
{
    (void)hs;
    return where == PYS_IN_CH;
}

static bool
schemes_server_offer(pys_hs *hs, pys_where where)
{
    (void)hs;
    return where == PYS_IN_CR;
}

static bool
schemes_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_schemes(hs->conn->set, ids);

    (void)where;
    return wr_ids(hs, w, PYS_OFFER_SCHEMES, ids, n);
}

static bool
schemes_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;

    (void)where;
    return rd_ids(in, &list) && pys_offer_take(hs, PYS_OFFER_SCHEMES, list);
}

static bool
schemes_cert_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;

    (void)where;
    if (!rd_ids(in, &list))
        return false;
    return pys_keep(&hs->peer_schemes_cert, list) ||
        pys_fail_internal(hs->conn);
}

/* RFC 8446 4.2.3. */
const pys_ext pys_ext_schemes = {
    .type = PYS_EXT_SIGNATURE_ALGORITHMS,
    .where = PYS_IN_CH | PYS_IN_CR,
    .client = {schemes_client_offer, schemes_build, schemes_process},
    .server = {schemes_server_offer, schemes_build, schemes_process},
};

/* RFC 8446 4.2.3: not sent, as our list is the same for both uses. */
const pys_ext pys_ext_schemes_cert = {
    .type = PYS_EXT_SIGNATURE_ALGORITHMS_CERT,
    .where = PYS_IN_CH | PYS_IN_CR,
    .client = {NULL, NULL, schemes_cert_process},
    .server = {NULL, NULL, schemes_cert_process},
};

/* ---- application_layer_protocol_negotiation ---------------------------- */

static bool
alpn_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && pys_buf_size(&hs->conn->set->alpn) != 0;
}

static bool
alpn_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    pys_rd list = pys_rd_buf(&hs->conn->set->alpn);

    (void)where;
    pys_wr_vec16(w, list);
    return pys_wr_ok(w) &&
        (pys_offers_put(hs->conn->offers,
             &hs->conn->offers->own[PYS_OFFER_ALPN], list) ||
            pys_fail_internal(hs->conn));
}

/* Does the list hold the name? False also for a list that ends too early. */
static bool
alpn_has(pys_rd list, pys_rd name)
{
    pys_rd item;

    while (pys_rd_vec8(&list, &item)) {
        if (pys_rd_is(item, name))
            return true;
    }
    return false;
}

static bool
alpn_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd offered = pys_offered_own(hs, PYS_OFFER_ALPN);
    pys_rd list;
    pys_rd name;

    (void)where;
    if (!pys_rd_vec16(in, &list) || !pys_rd_vec8(&list, &name) || name.n == 0)
        return false;
    /* RFC 7301 3.1, 3.2: exactly one, and one of ours. */
    if (!pys_rd_end(&list) || !alpn_has(offered, name))
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_BAD_EXTENSION);
    return pys_keep(&hs->conn->alpn, name) || pys_fail_internal(hs->conn);
}

static bool
alpn_server_offer(pys_hs *hs, pys_where where)
{
    return where != PYS_IN_CH && pys_buf_size(&hs->alpn_chosen) != 0;
}

static bool
alpn_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    size_t at = pys_wr_open16(w);

    (void)where;
    pys_wr_vec8(w, pys_rd_buf(&hs->alpn_chosen));
    pys_wr_close16(w, at);
    return pys_wr_ok(w);
}

static bool
alpn_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;
    pys_rd at;
    pys_rd name;

    (void)where;
    if (!pys_rd_vec16(in, &list) || pys_rd_end(&list))
        return false;
    /* RFC 7301 3.1: names are not empty. */
    for (at = list; !pys_rd_end(&at);) {
        if (!pys_rd_vec8(&at, &name) || name.n == 0)
            return false;
    }
    return pys_offer_take(hs, PYS_OFFER_ALPN, list);
}

/* RFC 7301. */
const pys_ext pys_ext_alpn = {
    .type = PYS_EXT_ALPN,
    .where = PYS_IN_CH | PYS_IN_EE | PYS_IN_SH12,
    .client = {alpn_client_offer, alpn_client_build, alpn_client_process},
    .server = {alpn_server_offer, alpn_server_build, alpn_server_process},
};
