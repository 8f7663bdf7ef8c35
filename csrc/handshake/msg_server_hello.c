/*
 * ServerHello, HelloRetryRequest and EncryptedExtensions (RFC 8446 4.1.3,
 * 4.1.4, 4.3.1). The first two have the same type and the same shape.
 */
#include "handshake/early.h"
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/psk.h"

enum { SSL3_0 = 0x0300, COMPRESSION_NULL = 0, MARK_LEN = 8 };

/* RFC 8446 4.1.3: SHA-256 of "HelloRetryRequest". */
static const uint8_t retry_random[PYS_RANDOM_LEN] = {0xcf, 0x21, 0xad, 0x74,
    0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2,
    0xc8, 0xa8, 0x33, 0x9c};

/* RFC 8446 4.1.3: what a server of TLS 1.3 signs a lower version with. */
static const uint8_t marks[][MARK_LEN] = {
    {'D', 'O', 'W', 'N', 'G', 'R', 'D', 1},
    {'D', 'O', 'W', 'N', 'G', 'R', 'D', 0},
};

/* ---- both shapes ------------------------------------------------------- */

typedef struct hello {
    uint16_t version;
    pys_rd random;
    pys_rd session_id;
    uint16_t suite;
    uint8_t compression;
    pys_rd exts;
} hello;

/* Hellos older than TLS 1.3 may end before the extensions. */
static bool
hello_read(pys_rd *in, hello *h)
{
    *h = (hello){.version = 0};
    if (!pys_rd_u16(in, &h->version) ||
        !pys_rd_bytes(in, PYS_RANDOM_LEN, &h->random) ||
        !pys_rd_vec8(in, &h->session_id) ||
        h->session_id.n > PYS_SESSION_ID_MAX || !pys_rd_u16(in, &h->suite) ||
        !pys_rd_u8(in, &h->compression))
        return false;
    return pys_rd_end(in) || (pys_rd_vec16(in, &h->exts) && pys_rd_end(in));
}

static bool
hello_build(pys_hs *hs, pys_where where, const uint8_t *random, pys_wr *w)
{
    /* RFC 8446 4.1.3, RFC 5246 7.4.1.3: TLS 1.2's version; the id. */
    pys_wr_u16(w, PYS_TLS1_2);
    pys_wr_bytes(w, random, PYS_RANDOM_LEN);
    pys_wr_vec8(w, pys_rd_of(hs->session_id, hs->n_session_id));
    pys_wr_u16(w, hs->suite->id);
    pys_wr_u8(w, COMPRESSION_NULL);
    return pys_exts_build(hs, where, w);
}

/* The hash is known now; a retry has started it before. */
static bool
transcript_start(pys_hs *hs)
{
    return hs->transcript.started ||
        pys_transcript_start(&hs->transcript, hs->suite->hash) ||
        pys_fail_internal(hs->conn);
}

/* RFC 8446 4.4.1: the first ClientHello is replaced by its hash. */
static bool
transcript_retry(pys_hs *hs)
{
    return transcript_start(hs) &&
        (pys_transcript_retry(&hs->transcript) || pys_fail_internal(hs->conn));
}

/* ---- what a client checks in both -------------------------------------- */

static bool
illegal(pys_hs *hs, unsigned reason)
{
    return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER, reason);
}

/* RFC 8446 4.1.3: it knows TLS 1.3; someone tampered with our hello. */
static bool
downgrade_check(pys_hs *hs, const hello *h)
{
    const uint8_t *end = h->random.p + PYS_RANDOM_LEN - MARK_LEN;

    if (pys_version_max(hs->conn) < PYS_TLS1_3)
        return true;
    for (size_t i = 0; i < PYS_COUNT(marks); i++) {
        if (pys_equal(end, marks[i], MARK_LEN))
            return illegal(hs, PYS_R_INAPPROPRIATE_FALLBACK);
    }
    return true;
}

/* A server that did not take TLS 1.3. */
static bool
older_version(pys_hs *hs, const hello *h)
{
    uint8_t version[2];

    pys_put_u16(version, h->version);
    if (!pys_offer_take(hs, PYS_OFFER_VERSIONS, pys_rd_of(version, 2)))
        return false;
    if (!downgrade_check(hs, h))
        return false;
    /* RFC 8446 D.3: our early data would be lost on it. */
    if (pys_early_going(hs->conn))
        return pys_fail(hs->conn, PYS_AD_PROTOCOL_VERSION,
            PYS_R_UNSUPPORTED_PROTOCOL);
    /* RFC 8446 4.1.4: not what the retry said. */
    if ((hs->flags & PYS_HS_RETRIED) != 0)
        return illegal(hs, PYS_R_WRONG_SSL_VERSION);
    /* RFC 8446 4.1.3, 4.2.1: lower than all that we offered. */
    if (h->version != PYS_TLS1_2 || pys_version_min(hs->conn) != PYS_TLS1_2)
        return pys_fail(hs->conn, PYS_AD_PROTOCOL_VERSION,
            PYS_R_UNSUPPORTED_PROTOCOL);
    hs->conn->version = PYS_TLS1_2;
    return true;
}

static bool
suite_take(pys_hs *hs, uint16_t id)
{
    pys_conn *c = hs->conn;
    const pys_suite *suite = pys_suite_find(id);
    uint8_t raw[2];

    pys_put_u16(raw, id);
    if (!pys_offer_take(hs, PYS_OFFER_SUITES, pys_rd_of(raw, 2)))
        return false;
    /* RFC 8446 4.1.3: one that we offered, and of this version. */
    if (suite == NULL || suite->version != c->version ||
        !pys_rd_has_u16(pys_offered_own(hs, PYS_OFFER_SUITES), id))
        return illegal(hs, PYS_R_WRONG_CIPHER_RETURNED);
    /* RFC 8446 4.1.4: the one that the retry named. */
    if ((hs->flags & PYS_HS_RETRIED) != 0 && suite != hs->suite)
        return illegal(hs, PYS_R_WRONG_CIPHER_RETURNED);
    hs->suite = suite;
    return true;
}

/* Everything that ServerHello and HelloRetryRequest have in common. */
static bool
hello_process(pys_hs *hs, pys_where where, const hello *h)
{
    /*
     * RFC 8446 4.2.1, D.5: supported_versions alone counts, but a hello that
     * says SSL 3.0 is refused.
     */
    if (h->version <= SSL3_0)
        return pys_fail(hs->conn, PYS_AD_PROTOCOL_VERSION,
            PYS_R_UNSUPPORTED_PROTOCOL);
    /* RFC 8446 4.1.3: what we sent, neither more nor less. */
    if (!pys_rd_is(h->session_id, pys_rd_of(hs->session_id, hs->n_session_id)))
        return illegal(hs, PYS_R_INVALID_SESSION_ID);
    /* RFC 8446 4.1.3. */
    if (h->compression != COMPRESSION_NULL)
        return illegal(hs, PYS_R_INVALID_COMPRESSION_ALGORITHM);
    return pys_exts_process(hs, where, h->exts) && suite_take(hs, h->suite);
}

/* ---- HelloRetryRequest ------------------------------------------------- */

static bool
retry_wanted(pys_hs *hs)
{
    return (hs->flags & PYS_HS_RETRIED) != 0;
}

static bool
retry_is(pys_rd body)
{
    uint16_t version;
    pys_rd random;

    return pys_rd_u16(&body, &version) &&
        pys_rd_bytes(&body, PYS_RANDOM_LEN, &random) &&
        pys_equal(random.p, retry_random, PYS_RANDOM_LEN);
}

static bool
retry_build(pys_hs *hs, pys_wr *w)
{
    return transcript_retry(hs) &&
        hello_build(hs, PYS_IN_HRR, retry_random, w);
}

static bool
retry_process(pys_hs *hs, pys_rd *in)
{
    hello h;

    if (!hello_read(in, &h))
        return false;
    /* RFC 8446 4.1.4: it must say which version it is of. */
    if (!pys_exts_find(h.exts, PYS_EXT_SUPPORTED_VERSIONS))
        return pys_fail(hs->conn, PYS_AD_MISSING_EXTENSION,
            PYS_R_BAD_HRR_VERSION);
    if (!hello_process(hs, PYS_IN_HRR, &h))
        return false;
    /* RFC 8446 4.1.4: the next hello would be the same again. */
    if (hs->retry_group == 0 && pys_buf_size(&hs->cookie) == 0)
        return illegal(hs, PYS_R_NO_CHANGE_FOLLOWING_HRR);
    hs->flags |= PYS_HS_RETRIED;
    hs->conn->retried = true;
    return transcript_retry(hs);
}

/* Lengths as far as one extension of each kind can go. */
enum { SERVER_HELLO_MAX = 2 + 32 + 1 + 32 + 2 + 1 + 2 + 65535 };

/* RFC 8446 4.1.4. */
const pys_msg pys_msg_retry = {
    .type = PYS_MT_SERVER_HELLO,
    .max = SERVER_HELLO_MAX,
    .build = retry_build,
    .process = retry_process,
    .wanted = retry_wanted,
    .is = retry_is,
};

/* ---- ServerHello ------------------------------------------------------- */

static bool
server_hello_is(pys_rd body)
{
    return !retry_is(body);
}

/* RFC 5246 7.4.1.3: what was resumed, or a new id if one can be kept. */
static bool
id_choose(pys_hs *hs)
{
    if ((hs->flags & PYS_HS_RESUMED) != 0)
        return true;
    hs->n_session_id = 0;
    if ((hs->flags & PYS_HS_TICKET) != 0 || hs->conn->set->cache == NULL ||
        !pys_setting(hs->conn->set, PYS_CACHE_MODE, PYS_CACHE_SERVER))
        return true;
    hs->n_session_id = sizeof(hs->session_id);
    return pys_random(hs->session_id, sizeof(hs->session_id));
}

static bool
server_hello_build(pys_hs *hs, pys_wr *w)
{
    uint8_t *random = hs->server_random;
    bool is_12 = pys_is_12(hs->conn);

    if (!pys_random(random, PYS_RANDOM_LEN))
        return pys_fail_internal(hs->conn);
    if (is_12 && !id_choose(hs))
        return pys_fail_internal(hs->conn);
    /* RFC 8446 4.1.3: says under our signature that we know TLS 1.3. */
    if (is_12 && pys_version_max(hs->conn) >= PYS_TLS1_3)
        memcpy(random + PYS_RANDOM_LEN - MARK_LEN, marks[0], MARK_LEN);
    return transcript_start(hs) &&
        hello_build(hs, is_12 ? PYS_IN_SH12 : PYS_IN_SH, random, w);
}

/* RFC 5746 3.4: a server that does not know it may be somebody between. */
static bool
secure_check(pys_hs *hs)
{
    if (!hs->secure &&
        !pys_setting(hs->conn->set, PYS_OPTIONS, PYS_OP_LEGACY_SERVER_CONNECT))
        return pys_fail(hs->conn, PYS_AD_HANDSHAKE_FAILURE,
            PYS_R_UNSAFE_LEGACY_RENEGOTIATION_DISABLED);
    return true;
}

/* A ServerHello of TLS 1.2 (RFC 5246 7.4.1.3). */
static bool
server_hello_process_12(pys_hs *hs, const hello *h)
{
    pys_conn *c = hs->conn;

    bool echoed = h->session_id.n != 0 &&
        pys_rd_is(h->session_id, pys_rd_of(hs->session_id, hs->n_session_id));

    /* Nothing was there to resume: the id was made up (RFC 8446 D.4). */
    if (echoed && (hs->psk == NULL || hs->psk->version != PYS_TLS1_2))
        return illegal(hs, PYS_R_INVALID_SESSION_ID);
    if (h->compression != COMPRESSION_NULL)
        return illegal(hs, PYS_R_INVALID_COMPRESSION_ALGORITHM);
    /* RFC 8446 5: dropped in the belief that TLS 1.3 would follow. */
    if (c->n_ccs != 0)
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_CCS_RECEIVED_EARLY);
    if (!pys_exts_process(hs, PYS_IN_SH12, h->exts) ||
        !suite_take(hs, h->suite) || !secure_check(hs))
        return false;
    hs->flags &= ~(unsigned)PYS_HS_COMPAT;
    c->suite = hs->suite;
    /* RFC 5489 2: no certificates come. */
    if (hs->suite->auth == PYS_AUTH_PSK)
        hs->flags |= PYS_HS_PSK;
    if (echoed)
        return pys_session12_accept(hs) && transcript_start(hs);
    /* RFC 5246 7.4.1.3: the id of a session to come. */
    hs->n_session_id = h->session_id.n;
    memcpy(hs->session_id, h->session_id.p, h->session_id.n);
    hs->transcript.keep = true;
    return transcript_start(hs);
}

/* The (EC)DHE secret from the server's share (RFC 8446 7.4). */
static bool
secret_derive(pys_hs *hs)
{
    bool internal = false;

    for (size_t i = 0; i < hs->n_shares; i++) {
        if (pys_share_group(hs->shares[i]) != hs->group->id)
            continue;
        if (pys_share_derive(hs->shares[i], hs->peer_shares, hs->secret,
                &hs->n_secret, &internal))
            return true;
        if (internal)
            break;
        /* RFC 8446 4.2.8.1, 4.2.8.2, 7.4.2. */
        return illegal(hs, PYS_R_BAD_ECPOINT);
    }
    return pys_fail_internal(hs->conn);
}

/* RFC 8446 4.2.11: the PSK is bound to a hash, and so to its suites. */
static bool
psk_check(pys_hs *hs)
{
    if ((hs->flags & PYS_HS_PSK) == 0)
        return true;
    if (pys_suite_find(hs->psk->suite)->hash != hs->suite->hash)
        return illegal(hs, PYS_R_BAD_PSK_IDENTITY);
    return pys_session_adopt(hs, hs->psk);
}

/* RFC 8446 4.2.9: psk_ke, if that is what we offered. */
static bool
psk_alone(const pys_hs *hs)
{
    return (hs->flags & PYS_HS_PSK) != 0 &&
        pys_setting(hs->conn->set, PYS_OPTIONS, PYS_OP_ALLOW_NO_DHE_KEX);
}

static bool
server_hello_process(pys_hs *hs, pys_rd *in)
{
    pys_conn *c = hs->conn;
    hello h;

    if (!hello_read(in, &h))
        return false;
    memcpy(hs->server_random, h.random.p, PYS_RANDOM_LEN);
    if (!pys_exts_find(h.exts, PYS_EXT_SUPPORTED_VERSIONS))
        return older_version(hs, &h) && server_hello_process_12(hs, &h);
    if (!hello_process(hs, PYS_IN_SH, &h))
        return false;
    if (!psk_check(hs))
        return false;
    if (!pys_ext_seen(hs, PYS_EXT_KEY_SHARE) && psk_alone(hs)) {
        c->suite = hs->suite;
        return transcript_start(hs);
    }
    /* RFC 8446 4.2.11: our psk_key_exchange_modes need a share. */
    if (!pys_ext_seen(hs, PYS_EXT_KEY_SHARE) && (hs->flags & PYS_HS_PSK) != 0)
        return illegal(hs, PYS_R_NO_SUITABLE_KEY_SHARE);
    /* RFC 8446 9.2: without a PSK there is no secret but this one. */
    if (!pys_ext_seen(hs, PYS_EXT_KEY_SHARE))
        return pys_fail(c, PYS_AD_MISSING_EXTENSION,
            PYS_R_NO_SUITABLE_KEY_SHARE);
    if (!secret_derive(hs))
        return false;
    c->suite = hs->suite;
    c->group = hs->group->id;
    return transcript_start(hs);
}

/* RFC 8446 4.1.3. */
const pys_msg pys_msg_server_hello = {
    .type = PYS_MT_SERVER_HELLO,
    .max = SERVER_HELLO_MAX,
    .build = server_hello_build,
    .process = server_hello_process,
    .is = server_hello_is,
};

/* ---- EncryptedExtensions ----------------------------------------------- */

static bool
encrypted_build(pys_hs *hs, pys_wr *w)
{
    return pys_exts_build(hs, PYS_IN_EE, w);
}

static bool
encrypted_process(pys_hs *hs, pys_rd *in)
{
    pys_rd exts;

    return pys_rd_vec16(in, &exts) && pys_exts_process(hs, PYS_IN_EE, exts);
}

/* RFC 8446 4.3.1. */
const pys_msg pys_msg_encrypted_extensions = {
    .type = PYS_MT_ENCRYPTED_EXTENSIONS,
    .max = 2 + 65535,
    .build = encrypted_build,
    .process = encrypted_process,
};
