#include "handshake/ext.h"

/*
 * RFC 8446 4.2, the rest of its table: known, but neither sent nor acted on.
 * Their place is checked all the same.
 */
static const pys_ext passed_over[] = {
    {.type = PYS_EXT_MAX_FRAGMENT_LENGTH, .where = PYS_IN_CH | PYS_IN_EE},
    {.type = PYS_EXT_USE_SRTP, .where = PYS_IN_CH | PYS_IN_EE},
    {.type = PYS_EXT_HEARTBEAT, .where = PYS_IN_CH | PYS_IN_EE},
    {.type = PYS_EXT_CLIENT_CERT_TYPE, .where = PYS_IN_CH | PYS_IN_EE},
    {.type = PYS_EXT_SERVER_CERT_TYPE, .where = PYS_IN_CH | PYS_IN_EE},
    {.type = PYS_EXT_PADDING, .where = PYS_IN_CH},
    {.type = PYS_EXT_OID_FILTERS, .where = PYS_IN_CR},
};

/*
 * The order in which extensions are written and in which they are acted on.
 * The lists come first, so that they are known when a later row refuses.
 */
static const pys_ext *const rows[] = {
    &pys_ext_server_name,
    &pys_ext_groups,
    &pys_ext_schemes,
    &pys_ext_schemes_cert,
    &pys_ext_alpn,
    &pys_ext_point_formats,
    &pys_ext_extended,
    &pys_ext_renegotiation,
    &pys_ext_session_ticket,
    &pys_ext_authorities,
    &pys_ext_record_limit,
    &pys_ext_status,
    &pys_ext_scts,
    &pys_ext_key_share,
    &pys_ext_cookie,
    &pys_ext_versions,
    &pys_ext_psk_modes,
    &pys_ext_early_data,
    &pys_ext_post,
    &pys_ext_psk, /* RFC 8446 4.2.11: the last one */
    &passed_over[0],
    &passed_over[1],
    &passed_over[2],
    &passed_over[3],
    &passed_over[4],
    &passed_over[5],
    &passed_over[6],
};

enum { N_ROWS = PYS_COUNT(rows) };

/* Messages that answer: nothing may be in them that was not asked for. */
enum {
    ANSWERS = PYS_IN_SH | PYS_IN_HRR | PYS_IN_EE | PYS_IN_CT | PYS_IN_SH12
};

/* Messages that ask. */
enum { REQUESTS = PYS_IN_CH | PYS_IN_CR };

/* What a block holds: bits and contents by row. */
typedef struct contents {
    uint32_t got;
    bool unknown; /* there was a type without a row */
    pys_rd of[N_ROWS];
} contents;

static const pys_ext_side *
side_of(const pys_hs *hs, const pys_ext *row)
{
    return hs->server ? &row->server : &row->client;
}

/* The number of the row, N_ROWS for an unknown type. */
static size_t
row_of(uint16_t type)
{
    size_t i = 0;

    while (i < N_ROWS && rows[i]->type != type)
        i++;
    return i;
}

static uint32_t
row_bit(size_t i)
{
    _Static_assert(N_ROWS <= 32, "rows are bits of ext_sent and ext_got");

    return (uint32_t)1 << i;
}

static bool
row_build(pys_hs *hs, const pys_ext *row, pys_where where, pys_wr *w)
{
    size_t at;

    pys_wr_u16(w, row->type);
    at = pys_wr_open16(w);
    if (!side_of(hs, row)->build(hs, where, w))
        return false;
    pys_wr_close16(w, at);
    return pys_wr_ok(w);
}

bool
pys_exts_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    size_t at = pys_wr_open16(w);
    uint32_t sent = 0;

    for (size_t i = 0; i < N_ROWS; i++) {
        const pys_ext_side *side = side_of(hs, rows[i]);

        if ((rows[i]->where & (unsigned)where) == 0 || side->offer == NULL ||
            !side->offer(hs, where))
            continue;
        if (!row_build(hs, rows[i], where, w))
            return false;
        sent |= row_bit(i);
    }
    pys_wr_close16(w, at);
    if ((where & REQUESTS) != 0)
        hs->ext_sent = sent;
    return pys_wr_ok(w);
}

static bool
unsolicited(pys_conn *c)
{
    return pys_fail(c, PYS_AD_UNSUPPORTED_EXTENSION,
        PYS_R_UNSOLICITED_EXTENSION);
}

/* May this extension stand here at all, and did we ask for it? */
static bool
place_check(pys_conn *c, pys_where where, uint32_t asked, size_t i)
{
    bool unasked = i == N_ROWS || (asked & row_bit(i)) == 0;

    /* RFC 5246 7.4.1.4: this comes first, whatever else is wrong with it. */
    if (where == PYS_IN_SH12 && unasked)
        return unsolicited(c);
    /* RFC 8446 4.2: known, but not specified for this message. */
    if (i < N_ROWS && (rows[i]->where & (unsigned)where) == 0)
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
    /* RFC 8446 4.2: of all answers a cookie alone comes unasked. */
    if ((where & ANSWERS) != 0 && unasked &&
        (i == N_ROWS || rows[i] != &pys_ext_cookie))
        return unsolicited(c);
    return true;
}

/* RFC 8446 4.2: one of a type, unknown types too. *unknown: seen, if any. */
static bool
first_of_type(size_t i, uint16_t type, contents *found, pys_ids *unknown)
{
    if (i < N_ROWS)
        return (found->got & row_bit(i)) == 0;
    if (!found->unknown)
        *unknown = (pys_ids){{0}};
    found->unknown = true;
    return pys_ids_add(unknown, type);
}

/* The shape of the block; asked holds the bits of what we asked for. */
static bool
block_parse(pys_conn *c, pys_where where, uint32_t asked, pys_rd block,
    contents *found)
{
    pys_ids unknown; /* zeroed only when there is one: it is large */
    pys_rd content;
    uint16_t type;
    size_t i;

    while (!pys_rd_end(&block)) {
        if (!pys_rd_u16(&block, &type) || !pys_rd_vec16(&block, &content))
            return false;
        i = row_of(type);
        if (!first_of_type(i, type, found, &unknown))
            return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
        /* RFC 8446 4.2.11. */
        if (type == PYS_EXT_PRE_SHARED_KEY && where == PYS_IN_CH &&
            !pys_rd_end(&block))
            return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
        if (!place_check(c, where, asked, i))
            return false;
        if (i == N_ROWS)
            continue;
        found->of[i] = content;
        found->got |= row_bit(i);
    }
    return true;
}

bool
pys_exts_process(pys_hs *hs, pys_where where, pys_rd block)
{
    contents found = {.got = 0};

    hs->ext_got = 0;
    if (pys_rd_end(&block))
        return true;
    if (!block_parse(hs->conn, where, hs->ext_sent, block, &found))
        return false;
    hs->ext_got = found.got;
    for (size_t i = 0; i < N_ROWS; i++) {
        const pys_ext_side *side = side_of(hs, rows[i]);

        if ((found.got & row_bit(i)) == 0 || side->process == NULL)
            continue;
        /* RFC 8446 6.2: bytes left over are decode_error. */
        if (!side->process(hs, where, &found.of[i]) ||
            !pys_rd_end(&found.of[i]))
            return false;
    }
    return true;
}

bool
pys_exts_ticket(pys_conn *c, pys_rd block, uint32_t *early)
{
    contents found = {.got = 0};
    size_t row = row_of(PYS_EXT_EARLY_DATA);

    *early = 0;
    if (!block_parse(c, PYS_IN_NST, 0, block, &found))
        return false;
    /* RFC 8446 4.2.10: max_early_data_size. */
    return (found.got & row_bit(row)) == 0 ||
        (pys_rd_u32(&found.of[row], early) && pys_rd_end(&found.of[row]));
}

bool
pys_ext_seen(const pys_hs *hs, uint16_t type)
{
    size_t i = row_of(type);

    return i < N_ROWS && (hs->ext_got & row_bit(i)) != 0;
}

bool
pys_exts_find(pys_rd block, uint16_t type)
{
    pys_rd content;
    uint16_t at;

    while (pys_rd_u16(&block, &at) && pys_rd_vec16(&block, &content)) {
        if (at == type)
            return true;
    }
    return false;
}

bool
pys_ids_add(pys_ids *set, uint16_t id)
{
    if (pys_ids_has(set, id))
        return false;
    set->bits[id / 64] |= (uint64_t)1 << id % 64;
    return true;
}

bool
pys_ids_has(const pys_ids *set, uint16_t id)
{
    return (set->bits[id / 64] >> id % 64 & 1) != 0;
}

bool
pys_offer_put(pys_hs *hs, enum pys_offer_list which, const uint16_t *ids,
    size_t n)
{
    uint8_t raw[2 * PYS_LIST_MAX];

    for (size_t i = 0; i < n; i++)
        pys_put_u16(raw + 2 * i, ids[i]);
    return pys_offers_put(hs->conn->offers, &hs->conn->offers->own[which],
               pys_rd_of(raw, 2 * n)) ||
        pys_fail_internal(hs->conn);
}

bool
pys_offer_take(pys_hs *hs, enum pys_offer_list which, pys_rd list)
{
    return pys_offers_put(hs->conn->offers, &hs->conn->offers->peer[which],
               list) ||
        pys_fail_internal(hs->conn);
}
