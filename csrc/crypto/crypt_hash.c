/*
 * Hashes, HMAC (RFC 2104), HKDF (RFC 5869) with the labels of TLS 1.3
 * (RFC 8446 7.1), and random bytes.
 *
 * HMAC is two digests that have had the key's blocks, and go on from there
 * at each use: libcrypto's own MAC objects cost several times the hashing
 * itself for the short inputs that TLS has.
 */
#ifdef PYS_AWSLC
#include "crypto/awslc/crypt_digest.h"
#else
#include "crypto/crypt_digest.h"
#endif

enum {
    BLOCK_MAX = 128,  /* block of SHA-384 */
    BLOCK_STATE = PYS_HMAC_STATE_LEN / 2,
    LABEL_MAX = 249,  /* a label has 255 bytes with its prefix */
    CONTEXT_MAX = 255,
    INFO_MAX = 2 + 1 + 255 + 1 + CONTEXT_MAX,
    EXPAND_ROUNDS = 255 /* RFC 5869 2.3 */
};

typedef struct hash_kind {
    size_t len;
    size_t block;
} hash_kind;

static const hash_kind kinds[PYS_N_HASHES] = {
    [PYS_SHA256] = {.len = 32, .block = 64},
    [PYS_SHA384] = {.len = 48, .block = 128},
};

static uint8_t nothing[PYS_COUNT(kinds)][PYS_HASH_MAX];

struct pys_hash {
    pys_digest running;
    enum pys_hash_alg alg;
    /* The key of the last HMAC and what its blocks left, once it has one. */
    bool keyed;
    enum pys_hash_alg key_alg;
    size_t n_key;
    uint8_t key[BLOCK_MAX];
    pys_block inner;
    pys_block outer;
};

bool
pys_hash_start(void)
{
    pys_hash *h = pys_digest_start() ? pys_hash_new() : NULL;
    bool ok = h != NULL;

    for (size_t i = 0; ok && i < PYS_COUNT(kinds); i++)
        ok = pys_hash_begin(h, (enum pys_hash_alg)i) &&
            pys_hash_end(h, nothing[i]);
    pys_hash_free(h);
    return ok;
}

size_t
pys_hash_len(enum pys_hash_alg alg)
{
    return kinds[alg].len;
}

const uint8_t *
pys_hash_of_nothing(enum pys_hash_alg alg)
{
    return nothing[alg];
}

pys_hash *
pys_hash_new(void)
{
    pys_hash *h = pys_alloc(sizeof(*h));

    if (h == NULL)
        return NULL;
    if (!pys_digest_make(&h->running)) {
        pys_hash_free(h);
        return NULL;
    }
    return h;
}

void
pys_hash_free(pys_hash *h)
{
    if (h == NULL)
        return;
    pys_digest_drop(&h->running);
    pys_block_drop(&h->inner);
    pys_block_drop(&h->outer);
    pys_free_secret(h, sizeof(*h));
}

bool
pys_hash_begin(pys_hash *h, enum pys_hash_alg alg)
{
    h->alg = alg;
    return pys_digest_begin(&h->running, alg);
}

bool
pys_hash_add(pys_hash *h, pys_rd bytes)
{
    return bytes.n == 0 || pys_digest_add(&h->running, h->alg, bytes);
}

bool
pys_hash_end(pys_hash *h, uint8_t *out)
{
    return pys_digest_end(&h->running, h->alg, out);
}

bool
pys_hash_peek(pys_hash *h, pys_hash *scratch, uint8_t *out)
{
    return pys_hash_fork(h, scratch) && pys_hash_end(scratch, out);
}

bool
pys_hash_fork(const pys_hash *h, pys_hash *to)
{
    to->alg = h->alg;
    return pys_digest_copy(&to->running, h->alg, &h->running);
}

/* Gives both passes of RFC 2104 the key, which stands in a whole block. */
static bool
passes_begin(pys_hash *h, enum pys_hash_alg alg)
{
    size_t n = kinds[alg].block;
    uint8_t pad[BLOCK_MAX];
    bool ok;

    for (size_t i = 0; i < BLOCK_MAX; i++)
        pad[i] = h->key[i] ^ 0x36;
    ok = pys_block_begin(&h->inner, &h->running, alg, pys_rd_of(pad, n));
    for (size_t i = 0; i < BLOCK_MAX; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    ok = ok && pys_block_begin(&h->outer, &h->running, alg, pys_rd_of(pad, n));
    pys_wipe(pad, sizeof(pad));
    return ok;
}

static bool
keyed_with(const pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    return h->keyed && h->key_alg == alg && h->n_key == key.n &&
        pys_same(h->key, key.p, key.n);
}

/* The key is no longer than a block, the rest of which is zeros. */
static void
key_keep(pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    pys_wipe(h->key, sizeof(h->key));
    if (key.n != 0)
        memcpy(h->key, key.p, key.n);
    h->key_alg = alg;
    h->n_key = key.n;
}

/*
 * Gives both passes the key, unless they have it: the key schedule derives
 * several labels from one key, whose two blocks are half of the work.
 */
static bool
hmac_key(pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    if (keyed_with(h, alg, key))
        return true;
    key_keep(h, alg, key);
    h->keyed = passes_begin(h, alg);
    return h->keyed;
}

/* RFC 2104 2: a key that is longer than a block is hashed first. */
static bool
hmac_long_key(pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    uint8_t digest[PYS_HASH_MAX];
    bool ok;

    ok = pys_hash_begin(h, alg) && pys_hash_add(h, key) &&
        pys_hash_end(h, digest) &&
        hmac_key(h, alg, pys_rd_of(digest, kinds[alg].len));
    pys_wipe(digest, sizeof(digest));
    return ok;
}

bool
pys_hmac_prime(pys_hash *scratch, const pys_hash *from)
{
    scratch->keyed = pys_block_copy(&scratch->inner, &from->inner) &&
        pys_block_copy(&scratch->outer, &from->outer);
    scratch->key_alg = from->key_alg;
    scratch->n_key = from->n_key;
    memcpy(scratch->key, from->key, sizeof(scratch->key));
    return scratch->keyed;
}

bool
pys_hmac_save(const pys_hash *from, enum pys_hash_alg alg, pys_rd key,
    uint8_t state[PYS_HMAC_STATE_LEN])
{
    return keyed_with(from, alg, key) && pys_block_save(&from->inner, state) &&
        pys_block_save(&from->outer, state + BLOCK_STATE);
}

void
pys_hmac_load(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key,
    const uint8_t state[PYS_HMAC_STATE_LEN])
{
    key_keep(scratch, alg, key);
    scratch->keyed = pys_block_load(&scratch->inner, state) &&
        pys_block_load(&scratch->outer, state + BLOCK_STATE);
}

bool
pys_hmac(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key, pys_rd data,
    uint8_t *out)
{
    pys_digest *d = &scratch->running;
    uint8_t inner[PYS_HASH_MAX];
    bool ok;

    ok = (key.n > kinds[alg].block ? hmac_long_key(scratch, alg, key) :
                                     hmac_key(scratch, alg, key)) &&
        pys_digest_close(d, alg, &scratch->inner, data, inner) &&
        pys_digest_close(d, alg, &scratch->outer,
            pys_rd_of(inner, kinds[alg].len), out);
    pys_wipe(inner, sizeof(inner));
    return ok;
}

bool
pys_hkdf_extract(pys_hash *scratch, enum pys_hash_alg alg, pys_rd salt,
    pys_rd ikm, uint8_t *out)
{
    /* HMAC fills a short key with zeros, so an empty salt needs no word. */
    return pys_hmac(scratch, alg, salt, ikm, out);
}

/*
 * RFC 5869 2.3: T(i) = HMAC(prk, T(i - 1) | info | i). The last byte of info
 * is the place of i, and a hash in front of info that of T(i - 1).
 */
static bool
expand(pys_hash *scratch, enum pys_hash_alg alg, const uint8_t *prk,
    uint8_t *info, size_t n_info, uint8_t *out, size_t n)
{
    size_t len = kinds[alg].len;
    pys_rd text = pys_rd_of(info, n_info);
    uint8_t last[PYS_HASH_MAX];
    bool ok = n <= EXPAND_ROUNDS * len;

    info[n_info - 1] = 1;
    while (ok && n > len) {
        ok = pys_hmac(scratch, alg, pys_rd_of(prk, len), text, out);
        memcpy(info - len, out, len);
        text = pys_rd_of(info - len, len + n_info);
        info[n_info - 1]++;
        out += len;
        n -= len;
    }
    ok = ok &&
        pys_hmac(scratch, alg, pys_rd_of(prk, len), text,
            n < len ? last : out);
    if (ok && n < len) {
        memcpy(out, last, n);
        pys_wipe(last, sizeof(last));
    }
    if (text.n != n_info)
        pys_wipe(info - len, len);
    return ok;
}

bool
pys_hkdf_expand(pys_hash *scratch, enum pys_hash_alg alg, const uint8_t *prk,
    pys_rd info, pys_buf *out, size_t n)
{
    size_t n_text = PYS_HASH_MAX + info.n + 1;
    uint8_t *text = pys_alloc(n_text);
    bool ok = text != NULL && pys_buf_reserve(out, n);

    if (ok) {
        if (info.n != 0)
            memcpy(text + PYS_HASH_MAX, info.p, info.n);
        ok = expand(scratch, alg, prk, text + PYS_HASH_MAX, info.n + 1,
            pys_buf_tail(out), n);
    }
    if (ok)
        pys_buf_added(out, n);
    pys_free(text);
    return ok;
}

bool
pys_expand_label(pys_hash *scratch, const pys_label *what, uint8_t *out,
    size_t n)
{
    static const uint8_t prefix[] = {'t', 'l', 's', '1', '3', ' '};
    uint8_t text[PYS_HASH_MAX + INFO_MAX + 1];
    uint8_t *info = text + PYS_HASH_MAX;
    uint8_t *at = info + 3;

    if (what->n_label > LABEL_MAX || what->context.n > CONTEXT_MAX ||
        n > UINT16_MAX)
        return false;
    pys_put_u16(info, (unsigned)n);
    info[2] = (uint8_t)(sizeof(prefix) + what->n_label);
    memcpy(at, prefix, sizeof(prefix));
    at += sizeof(prefix);
    memcpy(at, what->label, what->n_label);
    at += what->n_label;
    *at++ = (uint8_t)what->context.n;
    if (what->context.n != 0)
        memcpy(at, what->context.p, what->context.n);
    at += what->context.n + 1;
    return expand(scratch, what->alg, what->secret, info, (size_t)(at - info),
        out, n);
}

bool
pys_random(uint8_t *out, size_t n)
{
#ifdef PYS_TEST
    size_t taken = pys_test_take_random(out, n);

    out += taken;
    n -= taken;
#endif
    return n == 0 || pys_digest_random(out, n);
}
