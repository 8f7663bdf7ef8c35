/*
 * The life of a session object.
 */
#include "session/session.h"

pys_session *
pys_session_new(void)
{
    pys_session *s = pys_alloc(sizeof(*s));

    if (s == NULL)
        return NULL;
    atomic_init(&s->refs, 1);
    pys_buf_init(&s->ticket, PYS_TICKET_MAX);
    pys_buf_init(&s->name, UINT8_MAX);
    pys_buf_init(&s->alpn, UINT8_MAX);
    return s;
}

pys_session *
pys_session_up_ref(pys_session *s)
{
    if (s != NULL)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

static void
secret_drop(pys_session *s)
{
    if (s->n_secret > sizeof(s->secret))
        pys_free_secret(s->long_secret, s->n_secret);
    s->long_secret = NULL;
    pys_wipe(s->secret, sizeof(s->secret));
    s->n_secret = 0;
    if (s->has_hmac)
        pys_wipe(s->hmac, sizeof(s->hmac));
    s->has_hmac = false;
}

pys_rd
pys_session_secret(const pys_session *s)
{
    return pys_rd_of(s->n_secret > sizeof(s->secret) ? s->long_secret :
                                                       s->secret,
        s->n_secret);
}

bool
pys_session_set_secret(pys_session *s, pys_rd secret)
{
    uint8_t *copy = NULL;

    if (secret.n > PYS_PSK_MAX)
        return false;
    if (secret.n > sizeof(s->secret)) {
        copy = pys_copy(secret.p, secret.n);
        if (copy == NULL)
            return false;
    }
    secret_drop(s);
    s->long_secret = copy;
    s->n_secret = secret.n;
    return copy != NULL || pys_rd_copy(&secret, s->secret, secret.n);
}

void
pys_session_keep_hmac(pys_session *s, enum pys_hash_alg alg,
    const pys_hash *from)
{
    s->has_hmac = pys_hmac_save(from, alg, pys_session_secret(s), s->hmac);
    s->hmac_alg = alg;
}

void
pys_session_give_hmac(const pys_session *s, enum pys_hash_alg alg,
    pys_hash *scratch)
{
    if (s->has_hmac && s->hmac_alg == alg)
        pys_hmac_load(scratch, alg, pys_session_secret(s), s->hmac);
}

bool
pys_session_set_identity(pys_session *s, pys_rd identity)
{
    uint8_t *copy = NULL;

    if (identity.n > PYS_PSK_IDENTITY_MAX)
        identity = pys_rd_of(NULL, 0);
    if (identity.n != 0) {
        copy = pys_copy(identity.p, identity.n);
        if (copy == NULL)
            return false;
    }
    pys_free(s->psk_identity);
    s->psk_identity = copy;
    s->n_psk_identity = identity.n;
    return true;
}

static void
chain_free(pys_session *s)
{
    for (size_t i = 0; i < s->n_chain; i++)
        pys_cert_free(s->chain[i]);
    pys_free(s->chain);
    s->chain = NULL;
    s->n_chain = 0;
}

void
pys_session_free(pys_session *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    chain_free(s);
    secret_drop(s);
    pys_free(s->psk_identity);
    pys_buf_wipe(&s->ticket);
    pys_buf_wipe(&s->name);
    pys_buf_wipe(&s->alpn);
    pys_free_secret(s, sizeof(*s));
}

bool
pys_session_set_chain(pys_session *s, pys_cert *const *chain, size_t n)
{
    chain_free(s);
    if (n == 0)
        return true;
    s->chain = pys_alloc(n * sizeof(*s->chain));
    if (s->chain == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        s->chain[s->n_chain++] = pys_cert_up_ref(chain[i]);
    return true;
}

/* Into one that has the same secret. */
static void
copy_hmac(pys_session *to, const pys_session *from)
{
    memcpy(to->hmac, from->hmac, sizeof(to->hmac));
    to->has_hmac = from->has_hmac;
    to->hmac_alg = from->hmac_alg;
}

static bool
copy_buf(pys_buf *to, const pys_buf *from)
{
    return pys_buf_keep(to, pys_buf_head(from), pys_buf_size(from));
}

pys_session *
pys_session_copy(const pys_session *s)
{
    pys_session *c = pys_session_new();

    if (c == NULL)
        return NULL;
    c->version = s->version;
    c->suite = s->suite;
    c->group = s->group;
    c->extended = s->extended;
    atomic_store(&c->not_resumable, atomic_load(&s->not_resumable));
    memcpy(c->id, s->id, sizeof(c->id));
    c->n_id = s->n_id;
    memcpy(c->id_context, s->id_context, sizeof(c->id_context));
    c->n_id_context = s->n_id_context;
    atomic_store(&c->made, atomic_load(&s->made));
    atomic_store(&c->timeout, atomic_load(&s->timeout));
    c->made_ms = s->made_ms;
    c->lifetime = s->lifetime;
    c->age_add = s->age_add;
    c->max_early_data = s->max_early_data;
    c->verify_result = s->verify_result;
    if (pys_session_set_secret(c, pys_session_secret(s)) &&
        pys_session_set_identity(c,
            pys_rd_of(s->psk_identity, s->n_psk_identity)) &&
        copy_buf(&c->ticket, &s->ticket) && copy_buf(&c->name, &s->name) &&
        copy_buf(&c->alpn, &s->alpn) &&
        pys_session_set_chain(c, s->chain, s->n_chain)) {
        copy_hmac(c, s);
        return c;
    }
    pys_session_free(c);
    return NULL;
}

void
pys_session_retire(pys_session *s)
{
    atomic_store(&s->not_resumable, true);
}

bool
pys_session_fresh(const pys_session *s, int64_t now)
{
    int64_t made = atomic_load(&s->made);

    /* A clock that was set back makes it no older than new. */
    return !atomic_load(&s->not_resumable) &&
        now - made < atomic_load(&s->timeout);
}
