/*
 * What the primitives cost by themselves: the least that any TLS on these
 * libraries has to spend. For pyssl.bench; nothing else calls it.
 */
#include <time.h>

#include "crypto/crypt_part.h"
#include "crypto/suite.h"

enum { ROOM = 16384 + PYS_TAG_LEN, CONTEXT = 13 };

/* One kind of work, made ready; each part is there if the work needs it. */
typedef struct work {
    uint16_t id;
    size_t n; /* bytes of data */
    pys_key *key;
    const pys_suite *suite;
    pys_hash *hash;
    pys_aead *aead;
    pys_buf ours; /* a client's share */
    pys_buf theirs; /* the server's answer */
    uint8_t nonce[PYS_IV_LEN];
    uint8_t secret[PYS_SECRET_MAX];
    uint8_t sig[PYS_SIG_MAX];
    size_t n_sig;
    uint8_t data[ROOM];
    uint8_t out[ROOM];
} work;

typedef bool (*act)(work *w);

static pys_rd
data_of(const work *w)
{
    return pys_rd_of(w->data, w->n);
}

/* ---- key exchange ---- */

static bool
respond(work *w)
{
    pys_wr out = pys_wr_to(&w->theirs);
    size_t n;
    bool internal;

    pys_buf_drop(&w->theirs);
    return pys_share_respond(w->id, pys_rd_buf(&w->ours), &out, w->secret, &n,
               &internal) &&
        pys_wr_ok(&out);
}

static bool
share(work *w)
{
    pys_share *s = pys_share_new(w->id);
    pys_wr out = pys_wr_to(&w->ours);
    size_t n;
    bool internal;
    bool ok;

    pys_buf_drop(&w->ours);
    ok = s != NULL && pys_share_public(s, &out) && pys_wr_ok(&out) &&
        (pys_buf_size(&w->theirs) == 0 ||
            pys_share_derive(s, pys_rd_buf(&w->theirs), w->secret, &n,
                &internal));
    pys_share_free(s);
    return ok;
}

static bool
share_ready(work *w)
{
    return pys_share_has(w->id) && share(w) && respond(w);
}

/* ---- signatures ---- */

static bool
sign(work *w)
{
    return pys_sign(w->key, w->id, data_of(w), w->sig, &w->n_sig);
}

static bool
verify(work *w)
{
    return pys_verify(w->key, w->id, data_of(w), pys_rd_of(w->sig, w->n_sig));
}

static bool
check(work *w)
{
    return pys_verify_link(w->key, w->id, data_of(w),
        pys_rd_of(w->sig, w->n_sig));
}

static bool
sign_ready(work *w)
{
    return w->key != NULL && pys_scheme_find(w->id) != NULL && sign(w);
}

/* ---- hashes and HMAC ---- */

static bool
hash(work *w)
{
    return pys_hash_begin(w->hash, w->suite->hash) &&
        pys_hash_add(w->hash, data_of(w)) && pys_hash_end(w->hash, w->out);
}

/* Each key is used twice, which is about what the key schedules do. */
static bool
hmac(work *w)
{
    pys_rd key = pys_rd_of(w->secret, pys_hash_len(w->suite->hash));

    w->n_sig++;
    w->secret[0] = (uint8_t)(w->n_sig / 2);
    w->secret[1] = (uint8_t)(w->n_sig / 512);
    return pys_hmac(w->hash, w->suite->hash, key, data_of(w), w->out);
}

static bool
hash_ready(work *w)
{
    w->hash = w->suite != NULL ? pys_hash_new() : NULL;
    return w->hash != NULL;
}

/* ---- AEAD ---- */

static bool
rekey(work *w)
{
    w->secret[0]++;
    return pys_aead_rekey(w->aead, w->secret);
}

static bool
seal(work *w)
{
    return pys_aead_seal(w->aead, w->nonce, pys_rd_of(w->data, CONTEXT),
        data_of(w), pys_rd_of(NULL, 0), w->out);
}

static bool
open_sealed(work *w)
{
    return pys_aead_open(w->aead, w->nonce, pys_rd_of(w->data, CONTEXT),
        pys_rd_of(w->out, w->n + PYS_TAG_LEN), w->data, NULL);
}

static bool
seal_ready(work *w)
{
    if (w->suite != NULL)
        w->aead = pys_aead_new(w->suite->aead, w->secret, true);
    return w->aead != NULL;
}

static bool
open_ready(work *w)
{
    if (!seal_ready(w) || !seal(w))
        return false;
    pys_aead_free(w->aead);
    w->aead = pys_aead_new(w->suite->aead, w->secret, false);
    return w->aead != NULL;
}

/* ---- the clock ---- */

static const struct {
    act ready;
    act run;
} works[PYS_N_BENCH] = {
    [PYS_BENCH_SHARE] = {share_ready, share},
    [PYS_BENCH_RESPOND] = {share_ready, respond},
    [PYS_BENCH_SIGN] = {sign_ready, sign},
    [PYS_BENCH_VERIFY] = {sign_ready, verify},
    [PYS_BENCH_CHECK] = {sign_ready, check},
    [PYS_BENCH_HASH] = {hash_ready, hash},
    [PYS_BENCH_HMAC] = {hash_ready, hmac},
    [PYS_BENCH_KEY] = {seal_ready, rekey},
    [PYS_BENCH_SEAL] = {seal_ready, seal},
    [PYS_BENCH_OPEN] = {open_ready, open_sealed},
};

static int64_t
cpu_now(void)
{
    struct timespec now;

    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t
pys_bench(enum pys_bench what, unsigned id, pys_key *key, size_t n,
    size_t times)
{
    work *w = pys_alloc(sizeof(*w));
    bool ok = w != NULL && what < PYS_N_BENCH && id <= UINT16_MAX &&
        n <= ROOM - PYS_TAG_LEN;
    int64_t spent = -1;

    if (ok) {
        w->id = (uint16_t)id;
        w->n = n;
        w->key = key;
        w->suite = pys_suite_find(w->id);
        pys_buf_init(&w->ours, ROOM);
        pys_buf_init(&w->theirs, ROOM);
        ok = works[what].ready(w);
    }
    if (ok) {
        int64_t since = cpu_now();

        for (size_t i = 0; ok && i < times; i++)
            ok = works[what].run(w);
        spent = ok ? cpu_now() - since : -1;
    }
    if (w != NULL) {
        pys_hash_free(w->hash);
        pys_aead_free(w->aead);
        pys_buf_wipe(&w->ours);
        pys_buf_wipe(&w->theirs);
        pys_free_secret(w, sizeof(*w));
    }
    return spent;
}
