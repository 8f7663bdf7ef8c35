/*
 * The two kinds of halves that key shares are made of (crypt_share.c): the
 * Diffie-Hellman half that every group has, and the KEM half that the hybrid
 * has before it. Free of any library's types; crypt_half.c is over libcrypto,
 * awslc/crypt_half.c over AWS-LC.
 */
#ifndef PYS_CRYPT_HALF_H
#define PYS_CRYPT_HALF_H

#include "crypto/crypt_part.h"

enum {
    PYS_X25519_LEN = 32,
    PYS_KEM_PUBLIC_LEN = 1184, /* FIPS 203, table 3 */
    PYS_KEM_CIPHERTEXT_LEN = 1088,
    PYS_KEM_SECRET_LEN = 32,
    PYS_UNCOMPRESSED = 4 /* SEC 1, 2.3.3 */
};

bool pys_kem_has(void);

/* A private key: the library's, or X25519 in place. Its owner wipes it. */
typedef struct pys_half {
    void *key;
    uint8_t private[PYS_X25519_LEN];
    uint8_t public[PYS_X25519_LEN];
} pys_half;

/* A fresh one for the group; h is to be wiped even if it fails. */
PYS_MUST bool pys_half_new(uint16_t group, pys_half *h);
void pys_half_wipe(pys_half *h);
/* The public half. */
PYS_MUST bool pys_half_write(uint16_t group, const pys_half *h, pys_wr *out);
/*
 * The secret, and its length, with a peer's public half. False, unless
 * *internal is set, is the peer's fault.
 */
PYS_MUST bool pys_half_derive(uint16_t group, const pys_half *h, pys_rd peer,
    uint8_t *secret, size_t *n, bool *internal);

/* A decapsulation key of ML-KEM-768. */
typedef struct pys_kem pys_kem;

PYS_MUST pys_kem *pys_kem_new(void);
void pys_kem_free(pys_kem *kem); /* NULL is fine */
PYS_MUST bool pys_kem_write(pys_kem *kem, pys_wr *out);
/* ciphertext is as long as it has to be. */
PYS_MUST bool pys_kem_open(pys_kem *kem, pys_rd ciphertext, uint8_t *secret);
/*
 * A secret, and its ciphertext for a client's key, which is as long as it has
 * to be. False, unless *internal is set, is the client's fault.
 */
PYS_MUST bool pys_kem_respond(pys_rd public, uint8_t *ciphertext,
    uint8_t *secret, bool *internal);

/* After a failure: what a library said of it for nobody is dropped. */
void pys_half_failed(void);

#endif
