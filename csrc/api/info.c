/*
 * Questions about a connection that change nothing.
 */
#include "conn/conn.h"

#include "handshake/msg_cert.h"

int
pys_conn_want(const pys_conn *c, int writing)
{
    return c->flow[writing != 0].want;
}

int
pys_conn_errno(const pys_conn *c, int writing)
{
    return c->flow[writing != 0].err;
}

int
pys_conn_bio_fault(const pys_conn *c, int writing)
{
    return c->flow[writing != 0].bio_fault;
}

int
pys_conn_misuse(const pys_conn *c)
{
    return atomic_load(&c->misuse);
}

const pys_fault *
pys_conn_fault(const pys_conn *c)
{
    return &c->fault;
}

enum pys_phase
pys_conn_phase(const pys_conn *c)
{
    return (enum pys_phase)atomic_load(&c->phase);
}

int
pys_conn_state(const pys_conn *c)
{
    return atomic_load(&c->state);
}

const char *
pys_conn_state_text(const pys_conn *c, bool longer)
{
    return pys_state_text(atomic_load(&c->state), longer);
}

size_t
pys_conn_pending(const pys_conn *c)
{
    return atomic_load(&c->n_pending);
}

bool
pys_conn_has_pending(const pys_conn *c)
{
    return pys_conn_pending(c) != 0 ||
        pys_buf_size(&c->flow[PYS_IN].buf) != 0 || pys_buf_size(&c->msgs) != 0;
}

int
pys_conn_get_shutdown(const pys_conn *c)
{
    return atomic_load(&c->closing);
}

void
pys_conn_put_shutdown(pys_conn *c, int mode)
{
    atomic_store(&c->closing, mode);
}

unsigned
pys_conn_version(const pys_conn *c)
{
    return c->version;
}

unsigned
pys_conn_suite(const pys_conn *c)
{
    return c->suite == NULL ? 0 : c->suite->id;
}

unsigned
pys_conn_group(const pys_conn *c)
{
    return c->group;
}

unsigned
pys_conn_own_scheme(const pys_conn *c)
{
    return c->own_scheme;
}

unsigned
pys_conn_peer_scheme(const pys_conn *c)
{
    return c->peer_scheme;
}

bool
pys_conn_retried(const pys_conn *c)
{
    return c->retried;
}

/* RFC 8446 D: to be reported whenever TLS 1.3 is used. */
bool
pys_conn_extended(const pys_conn *c)
{
    return c->extended || c->version >= PYS_TLS1_3;
}

const uint8_t *
pys_conn_alpn(const pys_conn *c, size_t *n)
{
    *n = pys_buf_size(&c->alpn);
    return pys_buf_head(&c->alpn);
}

size_t
pys_conn_n_peer_certs(const pys_conn *c)
{
    return c->n_peer_chain;
}

pys_cert *
pys_conn_peer_cert(const pys_conn *c, size_t i)
{
    return i < c->n_peer_chain ? pys_cert_up_ref(c->peer_chain[i]) : NULL;
}

/* RFC 5929 4: a resumed connection's is that of the first handshake. */
static pys_cert *
only_cert(const pys_identities *ids)
{
    pys_cert *found = NULL;

    for (size_t i = 0; i < PYS_N_KEY_TYPES; i++) {
        if (!pys_identity_whole(&ids->slot[i]))
            continue;
        if (found != NULL)
            return NULL;
        found = ids->slot[i].leaf;
    }
    return found;
}

pys_cert *
pys_conn_own_cert(const pys_conn *c)
{
    pys_cert *cert = c->own_cert;

    if (cert == NULL && c->resumed)
        cert = only_cert(&c->set->ids);
    return cert == NULL ? NULL : pys_cert_up_ref(cert);
}

const uint8_t *
pys_conn_finished(const pys_conn *c, int sent, size_t *n)
{
    int direction = sent != 0 ? PYS_OUT : PYS_IN;

    *n = c->n_finished[direction];
    return c->finished[direction];
}

long
pys_conn_verify_result(const pys_conn *c)
{
    return c->verify_result;
}

void
pys_conn_set_verify_result(pys_conn *c, long result)
{
    c->verify_result = result;
}

int
pys_conn_verify_depth(const pys_conn *c)
{
    return c->verify_depth;
}

const uint8_t *
pys_conn_to_sign(const pys_conn *c, size_t *n, unsigned *scheme,
    unsigned *signer)
{
    const pys_hs *hs = c->hs;

    *n = 0;
    if (hs == NULL || hs->asked != PYS_ASK_SIGN)
        return NULL;
    *scheme = hs->scheme->id;
    *signer = hs->id->signer;
    *n = pys_buf_size(&hs->to_sign);
    return pys_buf_head(&hs->to_sign);
}

/* Is the application being asked about the peer's chain? */
static bool
judging(const pys_conn *c)
{
    return c->hs != NULL &&
        (c->hs->asked == PYS_ASK_VERIFY || c->hs->asked == PYS_ASK_JUDGE);
}

size_t
pys_conn_n_verify_events(const pys_conn *c, bool *lost)
{
    bool any = judging(c) && c->hs->verdict_taken;

    *lost = any && c->hs->verdict.lost;
    return any ? c->hs->verdict.n_events : 0;
}

int
pys_conn_verify_event(const pys_conn *c, size_t i, bool *ok, long *error)
{
    const pys_verify_event *event = &c->hs->verdict.events[i];

    *ok = event->ok;
    *error = event->error;
    return event->depth;
}

size_t
pys_conn_n_verify_path(const pys_conn *c)
{
    return judging(c) ? c->hs->verdict.n_path : 0;
}

pys_cert *
pys_conn_verify_path(const pys_conn *c, size_t i)
{
    return pys_cert_up_ref(c->hs->verdict.path[i]);
}

bool
pys_conn_verify(pys_conn *c)
{
    return judging(c) && pys_verification_run(c->hs);
}

void
pys_conn_set_verdict(pys_conn *c, long result, int depth)
{
    c->verify_result = result;
    c->verify_depth = depth;
}

bool
pys_conn_retry_verify(pys_conn *c)
{
    if (!judging(c))
        return false;
    c->hs->retry_verify = true;
    return true;
}

bool
pys_conn_retry_wanted(pys_conn *c)
{
    bool wanted = c->hs != NULL && c->hs->retry_verify;

    if (wanted)
        c->hs->retry_verify = false;
    return wanted;
}

const char *
pys_conn_peername(const pys_conn *c)
{
    return c->peername;
}

const uint8_t *
pys_conn_peer_ca_names(const pys_conn *c, size_t *n)
{
    *n = pys_buf_size(&c->peer_ca_names);
    return pys_buf_head(&c->peer_ca_names);
}

static const uint8_t *
offer(const pys_offers *o, pys_span list, size_t *n)
{
    *n = list.n;
    return pys_offers_list(o, list).p;
}

const uint8_t *
pys_conn_peer_offer(const pys_conn *c, enum pys_offer_list which, size_t *n)
{
    pys_offers *o = c->offers;

    return offer(o, o == NULL ? (pys_span){0} : o->peer[which], n);
}

const uint8_t *
pys_conn_own_offer(const pys_conn *c, enum pys_offer_list which, size_t *n)
{
    pys_offers *o = c->offers;

    return offer(o, o == NULL ? (pys_span){0} : o->own[which], n);
}

/* RFC 5705 4: no context and an empty one differ. */
static bool
export12(const pys_conn *c, pys_hash *scratch, pys_rd label, pys_rd context,
    uint8_t *out, size_t n)
{
    pys_prf what = {
        .alg = c->suite->hash,
        .secret = pys_rd_of(c->exporter, PYS_MASTER_LEN),
        .label = label,
    };
    pys_buf seed;
    pys_wr w;
    bool ok;

    pys_buf_init(&seed, sizeof(c->randoms) + 2 + UINT16_MAX);
    w = pys_wr_to(&seed);
    pys_wr_bytes(&w, c->randoms, sizeof(c->randoms));
    if (context.p != NULL)
        pys_wr_vec16(&w, context);
    what.seed = pys_rd_buf(&seed);
    ok = pys_wr_ok(&w) && pys_prf_run(scratch, &what, out, n);
    pys_buf_wipe(&seed);
    return ok;
}

bool
pys_conn_export(pys_conn *c, uint8_t *out, size_t n, const char *label,
    size_t n_label, const uint8_t *context, size_t n_context)
{
    pys_rd name = pys_rd_of(label, n_label);
    pys_rd data = pys_rd_of(context, n_context);
    pys_hash *scratch;
    bool ok;

    if (atomic_load(&c->phase) != PYS_OPEN)
        return false;
    scratch = pys_hash_new();
    if (scratch == NULL)
        return false;
    if (pys_is_12(c))
        ok = export12(c, scratch, name, data, out, n);
    else
        ok = pys_keys13_export(scratch, c->suite->hash, c->exporter, name,
            data, out, n);
    pys_hash_free(scratch);
    return ok;
}

const char *
pys_conn_next_keylog(pys_conn *c)
{
    pys_rd rest = pys_rd_buf(&c->keylog);
    size_t n = 0;

    if (rest.n == 0)
        return NULL;
    while (rest.p[n] != 0)
        n++;
    if (!pys_keep(&c->keylog_line, pys_rd_of(rest.p, n + 1)))
        return NULL;
    pys_buf_eat(&c->keylog, n + 1);
    return (const char *)pys_buf_head(&c->keylog_line);
}
