/*
 * Our own certificate chain and key, one for each type of key (CERT-3).
 */
#ifndef PYS_IDENTITY_H
#define PYS_IDENTITY_H

#include "base/fault.h"
#include "crypto/crypt.h"
#include "pki/cert.h"

/* A slot: leaf, key, chain. All may be missing. */
typedef struct pys_identity {
    pys_cert *leaf;
    pys_key *key;
    unsigned signer; /* who signs with a key that is not here; 0: nobody */
    pys_cert **chain; /* without the leaf, sending order */
    size_t n_chain;
} pys_identity;

enum { PYS_CHAIN_MAX = 32 };

/* Every slot, the current one, and the chain for leaves without one. */
typedef struct pys_identities {
    pys_identity slot[PYS_N_KEY_TYPES];
    int current; /* slot of what was loaded last, -1: none */
    pys_cert **extra;
    size_t n_extra;
} pys_identities;

void pys_identities_init(pys_identities *ids);
void pys_identities_wipe(pys_identities *ids);
/* Shares all objects by reference; to is empty before. */
PYS_MUST bool pys_identities_copy(pys_identities *to,
    const pys_identities *from);

/* CERT-3, CERT-4, CERT-5, CERT-6, CERT-10; codes in f on failure. */
PYS_MUST bool pys_identities_use_cert(pys_identities *ids, pys_cert *c,
    pys_fault *f);
PYS_MUST bool pys_identities_use_key(pys_identities *ids, pys_key *k,
    pys_fault *f);
PYS_MUST bool pys_identities_check(const pys_identities *ids, pys_fault *f);
PYS_MUST bool pys_identities_add_chain(pys_identities *ids, pys_cert *c,
    pys_fault *f);
PYS_MUST bool pys_identities_clear_chain(pys_identities *ids, pys_fault *f);
PYS_MUST bool pys_identities_add_extra(pys_identities *ids, pys_cert *c,
    pys_fault *f);

/* The application signs for the certificate loaded last; no key is kept. */
PYS_MUST bool pys_identities_use_signer(pys_identities *ids, unsigned signer,
    pys_fault *f);
/* The key, or the public part of one that is not here. */
pys_key *pys_identity_key(const pys_identity *id);

/* True if the slot has both a certificate and who signs for it. */
static inline bool
pys_identity_whole(const pys_identity *id)
{
    return id->leaf != NULL && (id->key != NULL || id->signer != 0);
}

#endif
