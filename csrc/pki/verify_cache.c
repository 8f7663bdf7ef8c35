/*
 * Chains that passed lately. A verification costs a signature check for each
 * link, and a program meets the same few peers again and again; browsers
 * keep such verdicts for the same reason. Only a verdict without any error
 * is kept, for minutes, and it is given again only if everything it hung on
 * is the same: every byte that was sent, the names, what was asked of it,
 * and the very content of the store. No part of RFC 5280 6 is left out: it
 * was gone through with the same input, but for the time, and no certificate
 * of the path ends before the verdict does.
 *
 * A slot is emptied while a thread looks into it, so no lock is needed; who
 * finds it empty just verifies. A peer can do no more than drive others out.
 */
#include "pki/pki_x509.h"

enum { SETS = 16, WAYS = 4, EVENTS = 16 };

typedef struct passed {
    pys_chain_key key;
    int64_t since; /* when it was verified, in milliseconds */
    size_t n_events;
    pys_verify_event events[EVENTS];
    char *peername; /* owned; NULL: none */
} passed;

static _Atomic(passed *) slots[SETS][WAYS];
static atomic_uint turn;

#ifdef PYS_TEST
static atomic_long n_recalled;

long
pys_chain_recalled(void)
{
    return atomic_load(&n_recalled);
}
#endif

/* ---- the key ---- */

static bool
add_counted(pys_hash *h, const void *p, size_t n)
{
    return pys_hash_add(h, pys_rd_of(&n, sizeof(n))) &&
        pys_hash_add(h, pys_rd_of(p, n));
}

/* Counts and lengths go in too, so that no two inputs look alike. */
static bool
add_all(pys_hash *h, const pys_verify_job *job)
{
    size_t n_hosts = job->hosts != NULL ? job->hosts->n : 0;

    if (!add_counted(h, &n_hosts, sizeof(n_hosts)))
        return false;
    for (size_t i = 0; i < n_hosts; i++) {
        const char *name = job->hosts->names[i];

        if (!add_counted(h, name, strlen(name)))
            return false;
    }
    for (size_t i = 0; i < job->n_chain; i++) {
        if (!add_counted(h, job->chain[i]->der, job->chain[i]->n_der))
            return false;
    }
    return true;
}

bool
pys_chain_key_of(const pys_verify_job *job, pys_chain_key *key)
{
    pys_hash *h;
    bool ok;

    if (!job->remember || job->trust == NULL || job->n_chain == 0)
        return false;
    *key = (pys_chain_key){
        .generation = atomic_load(&job->trust->generation),
        .server = job->server,
        .depth = job->depth,
        .security_level = job->security_level,
        .host_flags = job->host_flags,
    };
    if (key->generation == 0 || (h = pys_hash_new()) == NULL)
        return false;
    ok = pys_hash_begin(h, PYS_SHA256) && add_all(h, job) &&
        pys_hash_end(h, key->digest);
    pys_hash_free(h);
    return ok;
}

static bool
same_key(const pys_chain_key *a, const pys_chain_key *b)
{
    return a->generation == b->generation && a->server == b->server &&
        a->depth == b->depth && a->security_level == b->security_level &&
        a->host_flags == b->host_flags &&
        pys_equal(a->digest, b->digest, sizeof(a->digest));
}

static _Atomic(passed *) *
set_of(const pys_chain_key *key)
{
    return slots[key->digest[0] % SETS];
}

/* ---- looking up ---- */

static void
drop(passed *one)
{
    if (one == NULL)
        return;
    pys_free(one->peername);
    pys_free(one);
}

/* A clock put back behind the verification tells nothing any more. */
static bool
holds(const passed *one, int64_t now)
{
    return now >= one->since &&
        now - one->since < (int64_t)PYS_CHAIN_SECONDS * 1000;
}

/* False, and the verdict untouched, if memory is short. */
static bool
give(const passed *one, pys_verdict *v)
{
    char *name = NULL;

    if (one->peername != NULL) {
        name = pys_copy(one->peername, strlen(one->peername) + 1);
        if (name == NULL)
            return false;
    }
    *v = (pys_verdict){
        .result = X509_V_OK,
        .depth = -1,
        .n_events = one->n_events,
        .peername = name,
    };
    for (size_t i = 0; i < one->n_events; i++)
        v->events[i] = one->events[i];
    return true;
}

bool
pys_chain_recall(const pys_chain_key *key, int64_t now, pys_verdict *v)
{
    _Atomic(passed *) *set = set_of(key);
    bool found = false;

    for (size_t i = 0; i < WAYS && !found; i++) {
        passed *one = atomic_exchange(&set[i], NULL);

        if (one == NULL)
            continue;
        if (same_key(&one->key, key)) {
            if (!holds(one, now)) {
                drop(one);
                continue;
            }
            found = give(one, v);
        }
        drop(atomic_exchange(&set[i], one));
    }
#ifdef PYS_TEST
    atomic_fetch_add(&n_recalled, found);
#endif
    return found;
}

/* ---- keeping ---- */

/* NULL for what is too large, or if memory is short. */
static passed *
passed_new(const pys_chain_key *key, int64_t now, const pys_verdict *v)
{
    size_t n = v->peername != NULL ? strlen(v->peername) : 0;
    passed *one;

    if (v->n_events > EVENTS || n > PYS_NAME_MAX ||
        (one = pys_alloc(sizeof(*one))) == NULL)
        return NULL;
    one->key = *key;
    one->since = now;
    one->n_events = v->n_events;
    for (size_t i = 0; i < v->n_events; i++)
        one->events[i] = v->events[i];
    if (v->peername != NULL &&
        (one->peername = pys_copy(v->peername, n + 1)) == NULL) {
        drop(one);
        return NULL;
    }
    return one;
}

void
pys_chain_remember(const pys_chain_key *key, int64_t now, const pys_verdict *v)
{
    _Atomic(passed *) *set = set_of(key);
    passed *one;

    if (v->result != X509_V_OK || (one = passed_new(key, now, v)) == NULL)
        return;
    for (size_t i = 0; i < WAYS; i++) {
        passed *none = NULL;

        if (atomic_compare_exchange_strong(&set[i], &none, one))
            return;
    }
    drop(atomic_exchange(&set[atomic_fetch_add(&turn, 1) % WAYS], one));
}

void
pys_chain_forget_all(void)
{
    for (size_t i = 0; i < SETS; i++) {
        for (size_t j = 0; j < WAYS; j++)
            drop(atomic_exchange(&slots[i][j], NULL));
    }
}
