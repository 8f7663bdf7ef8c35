/*
 * The life of a connection and the application's wishes for it.
 */
#include "conn/conn.h"

#include "api/io.h"
#include "conn/notice.h"
#include "conn/pad.h"
#include "handshake/psk.h"

/* Handshake bytes not yet whole: the longest message and a record more. */
enum { MSGS_MAX = 1 << 18, IN_MAX = 1 << 17, OUT_MAX = 1 << 19 };

static void
conn_init_bufs(pys_conn *c)
{
    pys_buf_init(&c->flow[PYS_IN].buf, IN_MAX);
    pys_buf_init(&c->flow[PYS_OUT].buf, OUT_MAX);
    pys_buf_init(&c->msgs, MSGS_MAX);
    pys_buf_init(&c->server_name, PYS_NAME_MAX);
    pys_buf_init(&c->alpn, UINT8_MAX);
    pys_buf_init(&c->peer_ca_names, UINT16_MAX);
    pys_buf_init(&c->keylog, 4096);
    pys_buf_init(&c->keylog_line, 512);
}

static void
drop_peer(pys_conn *c)
{
    pys_peer_drop(c);
    pys_buf_wipe(&c->alpn);
    pys_buf_wipe(&c->peer_ca_names);
    pys_proofs_drop(c, false);
    c->status_asked = false;
    pys_offers_drop(c);
    /* A server's is what the client sent; a client's is a wish and stays. */
    if (c->role == PYS_SERVER)
        pys_buf_wipe(&c->server_name);
}

/* Nobody else is inside: no order is asked for, which would cost a fence. */
static void
reset(_Atomic int *number, int v)
{
    atomic_store_explicit(number, v, memory_order_relaxed);
}

/* How a connection starts, where that is not all zeros. */
static void
conn_start(pys_conn *c)
{
    c->flow[PYS_IN].want = PYS_NOTHING;
    c->flow[PYS_OUT].want = PYS_NOTHING;
    c->first_record = true;
    c->send_max = PYS_PLAIN_MAX;
    c->verify_depth = -1;
    reset(&c->misuse, 0);
    pys_fault_init(&c->fault);
    atomic_flag_clear_explicit(&c->faulted, memory_order_relaxed);
    reset(&c->phase, PYS_BEFORE);
    reset(&c->state, PYS_ST_BEFORE);
}

pys_conn *
pys_conn_new(pys_settings *s)
{
    pys_conn *c = pys_alloc(sizeof(*c));

    if (c == NULL)
        return NULL;
    atomic_init(&c->refs, 1);
    c->set = pys_settings_up_ref(s);
    c->role = PYS_NO_ROLE;
    conn_init_bufs(c);
    conn_start(c);
    return c;
}

pys_conn *
pys_conn_up_ref(pys_conn *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

static void
half_clear(pys_flow *flow)
{
    pys_protect_wipe(&flow->protect);
    pys_wipe(flow->secret, sizeof(flow->secret));
    pys_buf_wipe(&flow->buf);
    flow->err = 0;
    flow->bio_fault = 0;
    flow->ended = false;
    flow->flush_due = false;
}

static void
clear_counters(pys_conn *c)
{
    c->plain = pys_rd_of(NULL, 0);
    c->plain_raw = 0;
    c->n_empty = 0;
    c->n_warnings = 0;
    c->n_updates = 0;
    c->n_ccs = 0;
    c->early_read = false;
    if (c->early != NULL)
        pys_free_secret(c->early, sizeof(*c->early));
    c->early = NULL;
    c->failing = false;
    c->w_open = false;
    c->w_buf = NULL;
    c->version = 0;
    c->suite = NULL;
    c->group = 0;
    c->own_scheme = 0;
    c->peer_scheme = 0;
    c->retried = false;
    reset(&c->closing, 0);
    reset(&c->update_due, 0);
    reset(&c->refuse_due, 0);
    reset(&c->alert_due, 0);
    atomic_store_explicit(&c->n_pending, 0, memory_order_relaxed);
}

void
pys_conn_clear(pys_conn *c)
{
    pys_hs_free(c->hs);
    c->hs = NULL;
    pys_post_free(c);
    half_clear(&c->flow[PYS_IN]);
    half_clear(&c->flow[PYS_OUT]);
    pys_pad_free(c);
    pys_buf_wipe(&c->msgs);
    drop_peer(c);
    clear_counters(c);
    pys_wipe(c->exporter, sizeof(c->exporter));
    pys_wipe(c->randoms, sizeof(c->randoms)); /* and what shares its place */
    pys_wipe(c->finished, sizeof(c->finished));
    pys_wipe(c->n_finished, sizeof(c->n_finished));
    pys_cert_free(c->own_cert);
    c->own_cert = NULL;
    pys_fresh_drop(c);
    pys_dropped_drop(c);
    pys_psk_hint_drop(c);
    c->clear_due = false;
    c->extended = false;
    c->resumed = false;
    c->n_nonce = 0;
    pys_buf_wipe(&c->keylog);
    pys_buf_wipe(&c->keylog_line);
    pys_watch_clear(c->watch);
    conn_start(c);
}

void
pys_conn_free(pys_conn *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    pys_conn_clear(c);
    pys_proofs_drop(c, true);
    pys_watch_free(c->watch);
    pys_hosts_wipe(&c->hosts);
    pys_buf_wipe(&c->server_name);
    pys_session_free(c->session);
    pys_settings_free(c->set);
    pys_free_secret(c, sizeof(*c));
}

void
pys_conn_set_settings(pys_conn *c, pys_settings *s)
{
    pys_settings *old = c->set;

    c->set = pys_settings_up_ref(s);
    pys_settings_free(old);
}

pys_settings *
pys_conn_settings(const pys_conn *c)
{
    return c->set;
}

void
pys_conn_set_bio(pys_conn *c, pys_bio *rbio, pys_bio *wbio)
{
    if (c->flow[PYS_IN].bio != rbio)
        c->flow[PYS_IN].ended = false;
    c->flow[PYS_IN].bio = rbio;
    c->flow[PYS_OUT].bio = wbio;
}

void
pys_conn_set_role(pys_conn *c, enum pys_role role)
{
    /* Nothing goes over the wire before there is a role. */
    if (c->role == PYS_NO_ROLE)
        conn_start(c);
    else
        pys_conn_clear(c);
    c->role = role;
}

enum pys_role
pys_conn_role(const pys_conn *c)
{
    return c->role;
}

bool
pys_conn_set_server_name(pys_conn *c, const char *name, size_t n)
{
    if (n > PYS_NAME_MAX)
        return false;
    return pys_keep(&c->server_name, pys_rd_of(name, n));
}

const char *
pys_conn_server_name(const pys_conn *c, size_t *n)
{
    *n = pys_buf_size(&c->server_name);
    return *n == 0 ? NULL : (const char *)pys_buf_head(&c->server_name);
}

bool
pys_conn_set_host(pys_conn *c, const char *name, size_t n)
{
    pys_hosts_wipe(&c->hosts);
    return pys_conn_add_host(c, name, n);
}

bool
pys_conn_add_host(pys_conn *c, const char *name, size_t n)
{
    return n == 0 || pys_hosts_add(&c->hosts, name, n);
}

int
pys_conn_asked(const pys_conn *c)
{
    return c->hs == NULL ? -1 : c->hs->asked;
}

void
pys_conn_answer(pys_conn *c, enum pys_answer answer, int alert,
    const uint8_t *data, size_t n)
{
    pys_hs *hs = c->hs;

    if (hs == NULL || hs->asked < 0)
        return;
    hs->answer = answer;
    hs->answer_alert = alert;
    hs->answered = true;
    /* Without memory for it there is no answer that could be sent. */
    if (!pys_keep(&hs->answer_data, pys_rd_of(data, n))) {
        hs->answer = PYS_REFUSE;
        (void)pys_fail_internal(c);
    }
}
