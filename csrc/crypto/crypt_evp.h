/*
 * The one place where libcrypto's types show through, for crypto/ and pki/
 * alone.
 */
#ifndef PYS_CRYPT_EVP_H
#define PYS_CRYPT_EVP_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "crypto/crypt_part.h"

struct pys_key {
    EVP_PKEY *pkey;
    enum pys_key_type type;
    /* Begun by hash, PSS or not, to sign or to verify; or NULL. */
    _Atomic(EVP_MD_CTX *) ready[3 * 2 * 2];
    atomic_int refs;
};

/* Takes over pkey's reference also on failure; NULL if memory is short. */
PYS_MUST pys_key *pys_key_of(EVP_PKEY *pkey);

#ifdef PYS_TEST
/* Keys from fixed private bytes, and an encapsulation with fixed ones. */
PYS_MUST EVP_PKEY *pys_test_ec_key(const char *name, const uint8_t *key,
    size_t n);
PYS_MUST EVP_PKEY *pys_test_kem_key(const char *name, const uint8_t *seed);
PYS_MUST bool pys_test_kem_begin(EVP_PKEY_CTX *ctx, const uint8_t *m);
#endif

#endif
