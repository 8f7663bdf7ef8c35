/*
 * The one place where libcrypto's types show through, for crypto/ and pki/
 * alone.
 */
#ifndef PYS_CRYPT_EVP_H
#define PYS_CRYPT_EVP_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "crypto/crypt_part.h"
#include "crypto/suite.h"

struct pys_key {
    EVP_PKEY *pkey;
    enum pys_key_type type;
    /* Begun by hash, PSS or not, to sign or to verify; or NULL. */
    _Atomic(EVP_MD_CTX *) ready[3 * 2 * 2];
    atomic_int refs;
#ifdef PYS_AWSLC
    _Atomic(struct pys_curve *) curve; /* the same key for AWS-LC, or NULL */
    atomic_bool stays;                 /* AWS-LC cannot have it */
#endif
};

/* Takes over pkey's reference also on failure; NULL if memory is short. */
PYS_MUST pys_key *pys_key_of(EVP_PKEY *pkey);

/*
 * Another library's signatures (crypto/awslc/crypt_export.c): false leaves the
 * key to EVP, else *ok is the outcome.
 */
#ifdef PYS_AWSLC
PYS_MUST bool pys_curve_signs(pys_key *k, const pys_scheme *s, pys_rd data,
    uint8_t *sig, size_t *n, bool *ok);
PYS_MUST bool pys_curve_verifies(pys_key *k, const pys_scheme *s, pys_rd data,
    pys_rd sig, bool *ok);
void pys_curve_drop(pys_key *k);
#else
static inline bool
pys_curve_signs(pys_key *k, const pys_scheme *s, pys_rd data, uint8_t *sig,
    size_t *n, bool *ok)
{
    (void)k, (void)s, (void)data, (void)sig, (void)n, (void)ok;
    return false;
}

static inline bool
pys_curve_verifies(pys_key *k, const pys_scheme *s, pys_rd data, pys_rd sig,
    bool *ok)
{
    (void)k, (void)s, (void)data, (void)sig, (void)ok;
    return false;
}

static inline void
pys_curve_drop(pys_key *k)
{
    (void)k;
}
#endif

#ifdef PYS_TEST
/* Keys from fixed private bytes, and an encapsulation with fixed ones. */
PYS_MUST EVP_PKEY *pys_test_ec_key(const char *name, const uint8_t *key,
    size_t n);
PYS_MUST EVP_PKEY *pys_test_kem_key(const char *name, const uint8_t *seed);
PYS_MUST bool pys_test_kem_begin(EVP_PKEY_CTX *ctx, const uint8_t *m);
#endif

#endif
