/*
 * Hashes, HMAC (RFC 2104), HKDF (RFC 5869) with the labels of TLS 1.3
 * (RFC 8446 7.1), and random bytes.
 *
 * HMAC is two passes of one digest context: libcrypto's own MAC objects cost
 * several times the hashing itself for the short inputs that TLS has.
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

struct pys_hash {
    EVP_MD_CTX *ctx;
    enum pys_hash_alg alg;
};

bool
pys_hash_start(void)
{
    for (size_t i = 0; i < PYS_COUNT(kinds); i++) {
        fetched[i] = EVP_MD_fetch(NULL, kinds[i].name, NULL);
        if (fetched[i] == NULL)
            return false;
    }
    return true;
}

size_t
pys_hash_len(enum pys_hash_alg alg)
{
    return kinds[alg].len;
}

pys_hash *
pys_hash_new(void)
{
    pys_hash *h = pys_alloc(sizeof(*h));

    if (h == NULL)
        return NULL;
    h->ctx = EVP_MD_CTX_new();
    if (h->ctx == NULL) {
        pys_free(h);
        return NULL;
    }
    return h;
}

void
pys_hash_free(pys_hash *h)
{
    if (h == NULL)
        return;
    EVP_MD_CTX_free(h->ctx);
    pys_free(h);
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

/* Fills pad with the key for the inner pass and begins that pass. */
static bool
hmac_begin(pys_hash *h, enum pys_hash_alg alg, pys_rd key, uint8_t *pad)
{
    size_t block = kinds[alg].block;

    pys_zero(pad, block);
    if (key.n > block) {
        if (!pys_hash_begin(h, alg) || !pys_hash_add(h, key) ||
            !pys_hash_end(h, pad))
            return false;
    } else if (key.n != 0) {
        memcpy(pad, key.p, key.n);
    }
    for (size_t i = 0; i < block; i++)
        pad[i] ^= 0x36;
    return pys_hash_begin(h, alg) && pys_hash_add(h, pys_rd_of(pad, block));
}

/*
 * Ends the inner pass and does the outer one. pad is again as after
 * hmac_begin then. The last begin erases the result from the context.
 */
static bool
hmac_end(pys_hash *h, enum pys_hash_alg alg, uint8_t *pad, uint8_t *out)
{
    size_t block = kinds[alg].block;
    uint8_t inner[PYS_HASH_MAX];
    bool ok;

    for (size_t i = 0; i < block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    ok = pys_hash_end(h, inner) && pys_hash_begin(h, alg) &&
        pys_hash_add(h, pys_rd_of(pad, block)) &&
        pys_hash_add(h, pys_rd_of(inner, kinds[alg].len)) &&
        pys_hash_end(h, out) && pys_hash_begin(h, alg);
    for (size_t i = 0; i < block; i++)
        pad[i] ^= 0x36 ^ 0x5c;
    pys_wipe(inner, sizeof(inner));
    return ok;
}

bool
pys_hmac(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key, pys_rd data,
    uint8_t *out)
{
    uint8_t pad[BLOCK_MAX];
    bool ok;

    ok = hmac_begin(scratch, alg, key, pad) && pys_hash_add(scratch, data) &&
        hmac_end(scratch, alg, pad, out);
    pys_wipe(pad, sizeof(pad));
    return ok;
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
    uint8_t pad[BLOCK_MAX];
    uint8_t block[PYS_HASH_MAX];
    size_t done = 0;
    bool ok = n <= EXPAND_ROUNDS * len;

    for (uint8_t i = 1; ok && done < n; i++) {
        size_t part = n - done < len ? n - done : len;

        ok = hmac_begin(scratch, alg, key, pad) &&
            pys_hash_add(scratch, last) && pys_hash_add(scratch, info) &&
            pys_hash_add(scratch, pys_rd_of(&i, 1)) &&
            hmac_end(scratch, alg, pad, block);
        if (ok)
            memcpy(out + done, block, part);
        last = pys_rd_of(block, len);
        done += part;
    }
    pys_wipe(pad, sizeof(pad));
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
