/*
 * PSKs in TLS 1.3: psk_key_exchange_modes and pre_shared_key (RFC 8446 4.2.9,
 * 4.2.11), and what a server decides on them.
 */
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/keys.h"
#include "handshake/psk.h"

enum {
    PSK_KE = 0,
    PSK_DHE_KE = 1,
    BINDER_MIN = 32,
    TRIES = 4 /* identities looked at; a client of ours offers two */
};

/* ---- psk_key_exchange_modes -------------------------------------------- */

static bool
offers_13(const pys_hs *hs)
{
    return pys_version_max(hs->conn) >= PYS_TLS1_3;
}

static bool
may_be_plain(const pys_hs *hs)
{
    return pys_setting(hs->conn->set, PYS_OPTIONS, PYS_OP_ALLOW_NO_DHE_KEX);
}

/* Sent without a PSK too: it says which tickets are of use. */
static bool
modes_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && offers_13(hs);
}

static bool
modes_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    static const uint8_t modes[] = {PSK_DHE_KE, PSK_KE};

    (void)where;
    pys_wr_vec8(w, pys_rd_of(modes, may_be_plain(hs) ? 2 : 1));
    return pys_wr_ok(w);
}

static bool
modes_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd modes;

    (void)where;
    if (!pys_rd_vec8(in, &modes) || modes.n == 0)
        return false;
    hs->psk_dhe = memchr(modes.p, PSK_DHE_KE, modes.n) != NULL;
    hs->psk_only = memchr(modes.p, PSK_KE, modes.n) != NULL;
    return true;
}

/* RFC 8446 4.2.9. */
const pys_ext pys_ext_psk_modes = {
    .type = PYS_EXT_PSK_MODES,
    .where = PYS_IN_CH,
    .client = {modes_client_offer, modes_client_build, NULL},
    .server = {NULL, NULL, modes_server_process},
};

/* ---- pre_shared_key: the client ---------------------------------------- */

/* Do we offer a suite with the hash of the session's? */
static bool
hash_offered(const pys_conn *c, const pys_suite *suite)
{
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_suites_of(c, PYS_TLS1_3, ids);

    for (size_t i = 0; i < n; i++) {
        if (pys_suite_find(ids[i])->hash == suite->hash)
            return true;
    }
    return false;
}

/* RFC 8446 4.6.1: within its life, and of use for what we offer. */
bool
pys_psk_offers(const pys_conn *c, const pys_session *s)
{
    const pys_suite *suite = pys_suite_find(s->suite);
    int64_t now = pys_now_ms() / 1000;

    return s->version == PYS_TLS1_3 && suite != NULL &&
        pys_buf_size(&s->ticket) != 0 && !atomic_load(&s->not_resumable) &&
        now - atomic_load(&s->made) <= (int64_t)s->lifetime &&
        hash_offered(c, suite);
}

/* RFC 8446 4.1.4: a retry's suite has settled the hash. */
static bool
hash_fits(const pys_hs *hs, const pys_session *s)
{
    return (hs->flags & PYS_HS_RETRIED) == 0 ||
        hs->suite->hash == pys_suite_find(s->suite)->hash;
}

/* The session of a ticket to offer, or NULL; the same in both hellos. */
static pys_session *
ticket_offered(pys_hs *hs)
{
    pys_session *s = hs->conn->session;

    if ((hs->flags & PYS_HS_RETRIED) != 0)
        s = hs->psk;
    if (s == NULL || !pys_psk_offers(hs->conn, s) || !hash_fits(hs, s))
        return NULL;
    if (hs->psk == NULL)
        hs->psk = pys_session_up_ref(s);
    return hs->psk;
}

/* RFC 8446 4.2.11: what this hello offers, in order of preference. */
static bool
psk_client_offer(pys_hs *hs, pys_where where)
{
    pys_session *own;

    hs->n_offered = 0;
    if (where != PYS_IN_CH || !offers_13(hs))
        return false;
    own = ticket_offered(hs);
    if (own != NULL)
        hs->offered[hs->n_offered++] = own;
    if (hs->external != NULL && hash_fits(hs, hs->external) &&
        hash_offered(hs->conn, pys_suite_find(hs->external->suite)))
        hs->offered[hs->n_offered++] = hs->external;
    return hs->n_offered != 0;
}

/*
 * RFC 8446 4.2.11.1: milliseconds since the ticket came, veiled. Both times
 * are cut, so their difference may be one too many; and a server may refuse
 * early data of a ticket that claims to be older than it is (8.3).
 */
static uint32_t
veiled_age(const pys_session *s)
{
    int64_t age = pys_now_ms() - s->made_ms;

    return (uint32_t)(age > 0 ? age - 1 : age) + s->age_add;
}

static size_t
binder_len(const pys_session *s)
{
    return pys_hash_len(pys_suite_find(s->suite)->hash);
}

static pys_rd
identity_of(const pys_hs *hs, const pys_session *s)
{
    return s == hs->external ? pys_rd_of(s->psk_identity, s->n_psk_identity) :
                               pys_rd_buf(&s->ticket);
}

static bool
psk_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    static const uint8_t zeros[PYS_HASH_MAX];
    size_t at = pys_wr_open16(w);

    (void)where;
    for (size_t i = 0; i < hs->n_offered; i++) {
        const pys_session *s = hs->offered[i];

        pys_wr_vec16(w, identity_of(hs, s));
        /* RFC 8446 4.2.11: an external PSK has no age. */
        pys_wr_u32(w, s == hs->external ? 0 : veiled_age(s));
    }
    pys_wr_close16(w, at);
    /* Filled in once all that they bind is written. */
    at = pys_wr_open16(w);
    for (size_t i = 0; i < hs->n_offered; i++)
        pys_wr_vec8(w, pys_rd_of(zeros, binder_len(hs->offered[i])));
    pys_wr_close16(w, at);
    return pys_wr_ok(w);
}

/* A binder over these bytes of a ClientHello, header first. */
static bool
binder_make(pys_hs *hs, pys_session *s, bool external, const uint8_t *hash,
    uint8_t *out)
{
    return pys_keys_psk(hs, s, pys_suite_find(s->suite)->hash) &&
        pys_keys13_binder(&hs->keys, hs->transcript.scratch, external, hash,
            out);
}

/* The hash of all messages up to and with this part of a hello of ours. */
static bool
bound_hash(pys_hs *hs, enum pys_hash_alg alg, pys_rd part, uint8_t *hash)
{
    pys_rd none = pys_rd_of(NULL, 0);

    return hs->transcript.started ?
        pys_transcript_with(&hs->transcript, alg, none, part, hash) :
        pys_transcript_first(&hs->transcript, alg, none, part, hash);
}

/* RFC 8446 4.2.11.2: each binds the hello up to the list of binders. */
bool
pys_psk_bind(pys_hs *hs, uint8_t *whole, size_t n)
{
    uint8_t hash[PYS_HASH_MAX];
    size_t tail = 2;

    if (hs->n_offered == 0)
        return true;
    for (size_t i = 0; i < hs->n_offered; i++)
        tail += 1 + binder_len(hs->offered[i]);
    for (size_t i = 0, at = n - tail + 2; i < hs->n_offered; i++) {
        pys_session *s = hs->offered[i];

        if (!bound_hash(hs, pys_suite_find(s->suite)->hash,
                pys_rd_of(whole, n - tail), hash) ||
            !binder_make(hs, s, s == hs->external, hash, whole + at + 1))
            return false;
        at += 1 + binder_len(s);
    }
    return true;
}

static bool
psk_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    uint16_t chosen;

    (void)where;
    if (!pys_rd_u16(in, &chosen))
        return false;
    /* RFC 8446 4.2.11: one of those that we offered. */
    if (chosen >= hs->n_offered)
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_BAD_PSK_IDENTITY);
    hs->psk_index = chosen;
    hs->psk_external = hs->offered[chosen] == hs->external;
    if (hs->psk_external) {
        pys_session_free(hs->psk);
        hs->psk = pys_session_up_ref(hs->external);
        hs->n_offered = 0; /* it may have borrowed what is gone */
    }
    hs->flags |= PYS_HS_PSK;
    return true;
}

/* ---- pre_shared_key: the server ---------------------------------------- */

/* RFC 8446 4.2.11: identities and as many binders. */
static bool
lists_check(pys_hs *hs, pys_rd identities, pys_rd binders)
{
    pys_rd item;
    uint32_t age;

    if (pys_rd_end(&identities) || pys_rd_end(&binders))
        return false;
    while (!pys_rd_end(&identities)) {
        if (!pys_rd_vec16(&identities, &item) || item.n == 0 ||
            !pys_rd_u32(&identities, &age))
            return false;
        /* RFC 8446 4.2.11: a binder for each, in the same order. */
        if (pys_rd_end(&binders))
            return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
                PYS_R_BAD_EXTENSION);
        if (!pys_rd_vec8(&binders, &item) || item.n < BINDER_MIN)
            return false;
    }
    return pys_rd_end(&binders) ||
        pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_EXTENSION);
}

/* The ClientHello up to its binders, as a message: header, then body. */
static bool
before_binders(pys_hs *hs, enum pys_hash_alg alg, uint8_t *hash)
{
    uint8_t head[PYS_MESSAGE_HEADER];
    pys_rd body = pys_rd_buf(&hs->hello);
    pys_buf at;
    pys_wr w;
    bool ok;

    pys_buf_init(&at, sizeof(head));
    w = pys_wr_to(&at);
    pys_wr_u8(&w, PYS_MT_CLIENT_HELLO);
    pys_wr_u24(&w, body.n);
    ok = pys_wr_ok(&w);
    if (ok)
        memcpy(head, pys_buf_head(&at), sizeof(head));
    pys_buf_wipe(&at);
    return ok &&
        pys_transcript_with(&hs->transcript, alg, pys_rd_of(head, 4),
            pys_rd_of(body.p, hs->n_before_binders), hash);
}

static bool
psk_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    pys_rd binders_whole;

    (void)where;
    if (!pys_rd_vec16(in, &hs->psk_list))
        return false;
    binders_whole = *in;
    if (!pys_rd_vec16(in, &hs->binder_list) ||
        !lists_check(hs, hs->psk_list, hs->binder_list))
        return false;
    hs->n_before_binders = (size_t)(binders_whole.p -
        pys_buf_head(&hs->hello));
    /* Of a second hello the messages before it count, so: now. */
    if ((hs->flags & PYS_HS_RETRIED) != 0 && hs->psk != NULL)
        return before_binders(hs, hs->suite->hash, hs->before_hash) ||
            pys_fail_internal(hs->conn);
    return true;
}

static bool
psk_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_SH && (hs->flags & PYS_HS_PSK) != 0;
}

static bool
psk_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    pys_wr_u16(w, (unsigned)hs->psk_index);
    return pys_wr_ok(w);
}

/* RFC 8446 4.2.11. */
const pys_ext pys_ext_psk = {
    .type = PYS_EXT_PRE_SHARED_KEY,
    .where = PYS_IN_CH | PYS_IN_SH,
    .client = {psk_client_offer, psk_client_build, psk_client_process},
    .server = {psk_server_offer, psk_server_build, psk_server_process},
};

/* ---- the server's decision --------------------------------------------- */

bool
pys_session_serves(const pys_hs *hs, const pys_session *s)
{
    const pys_conn *c = hs->conn;
    const pys_settings *set = c->set;

    return s->version == c->version &&
        pys_session_fresh(s, pys_now_ms() / 1000) &&
        s->n_id_context == set->n_id_context &&
        pys_equal(s->id_context, set->id_context, s->n_id_context) &&
        /* RFC 8446 4.6.1, RFC 6066 3: of the same server name. */
        pys_rd_is(pys_rd_buf(&s->name), pys_rd_buf(&c->server_name));
}

bool
pys_session_adopt(pys_hs *hs, const pys_session *s)
{
    pys_conn *c = hs->conn;

    c->resumed = true;
    c->verify_result = s->verify_result;
    if (s->n_chain == 0 || c->n_peer_chain != 0)
        return true;
    for (size_t i = 0; i < s->n_chain && i < PYS_CHAIN_MAX; i++) {
        if (!pys_peer_add(c, pys_cert_up_ref(s->chain[i])))
            return false;
    }
    return true;
}

/* The session that an identity stands for, or NULL. */
static pys_go
session_open(pys_hs *hs, pys_rd identity, pys_session **out)
{
    pys_go go = PYS_GO_NEXT;
    bool old = false;
    size_t n;
    uint8_t *other = pys_injected(PYS_INJECT_TICKET, &n);

    if (other != NULL)
        identity = pys_rd_of(other, n);
    if (pys_tickets_whole(hs->conn->set))
        go = pys_ticket_unseal(hs, identity, out, &old);
    else
        *out = pys_session_cached(hs, identity);
    pys_free(other);
    return go;
}

/* The session of an identity, if it may be resumed here: hs->psk, or NULL. */
static pys_go
session_look(pys_hs *hs, pys_rd identity)
{
    pys_session *s = NULL;
    pys_go go = session_open(hs, identity, &s);

    if (s != NULL && pys_session_serves(hs, s) && pys_psk_fits(hs, s))
        hs->psk = s;
    else
        pys_session_free(s);
    return go;
}

static bool
binder_right(pys_hs *hs, pys_rd binder, bool again)
{
    size_t n = pys_hash_len(hs->suite->hash);
    uint8_t expected[PYS_HASH_MAX];
    uint8_t hash[PYS_HASH_MAX];

    if (again)
        memcpy(hash, hs->before_hash, sizeof(hash));
    else if (!pys_psk_first_hash(hs, hash))
        return pys_fail_internal(hs->conn);
    if (!binder_make(hs, hs->psk, hs->psk_external, hash, expected))
        return pys_fail_internal(hs->conn);
    /* RFC 8446 4.2.11, 6.2: decrypt_error. */
    if (binder.n != n || !pys_same(binder.p, expected, n))
        return pys_fail(hs->conn, PYS_AD_DECRYPT_ERROR,
            PYS_R_BINDER_DOES_NOT_VERIFY);
    return true;
}

bool
pys_psk_first_hash(pys_hs *hs, uint8_t *hash)
{
    uint8_t head[PYS_MESSAGE_HEADER] = {PYS_MT_CLIENT_HELLO};
    pys_rd body = pys_rd_buf(&hs->hello);

    pys_put_u16(head + 2, (unsigned)(body.n & 0xffff));
    head[1] = (uint8_t)(body.n / 65536);
    return pys_transcript_first(&hs->transcript, hs->suite->hash,
        pys_rd_of(head, sizeof(head)), pys_rd_of(body.p, hs->n_before_binders),
        hash);
}

/* Is a PSK possible at all, with what client and settings say? */
static bool
psk_possible(const pys_hs *hs)
{
    const pys_conn *c = hs->conn;

    return !pys_is_12(c) && hs->psk_list.n != 0 &&
        (c->set->tickets != NULL || pys_registered(c, PYS_ASK_PSK_LOOKUP)) &&
        (hs->psk_dhe || (hs->psk_only && may_be_plain(hs)));
}

/* SESS-9: whose session it is cannot be told without a context. */
static bool
context_missing(const pys_settings *set)
{
    return set->n_id_context == 0 &&
        pys_setting(set, PYS_VERIFY_MODE, PYS_VERIFY_PEER);
}

bool
pys_session_tellable(pys_hs *hs)
{
    return !context_missing(hs->conn->set) ||
        pys_fail(hs->conn, PYS_AD_INTERNAL_ERROR,
            PYS_R_SESSION_ID_CONTEXT_UNINITIALIZED);
}

typedef struct psk_offer {
    pys_rd identity;
    uint32_t age;
    pys_rd binder;
} psk_offer;

/* The i-th offer of the hello; false: there is none. */
static bool
offer_at(const pys_hs *hs, int i, psk_offer *out)
{
    pys_rd identities = hs->psk_list;
    pys_rd binders = hs->binder_list;

    do {
        if (!pys_rd_vec16(&identities, &out->identity) ||
            !pys_rd_u32(&identities, &out->age) ||
            !pys_rd_vec8(&binders, &out->binder))
            return false;
    } while (i-- > 0);
    return true;
}

/* Takes the PSK in hs->psk, whose binder proves that the client has it. */
static pys_go
psk_take(pys_hs *hs, const psk_offer *offer)
{
    hs->psk_index = hs->psk_try;
    hs->psk_age = offer->age;
    hs->flags |= PYS_HS_PSK;
    /* RFC 8446 4.2.9: psk_dhe_ke if the client knows it. */
    hs->psk_plain = !hs->psk_dhe;
    return binder_right(hs, offer->binder, false) &&
            (hs->psk_external || pys_session_tellable(hs)) &&
            pys_session_adopt(hs, hs->psk) ?
        PYS_GO_NEXT :
        PYS_GO_FAIL;
}

/* Looks at one identity: hs->psk is what it stands for, or NULL. */
static pys_go
psk_look(pys_hs *hs, pys_rd identity)
{
    pys_go go = PYS_GO_NEXT;

    if (!hs->psk_looked)
        go = pys_external_find(hs, identity);
    if (go != PYS_GO_NEXT)
        return go;
    hs->psk_looked = true;
    if (hs->psk == NULL && hs->conn->set->tickets != NULL)
        go = session_look(hs, identity);
    return go;
}

pys_go
pys_psk_choose(pys_hs *hs)
{
    psk_offer offer;

    if (!psk_possible(hs))
        return PYS_GO_NEXT;
    while (hs->psk_try < TRIES && offer_at(hs, hs->psk_try, &offer)) {
        pys_go go = psk_look(hs, offer.identity);

        if (go != PYS_GO_NEXT)
            return go;
        if (hs->psk != NULL)
            return psk_take(hs, &offer);
        hs->psk_looked = false;
        hs->psk_try++;
    }
    return PYS_GO_NEXT;
}

bool
pys_psk_before_retry(pys_hs *hs)
{
    psk_offer offer;

    return (hs->flags & PYS_HS_PSK) == 0 ||
        (offer_at(hs, hs->psk_index, &offer) &&
            pys_keep(&hs->psk_about, offer.identity)) ||
        pys_fail_internal(hs->conn);
}

pys_go
pys_psk_again(pys_hs *hs)
{
    psk_offer offer;

    if ((hs->flags & PYS_HS_PSK) == 0)
        return PYS_GO_NEXT;
    /* RFC 8446 4.1.2: PSKs that do not fit may go; ours must stay. */
    for (int i = 0; i <= hs->psk_index; i++) {
        if (!offer_at(hs, i, &offer))
            break;
        if (!pys_rd_is(offer.identity, pys_rd_buf(&hs->psk_about)))
            continue;
        hs->psk_index = i;
        return binder_right(hs, offer.binder, true) ? PYS_GO_NEXT :
                                                      PYS_GO_FAIL;
    }
    (void)pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_PSK_IDENTITY);
    return PYS_GO_FAIL;
}
