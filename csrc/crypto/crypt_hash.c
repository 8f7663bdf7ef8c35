/*
 * Hashes, HMAC (RFC 2104), HKDF (RFC 5869) with the labels of TLS 1.3
 * (RFC 8446 7.1), and random bytes.
 *
 * HMAC is two digest contexts begun with the key, copied for each use:
 * libcrypto's own MAC objects cost several times the hashing itself for the
 * short inputs that TLS has.
 */
#include "crypto/crypt_evp.h"

#include <limits.h>
#include <openssl/rand.h>

enum {
    BLOCK_MAX = 128,    /* block of SHA-384 */
    LABEL_MAX = 249,    /* a label has 255 bytes with its prefix */
    CONTEXT_MAX = 255,
    INFO_MAX = 2 + 1 + 255 + 1 + CONTEXT_MAX,
    EXPAND_ROUNDS = 255 /* RFC 5869 2.3 */
};

typedef struct hash_kind {
    const char *name;
    size_t len;
    size_t block;
} hash_kind;

static const hash_kind kinds[] = {
    [PYS_SHA256] = {.name = "SHA256", .len = 32, .block = 64},
    [PYS_SHA384] = {.name = "SHA384", .len = 48, .block = 128},
};

static EVP_MD *fetched[PYS_COUNT(kinds)];
static uint8_t nothing[PYS_COUNT(kinds)][PYS_HASH_MAX];

struct pys_hash {
    EVP_MD_CTX *ctx;
    enum pys_hash_alg alg;
    /* The key of the last HMAC, and its two passes begun, once there is one. */
    bool keyed;
    enum pys_hash_alg key_alg;
    size_t n_key;
    uint8_t key[BLOCK_MAX];
    EVP_MD_CTX *inner;
    EVP_MD_CTX *outer;
};

bool
pys_hash_start(void)
{
    for (size_t i = 0; i < PYS_COUNT(kinds); i++) {
        fetched[i] = EVP_MD_fetch(NULL, kinds[i].name, NULL);
        if (fetched[i] == NULL ||
            EVP_Digest(NULL, 0, nothing[i], NULL, fetched[i], NULL) != 1)
            return false;
    }
    return true;
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
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx == NULL) {
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
    /* libcrypto erases what a context held. */
    EVP_MD_CTX_free(h->ctx);
    EVP_MD_CTX_free(h->inner);
    EVP_MD_CTX_free(h->outer);
    pys_free_secret(h, sizeof(*h));
}

bool
pys_hash_begin(pys_hash *h, enum pys_hash_alg alg)
{
    h->alg = alg;
    return EVP_DigestInit_ex2(h->ctx, fetched[alg], NULL) == 1;
}

bool
pys_hash_add(pys_hash *h, pys_rd bytes)
{
    return bytes.n == 0 || EVP_DigestUpdate(h->ctx, bytes.p, bytes.n) == 1;
}

bool
pys_hash_end(pys_hash *h, uint8_t *out)
{
    return EVP_DigestFinal_ex(h->ctx, out, NULL) == 1;
}

bool
pys_hash_peek(pys_hash *h, pys_hash *scratch, uint8_t *out)
{
    scratch->alg = h->alg;
    return EVP_MD_CTX_copy_ex(scratch->ctx, h->ctx) == 1 &&
        pys_hash_end(scratch, out);
}

bool
pys_hash_fork(const pys_hash *h, pys_hash *to)
{
    to->alg = h->alg;
    return EVP_MD_CTX_copy_ex(to->ctx, h->ctx) == 1;
}

/* Begins one of the two passes of RFC 2104 with the key in a whole block. */
static bool
pass_begin(EVP_MD_CTX *ctx, enum pys_hash_alg alg, const uint8_t *block,
    uint8_t with)
{
    uint8_t pad[BLOCK_MAX];
    bool ok;

    for (size_t i = 0; i < BLOCK_MAX; i++)
        pad[i] = block[i] ^ with;
    ok = EVP_DigestInit_ex2(ctx, fetched[alg], NULL) == 1 &&
        EVP_DigestUpdate(ctx, pad, kinds[alg].block) == 1;
    pys_wipe(pad, sizeof(pad));
    return ok;
}

static bool
passes_made(pys_hash *h)
{
    if (h->inner == NULL)
        h->inner = EVP_MD_CTX_new();
    if (h->outer == NULL)
        h->outer = EVP_MD_CTX_new();
    return h->inner != NULL && h->outer != NULL;
}

static bool
keyed_with(const pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    return h->keyed && h->key_alg == alg && h->n_key == key.n &&
        pys_same(h->key, key.p, key.n);
}

/*
 * Begins both passes with the key, unless they are: the key schedule derives
 * several labels from one key, whose two blocks are half of the work.
 */
static bool
hmac_key(pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    uint8_t digest[PYS_HASH_MAX];
    bool ok = true;

    if (key.n > kinds[alg].block) {
        ok = pys_hash_begin(h, alg) && pys_hash_add(h, key) &&
            pys_hash_end(h, digest);
        key = pys_rd_of(digest, kinds[alg].len);
    }
    if (ok && !keyed_with(h, alg, key)) {
        pys_wipe(h->key, sizeof(h->key));
        if (key.n != 0)
            memcpy(h->key, key.p, key.n);
        ok = passes_made(h) && pass_begin(h->inner, alg, h->key, 0x36) &&
            pass_begin(h->outer, alg, h->key, 0x5c);
        h->keyed = ok;
        h->key_alg = alg;
        h->n_key = key.n;
    }
    pys_wipe(digest, sizeof(digest));
    return ok;
}

bool
pys_hmac_prime(pys_hash *scratch, const pys_hash *from)
{
    scratch->keyed = passes_made(scratch) &&
        EVP_MD_CTX_copy_ex(scratch->inner, from->inner) == 1 &&
        EVP_MD_CTX_copy_ex(scratch->outer, from->outer) == 1;
    scratch->key_alg = from->key_alg;
    scratch->n_key = from->n_key;
    memcpy(scratch->key, from->key, sizeof(scratch->key));
    return scratch->keyed;
}

static bool
hmac_begin(pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    h->alg = alg;
    return hmac_key(h, alg, key) && EVP_MD_CTX_copy_ex(h->ctx, h->inner) == 1;
}

static bool
hmac_end(pys_hash *h, uint8_t *out)
{
    uint8_t inner[PYS_HASH_MAX];
    bool ok;

    ok = pys_hash_end(h, inner) && EVP_MD_CTX_copy_ex(h->ctx, h->outer) == 1 &&
        pys_hash_add(h, pys_rd_of(inner, kinds[h->alg].len)) &&
        pys_hash_end(h, out);
    pys_wipe(inner, sizeof(inner));
    return ok;
}

bool
pys_hmac(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key, pys_rd data,
    uint8_t *out)
{
    return hmac_begin(scratch, alg, key) && pys_hash_add(scratch, data) &&
        hmac_end(scratch, out);
}

bool
pys_hkdf_extract(pys_hash *scratch, enum pys_hash_alg alg, pys_rd salt,
    pys_rd ikm, uint8_t *out)
{
    /* HMAC fills a short key with zeros, so an empty salt needs no word. */
    return pys_hmac(scratch, alg, salt, ikm, out);
}

/* RFC 5869 2.3: T(i) = HMAC(prk, T(i - 1) | info | i). */
static bool
expand(pys_hash *scratch, enum pys_hash_alg alg, const uint8_t *prk,
    pys_rd info, uint8_t *out, size_t n)
{
    size_t len = kinds[alg].len;
    pys_rd key = pys_rd_of(prk, len);
    pys_rd last = pys_rd_of(NULL, 0);
    uint8_t block[PYS_HASH_MAX];
    size_t done = 0;
    bool ok = n <= EXPAND_ROUNDS * len;

    for (uint8_t i = 1; ok && done < n; i++) {
        size_t part = n - done < len ? n - done : len;

        ok = hmac_begin(scratch, alg, key) && pys_hash_add(scratch, last) &&
            pys_hash_add(scratch, info) &&
            pys_hash_add(scratch, pys_rd_of(&i, 1)) &&
            hmac_end(scratch, block);
        if (ok)
            memcpy(out + done, block, part);
        last = pys_rd_of(block, len);
        done += part;
    }
    pys_wipe(block, sizeof(block));
    return ok;
}

bool
pys_hkdf_expand(pys_hash *scratch, enum pys_hash_alg alg, const uint8_t *prk,
    pys_rd info, pys_buf *out, size_t n)
{
    if (!pys_buf_reserve(out, n) ||
        !expand(scratch, alg, prk, info, pys_buf_tail(out), n))
        return false;
    pys_buf_added(out, n);
    return true;
}

bool
pys_expand_label(pys_hash *scratch, const pys_label *what, uint8_t *out,
    size_t n)
{
    uint8_t room[INFO_MAX];
    /* Room of its own from the start: this buffer never allocates. */
    pys_buf info = {.data = room, .cap = sizeof(room), .limit = sizeof(room)};
    pys_wr w = pys_wr_to(&info);
    size_t at;

    if (what->n_label > LABEL_MAX || what->context.n > CONTEXT_MAX ||
        n > UINT16_MAX)
        return false;
    pys_wr_u16(&w, (unsigned)n);
    at = pys_wr_open8(&w);
    pys_wr_bytes(&w, "tls13 ", 6);
    pys_wr_bytes(&w, what->label, what->n_label);
    pys_wr_close8(&w, at);
    pys_wr_vec8(&w, what->context);
    return pys_wr_ok(&w) &&
        expand(scratch, what->alg, what->secret, pys_rd_buf(&info), out, n);
}

bool
pys_random(uint8_t *out, size_t n)
{
#ifdef PYS_TEST
    size_t taken = pys_test_take_random(out, n);

    out += taken;
    n -= taken;
#endif
    return n <= INT_MAX && (n == 0 || RAND_bytes(out, (int)n) == 1);
}
