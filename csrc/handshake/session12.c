/*
 * Resumption in TLS 1.2: session ids (RFC 5246 7.3), tickets (RFC 5077), the
 * rules of RFC 7627 5.3 on extended master secrets.
 */
#include "handshake/ext.h"
#include "handshake/flight.h"
#include "handshake/psk.h"

/* ---- session_ticket ---------------------------------------------------- */

static bool
tickets_on(const pys_hs *hs)
{
    return pys_tickets_whole(hs->conn->set);
}

/* Our session, if it is of TLS 1.2 and may be offered; or NULL. */
static pys_session *
offerable(const pys_hs *hs)
{
    pys_session *s = hs->conn->session;
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_suites_of(hs->conn, PYS_TLS1_2, ids);

    if (s == NULL || s->version != PYS_TLS1_2 ||
        pys_version_min(hs->conn) != PYS_TLS1_2 ||
        atomic_load(&s->not_resumable) ||
        (s->n_id == 0 && pys_buf_size(&s->ticket) == 0))
        return NULL;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] == s->suite)
            return s;
    }
    return NULL;
}

void
pys_session12_offer(pys_hs *hs)
{
    pys_session *s = offerable(hs);

    if (s == NULL)
        return;
    pys_session_free(hs->psk);
    hs->psk = pys_session_up_ref(s);
    if (pys_buf_size(&s->ticket) == 0) {
        memcpy(hs->session_id, s->id, s->n_id);
        hs->n_session_id = s->n_id;
        return;
    }
    /* RFC 5077 3.4: an id of our own shows that the ticket was taken. */
    hs->n_session_id = sizeof(hs->session_id);
}

static bool
ticket_client_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_CH && tickets_on(hs) &&
        pys_version_min(hs->conn) == PYS_TLS1_2;
}

static bool
ticket_client_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)where;
    if (hs->psk != NULL && hs->psk->version == PYS_TLS1_2)
        pys_wr_rd(w, pys_rd_buf(&hs->psk->ticket));
    return pys_wr_ok(w);
}

/* Empty: a NewSessionTicket will come. */
static bool
ticket_client_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    (void)where;
    (void)in;
    hs->flags |= PYS_HS_TICKET;
    return true;
}

static bool
ticket_server_offer(pys_hs *hs, pys_where where)
{
    return where == PYS_IN_SH12 && (hs->flags & PYS_HS_TICKET) != 0;
}

static bool
ticket_server_build(pys_hs *hs, pys_where where, pys_wr *w)
{
    (void)hs;
    (void)where;
    return pys_wr_ok(w);
}

static bool
ticket_server_process(pys_hs *hs, pys_where where, pys_rd *in)
{
    (void)where;
    hs->ticket_wanted = true;
    return pys_rd_bytes(in, in->n, &hs->ticket12);
}

/* RFC 5077 3.2. */
const pys_ext pys_ext_session_ticket = {
    .type = PYS_EXT_SESSION_TICKET,
    .where = PYS_IN_CH | PYS_IN_SH12,
    .client = {ticket_client_offer, ticket_client_build,
        ticket_client_process},
    .server = {ticket_server_offer, ticket_server_build,
        ticket_server_process},
};

/* ---- the server's decision --------------------------------------------- */

/* SESS-8: the application's own cache; PYS_GO_ASK while it is asked. */
static pys_go
session_ask(pys_hs *hs, pys_session **out)
{
    pys_conn *c = hs->conn;

    *out = NULL;
    if (!pys_setting(c->set, PYS_ASKS, (int64_t)1 << PYS_ASK_SESSION))
        return PYS_GO_NEXT;
    if (!pys_ask(hs, PYS_ASK_SESSION))
        return PYS_GO_ASK;
    *out = hs->given;
    hs->given = NULL;
    if (*out != NULL)
        (void)pys_counts_add(c->set->counts, PYS_COUNT_CB_HITS);
    return PYS_GO_NEXT;
}

/* By ticket, else by id. *old: the ticket should be renewed. */
static pys_go
session_find(pys_hs *hs, pys_session **out, bool *old)
{
    const pys_settings *set = hs->conn->set;
    pys_go go;

    *out = NULL;
    if (hs->ticket12.n != 0 && tickets_on(hs)) {
        return pys_ticket_unseal(hs, hs->ticket12, out, old);
    }
    if (hs->n_session_id == 0 || set->cache == NULL)
        return PYS_GO_NEXT;
    if (!hs->answered)
        *out = pys_session_cached(hs,
            pys_rd_of(hs->session_id, hs->n_session_id));
    if (*out != NULL)
        return PYS_GO_NEXT;
    go = session_ask(hs, out);
    if (go == PYS_GO_NEXT && *out == NULL)
        (void)pys_counts_add(set->counts, PYS_COUNT_MISSES);
    return go;
}

static bool
suite_still_good(const pys_hs *hs, const pys_session *s)
{
    pys_rd theirs = pys_offered(hs, PYS_OFFER_SUITES);
    uint16_t ids[PYS_LIST_MAX];
    size_t n = pys_suites_of(hs->conn, PYS_TLS1_2, ids);

    for (size_t i = 0; i < n; i++) {
        if (ids[i] == s->suite)
            return pys_rd_has_u16(theirs, s->suite);
    }
    return false;
}

/* RFC 7627 5.3: PYS_GO_NEXT: resume; PYS_GO_DONE: full handshake. */
static pys_go
extended_rule(pys_hs *hs, const pys_session *s)
{
    if (s->extended == hs->extended)
        return PYS_GO_NEXT;
    if (!s->extended)
        return PYS_GO_DONE;
    (void)pys_fail(hs->conn, PYS_AD_HANDSHAKE_FAILURE,
        PYS_R_INCONSISTENT_EXTMS);
    return PYS_GO_FAIL;
}

/* After a full handshake: may the session be had again, and how? */
static void
plan_ticket(pys_hs *hs, bool renew)
{
    hs->flags &= ~(unsigned)PYS_HS_TICKET;
    if (hs->ticket_wanted && tickets_on(hs) && renew)
        hs->flags |= PYS_HS_TICKET;
}

pys_go
pys_session12_choose(pys_hs *hs)
{
    bool old = false;
    pys_session *s;
    pys_go go;

    if (!pys_is_12(hs->conn) || hs->conn->set->tickets == NULL)
        return PYS_GO_NEXT;
    go = session_find(hs, &s, &old);
    if (go != PYS_GO_NEXT)
        return go;
    plan_ticket(hs, true);
    if (s == NULL || !pys_session_serves(hs, s) || !suite_still_good(hs, s)) {
        pys_session_free(s);
        hs->n_session_id = 0;
        return PYS_GO_NEXT;
    }
    go = pys_session_tellable(hs) ? extended_rule(hs, s) : PYS_GO_FAIL;
    if (go != PYS_GO_NEXT) {
        pys_session_free(s);
        hs->n_session_id = 0;
        return go == PYS_GO_DONE ? PYS_GO_NEXT : go;
    }
    hs->psk = s;
    hs->flags |= PYS_HS_RESUMED;
    hs->suite = pys_suite_find(s->suite);
    hs->conn->suite = hs->suite;
    hs->conn->group = s->group;
    plan_ticket(hs, old);
    return pys_session_adopt(hs, s) ? PYS_GO_NEXT : PYS_GO_FAIL;
}

/* ---- the client's ------------------------------------------------------ */

bool
pys_session12_accept(pys_hs *hs)
{
    const pys_session *s = hs->psk;

    /* RFC 5246 7.4.1.3: the same suite, or it is no resumption. */
    if (s->suite != hs->suite->id)
        return pys_fail(hs->conn, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_OLD_SESSION_CIPHER_NOT_RETURNED);
    /* RFC 7627 5.3. */
    if (s->extended != hs->extended)
        return pys_fail(hs->conn, PYS_AD_HANDSHAKE_FAILURE,
            PYS_R_INCONSISTENT_EXTMS);
    hs->flags |= PYS_HS_RESUMED;
    hs->conn->group = s->group;
    return pys_session_adopt(hs, s);
}

/* ---- NewSessionTicket -------------------------------------------------- */

/* The session of this handshake, with its master secret. */
static pys_session *
session_make(pys_hs *hs)
{
    pys_session *s = pys_session_made(hs->conn);

    if (s == NULL)
        return NULL;
    if (!pys_session_set_secret(s, pys_rd_of(hs->master, PYS_MASTER_LEN)) ||
        !pys_session_set_identity(s, pys_psk_identity(hs))) {
        pys_session_free(s);
        return NULL;
    }
    /* The Finished messages had it last. */
    pys_session_keep_hmac(s, hs->suite->hash, hs->transcript.scratch);
    /* An id that was made up to see whether a ticket is taken is none. */
    if (pys_buf_size(&hs->ticket_got) == 0 &&
        (hs->flags & (PYS_HS_TICKET | PYS_HS_RESUMED)) == 0) {
        memcpy(s->id, hs->session_id, hs->n_session_id);
        s->n_id = hs->n_session_id;
    }
    return s;
}

static bool
ticket12_build(pys_hs *hs, pys_wr *w)
{
    pys_session *s = session_make(hs);
    pys_buf sealed;
    bool ok;

    if (s == NULL)
        return false;
    pys_buf_init(&sealed, PYS_TICKET_MAX);
    ok = pys_ticket_wrap(hs, s, &sealed);
    pys_wr_u32(w,
        pys_buf_size(&sealed) == 0 ? 0 : (uint32_t)atomic_load(&s->timeout));
    pys_wr_vec16(w, pys_rd_buf(&sealed));
    pys_buf_wipe(&sealed);
    pys_session_free(s);
    return ok && pys_wr_ok(w);
}

static bool
ticket12_process(pys_hs *hs, pys_rd *in)
{
    pys_rd ticket;

    if (!pys_rd_u32(in, &hs->ticket_lifetime) || !pys_rd_vec16(in, &ticket))
        return false;
    return pys_keep(&hs->ticket_got, ticket) || pys_fail_internal(hs->conn);
}

/* RFC 5077 3.3. */
const pys_msg pys_msg_ticket12 = {
    .type = PYS_MT_NEW_SESSION_TICKET,
    .max = 4 + 2 + 65535,
    .prepare = pys_ticket_prepare,
    .build = ticket12_build,
    .process = ticket12_process,
};

/* ---- the end of the handshake ------------------------------------------ */

/* A client may come back with a ticket, or with the id of a new session. */
static bool
client_done(pys_hs *hs)
{
    bool ticket = pys_buf_size(&hs->ticket_got) != 0;
    pys_session *s;

    if (!ticket && (hs->flags & PYS_HS_RESUMED) != 0)
        return true; /* with the one that was offered */
    s = session_make(hs);
    if (s == NULL)
        return false;
    s->lifetime = hs->ticket_lifetime;
    if (ticket &&
        (!pys_session_name(s, pys_rd_buf(&hs->ticket_got)) ||
            !pys_keep(&s->ticket, pys_rd_buf(&hs->ticket_got)))) {
        pys_session_free(s);
        return false;
    }
    if (s->n_id != 0) {
        pys_session_announce(hs->conn, s);
    } else {
        pys_session_retire(s);
        pys_session_use(hs->conn, s);
    }
    return true;
}

static bool
server_done(pys_hs *hs)
{
    pys_session *s;
    bool ok;

    if ((hs->flags & PYS_HS_RESUMED) != 0) {
        pys_session_use(hs->conn, pys_session_up_ref(hs->psk));
        return true;
    }
    s = session_make(hs);
    if (s == NULL)
        return false;
    if (s->n_id == 0) {
        pys_session_use(hs->conn, s);
        return true;
    }
    ok = pys_session_store(hs->conn, s);
    pys_session_announce(hs->conn, s);
    return ok;
}

bool
pys_session12_done(pys_hs *hs)
{
    return hs->server ? server_done(hs) : client_done(hs);
}
