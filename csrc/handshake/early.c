/*
 * Early data (RFC 8446 2.3): the extension (4.2.10), what a server asks
 * before it takes any (4.2.10, 8), EndOfEarlyData (4.5), and the keys.
 */
#include "handshake/early.h"

#include "conn/notice.h"
#include "conn/pad.h"
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/keys.h"
#include "handshake/psk.h"

/*
 * RFC 8446 8.3: how far a ticket's age may be off, in milliseconds, and so
 * how long after its first use the same hello would still look fresh.
 */
enum { AGE_OFF_MAX = 10000, FRESH = 2 * AGE_OFF_MAX };

/* RFC 8446 4.2.10: bytes refused that are passed over at the least. */
enum { SKIP_MIN = 2 * PYS_CIPHER_MAX };

static bool
early_make(pys_conn *c)
{
    if (c->early == NULL)
        c->early = pys_alloc(sizeof(*c->early));
    if (c->early == NULL)
        return pys_fail_internal(c);
    c->early->status = PYS_EARLY_REJECTED;
    return true;
}

bool
pys_early_count(pys_conn *c, size_t n)
{
    pys_early *e = c->early;

    /* RFC 8446 4.2.10, 4.6.1: more than max_early_data_size. */
    if (n > e->left)
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_TOO_MUCH_EARLY_DATA);
    e->left -= n;
    return true;
}

/* ---- the client's extension -------------------------------------------- */

static bool
suite_offered(const pys_conn *c, uint16_t id)
{
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_suites_of(c, PYS_TLS1_3, ids);

    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* RFC 8446 4.2.10: of the same version and suite as the first time. */
bool
pys_early_possible(const pys_conn *c)
{
    const pys_session *s = c->session;

    return s != NULL && s->max_early_data != 0 &&
        pys_version_max(c) >= PYS_TLS1_3 && pys_psk_offers(c, s) &&
        suite_offered(c, s->suite);
}

/* RFC 8446 4.1.2: not again after a retry. */
static bool
early_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && hs->early_wanted &&
        (hs->flags & PYS_HS_RETRIED) == 0 && pys_early_possible(hs->conn);
}

/* Does our list hold the protocol that was chosen the first time? */
static bool
protocol_offered(const pys_conn *c)
{
    pys_rd chosen = pys_rd_buf(&c->session->alpn);
    pys_rd ours = pys_rd_buf(&c->set->alpn);
    pys_rd name;

    if (chosen.n == 0)
        return true;
    while (pys_rd_vec8(&ours, &name)) {
        if (pys_rd_is(name, chosen))
            return true;
    }
    return false;
}

static bool
early_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    pys_conn *c = hs->conn;
    pys_rd name = pys_rd_buf(&c->session->name);

    (void)where;
    /* RFC 8446 4.2.10, 4.6.1: for the same name, in the same protocol. */
    if (name.n != 0 && !pys_rd_is(name, pys_rd_buf(&c->server_name)))
        return pys_fail(c, PYS_NO_ALERT, PYS_R_INCONSISTENT_EARLY_DATA_SNI);
    if (!protocol_offered(c))
        return pys_fail(c, PYS_NO_ALERT, PYS_R_INCONSISTENT_EARLY_DATA_ALPN);
    if (!early_make(c))
        return false;
    c->early->left = c->session->max_early_data;
    return pys_wr_ok(w);
}

/* RFC 8446 4.2.10: taken, with the first PSK and all that belongs to it. */
static bool
early_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_conn *c = hs->conn;

    (void)where;
    (void)in;
    if (!pys_early_going(c) || (hs->flags & PYS_HS_PSK) == 0 ||
        hs->psk_index != 0 || hs->psk->suite != hs->suite->id ||
        !pys_rd_is(pys_rd_buf(&hs->psk->alpn), pys_rd_buf(&c->alpn)))
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
    c->early->status = PYS_EARLY_ACCEPTED;
    hs->flags |= PYS_HS_EARLY;
    return true;
}

/* ---- the server's ------------------------------------------------------ */

/*
 * RFC 8446 4.2.10: empty, and not in a second hello. Until it is accepted,
 * the records that follow are passed over.
 */
static bool
early_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_conn *c = hs->conn;
    int64_t most = c->set->numbers[PYS_RECV_MAX_EARLY_DATA];

    (void)where;
    (void)in;
    if ((hs->flags & PYS_HS_RETRIED) != 0)
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
    if (!early_make(c))
        return false;
    c->early->skipping = true;
    c->early->left = most > SKIP_MIN ? (uint64_t)most : SKIP_MIN;
    return true;
}

static bool
early_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_EE && (hs->flags & PYS_HS_EARLY) != 0;
}

static bool
early_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)hs;
    (void)where;
    return pys_wr_ok(w);
}

/* RFC 8446 4.2.10. In a ticket: msg_ticket.c. */
const pys_ext pys_ext_early_data = {
    .type = PYS_EXT_EARLY_DATA,
    .where = PYS_IN_CH | PYS_IN_EE | PYS_IN_NST,
    .client = {early_client_offer, early_client_build, early_client_process},
    .server = {early_server_offer, early_server_build, early_server_process},
};

/* ---- the server's decision --------------------------------------------- */

/* RFC 8446 8.3: the client's idea of its ticket's age against ours. */
static bool
age_right(const pys_hs *hs)
{
    int64_t ours = pys_now_ms() - hs->psk->made_ms;
    int64_t theirs = (uint32_t)(hs->psk_age - hs->psk->age_add);

    return ours - theirs <= AGE_OFF_MAX && theirs - ours <= AGE_OFF_MAX;
}

/* RFC 8446 4.2.10: a ticket, and everything as it was the first time. */
static bool
early_fits(const pys_hs *hs)
{
    const pys_conn *c = hs->conn;

    return c->early != NULL && hs->early_wanted && !pys_is_12(c) &&
        hs->group != NULL && c->set->numbers[PYS_MAX_EARLY_DATA] != 0 &&
        (hs->flags & PYS_HS_PSK) != 0 && hs->psk_index == 0 &&
        !hs->psk_external && hs->psk->max_early_data != 0 &&
        hs->psk->suite == hs->suite->id &&
        pys_rd_is(pys_rd_buf(&hs->psk->alpn), pys_rd_buf(&c->alpn)) &&
        age_right(hs);
}

pys_go
pys_early_choose(pys_hs *hs)
{
    if (!early_fits(hs))
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_EARLY_DATA))
        return PYS_GO_ASK;
    hs->early_allowed = hs->answer == PYS_GO_ON;
    return PYS_GO_NEXT;
}

static void
early_accept(pys_hs *hs)
{
    pys_early *e = hs->conn->early;
    int64_t most = hs->conn->set->numbers[PYS_RECV_MAX_EARLY_DATA];

    e->status = PYS_EARLY_ACCEPTED;
    e->skipping = false;
    /* What we have said in the ticket, unless less is taken by now. */
    e->left = hs->psk->max_early_data;
    if (e->left > (uint64_t)most)
        e->left = (uint64_t)most;
    hs->flags |= PYS_HS_EARLY;
}

/* The ticket as whoever remembers it knows it: a hash, and until when. */
static bool
ticket_know(pys_hs *hs)
{
    pys_early *e = hs->conn->early;
    pys_rd list = hs->psk_list;
    pys_hash *h = hs->transcript.scratch;
    uint8_t hash[PYS_HASH_MAX];
    pys_rd identity;

    if (!pys_rd_vec16(&list, &identity) || !pys_hash_begin(h, PYS_SHA256) ||
        !pys_hash_add(h, identity) || !pys_hash_end(h, hash))
        return pys_fail_internal(hs->conn);
    memcpy(e->id, hash, sizeof(e->id));
    e->expires_ms = pys_now_ms() + FRESH;
    if (e->expires_ms < hs->psk->made_ms + (int64_t)hs->psk->lifetime * 1000)
        e->expires_ms = hs->psk->made_ms + (int64_t)hs->psk->lifetime * 1000;
    return true;
}

pys_go
pys_early_once(pys_hs *hs)
{
    const pys_settings *set = hs->conn->set;
    int64_t now = pys_now_ms();
    pys_early *e = hs->conn->early;
    bool once;

    if (!hs->early_allowed)
        return PYS_GO_NEXT;
    if (!ticket_know(hs))
        return PYS_GO_FAIL;
    if (pys_setting(set, PYS_OPTIONS, PYS_OP_NO_ANTI_REPLAY)) {
        once = true;
    } else if (pys_setting(set, PYS_ASKS, (int64_t)1 << PYS_ASK_FIRST_USE)) {
        if (!pys_ask(hs, PYS_ASK_FIRST_USE))
            return PYS_GO_ASK;
        once = hs->answer == PYS_GO_ON;
    } else {
        /* RFC 8446 8.2: nor one that was perhaps used before we began. */
        once = set->cache != NULL &&
            pys_cache_covers(set->cache, hs->psk->made_ms, now, FRESH) &&
            pys_cache_first_use(set->cache, e->id, now, FRESH,
                e->expires_ms - now);
    }
    if (once)
        early_accept(hs);
    return PYS_GO_NEXT;
}

/* ---- keys -------------------------------------------------------------- */

/* RFC 8446 7.1: the secrets that a ClientHello alone makes. */
static bool
early_derive(pys_hs *hs, const pys_suite *suite)
{
    pys_early *e = hs->conn->early;
    uint8_t hash[PYS_HASH_MAX];
    size_t n = pys_hash_len(suite->hash);
    pys_rd none = pys_rd_of(NULL, 0);
    bool ok;

    ok = pys_transcript_with(&hs->transcript, suite->hash, none, none, hash) &&
        pys_keys_psk(hs, hs->psk, suite->hash) &&
        pys_keys13_early_data(&hs->keys, hs->transcript.scratch, hash,
            e->secret, e->exporter);
    e->alg = suite->hash;
    e->exports = ok;
    return ok && pys_keylog(hs, "CLIENT_EARLY_TRAFFIC_SECRET", e->secret, n) &&
        pys_keylog(hs, "EARLY_EXPORTER_SECRET", e->exporter, n);
}

/* The key is all that is needed of the secret from here on. */
static bool
early_install(pys_hs *hs, int direction, const pys_suite *suite)
{
    pys_early *e = hs->conn->early;
    bool ok = pys_keys_install(hs, direction, suite, e->secret);

    pys_wipe(e->secret, sizeof(e->secret));
    return ok;
}

bool
pys_keys_early(pys_hs *hs)
{
    pys_conn *c = hs->conn;
    const pys_suite *suite;

    if (hs->server)
        return (hs->flags & PYS_HS_EARLY) == 0 || early_derive(hs, hs->suite);
    if (c->early == NULL)
        return true;
    /* It has expired while the hello was written. */
    if (hs->psk == NULL)
        return false;
    suite = pys_suite_find(hs->psk->suite);
    /* RFC 8446 D.4: the dummy record stands before the early data. */
    if (!early_derive(hs, suite) || !pys_keys_dummy_ccs(hs) ||
        !early_install(hs, PYS_OUT, suite))
        return false;
    c->early->ours = true;
    pys_enter(c, PYS_ST_TED);
    return true;
}

bool
pys_keys_early_in(pys_hs *hs)
{
    hs->conn->early->theirs = true;
    return early_install(hs, PYS_IN, hs->suite);
}

/* Early data is over for the client: taken, or refused. */
static void
early_stop(pys_hs *hs)
{
    hs->conn->early->ours = false;
    /* The rest of a write that was cut short and not repeated stays. */
    hs->conn->w_open = false;
}

void
pys_keys_early_retry(pys_hs *hs)
{
    pys_flow *out = &hs->conn->flow[PYS_OUT];

    if (!pys_early_going(hs->conn))
        return;
    early_stop(hs);
    /* RFC 8446 4.2.10: the second hello goes out in the clear. */
    pys_pad_keep_keys(hs->conn);
    pys_protect_wipe(&out->protect);
}

bool
pys_keys_early_answer(pys_hs *hs)
{
    if (!pys_early_going(hs->conn) || (hs->flags & PYS_HS_EARLY) != 0)
        return true;
    early_stop(hs);
    return pys_keys_install(hs, PYS_OUT, hs->suite, hs->keys.client_handshake);
}

/* RFC 8446 4.5: behind EndOfEarlyData. */
bool
pys_keys_early_end(pys_hs *hs)
{
    if (!hs->server)
        early_stop(hs);
    hs->conn->early->theirs = false;
    return pys_keys_install(hs, hs->server ? PYS_IN : PYS_OUT, hs->suite,
        hs->keys.client_handshake);
}

/* ---- EndOfEarlyData ---------------------------------------------------- */

static bool
end_build(pys_hs *hs, pys_wr *w)
{
    (void)hs;
    return pys_wr_ok(w);
}

/* Empty: the loop sees to it that nothing is left over. */
static bool
end_process(pys_hs *hs, pys_rd *in)
{
    (void)hs;
    (void)in;
    return true;
}

/* RFC 8446 4.5. */
const pys_msg pys_msg_end_of_early_data = {
    .type = PYS_MT_END_OF_EARLY_DATA,
    .max = 0,
    .build = end_build,
    .process = end_process,
};
