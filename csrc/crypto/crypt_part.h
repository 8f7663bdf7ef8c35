/*
 * What the parts of crypto/ owe each other, free of any library's types: a
 * part may come from another library than the rest.
 */
#ifndef PYS_CRYPT_PART_H
#define PYS_CRYPT_PART_H

#include "crypto/crypt.h"

/* The parts of pys_crypt_start, one a file. */
PYS_MUST bool pys_hash_start(void);
PYS_MUST bool pys_aead_start(void);
PYS_MUST bool pys_cbc_start(void);
PYS_MUST bool pys_share_start(void);
PYS_MUST bool pys_sign_start(void);

/* pys_verify by libcrypto, which checks a chain's links whoever is there. */
PYS_MUST bool pys_verify_link(pys_key *k, uint16_t scheme, pys_rd data,
    pys_rd sig);

#ifdef PYS_TEST
enum { PYS_TEST_KEM_SEED_LEN = 64, PYS_TEST_KEM_RANDOM_LEN = 32 };

/* Takes bytes put by pys_test_put_random: how many of n there were. */
size_t pys_test_take_random(uint8_t *out, size_t n);
/* Takes the next n bytes put for the group; false if there are fewer. */
PYS_MUST bool pys_test_take_share(uint16_t group, uint8_t *out, size_t n);
#endif

#endif
