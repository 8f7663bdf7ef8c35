/*
 * Key changes of TLS 1.2 (RFC 5246 6.3, 7.1, 8.1; RFC 7627 4).
 */
#include "handshake/keys.h"
#include "handshake/psk.h"

enum { PREMASTER_MAX = 2 + PYS_SECRET_MAX + 2 + PYS_PSK_MAX };

static bool
master_from(pys_hs *hs, pys_rd premaster)
{
    pys_hash *scratch = hs->transcript.scratch;
    enum pys_hash_alg alg = hs->suite->hash;
    uint8_t hash[PYS_HASH_MAX];

    if (!hs->extended)
        return pys_keys12_master(scratch, alg, premaster, hs->conn->randoms,
            hs->master);
    /* RFC 7627 4: over everything up to ClientKeyExchange. */
    return pys_transcript_now(&hs->transcript, hash) &&
        pys_keys12_extended(scratch, alg, premaster, hash, hs->master);
}

static bool
master_derive(pys_hs *hs)
{
    pys_buf premaster;
    bool ok;

    if ((hs->flags & PYS_HS_RESUMED) != 0) {
        memcpy(hs->master, hs->psk->secret, PYS_MASTER_LEN);
        pys_session_give_hmac(hs->psk, hs->suite->hash,
            hs->transcript.scratch);
        return hs->psk->n_secret == PYS_MASTER_LEN;
    }
    if ((hs->flags & PYS_HS_PSK) == 0)
        return master_from(hs, pys_rd_of(hs->secret, hs->n_secret));
    pys_buf_init(&premaster, PREMASTER_MAX);
    ok = pys_psk12_premaster(hs, &premaster) &&
        master_from(hs, pys_rd_buf(&premaster));
    pys_buf_wipe(&premaster);
    return ok;
}

bool
pys_keys12_derive(pys_hs *hs)
{
    pys_conn *c = hs->conn;
    bool ok;

    memcpy(c->randoms, hs->random, PYS_RANDOM_LEN);
    memcpy(c->randoms + PYS_RANDOM_LEN, hs->server_random, PYS_RANDOM_LEN);
    ok = master_derive(hs) &&
        pys_keys12_block(hs->transcript.scratch, hs->suite, hs->master,
            c->randoms, &hs->keys12) &&
        pys_keylog(hs, "CLIENT_RANDOM", hs->master, PYS_MASTER_LEN);
    pys_wipe(hs->secret, sizeof(hs->secret));
    memcpy(c->exporter, hs->master, PYS_MASTER_LEN);
    c->extended = hs->extended;
    return ok;
}

bool
pys_keys12_ccs(pys_hs *hs)
{
    static const uint8_t one = 1;
    pys_flow *out = &hs->conn->flow[PYS_OUT];

    if (!pys_hs_seal(hs))
        return false;
    out->flush_due = true;
    return pys_seal(hs->conn, &out->protect, PYS_RT_CHANGE_CIPHER_SPEC,
               pys_rd_of(&one, 1)) ||
        pys_fail_internal(hs->conn);
}

static bool
install(pys_hs *hs, bool server)
{
    int direction = server == hs->server ? PYS_OUT : PYS_IN;
    const pys_keys12 *k = &hs->keys12;

    if (direction == PYS_IN && !pys_keys_boundary(hs->conn))
        return false;
    return pys_protect_install12(&hs->conn->flow[direction].protect, hs->suite,
        server ? k->server_key : k->client_key,
        server ? k->server_iv : k->client_iv, direction == PYS_OUT);
}

bool
pys_keys12_client(pys_hs *hs)
{
    return install(hs, false);
}

bool
pys_keys12_server(pys_hs *hs)
{
    return install(hs, true);
}
