/*
 * Finished (RFC 8446 4.4.4).
 */
#include "handshake/flight.h"

/* verify_data of one side over the transcript up to now. */
static bool
verify_data(pys_hs *hs, bool server, uint8_t *out)
{
    uint8_t hash[PYS_HASH_MAX];
    enum pys_hash_alg alg = hs->suite->hash;
    size_t n = pys_hash_len(alg);
    const uint8_t *key = server ? hs->keys.server_finished :
                                  hs->keys.client_finished;

    return pys_transcript_now(&hs->transcript, hash) &&
        pys_hmac(hs->transcript.scratch, alg, pys_rd_of(key, n),
            pys_rd_of(hash, n), out);
}

/* For SSL_get_finished(3) and its sibling. */
static bool
keep(pys_conn *c, int direction, const uint8_t *data, size_t n)
{
    memcpy(c->finished[direction], data, n);
    c->n_finished[direction] = (uint8_t)n;
    return true;
}

static bool
finished_build(pys_hs *hs, pys_wr *w)
{
    size_t n = pys_hash_len(hs->suite->hash);
    uint8_t *out = pys_wr_room(w, n);

    return out != NULL && verify_data(hs, hs->server, out) &&
        keep(hs->conn, PYS_OUT, out, n);
}

static bool
finished_process(pys_hs *hs, pys_rd *in)
{
    uint8_t expected[PYS_HASH_MAX];
    size_t n = pys_hash_len(hs->suite->hash);
    pys_rd got;
    bool same;

    if (!pys_rd_bytes(in, n, &got) || !pys_rd_end(in))
        return false;
    if (!verify_data(hs, !hs->server, expected))
        return pys_fail_internal(hs->conn);
    same = pys_same(got.p, expected, n);
    pys_wipe(expected, sizeof(expected));
    /* RFC 8446 4.4.4: wrong verify_data is decrypt_error. */
    if (!same)
        return pys_fail(hs->conn, PYS_AD_DECRYPT_ERROR,
            PYS_R_DIGEST_CHECK_FAILED);
    return keep(hs->conn, PYS_IN, got.p, n);
}

const pys_msg pys_msg_finished = {
    .type = PYS_MT_FINISHED,
    .max = PYS_HASH_MAX,
    .build = finished_build,
    .process = finished_process,
};

/* ---- TLS 1.2 (RFC 5246 7.4.9) ------------------------------------------ */

static bool
verify_data12(pys_hs *hs, bool server, uint8_t *out)
{
    uint8_t hash[PYS_HASH_MAX];

    return pys_transcript_now(&hs->transcript, hash) &&
        pys_keys12_finished(hs->transcript.scratch, hs->suite->hash,
            hs->master, server, hash, out);
}

static bool
finished12_build(pys_hs *hs, pys_wr *w)
{
    uint8_t *out = pys_wr_room(w, PYS_VERIFY_DATA_LEN);

    return out != NULL && verify_data12(hs, hs->server, out) &&
        keep(hs->conn, PYS_OUT, out, PYS_VERIFY_DATA_LEN);
}

static bool
finished12_process(pys_hs *hs, pys_rd *in)
{
    uint8_t expected[PYS_VERIFY_DATA_LEN];
    pys_rd got;

    if (!pys_rd_bytes(in, PYS_VERIFY_DATA_LEN, &got) || !pys_rd_end(in))
        return false;
    if (!verify_data12(hs, !hs->server, expected))
        return pys_fail_internal(hs->conn);
    /* RFC 5246 7.4.9, 7.2.2: decrypt_error. */
    if (!pys_same(got.p, expected, PYS_VERIFY_DATA_LEN))
        return pys_fail(hs->conn, PYS_AD_DECRYPT_ERROR,
            PYS_R_DIGEST_CHECK_FAILED);
    return keep(hs->conn, PYS_IN, got.p, PYS_VERIFY_DATA_LEN);
}

const pys_msg pys_msg_finished12 = {
    .type = PYS_MT_FINISHED,
    .max = PYS_VERIFY_DATA_LEN,
    .build = finished12_build,
    .process = finished12_process,
};
