/*
 * record_size_limit (RFC 8449): how long a protected record the other side
 * may send. Offered only when the application set a limit.
 */
#include "handshake/ext.h"

enum { LIMIT_MIN = 64 };

/* RFC 8449 4: what we say counts the type byte of TLS 1.3 too. */
static bool
limit_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    pys_wr_u16(w, (unsigned)hs->conn->set->numbers[PYS_RECORD_LIMIT]);
    return pys_wr_ok(w);
}

static bool
limit_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_conn *c = hs->conn;
    uint16_t limit;

    if (!pys_rd_u16(in, &limit))
        return false;
    /* RFC 8449 4. */
    if (limit < LIMIT_MIN)
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
    /* RFC 8449 4: larger than the protocol allows means nothing; the type
     * byte of TLS 1.3 counts, also while the version is still open. */
    if (limit - 1 < PYS_PLAIN_MAX)
        c->send_max = where == PYS_IN_SH12 ? limit : limit - 1U;
    if (c->send_max > PYS_PLAIN_MAX)
        c->send_max = PYS_PLAIN_MAX;
    return true;
}

static bool
limit_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && hs->conn->set->numbers[PYS_RECORD_LIMIT] != 0;
}

static bool
limit_server_offer(pys_hs *hs, pys_where where)
{
    return where != PYS_IN_CH &&
        hs->conn->set->numbers[PYS_RECORD_LIMIT] != 0 && hs->limit_got;
}

static bool
limit_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    hs->limit_got = true;
    return limit_process(hs, where, in);
}

const pys_ext pys_ext_record_limit = {
    .type = PYS_EXT_RECORD_SIZE_LIMIT,
    .where = PYS_IN_CH | PYS_IN_EE | PYS_IN_SH12,
    .client = {limit_client_offer, limit_build, limit_process},
    .server = {limit_server_offer, limit_build, limit_server_process},
};
