/*
 * What crypt_hash.c stands on, over AWS-LC (see crypto/crypt_digest.h). A
 * digest is a plain struct in place, so nothing is allocated, and what a
 * block leaves behind is the chaining value alone.
 */
#ifndef PYS_CRYPT_DIGEST_H
#define PYS_CRYPT_DIGEST_H

#include <awslc/rand.h>
#include <awslc/sha.h>

#include "crypto/awslc/crypt_fork.h"
#include "crypto/crypt_part.h"

typedef union pys_digest {
    SHA256_CTX sha256;
    SHA512_CTX sha384;
} pys_digest;

typedef union pys_block {
    uint32_t sha256[SHA256_DIGEST_LENGTH / sizeof(uint32_t)];
    uint64_t sha384[SHA512_DIGEST_LENGTH / sizeof(uint64_t)];
} pys_block;

static inline bool
pys_digest_start(void)
{
    return pys_fork_start();
}

static inline PYS_MUST bool
pys_digest_make(pys_digest *d)
{
    (void)d;
    return true;
}

/* Its owner wipes it. */
static inline void
pys_digest_drop(pys_digest *d)
{
    (void)d;
}

static inline PYS_MUST bool
pys_digest_begin(pys_digest *d, enum pys_hash_alg alg)
{
    return alg == PYS_SHA256 ? SHA256_Init(&d->sha256) == 1 :
                               SHA384_Init(&d->sha384) == 1;
}

static inline PYS_MUST bool
pys_digest_add(pys_digest *d, enum pys_hash_alg alg, pys_rd bytes)
{
    return alg == PYS_SHA256 ?
        SHA256_Update(&d->sha256, bytes.p, bytes.n) == 1 :
        SHA384_Update(&d->sha384, bytes.p, bytes.n) == 1;
}

static inline PYS_MUST bool
pys_digest_end(pys_digest *d, enum pys_hash_alg alg, uint8_t *out)
{
    return alg == PYS_SHA256 ? SHA256_Final(out, &d->sha256) == 1 :
                               SHA384_Final(out, &d->sha384) == 1;
}

static inline PYS_MUST bool
pys_digest_copy(pys_digest *to, enum pys_hash_alg alg, const pys_digest *from)
{
    if (alg == PYS_SHA256)
        to->sha256 = from->sha256;
    else
        to->sha384 = from->sha384;
    return true;
}

static inline void
pys_block_drop(pys_block *b)
{
    (void)b;
}

static inline PYS_MUST bool
pys_block_save(const pys_block *b, uint8_t out[sizeof(pys_block)])
{
    _Static_assert(2 * sizeof(*b) == PYS_HMAC_STATE_LEN, "two make a state");
    memcpy(out, b, sizeof(*b));
    return true;
}

static inline PYS_MUST bool
pys_block_load(pys_block *b, const uint8_t in[sizeof(pys_block)])
{
    memcpy(b, in, sizeof(*b));
    return true;
}

/* bytes are a block of the hash; d is in use until it returns. */
static inline PYS_MUST bool
pys_block_begin(pys_block *b, pys_digest *d, enum pys_hash_alg alg,
    pys_rd bytes)
{
    if (!pys_digest_begin(d, alg))
        return false;
    if (alg == PYS_SHA256) {
        SHA256_Transform(&d->sha256, bytes.p);
        memcpy(b->sha256, d->sha256.h, sizeof(b->sha256));
    } else {
        SHA512_Transform(&d->sha384, bytes.p);
        memcpy(b->sha384, d->sha384.h, sizeof(b->sha384));
    }
    return true;
}

static inline PYS_MUST bool
pys_block_copy(pys_block *to, const pys_block *from)
{
    *to = *from;
    return true;
}

/* The counts are of bits. */
static inline PYS_MUST bool
pys_digest_close(pys_digest *d, enum pys_hash_alg alg, const pys_block *b,
    pys_rd bytes, uint8_t *out)
{
    if (alg == PYS_SHA256) {
        memcpy(d->sha256.h, b->sha256, sizeof(d->sha256.h));
        d->sha256.Nl = 8 * SHA256_CBLOCK;
        d->sha256.Nh = 0;
        d->sha256.num = 0;
        d->sha256.md_len = SHA256_DIGEST_LENGTH;
    } else {
        memcpy(d->sha384.h, b->sha384, sizeof(d->sha384.h));
        d->sha384.Nl = 8 * SHA384_CBLOCK;
        d->sha384.Nh = 0;
        d->sha384.num = 0;
        d->sha384.md_len = SHA384_DIGEST_LENGTH;
    }
    return (bytes.n == 0 || pys_digest_add(d, alg, bytes)) &&
        pys_digest_end(d, alg, out);
}

/* It ends the process rather than fail. */
static inline PYS_MUST bool
pys_digest_random(uint8_t *out, size_t n)
{
    bool ok;

    pys_draw_begin();
    ok = RAND_bytes(out, n) == 1;
    pys_draw_end();
    return ok;
}

#endif
