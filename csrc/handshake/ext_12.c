/*
 * Extensions of TLS 1.2 alone: ec_point_formats (RFC 8422 5.1.2),
 * extended_master_secret (RFC 7627 5), renegotiation_info (RFC 5746 3.2).
 */
#include "handshake/ext.h"

enum { UNCOMPRESSED = 0 };

/* A client says these while TLS 1.2 is one of its versions. */
static bool
offers_12(const pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && pys_version_min(hs->conn) <= PYS_TLS1_2;
}

/* ---- ec_point_formats -------------------------------------------------- */

static bool
formats_client_offer(pys_hs *hs, pys_where where)
{
    return offers_12(hs, where);
}

static bool
formats_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_SH12 && hs->formats_got;
}

static bool
formats_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    static const uint8_t uncompressed = UNCOMPRESSED;

    (void)hs;
    (void)where;
    pys_wr_vec8(w, pys_rd_of(&uncompressed, 1));
    return pys_wr_ok(w);
}

static bool
formats_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd list;

    (void)where;
    if (!pys_rd_vec8(in, &list) || list.n == 0)
        return false;
    hs->formats_got = true;
    /* RFC 8422 5.1.2: the uncompressed form must be among them. */
    if (memchr(list.p, UNCOMPRESSED, list.n) == NULL)
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_TLS_INVALID_ECPOINTFORMAT_LIST);
    return true;
}

const pys_ext pys_ext_point_formats = {
    .type = PYS_EXT_POINT_FORMATS,
    .where = PYS_IN_CH | PYS_IN_SH12,
    .client = {formats_client_offer, formats_build, formats_process},
    .server = {formats_server_offer, formats_build, formats_process},
};

/* ---- extended_master_secret -------------------------------------------- */

static bool
extended_wanted(const pys_hs *hs)
{
    return !pys_setting(hs->conn->set, PYS_OPTIONS,
        PYS_OP_NO_EXTENDED_MASTER_SECRET);
}

static bool
extended_client_offer(pys_hs *hs, pys_where where)
{
    return offers_12(hs, where) && extended_wanted(hs);
}

static bool
extended_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_SH12 && hs->extended;
}

static bool
extended_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)hs;
    (void)where;
    return pys_wr_ok(w);
}

static bool
extended_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    (void)where;
    (void)in;
    hs->extended = extended_wanted(hs);
    return true;
}

const pys_ext pys_ext_extended = {
    .type = PYS_EXT_EXTENDED_MASTER_SECRET,
    .where = PYS_IN_CH | PYS_IN_SH12,
    .client = {extended_client_offer, extended_build, extended_process},
    .server = {extended_server_offer, extended_build, extended_process},
};

/* ---- renegotiation_info ------------------------------------------------ */

static bool
secure_client_offer(pys_hs *hs, pys_where where)
{
    return offers_12(hs, where);
}

static bool
secure_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_SH12 && hs->secure;
}

/* RFC 5746 3.4, 3.6: empty in the first and only handshake. */
static bool
secure_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)hs;
    (void)where;
    pys_wr_u8(w, 0);
    return pys_wr_ok(w);
}

static bool
secure_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd verify_data;

    (void)where;
    if (!pys_rd_vec8(in, &verify_data))
        return false;
    /* RFC 5746 3.4, 3.6: handshake_failure if not. */
    if (verify_data.n != 0)
        return pys_fail(hs->conn, PYS_AD_HANDSHAKE_FAILURE,
            PYS_R_RENEGOTIATION_MISMATCH);
    hs->secure = true;
    return true;
}

const pys_ext pys_ext_renegotiation = {
    .type = PYS_EXT_RENEGOTIATION_INFO,
    .where = PYS_IN_CH | PYS_IN_SH12,
    .client = {secure_client_offer, secure_build, secure_process},
    .server = {secure_server_offer, secure_build, secure_process},
};
