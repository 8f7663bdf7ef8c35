/*
 * What a server decides on a ClientHello, in the order in which the
 * application is asked: callbacks, suite, certificate, group, protocol. A
 * second hello (RFC 8446 4.1.2) repeats the first one's offers, so that only
 * the share is looked at again, and the name callback asked again (SNI-3).
 */
#include <limits.h>

#include "handshake/early.h"
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/psk.h"

static pys_go
refuse(pys_hs *hs, int alert, unsigned reason)
{
    (void)pys_fail(hs->conn, alert, reason);
    return PYS_GO_FAIL;
}

static bool
registered(const pys_hs *hs, enum pys_ask what)
{
    return pys_registered(hs->conn, what);
}

/* ---- callbacks --------------------------------------------------------- */

/* SNI-9. */
static pys_go
ask_hello(pys_hs *hs)
{
    if (!pys_ask(hs, PYS_ASK_CLIENT_HELLO))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE)
        return refuse(hs, hs->answer_alert, PYS_R_CALLBACK_FAILED);
    return PYS_GO_NEXT;
}

/* SNI-3, SNI-4: asked without a name too; ignored if nobody listens. */
static pys_go
ask_name(pys_hs *hs)
{
    if (!registered(hs, PYS_ASK_SERVER_NAME))
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_SERVER_NAME))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE)
        return refuse(hs, hs->answer_alert, PYS_R_CALLBACK_FAILED);
    hs->name_accepted = hs->answer == PYS_GO_ON &&
        pys_buf_size(&hs->conn->server_name) != 0;
    return PYS_GO_NEXT;
}

static pys_go
ask_cert(pys_hs *hs)
{
    if (!pys_ask(hs, PYS_ASK_CERT))
        return PYS_GO_ASK;
    if (hs->answer == PYS_REFUSE)
        return refuse(hs, PYS_AD_INTERNAL_ERROR, PYS_R_CERT_CB_ERROR);
    return PYS_GO_NEXT;
}

/* ALPN-2: only if the client offered protocols. */
static pys_go
ask_alpn(pys_hs *hs)
{
    pys_rd name;

    if (pys_offered(hs, PYS_OFFER_ALPN).n == 0 ||
        !registered(hs, PYS_ASK_ALPN))
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_ALPN))
        return PYS_GO_ASK;
    if (hs->answer == PYS_DECLINE)
        return PYS_GO_NEXT;
    name = pys_rd_buf(&hs->answer_data);
    /* RFC 7301 3.2: none of them will do. A name has 1 to 255 bytes. */
    if (hs->answer == PYS_REFUSE || name.n == 0 || name.n > UINT8_MAX)
        return refuse(hs, PYS_AD_NO_APPLICATION_PROTOCOL,
            PYS_R_NO_APPLICATION_PROTOCOL);
    if (!pys_keep(&hs->alpn_chosen, name) ||
        !pys_keep(&hs->conn->alpn, name)) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    return PYS_GO_NEXT;
}

/* ---- suite and certificate --------------------------------------------- */

static bool
list_has(const uint16_t *ids, size_t n, uint16_t id)
{
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == id)
            return true;
    }
    return false;
}

/* RFC 8701: values that stand for nothing. */
static bool
is_grease(uint16_t id)
{
    return (id & 0x0f0f) == 0x0a0a && id >> 8 == (id & 0xff);
}

static bool
is_chacha(uint16_t id)
{
    const pys_suite *suite = pys_suite_find(id);

    return suite != NULL && suite->aead == PYS_CHACHA20_POLY1305;
}

/* Does the client like ChaCha20 best? */
static bool
chacha_first(pys_rd theirs)
{
    uint16_t id;

    while (pys_rd_u16(&theirs, &id)) {
        if (!is_grease(id))
            return is_chacha(id);
    }
    return false;
}

/* By our order; 0 if there is none in common. */
static uint16_t
suite_by_ours(const uint16_t *ours, size_t n, pys_rd theirs, bool chacha)
{
    for (size_t i = 0; i < n; i++) {
        if ((!chacha || is_chacha(ours[i])) && pys_rd_has_u16(theirs, ours[i]))
            return ours[i];
    }
    return 0;
}

/* By the client's order. */
static uint16_t
suite_by_theirs(const uint16_t *ours, size_t n, pys_rd theirs)
{
    uint16_t id;

    while (pys_rd_u16(&theirs, &id)) {
        if (list_has(ours, n, id))
            return id;
    }
    return 0;
}

/* How well our certificates do for each kind of suite; -1: not at all. */
typedef struct ratings {
    int of[PYS_AUTH_PSK + 1];
} ratings;

static ratings
rate(const pys_hs *hs)
{
    /* RFC 5489 2: a PSK needs no certificate. */
    ratings r = {.of = {[PYS_AUTH_PSK] = INT_MAX}};

    if (pys_is_12(hs->conn)) {
        r.of[PYS_AUTH_ECDSA] = pys_identity_rating(hs, PYS_AUTH_ECDSA);
        r.of[PYS_AUTH_RSA] = pys_identity_rating(hs, PYS_AUTH_RSA);
    }
    return r;
}

/*
 * Our suites of the version agreed on; of TLS 1.2 those that we have so good
 * a certificate for (RFC 8422 5.1).
 */
static size_t
candidates(const pys_hs *hs, const ratings *r, int least, uint16_t *out)
{
    uint16_t ours[PYS_LIST_MAX];
    size_t n = pys_suites_of(hs->conn, hs->conn->version, ours);
    size_t kept = 0;

    for (size_t i = 0; i < n; i++) {
        if (r->of[pys_suite_find(ours[i])->auth] >= least)
            out[kept++] = ours[i];
    }
    return kept;
}

static uint16_t
suite_among(const pys_hs *hs, const uint16_t *ours, size_t n)
{
    const pys_settings *set = hs->conn->set;
    pys_rd theirs = pys_offered(hs, PYS_OFFER_SUITES);
    uint16_t id = 0;

    if (!pys_setting(set, PYS_OPTIONS, PYS_OP_SERVER_PREFERENCE))
        return suite_by_theirs(ours, n, theirs);
    if (pys_setting(set, PYS_OPTIONS, PYS_OP_PRIORITIZE_CHACHA) &&
        chacha_first(theirs))
        id = suite_by_ours(ours, n, theirs, true);
    return id != 0 ? id : suite_by_ours(ours, n, theirs, false);
}

/* One that goes with our best certificate; else one with any. */
static uint16_t
suite_pick(const pys_hs *hs)
{
    ratings r = rate(hs);
    int best = r.of[PYS_AUTH_ECDSA] > r.of[PYS_AUTH_RSA] ?
        r.of[PYS_AUTH_ECDSA] :
        r.of[PYS_AUTH_RSA];
    uint16_t ours[PYS_LIST_MAX];
    uint16_t id;

    if (best < 0)
        best = 0;
    id = suite_among(hs, ours, candidates(hs, &r, best, ours));
    if (id == 0 && best > 0)
        id = suite_among(hs, ours, candidates(hs, &r, 0, ours));
    return id;
}

/* The best one of TLS 1.3 with this hash, or NULL. */
static const pys_suite *
suite_of_hash(const pys_hs *hs, enum pys_hash_alg alg)
{
    uint16_t all[PYS_LIST_MAX];
    uint16_t ours[PYS_LIST_MAX];
    size_t n_all = pys_suites_of(hs->conn, PYS_TLS1_3, all);
    size_t n = 0;

    for (size_t i = 0; i < n_all; i++) {
        if (pys_suite_find(all[i])->hash == alg)
            ours[n++] = all[i];
    }
    return pys_suite_find(suite_among(hs, ours, n));
}

/* RFC 8446 4.2.11: a PSK goes with suites of its hash alone. */
bool
pys_psk_fits(pys_hs *hs, const pys_session *s)
{
    const pys_suite *suite = pys_suite_find(s->suite);

    if (suite == NULL)
        return false;
    if (suite->hash != hs->suite->hash)
        suite = suite_of_hash(hs, suite->hash);
    else
        suite = hs->suite;
    if (suite == NULL)
        return false;
    hs->suite = suite;
    hs->conn->suite = suite;
    return true;
}

static bool
is_short(const pys_hs *hs)
{
    return (hs->flags & PYS_HS_RESUMED) != 0;
}

static pys_go
choose_suite(pys_hs *hs)
{
    if (is_short(hs))
        return PYS_GO_NEXT;
    hs->suite = pys_suite_find(suite_pick(hs));
    /* RFC 8446 4.1.1. */
    if (hs->suite == NULL)
        return refuse(hs, PYS_AD_HANDSHAKE_FAILURE, PYS_R_NO_SHARED_CIPHER);
    hs->conn->suite = hs->suite;
    /* RFC 5489 2: neither certificates nor signatures. */
    if (hs->suite->auth == PYS_AUTH_PSK)
        hs->flags |= PYS_HS_PSK;
    return PYS_GO_NEXT;
}

/* RFC 8446 4.6.1: one more after a resumption, else as many as are set. */
static pys_go
count_tickets(pys_hs *hs)
{
    const pys_settings *set = hs->conn->set;
    bool resumed = (hs->flags & PYS_HS_PSK) != 0;

    if (set->tickets == NULL || pys_is_12(hs->conn) ||
        !(hs->psk_dhe || hs->psk_only))
        return PYS_GO_NEXT;
    /* SESS-12: nothing to come back with. */
    if (!pys_tickets_whole(set) &&
        !pys_setting(set, PYS_CACHE_MODE, PYS_CACHE_SERVER))
        return PYS_GO_NEXT;
    hs->n_tickets = (unsigned)set->numbers[PYS_NUM_TICKETS];
    if (resumed && hs->n_tickets > 1)
        hs->n_tickets = 1;
    /* TKT-2: whose keys opened it says whether there is another one. */
    if (resumed && !hs->psk_external && !hs->setup_renews &&
        registered(hs, PYS_ASK_TICKET_OPEN) && pys_tickets_whole(set))
        hs->n_tickets = 0;
    return PYS_GO_NEXT;
}

static pys_go
choose_identity(pys_hs *hs)
{
    if ((hs->flags & PYS_HS_PSK) != 0 || is_short(hs))
        return PYS_GO_NEXT;
    /* RFC 8446 4.2.3: our certificate needs a signature. */
    if (!pys_is_12(hs->conn) &&
        !pys_ext_seen(hs, PYS_EXT_SIGNATURE_ALGORITHMS))
        return refuse(hs, PYS_AD_MISSING_EXTENSION,
            PYS_R_MISSING_SIGALGS_EXTENSION);
    return pys_identity_choose(hs) ? PYS_GO_NEXT : PYS_GO_FAIL;
}

/* ---- group and share --------------------------------------------------- */

/* Leaves in hs->peer_shares the client's share of one group alone. */
static bool
share_find(pys_hs *hs, uint16_t group)
{
    pys_rd at = hs->peer_shares;
    pys_rd key;
    uint16_t id;

    while (pys_rd_u16(&at, &id) && pys_rd_vec16(&at, &key)) {
        if (id != group)
            continue;
        hs->group = pys_group_find(group);
        hs->peer_shares = key;
        return true;
    }
    return false;
}

/* RFC 8446 4.1.2: the retry's group, and no other beside it. */
static pys_go
choose_after_retry(pys_hs *hs)
{
    pys_rd shares = hs->peer_shares;
    pys_rd key;
    uint16_t id;

    if (!pys_rd_u16(&shares, &id) || !pys_rd_vec16(&shares, &key) ||
        !pys_rd_end(&shares) || id != hs->retry_group || !share_find(hs, id))
        return refuse(hs, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_KEY_SHARE);
    return PYS_GO_NEXT;
}

/* RFC 8422 5.1.1, 5.4: our best curve that the client has, if it says. */
static pys_go
choose_group_12(pys_hs *hs)
{
    pys_rd theirs = pys_offered(hs, PYS_OFFER_GROUPS);
    uint16_t ours[PYS_LIST_MAX];
    size_t n = pys_groups(hs->conn->set, ours);

    if (is_short(hs))
        return PYS_GO_NEXT;
    for (size_t i = 0; i < n; i++) {
        if (ours[i] == PYS_X25519MLKEM768 ||
            (theirs.n != 0 && !pys_rd_has_u16(theirs, ours[i])))
            continue;
        hs->group = pys_group_find(ours[i]);
        hs->conn->group = ours[i];
        return PYS_GO_NEXT;
    }
    return refuse(hs, PYS_AD_HANDSHAKE_FAILURE, PYS_R_NO_SHARED_CIPHER);
}

/*
 * The best of our groups that the client has a share for; if there is none,
 * the best common one is asked for with a HelloRetryRequest (RFC 8446 4.1.1,
 * 4.1.4).
 */
static pys_go
choose_group(pys_hs *hs)
{
    pys_rd theirs = pys_offered(hs, PYS_OFFER_GROUPS);
    uint16_t ours[PYS_LIST_MAX];
    uint16_t retry = 0;
    size_t n;

    if (pys_is_12(hs->conn))
        return choose_group_12(hs);
    if (hs->psk_plain)
        return PYS_GO_NEXT;
    if ((hs->flags & PYS_HS_RETRIED) != 0)
        return choose_after_retry(hs);
    n = pys_groups(hs->conn->set, ours);
    for (size_t i = 0; i < n; i++) {
        if (!pys_rd_has_u16(theirs, ours[i]))
            continue;
        if (share_find(hs, ours[i]))
            return PYS_GO_NEXT;
        if (retry == 0)
            retry = ours[i];
    }
    /* RFC 8446 4.1.1: no group in common. */
    if (retry == 0)
        return refuse(hs, PYS_AD_HANDSHAKE_FAILURE,
            PYS_R_NO_SUITABLE_KEY_SHARE);
    hs->retry_group = retry;
    return PYS_GO_NEXT;
}

/* We keep our state, so a cookie is sent in replayed traces alone. */
static pys_go
inject_cookie(pys_hs *hs)
{
    size_t n;
    uint8_t *cookie = pys_injected(PYS_INJECT_COOKIE, &n);
    bool ok = cookie == NULL || pys_keep(&hs->cookie, pys_rd_of(cookie, n));

    pys_free(cookie);
    return ok ? PYS_GO_NEXT : PYS_GO_FAIL;
}

/* Our share and the secret, or the decision to ask for another share. */
static pys_go
share_answer(pys_hs *hs)
{
    pys_wr w = pys_wr_to(&hs->share_out);
    bool internal = false;

    if (pys_is_12(hs->conn) || hs->psk_plain)
        return PYS_GO_NEXT;
    if (hs->group == NULL) {
        hs->flags |= PYS_HS_RETRIED;
        hs->conn->retried = true;
        if (!pys_psk_before_retry(hs))
            return PYS_GO_FAIL;
        return inject_cookie(hs);
    }
    if (!pys_share_respond(hs->group->id, hs->peer_shares, &w, hs->secret,
            &hs->n_secret, &internal)) {
        /* RFC 8446 4.2.8.1, 4.2.8.2, 7.4.2. */
        if (!internal)
            return refuse(hs, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_ECPOINT);
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    hs->conn->group = hs->group->id;
    return PYS_GO_NEXT;
}

/* ---- the stages -------------------------------------------------------- */

typedef struct stage {
    pys_go (*run)(pys_hs *hs);
    bool again; /* also for a second hello */
} stage;

static pys_go
psk_again(pys_hs *hs)
{
    return (hs->flags & PYS_HS_RETRIED) != 0 ? pys_psk_again(hs) : PYS_GO_NEXT;
}

static const stage stages[] = {
    {ask_hello, false},
    {ask_name, true},
    {ask_cert, false},
    {pys_session12_choose, false},
    {choose_suite, false},
    {pys_psk_choose, false},
    {count_tickets, false},
    {choose_identity, false},
    {psk_again, true},
    {choose_group, true},
    {pys_status_choose, false},
    {ask_alpn, false},
    {pys_early_choose, false},
    {pys_early_once, false},
    {share_answer, true},
};

pys_go
pys_choose(pys_hs *hs)
{
    bool again = (hs->flags & PYS_HS_RETRIED) != 0;

    while (hs->stage < (int)PYS_COUNT(stages)) {
        const stage *now = &stages[hs->stage];

        if (now->again || !again) {
            pys_go go = now->run(hs);

            if (go != PYS_GO_NEXT)
                return go;
        }
        hs->stage++;
    }
    hs->stage = 0;
    return PYS_GO_NEXT;
}
