/*
 * NewSessionTicket of TLS 1.3, both sides (RFC 8446 4.6.1).
 */
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/psk.h"

enum { NONCE_LEN = 4 };

pys_session *
pys_session_made(pys_conn *c)
{
    pys_session *s = pys_session_new();
    pys_rd name = pys_rd_buf(&c->server_name);
    pys_rd alpn = pys_rd_buf(&c->alpn);

    if (s == NULL)
        return NULL;
    s->version = c->version;
    s->suite = c->suite->id;
    s->group = c->group;
    s->extended = c->extended;
    s->made_ms = pys_now_ms();
    atomic_store(&s->made, s->made_ms / 1000);
    atomic_store(&s->timeout, c->set->numbers[PYS_SESSION_TIMEOUT]);
    memcpy(s->id_context, c->set->id_context, sizeof(s->id_context));
    s->n_id_context = c->set->n_id_context;
    s->verify_result = c->verify_result;
    if (pys_buf_keep(&s->name, name.p, name.n) &&
        pys_buf_keep(&s->alpn, alpn.p, alpn.n) &&
        pys_session_set_chain(s, c->peer_chain, c->n_peer_chain))
        return s;
    pys_session_free(s);
    return NULL;
}

bool
pys_session_name(pys_session *s, pys_rd ticket)
{
    uint8_t hash[PYS_HASH_MAX];
    pys_hash *h = pys_hash_new();
    bool ok = h != NULL && pys_hash_begin(h, PYS_SHA256) &&
        pys_hash_add(h, ticket) && pys_hash_end(h, hash);

    pys_hash_free(h);
    if (ok) {
        memcpy(s->id, hash, PYS_SESSION_ID_LEN);
        s->n_id = PYS_SESSION_ID_LEN;
    }
    return ok;
}

void
pys_session_use(pys_conn *c, pys_session *s)
{
    pys_session_free(c->session);
    c->session = s;
}

/* Without memory for the notice, nobody hears of it. */
static void
fresh_add(pys_conn *c, pys_session *s)
{
    pys_session **more = pys_alloc((c->n_fresh + 1) * sizeof(*more));

    if (more == NULL)
        return;
    if (c->n_fresh != 0)
        memcpy(more, c->fresh, c->n_fresh * sizeof(*more));
    more[c->n_fresh++] = pys_session_up_ref(s);
    pys_free(c->fresh);
    c->fresh = more;
}

void
pys_fresh_drop(pys_conn *c)
{
    for (size_t i = 0; i < c->n_fresh; i++)
        pys_session_free(c->fresh[i]);
    pys_free(c->fresh);
    c->fresh = NULL;
    c->n_fresh = 0;
}

static bool
cache_says(const pys_conn *c, int64_t bits)
{
    return pys_setting(c->set, PYS_CACHE_MODE, bits);
}

/* SESS-7: a client's cache is Python's, and who is told is in any case. */
static bool
heard(const pys_conn *c)
{
    if (c->role == PYS_CLIENT)
        return cache_says(c, PYS_CACHE_CLIENT);
    return cache_says(c, PYS_CACHE_SERVER) &&
        pys_setting(c->set, PYS_ASKS, PYS_HEAR_SESSIONS);
}

void
pys_session_announce(pys_conn *c, pys_session *s)
{
    if (heard(c))
        fresh_add(c, s);
    pys_session_use(c, s);
}

bool
pys_session13_done(pys_hs *hs)
{
    pys_conn *c = hs->conn;
    pys_session *s;

    /* An external PSK is the application's, and stays as it is. */
    if (!hs->psk_external && (hs->flags & PYS_HS_PSK) != 0) {
        /* RFC 8446 C.4: a client uses a ticket once. */
        if (!hs->server)
            pys_session_retire(hs->psk);
        else if (c->n_nonce == 0)
            pys_session_use(c, pys_session_up_ref(hs->psk));
        return true;
    }
    if (hs->server && c->n_nonce != 0)
        return true; /* that of the last ticket */
    s = pys_session_made(c);
    if (s == NULL)
        return false;
    pys_session_retire(s);
    pys_session_use(c, s);
    return pys_session_set_identity(s, pys_psk_identity(hs));
}

/* ---- the cache --------------------------------------------------------- */

void
pys_dropped_drop(pys_conn *c)
{
    for (size_t i = 0; i < c->n_dropped; i++)
        pys_session_free(c->dropped[i]);
    pys_free(c->dropped);
    c->dropped = NULL;
    c->n_dropped = 0;
}

/*
 * Takes over the reference; NULL: another connection was quicker. Without
 * memory for it, nobody hears of it.
 */
static void
dropped_add(pys_conn *c, pys_session *s, enum pys_count why)
{
    pys_session **more;

    (void)pys_counts_add(c->set->counts, why);
    if (s == NULL)
        return;
    more = pys_alloc((c->n_dropped + 1) * sizeof(*more));
    if (more == NULL) {
        pys_session_free(s);
        return;
    }
    if (c->n_dropped != 0)
        memcpy(more, c->dropped, c->n_dropped * sizeof(*more));
    more[c->n_dropped++] = s;
    pys_free(c->dropped);
    c->dropped = more;
}

/* An expired one goes out of it. */
pys_session *
pys_session_cached(pys_hs *hs, pys_rd id)
{
    pys_conn *c = hs->conn;
    pys_session *s;

    if (!cache_says(c, PYS_CACHE_SERVER) ||
        cache_says(c, PYS_CACHE_NO_LOOKUP) || id.n > PYS_SESSION_ID_LEN)
        return NULL;
    s = pys_cache_find(c->set->cache, id);
    if (s == NULL || pys_session_fresh(s, pys_now_ms() / 1000))
        return s;
    dropped_add(c, pys_cache_remove(c->set->cache, s), PYS_COUNT_TIMEOUTS);
    pys_session_free(s);
    return NULL;
}

bool
pys_session_store(pys_conn *c, pys_session *s)
{
    pys_session *dropped = NULL;

    if (cache_says(c, PYS_CACHE_NO_STORE))
        return true;
    if (!pys_cache_add(c->set->cache, s, &dropped))
        return false;
    if (dropped != NULL)
        dropped_add(c, dropped, PYS_COUNT_CACHE_FULL);
    return true;
}

/* The PSK of the ticket with this nonce. */
static bool
set_psk(pys_conn *c, pys_session *s, pys_rd nonce)
{
    pys_hash *scratch = pys_hash_new();
    bool ok = scratch != NULL &&
        pys_keys13_psk(scratch, c->suite->hash, c->resumption, nonce,
            s->secret);

    s->n_secret = pys_hash_len(c->suite->hash);
    pys_hash_free(scratch);
    return ok;
}

/* ---- the server -------------------------------------------------------- */

static bool
ticket_wanted(pys_hs *hs)
{
    return hs->n_tickets != 0;
}

static pys_session *
ticket_session(pys_conn *c, const uint8_t nonce[NONCE_LEN])
{
    pys_session *s = pys_session_made(c);
    uint8_t add[4];
    pys_rd in = pys_rd_of(add, sizeof(add));

    if (s == NULL)
        return NULL;
    s->lifetime = (uint32_t)atomic_load(&s->timeout);
    if (s->lifetime > PYS_TICKET_LIFETIME_MAX)
        s->lifetime = PYS_TICKET_LIFETIME_MAX;
    s->max_early_data = (uint32_t)c->set->numbers[PYS_MAX_EARLY_DATA];
    if (pys_random(add, sizeof(add)) && pys_rd_u32(&in, &s->age_add) &&
        set_psk(c, s, pys_rd_of(nonce, NONCE_LEN)))
        return s;
    pys_session_free(s);
    return NULL;
}

static void
setup_drop(pys_hs *hs)
{
    pys_free_secret(hs->setup, sizeof(*hs->setup));
    hs->setup = NULL;
}

pys_go
pys_ticket_unseal(pys_hs *hs, pys_rd ticket, pys_session **out, bool *old)
{
    enum { HEAD_LEN = 32 };

    *out = NULL;
    if (!pys_registered(hs->conn, PYS_ASK_TICKET_OPEN)) {
        *out = pys_ticket_open(hs->conn->set->tickets, ticket, old);
        return PYS_GO_NEXT;
    }
    if (ticket.n < HEAD_LEN)
        return PYS_GO_NEXT;
    hs->ticket_about = ticket;
    if (!pys_ask(hs, PYS_ASK_TICKET_OPEN))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    if (hs->answer == PYS_GO_ON && hs->setup != NULL)
        *out = pys_ticket_open_own(hs->setup, ticket);
    *old = hs->setup_renews;
    setup_drop(hs);
    return PYS_GO_NEXT;
}

/* RFC 5077 3.3: one that was promised is sent empty, if there is no key. */
pys_go
pys_ticket_prepare(pys_hs *hs)
{
    pys_conn *c = hs->conn;

    if (!pys_registered(c, PYS_ASK_TICKET_SEAL) || !pys_tickets_whole(c->set))
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_TICKET_SEAL))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE) {
        (void)pys_fail(c, PYS_AD_INTERNAL_ERROR, PYS_R_CALLBACK_FAILED);
        return PYS_GO_FAIL;
    }
    if (hs->setup != NULL || pys_is_12(c))
        return PYS_GO_NEXT;
    hs->n_tickets--;
    return PYS_GO_DONE;
}

bool
pys_ticket_wrap(pys_hs *hs, const pys_session *s, pys_buf *out)
{
    bool ok;

    if (!pys_registered(hs->conn, PYS_ASK_TICKET_SEAL))
        return pys_ticket_seal(hs->conn->set->tickets, s, out);
    ok = hs->setup == NULL || pys_ticket_seal_own(hs->setup, s, out);
    setup_drop(hs);
    return ok;
}

/* SESS-12: without tickets, a handle for the cache stands in its place. */
static bool
ticket_make(pys_hs *hs, pys_session *s, pys_buf *out)
{
    pys_conn *c = hs->conn;

    if (pys_tickets_whole(c->set))
        return pys_ticket_wrap(hs, s, out) &&
            pys_session_name(s, pys_rd_buf(out));
    s->n_id = PYS_SESSION_ID_LEN;
    return pys_random(s->id, s->n_id) && pys_buf_add(out, s->id, s->n_id) &&
        pys_session_store(c, s);
}

/* RFC 8446 4.6.1: how much early data may come with it, if any. */
static void
put_extensions(const pys_session *s, pys_wr *w)
{
    size_t block = pys_wr_open16(w);

    if (s->max_early_data != 0) {
        pys_wr_u16(w, PYS_EXT_EARLY_DATA);
        pys_wr_u16(w, sizeof(uint32_t));
        pys_wr_u32(w, s->max_early_data);
    }
    pys_wr_close16(w, block);
}

static bool
ticket_build(pys_hs *hs, pys_wr *w)
{
    pys_conn *c = hs->conn;
    uint8_t nonce[NONCE_LEN] = {0};
    pys_session *s;
    pys_buf sealed;
    bool ok;

    hs->n_tickets--;
    pys_put_u16(nonce + 2, c->n_nonce++ & 0xffff);
    s = ticket_session(c, nonce);
    if (s == NULL)
        return false;
    if (!pys_session_set_identity(s, pys_psk_identity(hs))) {
        pys_session_free(s);
        return false;
    }
    pys_buf_init(&sealed, PYS_TICKET_MAX);
    ok = ticket_make(hs, s, &sealed);
    pys_wr_u32(w, s->lifetime);
    pys_wr_u32(w, s->age_add);
    pys_wr_vec8(w, pys_rd_of(nonce, NONCE_LEN));
    pys_wr_vec16(w, pys_rd_buf(&sealed));
    put_extensions(s, w);
    pys_buf_wipe(&sealed);
    pys_session_announce(c, s);
    return ok && pys_wr_ok(w);
}

const pys_msg pys_msg_ticket = {
    .type = PYS_MT_NEW_SESSION_TICKET,
    .prepare = pys_ticket_prepare,
    .build = ticket_build,
    .wanted = ticket_wanted,
};

/* ---- the client -------------------------------------------------------- */

typedef struct ticket_facts {
    uint32_t lifetime;
    uint32_t age_add;
    uint32_t early; /* max_early_data_size */
} ticket_facts;

/* The session of a ticket that came; a lifetime of 0 says: do not keep it. */
static bool
ticket_keep(pys_conn *c, pys_rd nonce, pys_rd ticket,
    const ticket_facts *facts)
{
    const pys_session *last = c->session;
    pys_session *s = pys_session_made(c);

    if (s == NULL)
        return pys_fail_internal(c);
    s->lifetime = facts->lifetime;
    s->age_add = facts->age_add;
    s->max_early_data = facts->early;
    if (!set_psk(c, s, nonce) || !pys_session_name(s, ticket) ||
        (last != NULL &&
            !pys_session_set_identity(s,
                pys_rd_of(last->psk_identity, last->n_psk_identity))) ||
        !pys_buf_keep(&s->ticket, ticket.p, ticket.n)) {
        pys_session_free(s);
        return pys_fail_internal(c);
    }
    pys_session_announce(c, s);
    return true;
}

bool
pys_ticket_process(pys_conn *c, pys_rd *in)
{
    ticket_facts facts;
    pys_rd nonce;
    pys_rd ticket;
    pys_rd exts;

    if (c->role != PYS_CLIENT)
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_UNEXPECTED_MESSAGE);
    if (!pys_rd_u32(in, &facts.lifetime) || !pys_rd_u32(in, &facts.age_add) ||
        !pys_rd_vec8(in, &nonce) || !pys_rd_vec16(in, &ticket) ||
        !pys_rd_vec16(in, &exts) || ticket.n == 0)
        return false;
    /* RFC 8446 4.6.1: no more than seven days. */
    if (facts.lifetime > PYS_TICKET_LIFETIME_MAX)
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
    if (!pys_exts_ticket(c, exts, &facts.early))
        return false;
    return facts.lifetime == 0 || ticket_keep(c, nonce, ticket, &facts);
}
