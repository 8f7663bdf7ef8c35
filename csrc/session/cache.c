/*
 * Sessions in a hash table and in a list by use:
 *
 *   bucket -> entry -> entry -> NULL        newest <-> ... <-> oldest
 *
 * The table grows by one bucket at a time (linear hashing), so that no call
 * holds the lock for longer than another. Ids may be chosen by a peer; the
 * hash is keyed, so that it cannot choose a bucket.
 */
#include "session/cache.h"

enum {
    SIZE_DEFAULT = 20480, /* SSL_CTX_sess_set_cache_size(3) */
    FIRST = 64,           /* buckets at the start */
    SEGMENTS = 40,
    STRIDE = 64 /* buckets looked at under one lock */
};

enum { REPLAY_SETS = 8192, REPLAY_WAYS = 8, REPLAY_ID_LEN = 32 };

typedef struct entry {
    pys_session *session;
    uint64_t hash;
    struct entry *next; /* in the bucket */
    struct entry *newer;
    struct entry *older;
} entry;

/*
 * A ticket's use. Not forgotten before `until`, and not before `life` unless
 * the place is needed (milliseconds).
 */
typedef struct used {
    uint8_t id[REPLAY_ID_LEN];
    int64_t until;
    int64_t life;
} used;

struct pys_cache {
    atomic_int refs;
    atomic_flag lock;    /* of all below, but for replay */
    uint64_t key[2];     /* of the hash; never changes */
    entry *first[FIRST]; /* segment 0; each later one doubles the room */
    entry **segments[SEGMENTS];
    size_t n_segments;
    size_t n_buckets;
    size_t round; /* FIRST * 2^i, at most n_buckets and more than half */
    size_t n;
    size_t size;
    size_t scan; /* where an expired session was found last */
    entry *newest;
    entry *oldest;
    atomic_flag replay_lock;
    _Atomic(used *) replay; /* made when needed */
    int64_t since; /* when it was made, milliseconds */
};

static void
lock(atomic_flag *flag)
{
    while (atomic_flag_test_and_set_explicit(flag, memory_order_acquire))
        ;
}

static void
unlock(atomic_flag *flag)
{
    atomic_flag_clear_explicit(flag, memory_order_release);
}

/* ---- the hash ---------------------------------------------------------- */

static uint64_t
turn(uint64_t v, int n)
{
    return v << n | v >> (64 - n);
}

static void
sip_rounds(uint64_t v[4], int n)
{
    while (n-- > 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = turn(v[1], 13) ^ v[0];
        v[3] = turn(v[3], 16) ^ v[2];
        v[0] = turn(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = turn(v[1], 17) ^ v[2];
        v[3] = turn(v[3], 21) ^ v[0];
        v[2] = turn(v[2], 32);
    }
}

/* SipHash-2-4 of at most 32 bytes, filled up with zeros. */
static uint64_t
sip(const uint64_t key[2], const void *p, size_t n)
{
    uint64_t words[5] = {0, 0, 0, 0, n};
    uint64_t v[4] = {
        key[0] ^ UINT64_C(0x736f6d6570736575),
        key[1] ^ UINT64_C(0x646f72616e646f6d),
        key[0] ^ UINT64_C(0x6c7967656e657261),
        key[1] ^ UINT64_C(0x7465646279746573),
    };

    memcpy(words, p, n);
    for (size_t i = 0; i < PYS_COUNT(words); i++) {
        v[3] ^= words[i];
        sip_rounds(v, 2);
        v[0] ^= words[i];
    }
    v[2] ^= UINT8_MAX;
    sip_rounds(v, 4);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Without an id, the object stands for itself. */
static uint64_t
hash_of(const pys_cache *c, const pys_session *s)
{
    if (s->n_id == 0)
        return sip(c->key, &s, sizeof(s));
    return sip(c->key, s->id, s->n_id);
}

static bool
has_id(const pys_session *s, pys_rd id)
{
    return id.n != 0 && pys_rd_is(pys_rd_of(s->id, s->n_id), id);
}

static bool
same(const pys_session *a, const pys_session *b)
{
    return a == b || has_id(a, pys_rd_of(b->id, b->n_id));
}

/* ---- buckets, all under the lock --------------------------------------- */

/* Buckets that fit into n segments. */
static size_t
room_of(size_t n)
{
    return (size_t)FIRST << (n - 1);
}

static entry **
bucket(pys_cache *c, size_t i)
{
    size_t k = 1;

    if (i < FIRST)
        return &c->first[i];
    while (i >= room_of(k + 1))
        k++;
    return &c->segments[k][i - room_of(k)];
}

static entry **
bucket_of(pys_cache *c, uint64_t hash)
{
    size_t i = (size_t)hash & (2 * c->round - 1);

    if (i >= c->n_buckets)
        i &= c->round - 1;
    return bucket(c, i);
}

/* Where the pointer to the session's entry stands, or a NULL. */
static entry **
place_of(pys_cache *c, uint64_t hash, const pys_session *s)
{
    entry **at = bucket_of(c, hash);

    while (*at != NULL && ((*at)->hash != hash || !same((*at)->session, s)))
        at = &(*at)->next;
    return at;
}

static void
use_begin(pys_cache *c, entry *e)
{
    e->newer = NULL;
    e->older = c->newest;
    if (c->newest != NULL)
        c->newest->newer = e;
    else
        c->oldest = e;
    c->newest = e;
}

static void
use_end(pys_cache *c, entry *e)
{
    if (e->newer != NULL)
        e->newer->older = e->older;
    else
        c->newest = e->older;
    if (e->older != NULL)
        e->older->newer = e->newer;
    else
        c->oldest = e->newer;
}

/* Gives one bucket's entries to it and to the next new one. */
static void
split(pys_cache *c)
{
    size_t fresh = c->n_buckets;
    entry **from;
    entry **to;

    if (c->n <= fresh || fresh == room_of(c->n_segments))
        return;
    from = bucket(c, fresh - c->round);
    to = bucket(c, fresh);
    while (*from != NULL) {
        entry *e = *from;

        if (((size_t)e->hash & (2 * c->round - 1)) != fresh) {
            from = &e->next;
            continue;
        }
        *from = e->next;
        e->next = *to;
        *to = e;
    }
    c->n_buckets++;
    if (c->n_buckets == 2 * c->round)
        c->round = c->n_buckets;
}

static void
link_entry(pys_cache *c, entry *e)
{
    entry **at = bucket_of(c, e->hash);

    e->next = *at;
    *at = e;
    use_begin(c, e);
    c->n++;
    split(c);
}

static entry *
unlink_entry(pys_cache *c, entry **at)
{
    entry *e = *at;

    *at = e->next;
    use_end(c, e);
    c->n--;
    return e;
}

static entry *
take_excess(pys_cache *c)
{
    if (c->size == 0 || c->n <= c->size)
        return NULL;
    return unlink_entry(c, place_of(c, c->oldest->hash, c->oldest->session));
}

/* ---- life -------------------------------------------------------------- */

pys_cache *
pys_cache_new(void)
{
    pys_cache *c = pys_alloc(sizeof(*c));
    uint8_t key[sizeof(c->key)];

    if (c == NULL || !pys_random(key, sizeof(key))) {
        pys_free(c);
        return NULL;
    }
    memcpy(c->key, key, sizeof(key));
    pys_wipe(key, sizeof(key));
    atomic_init(&c->refs, 1);
    atomic_flag_clear(&c->lock);
    atomic_flag_clear(&c->replay_lock);
    atomic_init(&c->replay, NULL);
    c->n_segments = 1;
    c->n_buckets = FIRST;
    c->round = FIRST;
    c->size = SIZE_DEFAULT;
    c->since = pys_now_ms();
    return c;
}

pys_cache *
pys_cache_up_ref(pys_cache *c)
{
    if (c != NULL)
        atomic_fetch_add(&c->refs, 1);
    return c;
}

/* The session of an entry that was taken out, or NULL for none. */
static pys_session *
entry_free(entry *e)
{
    pys_session *s = e != NULL ? e->session : NULL;

    pys_free_secret(e, sizeof(*e));
    return s;
}

void
pys_cache_free(pys_cache *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    while (c->oldest != NULL) {
        entry *e = c->oldest;

        use_end(c, e);
        pys_session_free(entry_free(e));
    }
    for (size_t i = 1; i < c->n_segments; i++)
        pys_free(c->segments[i]);
    pys_free_secret(atomic_load(&c->replay),
        sizeof(used) * REPLAY_SETS * REPLAY_WAYS);
    pys_free_secret(c, sizeof(*c));
}

void
pys_cache_set_size(pys_cache *c, size_t n)
{
    lock(&c->lock);
    c->size = n;
    unlock(&c->lock);
}

size_t
pys_cache_size(pys_cache *c)
{
    size_t n;

    lock(&c->lock);
    n = c->size;
    unlock(&c->lock);
    return n;
}

size_t
pys_cache_count(pys_cache *c)
{
    size_t n;

    lock(&c->lock);
    n = c->n;
    unlock(&c->lock);
    return n;
}

/* ---- in and out -------------------------------------------------------- */

/*
 * Memory for more buckets, asked for while nobody waits for the lock. To get
 * none is no fault: the table works on with what it has.
 */
static void
provide(pys_cache *c)
{
    entry **fresh;
    size_t k;
    bool needed;

    lock(&c->lock);
    k = c->n_segments;
    needed = k < SEGMENTS && c->n >= c->n_buckets &&
        c->n_buckets == room_of(k);
    unlock(&c->lock);
    if (!needed)
        return;
    fresh = pys_alloc(room_of(k) * sizeof(entry *));
    lock(&c->lock);
    if (fresh != NULL && c->n_segments == k) {
        c->segments[c->n_segments++] = fresh;
        fresh = NULL;
    }
    unlock(&c->lock);
    pys_free(fresh);
}

bool
pys_cache_add(pys_cache *c, pys_session *s, pys_session **dropped)
{
    entry *e = pys_alloc(sizeof(*e));
    entry *out = NULL;
    entry **at;
    bool fresh;

    *dropped = NULL;
    if (e == NULL)
        return false;
    e->session = s;
    e->hash = hash_of(c, s);
    provide(c);
    lock(&c->lock);
    at = place_of(c, e->hash, s);
    fresh = *at == NULL || (*at)->session != s;
    if (fresh) {
        if (*at != NULL)
            out = unlink_entry(c, at);
        pys_session_up_ref(s);
        link_entry(c, e);
        if (out == NULL)
            out = take_excess(c);
    }
    unlock(&c->lock);
    if (!fresh)
        (void)entry_free(e);
    *dropped = entry_free(out);
    return fresh;
}

pys_session *
pys_cache_excess(pys_cache *c)
{
    entry *out;

    lock(&c->lock);
    out = take_excess(c);
    unlock(&c->lock);
    return entry_free(out);
}

pys_session *
pys_cache_find(pys_cache *c, pys_rd id)
{
    pys_session *found = NULL;
    uint64_t hash;
    entry *e;

    if (id.n == 0 || id.n > PYS_SESSION_ID_LEN)
        return NULL;
    hash = sip(c->key, id.p, id.n);
    lock(&c->lock);
    e = *bucket_of(c, hash);
    while (e != NULL && (e->hash != hash || !has_id(e->session, id)))
        e = e->next;
    if (e != NULL) {
        use_end(c, e);
        use_begin(c, e);
        found = pys_session_up_ref(e->session);
    }
    unlock(&c->lock);
    return found;
}

pys_session *
pys_cache_remove(pys_cache *c, const pys_session *s)
{
    uint64_t hash = hash_of(c, s);
    entry *out = NULL;
    entry **at;

    lock(&c->lock);
    at = place_of(c, hash, s);
    if (*at != NULL)
        out = unlink_entry(c, at);
    unlock(&c->lock);
    return entry_free(out);
}

static bool
expired(const pys_session *s, int64_t now)
{
    int64_t made = atomic_load(&s->made);

    /* As pys_session_fresh, for a time that an application may choose. */
    return now == 0 || (now >= made && now - made >= atomic_load(&s->timeout));
}

/* Looks at some buckets from *i on. */
static entry *
expire_some(pys_cache *c, size_t *i, int64_t now)
{
    for (size_t end = *i + STRIDE; *i < end && *i < c->n_buckets; ++*i) {
        entry **at = bucket(c, *i);

        while (*at != NULL && !expired((*at)->session, now))
            at = &(*at)->next;
        if (*at != NULL)
            return unlink_entry(c, at);
    }
    return NULL;
}

/*
 * From bucket i to the last one. A bucket that is split meanwhile gives to
 * one that is still to come.
 */
static entry *
expire_from(pys_cache *c, size_t i, int64_t now)
{
    entry *out = NULL;
    bool more = true;

    while (out == NULL && more) {
        lock(&c->lock);
        out = expire_some(c, &i, now);
        c->scan = out != NULL ? i : 0;
        more = i < c->n_buckets;
        unlock(&c->lock);
    }
    return out;
}

pys_session *
pys_cache_expire(pys_cache *c, int64_t now)
{
    entry *out;
    size_t i;

    lock(&c->lock);
    i = c->scan;
    unlock(&c->lock);
    out = expire_from(c, i, now);
    /* What came before the place of the last find, too. */
    if (out == NULL && i != 0)
        out = expire_from(c, 0, now);
    return entry_free(out);
}

/* ---- anti-replay (RFC 8446 8.1) ---------------------------------------- */

/* The table, or NULL if memory is short. */
static used *
replay_table(pys_cache *c)
{
    used *table = atomic_load(&c->replay);
    used *fresh;

    if (table != NULL)
        return table;
    fresh = pys_alloc(sizeof(used) * REPLAY_SETS * REPLAY_WAYS);
    if (fresh == NULL ||
        atomic_compare_exchange_strong(&c->replay, &table, fresh))
        return fresh;
    pys_free(fresh);
    return table;
}

/*
 * Looks through one set. *seen: the id is in. Gives the place that is missed
 * least, or NULL if all are needed, and how many could be had.
 */
static used *
free_place(used *set, const uint8_t *id, int64_t now, size_t *n, bool *seen)
{
    used *place = NULL;

    *n = 0;
    for (size_t i = 0; i < REPLAY_WAYS; i++) {
        if (set[i].life > now && pys_equal(set[i].id, id, REPLAY_ID_LEN))
            *seen = true;
        if (set[i].until > now)
            continue;
        ++*n;
        if (place == NULL || set[i].life < place->life)
            place = &set[i];
    }
    return place;
}

/* A moment that many milliseconds from now. */
static int64_t
later(int64_t now, int64_t ms)
{
    return ms > INT64_MAX - now ? INT64_MAX : now + ms;
}

bool
pys_cache_covers(const pys_cache *c, int64_t made_ms, int64_t now_ms,
    int64_t window_ms)
{
    return made_ms >= c->since || now_ms - c->since > window_ms;
}

bool
pys_cache_first_use(pys_cache *c, const uint8_t id[32], int64_t now_ms,
    int64_t window_ms, int64_t life_ms)
{
    used *table = replay_table(c);
    uint64_t hash = sip(c->key, id, REPLAY_ID_LEN);
    bool seen = false;
    used *places[2];
    size_t n[2];
    used *to;

    if (table == NULL || now_ms < 0 || window_ms <= 0)
        return false;
    if (life_ms < window_ms)
        life_ms = window_ms;
    lock(&c->replay_lock);
    for (size_t i = 0; i < 2; i++) {
        size_t set = (size_t)(hash >> 32 * i) % REPLAY_SETS;

        places[i] = free_place(&table[set * REPLAY_WAYS], id, now_ms, &n[i],
            &seen);
    }
    /* Two places to choose from fill a table almost evenly. */
    to = n[0] >= n[1] ? places[0] : places[1];
    if (!seen && to != NULL) {
        memcpy(to->id, id, REPLAY_ID_LEN);
        to->until = later(now_ms, window_ms);
        to->life = later(now_ms, life_ms);
    }
    unlock(&c->replay_lock);
    return !seen && to != NULL;
}
