#include "handshake/keys.h"

#include "conn/notice.h"
#include "conn/pad.h"
#include "handshake/early.h"
#include "handshake/flight.h"

/*
 * RFC 8446 5.1: no message may span a key change, so nothing may be left
 * over when the keys of what comes in change.
 */
bool
pys_keys_boundary(pys_conn *c)
{
    if (pys_buf_size(&c->msgs) != 0)
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_NOT_ON_RECORD_BOUNDARY);
    return true;
}

bool
pys_keys_install(pys_hs *hs, int direction, const pys_suite *suite,
    const uint8_t *secret)
{
    pys_flow *flow = &hs->conn->flow[direction];

    if (direction == PYS_IN ? !pys_keys_boundary(hs->conn) : !pys_hs_seal(hs))
        return false;
    if (direction == PYS_OUT)
        pys_pad_keep_keys(hs->conn);
    memcpy(flow->secret, secret, PYS_HASH_MAX);
    return pys_protect_install(&flow->protect, suite, hs->transcript.scratch,
        secret, direction == PYS_OUT);
}

static bool
install(pys_hs *hs, int direction, const uint8_t *secret)
{
    return pys_keys_install(hs, direction, hs->suite, secret);
}

bool
pys_keys_dummy_ccs(pys_hs *hs)
{
    static const uint8_t one = 1;
    pys_flow *out = &hs->conn->flow[PYS_OUT];

    if ((hs->flags & PYS_HS_COMPAT) == 0 || (hs->flags & PYS_HS_CCS_SENT) != 0)
        return true;
    if (!pys_hs_seal(hs))
        return false;
    hs->flags |= PYS_HS_CCS_SENT;
    out->flush_due = true;
    if (!pys_seal(hs->conn, &(pys_protect){.aead = NULL},
            PYS_RT_CHANGE_CIPHER_SPEC, pys_rd_of(&one, 1)))
        return false;
    pys_enter(hs->conn, PYS_ST_TWCCS);
    return true;
}

bool
pys_keys_retry(pys_hs *hs)
{
    if (!hs->server) {
        pys_keys_early_retry(hs);
        return true;
    }
    /* RFC 8446 D.4: a server's goes right after its first message. */
    if (!pys_keys_dummy_ccs(hs))
        return false;
    pys_enter(hs->conn, PYS_ST_TED);
    return true;
}

bool
pys_keys_psk(pys_hs *hs, pys_session *s, enum pys_hash_alg alg)
{
    if (hs->keys_of == s && hs->keys.alg == alg)
        return true;
    pys_session_free(hs->keys_of);
    hs->keys_of = NULL;
    if (!pys_keys13_early(&hs->keys, hs->transcript.scratch, alg,
            pys_session_secret(s)))
        return false;
    /* Counted, so that no other session comes to stand at its address. */
    hs->keys_of = pys_session_up_ref(s);
    return true;
}

/* RFC 8446 7.1: without a PSK, zeros. */
static bool
early_secret(pys_hs *hs)
{
    enum pys_hash_alg alg = hs->suite->hash;

    if ((hs->flags & PYS_HS_PSK) != 0)
        return pys_keys_psk(hs, hs->psk, alg);
    return pys_keys13_early(&hs->keys, hs->transcript.scratch, alg,
        pys_rd_of(NULL, 0));
}

/* RFC 8446 7.1: with a PSK alone, zeros. */
static pys_rd
shared_of(const pys_hs *hs)
{
    static const uint8_t zeros[PYS_HASH_MAX];

    if (hs->n_secret == 0)
        return pys_rd_of(zeros, pys_hash_len(hs->suite->hash));
    return pys_rd_of(hs->secret, hs->n_secret);
}

/* Right behind the keys of the same secret, this costs half. */
static bool
finished_key(pys_hs *hs, bool server)
{
    pys_keys13 *k = &hs->keys;

    return pys_keys13_finished_key(hs->transcript.scratch, hs->suite->hash,
        server ? k->server_handshake : k->client_handshake,
        server ? k->server_finished : k->client_finished);
}

bool
pys_keys_handshake(pys_hs *hs)
{
    uint8_t hash[PYS_HASH_MAX];
    pys_keys13 *k = &hs->keys;
    size_t n = pys_hash_len(hs->suite->hash);
    bool ok;

    if (pys_is_12(hs->conn))
        return (hs->flags & PYS_HS_RESUMED) == 0 || pys_keys12_derive(hs);
    ok = pys_transcript_now(&hs->transcript, hash) && early_secret(hs) &&
        pys_keys13_handshake(k, hs->transcript.scratch, shared_of(hs), hash) &&
        pys_keylog(hs, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", k->client_handshake,
            n) &&
        pys_keylog(hs, "SERVER_HANDSHAKE_TRAFFIC_SECRET", k->server_handshake,
            n);
    pys_wipe(hs->secret, sizeof(hs->secret));
    pys_session_free(hs->keys_of);
    hs->keys_of = NULL;
    if (!ok)
        return false;
    if (hs->server)
        return pys_keys_dummy_ccs(hs) &&
            install(hs, PYS_OUT, k->server_handshake) &&
            finished_key(hs, true) &&
            ((hs->flags & PYS_HS_EARLY) != 0 ?
                    pys_keys_early_in(hs) :
                    install(hs, PYS_IN, k->client_handshake)) &&
            finished_key(hs, false);
    /* From here on an alert goes out encrypted (RFC 8446 6). */
    return install(hs, PYS_IN, k->server_handshake) &&
        finished_key(hs, true) &&
        (pys_early_going(hs->conn) ||
            install(hs, PYS_OUT, k->client_handshake)) &&
        finished_key(hs, false);
}

bool
pys_keys_master(pys_hs *hs)
{
    uint8_t hash[PYS_HASH_MAX];
    pys_keys13 *k = &hs->keys;
    size_t n = pys_hash_len(hs->suite->hash);

    if (!pys_transcript_now(&hs->transcript, hash) ||
        !pys_keys13_master(k, hs->transcript.scratch, hash))
        return false;
    memcpy(hs->conn->exporter, k->exporter, PYS_HASH_MAX);
    if (!pys_keylog(hs, "CLIENT_TRAFFIC_SECRET_0", k->client_traffic, n) ||
        !pys_keylog(hs, "SERVER_TRAFFIC_SECRET_0", k->server_traffic, n) ||
        !pys_keylog(hs, "EXPORTER_SECRET", k->exporter, n))
        return false;
    if (!hs->server)
        return install(hs, PYS_IN, k->server_traffic);
    pys_enter(hs->conn, PYS_ST_TED);
    hs->half_open = true;
    return install(hs, PYS_OUT, k->server_traffic);
}

bool
pys_keys_traffic(pys_hs *hs)
{
    uint8_t hash[PYS_HASH_MAX];

    if (!pys_transcript_now(&hs->transcript, hash) ||
        !pys_keys13_resumption(&hs->keys, hs->transcript.scratch, hash) ||
        !pys_post_keep(hs))
        return false;
    memcpy(hs->conn->resumption, hs->keys.resumption, PYS_HASH_MAX);
    return hs->server ? install(hs, PYS_IN, hs->keys.client_traffic) :
                        install(hs, PYS_OUT, hs->keys.client_traffic);
}

bool
pys_keys_update(pys_conn *c, int direction)
{
    pys_flow *flow = &c->flow[direction];
    pys_hash *scratch = pys_hash_new();
    bool ok;

    if (direction == PYS_IN && !pys_keys_boundary(c)) {
        pys_hash_free(scratch);
        return false;
    }
    if (direction == PYS_OUT)
        pys_pad_keep_keys(c);
    ok = scratch != NULL &&
        pys_keys13_update(scratch, flow->protect.suite->hash, flow->secret) &&
        pys_protect_install(&flow->protect, flow->protect.suite, scratch,
            flow->secret, direction == PYS_OUT);
    pys_hash_free(scratch);
    return ok || pys_fail_internal(c);
}
