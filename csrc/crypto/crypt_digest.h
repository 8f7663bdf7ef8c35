/*
 * What crypt_hash.c stands on: libcrypto's digests and random bytes.
 * awslc/crypt_digest.h is the same over AWS-LC.
 */
#ifndef PYS_CRYPT_DIGEST_H
#define PYS_CRYPT_DIGEST_H

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "crypto/crypt_part.h"

/* A digest under way. */
typedef struct pys_digest {
    EVP_MD_CTX *ctx;
} pys_digest;

/*
 * A digest that has had one block, for good; it comes into being with its
 * first block.
 */
typedef struct pys_block {
    EVP_MD_CTX *ctx;
} pys_block;

static EVP_MD *pys_digests[PYS_N_HASHES];

static inline bool
pys_digest_start(void)
{
    static const char *const names[] = {"SHA256", "SHA384"};

    for (size_t i = 0; i < PYS_N_HASHES; i++) {
        pys_digests[i] = EVP_MD_fetch(NULL, names[i], NULL);
        if (pys_digests[i] == NULL)
            return false;
    }
    return true;
}

static inline PYS_MUST bool
pys_digest_make(pys_digest *d)
{
    d->ctx = EVP_MD_CTX_new();
    return d->ctx != NULL;
}

/* libcrypto erases what a context held. */
static inline void
pys_digest_drop(pys_digest *d)
{
    EVP_MD_CTX_free(d->ctx);
}

static inline PYS_MUST bool
pys_digest_begin(pys_digest *d, enum pys_hash_alg alg)
{
    return EVP_DigestInit_ex2(d->ctx, pys_digests[alg], NULL) == 1;
}

static inline PYS_MUST bool
pys_digest_add(pys_digest *d, enum pys_hash_alg alg, pys_rd bytes)
{
    (void)alg;
    return EVP_DigestUpdate(d->ctx, bytes.p, bytes.n) == 1;
}

static inline PYS_MUST bool
pys_digest_end(pys_digest *d, enum pys_hash_alg alg, uint8_t *out)
{
    (void)alg;
    return EVP_DigestFinal_ex(d->ctx, out, NULL) == 1;
}

static inline PYS_MUST bool
pys_digest_copy(pys_digest *to, enum pys_hash_alg alg, const pys_digest *from)
{
    (void)alg;
    return EVP_MD_CTX_copy_ex(to->ctx, from->ctx) == 1;
}

static inline void
pys_block_drop(pys_block *b)
{
    EVP_MD_CTX_free(b->ctx);
}

/* libcrypto shows nobody what a context holds. */
static inline PYS_MUST bool
pys_block_save(const pys_block *b, uint8_t *out)
{
    (void)b;
    (void)out;
    return false;
}

static inline PYS_MUST bool
pys_block_load(pys_block *b, const uint8_t *in)
{
    (void)b;
    (void)in;
    return false;
}

/* bytes are a block of the hash; d may be used on the way. */
static inline PYS_MUST bool
pys_block_begin(pys_block *b, pys_digest *d, enum pys_hash_alg alg,
    pys_rd bytes)
{
    (void)d;
    if (b->ctx == NULL)
        b->ctx = EVP_MD_CTX_new();
    return b->ctx != NULL &&
        EVP_DigestInit_ex2(b->ctx, pys_digests[alg], NULL) == 1 &&
        EVP_DigestUpdate(b->ctx, bytes.p, bytes.n) == 1;
}

static inline PYS_MUST bool
pys_block_copy(pys_block *to, const pys_block *from)
{
    if (to->ctx == NULL)
        to->ctx = EVP_MD_CTX_new();
    return to->ctx != NULL && EVP_MD_CTX_copy_ex(to->ctx, from->ctx) == 1;
}

/* The digest of the block and the bytes behind it. */
static inline PYS_MUST bool
pys_digest_close(pys_digest *d, enum pys_hash_alg alg, const pys_block *b,
    pys_rd bytes, uint8_t *out)
{
    return EVP_MD_CTX_copy_ex(d->ctx, b->ctx) == 1 &&
        (bytes.n == 0 || pys_digest_add(d, alg, bytes)) &&
        pys_digest_end(d, alg, out);
}

static inline PYS_MUST bool
pys_digest_random(uint8_t *out, size_t n)
{
    return n <= INT_MAX && RAND_bytes(out, (int)n) == 1;
}

#endif
