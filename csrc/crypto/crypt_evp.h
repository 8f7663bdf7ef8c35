/*
 * The one place where libcrypto's types show through, for crypto/ and pki/
 * alone.
 */
#ifndef PYS_CRYPT_EVP_H
#define PYS_CRYPT_EVP_H

#include <openssl/evp.h>
#include <stdatomic.h>

#include "crypto/crypt.h"

struct pys_key {
    EVP_PKEY *pkey;
    enum pys_key_type type;
    /* Begun by hash, PSS or not, to sign or to verify; or NULL. */
    _Atomic(EVP_MD_CTX *) ready[3 * 2 * 2];
    atomic_int refs;
};

/* Takes over pkey's reference also on failure; NULL if memory is short. */
PYS_MUST pys_key *pys_key_of(EVP_PKEY *pkey);

/* The parts of pys_crypt_start, one a file. */
PYS_MUST bool pys_hash_start(void);
PYS_MUST bool pys_aead_start(void);
PYS_MUST bool pys_cbc_start(void);
PYS_MUST bool pys_share_start(void);
PYS_MUST bool pys_sign_start(void);

#ifdef PYS_TEST
enum { PYS_TEST_KEM_SEED_LEN = 64, PYS_TEST_KEM_RANDOM_LEN = 32 };

/* Takes bytes put by pys_test_put_random: how many of n there were. */
size_t pys_test_take_random(uint8_t *out, size_t n);
/* Takes the next n bytes put for the group; false if there are fewer. */
PYS_MUST bool pys_test_take_share(uint16_t group, uint8_t *out, size_t n);
/* Keys from fixed private bytes, and an encapsulation with fixed ones. */
PYS_MUST EVP_PKEY *pys_test_ec_key(const char *name, const uint8_t *key,
    size_t n);
PYS_MUST EVP_PKEY *pys_test_kem_key(const char *name, const uint8_t *seed);
PYS_MUST bool pys_test_kem_begin(EVP_PKEY_CTX *ctx, const uint8_t *m);
#endif

#endif
