/*
 * Sealed sessions:
 *
 *   name (16) | nonce (12) | AES-256-GCM of the serial form | tag (16)
 *
 * with name and nonce authenticated too. The AES key is made of all 64 bytes
 * of key material.
 */
#include "session/ticket.h"

#include <stdatomic.h>

enum { MATERIAL_LEN = PYS_TICKET_KEY_LEN - PYS_TICKET_NAME_LEN };

typedef struct ticket_key {
    uint8_t raw[PYS_TICKET_KEY_LEN];
    uint8_t aes[PYS_KEY_MAX];
} ticket_key;

enum { SEALER, OPENER, N_IDLE };

/*
 * What a key has been set up for costs as much as its use, so that one of
 * each kind waits for whoever comes next; who finds none makes one.
 */
typedef struct idle_aeads {
    pys_aead *of[PYS_TICKET_KEYS_MAX][N_IDLE];
} idle_aeads;

struct pys_ticket_keys {
    atomic_int refs;
    atomic_flag lock; /* held while things are copied, never longer */
    ticket_key keys[PYS_TICKET_KEYS_MAX];
    size_t n;
    idle_aeads idle;
    unsigned n_sets; /* how often all keys were replaced */
};

/* A key, and a context for it that nobody else has until it is given back. */
typedef struct turn {
    ticket_key key;
    pys_aead *aead;
    size_t at; /* place of the key */
    int kind;  /* SEALER or OPENER */
    unsigned n_sets;
} turn;

static void
lock(pys_ticket_keys *k)
{
    while (atomic_flag_test_and_set_explicit(&k->lock, memory_order_acquire))
        ;
}

static void
unlock(pys_ticket_keys *k)
{
    atomic_flag_clear_explicit(&k->lock, memory_order_release);
}

/* RFC 5869, so that every byte of the material counts. */
static bool
key_expand(ticket_key *key)
{
    static const char info[] = "pyssl ticket";
    uint8_t prk[PYS_HASH_MAX];
    pys_hash *scratch = pys_hash_new();
    pys_buf out;
    bool ok;

    pys_buf_init(&out, PYS_KEY_MAX);
    ok = scratch != NULL &&
        pys_hkdf_extract(scratch, PYS_SHA256,
            pys_rd_of(key->raw, PYS_TICKET_NAME_LEN),
            pys_rd_of(key->raw + PYS_TICKET_NAME_LEN, MATERIAL_LEN), prk) &&
        pys_hkdf_expand(scratch, PYS_SHA256, prk,
            pys_rd_of(info, sizeof(info) - 1), &out, PYS_KEY_MAX);
    if (ok)
        memcpy(key->aes, pys_buf_head(&out), PYS_KEY_MAX);
    pys_buf_wipe(&out);
    pys_wipe(prk, sizeof(prk));
    pys_hash_free(scratch);
    return ok;
}

pys_ticket_keys *
pys_ticket_keys_new(void)
{
    pys_ticket_keys *k = pys_alloc(sizeof(*k));

    if (k == NULL)
        return NULL;
    atomic_init(&k->refs, 1);
    atomic_flag_clear(&k->lock);
    k->n = 1;
    if (!pys_random(k->keys[0].raw, PYS_TICKET_KEY_LEN) ||
        !key_expand(&k->keys[0])) {
        pys_ticket_keys_free(k);
        return NULL;
    }
    return k;
}

pys_ticket_keys *
pys_ticket_keys_up_ref(pys_ticket_keys *k)
{
    if (k != NULL)
        atomic_fetch_add(&k->refs, 1);
    return k;
}

static void
idle_free(idle_aeads *idle)
{
    for (size_t i = 0; i < PYS_TICKET_KEYS_MAX; i++) {
        for (size_t kind = 0; kind < N_IDLE; kind++)
            pys_aead_free(idle->of[i][kind]);
    }
}

void
pys_ticket_keys_free(pys_ticket_keys *k)
{
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    idle_free(&k->idle);
    pys_free_secret(k, sizeof(*k));
}

bool
pys_ticket_keys_set(pys_ticket_keys *k, const uint8_t *p, size_t n)
{
    ticket_key fresh[PYS_TICKET_KEYS_MAX];
    idle_aeads idle = {0};
    bool ok = n != 0 && n <= PYS_TICKET_KEYS_MAX;

    for (size_t i = 0; ok && i < n; i++) {
        memcpy(fresh[i].raw, p + i * PYS_TICKET_KEY_LEN, PYS_TICKET_KEY_LEN);
        ok = key_expand(&fresh[i]);
    }
    if (ok) {
        lock(k);
        memcpy(k->keys, fresh, n * sizeof(*fresh));
        k->n = n;
        k->n_sets++;
        idle = k->idle;
        k->idle = (idle_aeads){0};
        unlock(k);
    }
    idle_free(&idle);
    pys_wipe(fresh, sizeof(fresh));
    return ok;
}

void
pys_ticket_keys_get(pys_ticket_keys *k, uint8_t out[PYS_TICKET_KEY_LEN])
{
    lock(k);
    memcpy(out, k->keys[0].raw, PYS_TICKET_KEY_LEN);
    unlock(k);
}

/* Finds the first key, or the one of this name, under the lock. */
static bool
key_find(const pys_ticket_keys *k, const uint8_t *name, size_t *at)
{
    for (size_t i = 0; i < k->n; i++) {
        if (name == NULL ||
            pys_equal(k->keys[i].raw, name, PYS_TICKET_NAME_LEN)) {
            *at = i;
            return true;
        }
    }
    return false;
}

/* Takes a key and a context for it. False: there is no such key. */
static bool
turn_begin(pys_ticket_keys *k, const uint8_t *name, int kind, turn *t)
{
    bool found;

    *t = (turn){.kind = kind};
    lock(k);
    found = key_find(k, name, &t->at);
    if (found) {
        t->key = k->keys[t->at];
        t->n_sets = k->n_sets;
        t->aead = k->idle.of[t->at][kind];
        k->idle.of[t->at][kind] = NULL;
    }
    unlock(k);
    if (found && t->aead == NULL)
        t->aead = pys_aead_new(PYS_AES_256_GCM, t->key.aes, kind == SEALER);
    return found;
}

/* Puts the context back, unless the keys are others by now. */
static void
turn_end(pys_ticket_keys *k, turn *t)
{
    pys_aead **place = &k->idle.of[t->at][t->kind];

    lock(k);
    if (t->n_sets == k->n_sets && *place == NULL) {
        *place = t->aead;
        t->aead = NULL;
    }
    unlock(k);
    pys_aead_free(t->aead);
    pys_wipe(t, sizeof(*t));
}

enum { HEAD_LEN = PYS_TICKET_NAME_LEN + PYS_IV_LEN };

static bool
seal(const turn *t, pys_rd text, pys_buf *out)
{
    pys_wr w = pys_wr_to(out);
    uint8_t nonce[PYS_IV_LEN];
    uint8_t *head = pys_wr_room(&w, HEAD_LEN + text.n + PYS_TAG_LEN);

    if (t->aead == NULL || head == NULL || !pys_random(nonce, PYS_IV_LEN))
        return false;
    memcpy(head, t->key.raw, PYS_TICKET_NAME_LEN);
    memcpy(head + PYS_TICKET_NAME_LEN, nonce, PYS_IV_LEN);
    return pys_aead_seal(t->aead, nonce, pys_rd_of(head, HEAD_LEN), text,
        pys_rd_of(NULL, 0), head + HEAD_LEN);
}

bool
pys_ticket_seal(pys_ticket_keys *k, const pys_session *s, pys_buf *out)
{
    pys_buf text;
    turn t;
    bool ok;

    if (!turn_begin(k, NULL, SEALER, &t))
        return false;
    pys_buf_init(&text, PYS_TICKET_MAX - HEAD_LEN - PYS_TAG_LEN);
    ok = pys_session_put(s, &text) && seal(&t, pys_rd_buf(&text), out);
    pys_buf_wipe(&text);
    turn_end(k, &t);
    return ok;
}

/* The serial form, or false if it is not authentic. */
static bool
unseal(const turn *t, pys_rd ticket, pys_buf *text)
{
    pys_rd head = pys_rd_of(ticket.p, HEAD_LEN);
    pys_rd body = pys_rd_of(ticket.p + HEAD_LEN, ticket.n - HEAD_LEN);

    if (t->aead == NULL || !pys_buf_reserve(text, body.n) ||
        !pys_aead_open(t->aead, ticket.p + PYS_TICKET_NAME_LEN, head, body,
            pys_buf_tail(text), NULL))
        return false;
    pys_buf_added(text, body.n - PYS_TAG_LEN);
    return true;
}

pys_session *
pys_ticket_open(pys_ticket_keys *k, pys_rd ticket, bool *old)
{
    pys_session *s = NULL;
    pys_buf text;
    turn t;

    if (ticket.n < HEAD_LEN + PYS_TAG_LEN || ticket.n > PYS_TICKET_MAX ||
        !turn_begin(k, ticket.p, OPENER, &t))
        return NULL;
    pys_buf_init(&text, PYS_TICKET_MAX);
    if (unseal(&t, ticket, &text)) {
        s = pys_session_take(pys_rd_buf(&text));
        *old = t.at != 0;
    }
    if (s == NULL)
        pys_fault_forget();
    pys_buf_wipe(&text);
    turn_end(k, &t);
    return s;
}

/* ---- under the application's keys (RFC 5077 4) -------------------------- */

enum { OWN_HEAD_LEN = PYS_TICKET_NAME_LEN + PYS_CBC_BLOCK };

static enum pys_hash_alg
mac_of(const pys_ticket_setup *k)
{
    return k->sha384 ? PYS_SHA384 : PYS_SHA256;
}

static bool
mac_make(const pys_ticket_setup *k, pys_rd bytes, uint8_t *out)
{
    pys_hash *scratch = pys_hash_new();
    bool ok = scratch != NULL &&
        pys_hmac(scratch, mac_of(k), pys_rd_of(k->mac_key, k->n_mac_key),
            bytes, out);

    pys_hash_free(scratch);
    return ok;
}

bool
pys_ticket_seal_own(const pys_ticket_setup *k, const pys_session *s,
    pys_buf *out)
{
    size_t before = pys_buf_size(out);
    uint8_t mac[PYS_HASH_MAX];
    pys_buf text;
    pys_rd all;
    bool ok;

    pys_buf_init(&text, PYS_TICKET_MAX);
    ok = pys_session_put(s, &text) &&
        pys_buf_add(out, k->name, sizeof(k->name)) &&
        pys_buf_add(out, k->iv, sizeof(k->iv)) &&
        pys_cbc_seal(pys_rd_of(k->key, k->n_key), k->iv, pys_rd_buf(&text),
            out);
    pys_buf_wipe(&text);
    if (!ok)
        return false;
    all = pys_rd_of(pys_buf_head(out) + before, pys_buf_size(out) - before);
    return mac_make(k, all, mac) &&
        pys_buf_add(out, mac, pys_hash_len(mac_of(k)));
}

/* RFC 5077 4: authentic, before anything in it is looked at. */
static bool
mac_right(const pys_ticket_setup *k, pys_rd ticket)
{
    size_t n = pys_hash_len(mac_of(k));
    uint8_t mac[PYS_HASH_MAX];

    if (ticket.n < OWN_HEAD_LEN + PYS_CBC_BLOCK + n)
        return false;
    return mac_make(k, pys_rd_of(ticket.p, ticket.n - n), mac) &&
        pys_same(mac, ticket.p + ticket.n - n, n);
}

pys_session *
pys_ticket_open_own(const pys_ticket_setup *k, pys_rd ticket)
{
    pys_session *s = NULL;
    pys_buf text;
    pys_rd body;

    if (!mac_right(k, ticket))
        return NULL;
    body = pys_rd_of(ticket.p + OWN_HEAD_LEN,
        ticket.n - OWN_HEAD_LEN - pys_hash_len(mac_of(k)));
    pys_buf_init(&text, PYS_TICKET_MAX + PYS_CBC_BLOCK);
    if (pys_cbc_open(pys_rd_of(k->key, k->n_key),
            ticket.p + PYS_TICKET_NAME_LEN, body, &text))
        s = pys_session_take(pys_rd_buf(&text));
    if (s == NULL)
        pys_fault_forget();
    pys_buf_wipe(&text);
    return s;
}
