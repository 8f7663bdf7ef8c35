/*
 * What the test build may fix: random bytes and private keys. Empty in the
 * shipped build.
 */
#include "crypto/crypt_evp.h"

#ifdef PYS_TEST
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>

enum { QUEUE_MAX = 4096, SHARES_MAX = 16, SHARE_MAX = 96 };

typedef struct share_bytes {
    uint16_t group;
    uint8_t bytes[SHARE_MAX];
    size_t off;
    size_t n;
} share_bytes;

static atomic_flag busy = ATOMIC_FLAG_INIT;
static uint8_t randoms[QUEUE_MAX];
static size_t n_randoms;
static share_bytes shares[SHARES_MAX];
static size_t n_shares;

static void
lock(void)
{
    while (atomic_flag_test_and_set(&busy))
        ;
}

static void
unlock(void)
{
    atomic_flag_clear(&busy);
}

void
pys_test_put_random(const uint8_t *p, size_t n)
{
    lock();
    if (n == 0) {
        n_randoms = 0;
    } else if (n <= QUEUE_MAX - n_randoms) {
        memcpy(randoms + n_randoms, p, n);
        n_randoms += n;
    }
    unlock();
}

size_t
pys_test_take_random(uint8_t *out, size_t n)
{
    lock();
    if (n > n_randoms)
        n = n_randoms;
    if (n != 0) {
        memcpy(out, randoms, n);
        memmove(randoms, randoms + n, n_randoms - n);
        n_randoms -= n;
    }
    unlock();
    return n;
}

/* Closes the gap of an entry that is used up. */
static void
share_drop(size_t i)
{
    n_shares--;
    memmove(&shares[i], &shares[i + 1], (n_shares - i) * sizeof(shares[0]));
}

void
pys_test_put_share(uint16_t group, const uint8_t *p, size_t n)
{
    lock();
    if (n == 0) {
        for (size_t i = n_shares; i-- > 0;) {
            if (shares[i].group == group)
                share_drop(i);
        }
    } else if (n <= SHARE_MAX && n_shares < SHARES_MAX) {
        share_bytes *s = &shares[n_shares++];

        *s = (share_bytes){.group = group, .n = n};
        memcpy(s->bytes, p, n);
    }
    unlock();
}

bool
pys_test_take_share(uint16_t group, uint8_t *out, size_t n)
{
    bool found = false;

    lock();
    for (size_t i = 0; i < n_shares && !found; i++) {
        share_bytes *s = &shares[i];

        if (s->group != group || n > s->n - s->off)
            continue;
        found = true;
        memcpy(out, s->bytes + s->off, n);
        s->off += n;
        if (s->off == s->n)
            share_drop(i);
    }
    unlock();
    return found;
}

/* The public point of a private number; its length, 0 on failure. */
static size_t
ec_public(const char *name, const BIGNUM *key, uint8_t *out, size_t max)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(EC_curve_nist2nid(name));
    EC_POINT *point = group != NULL ? EC_POINT_new(group) : NULL;
    size_t n = 0;

    if (point != NULL &&
        EC_POINT_mul(group, point, key, NULL, NULL, NULL) == 1)
        n = EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED,
            out, max, NULL);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return n;
}

static EVP_PKEY *
key_from(const char *type, OSSL_PARAM *fields)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;

    if (ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, fields) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

EVP_PKEY *
pys_test_ec_key(const char *name, const uint8_t *key, size_t n)
{
    BIGNUM *number = BN_bin2bn(key, (int)n, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *fields = NULL;
    EVP_PKEY *pkey = NULL;
    uint8_t point[1 + 2 * PYS_SECRET_MAX];
    size_t n_point = 0;

    if (number != NULL && build != NULL)
        n_point = ec_public(name, number, point, sizeof(point));
    if (n_point != 0 &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME,
            name, 0) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
            n_point) == 1)
        fields = OSSL_PARAM_BLD_to_param(build);
    if (fields != NULL)
        pkey = key_from("EC", fields);
    OSSL_PARAM_free(fields);
    OSSL_PARAM_BLD_free(build);
    BN_clear_free(number);
    return pkey;
}

/* libcrypto 3.0 has no macros for the two names below. */
EVP_PKEY *
pys_test_kem_key(const char *name, const uint8_t *seed)
{
    uint8_t copy[PYS_TEST_KEM_SEED_LEN];
    OSSL_PARAM fields[] = {
        OSSL_PARAM_octet_string("seed", copy, sizeof(copy)), OSSL_PARAM_END};

    memcpy(copy, seed, sizeof(copy));
    return key_from(name, fields);
}

bool
pys_test_kem_begin(EVP_PKEY_CTX *ctx, const uint8_t *m)
{
    uint8_t copy[PYS_TEST_KEM_RANDOM_LEN];
    OSSL_PARAM settings[] = {
        OSSL_PARAM_octet_string("ikme", copy, sizeof(copy)), OSSL_PARAM_END};

    memcpy(copy, m, sizeof(copy));
    return EVP_PKEY_encapsulate_init(ctx, settings) == 1;
}
#endif
