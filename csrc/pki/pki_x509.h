/*
 * The one place where libcrypto's X509 types show through, for pki/ alone.
 */
#ifndef PYS_PKI_X509_H
#define PYS_PKI_X509_H

#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdatomic.h>

#include "pki/verify.h"

/*
 * Everything is worked out when the certificate is made, so that threads
 * only read it afterwards.
 */
struct pys_cert {
    X509 *x;
    uint8_t *der;
    size_t n_der;
    pys_key *key; /* NULL: not readable */
    uint16_t signed_with;
    int sig_bits; /* security of the signature; INT_MAX: not looked at */
    bool may_sign;
    bool self_issued;
    atomic_int refs;
};

struct pys_trust {
    X509_STORE *store;
    /*
     * Another number after each change, and never that of another store; 0:
     * what it says may change by itself (folders, revocation lists).
     */
    _Atomic uint64_t generation;
    atomic_int refs;
};

/*
 * A certificate of a decoded one, with a copy of its n bytes of DER. Takes
 * over x also on failure; NULL if memory is short.
 */
PYS_MUST pys_cert *pys_cert_of(X509 *x, const uint8_t *der, size_t n);

/*
 * The certificate with exactly this DER, a new reference, if it was decoded
 * lately; else NULL.
 */
PYS_MUST pys_cert *pys_cert_seen(const uint8_t *der, size_t n);
/* Keeps a reference until others drive it out. */
void pys_cert_remember(pys_cert *c);
/* Drops what was remembered. */
void pys_cert_forget_all(void);

/*
 * All that a verification's outcome hangs on, but for the time. What has no
 * fixed size, names and chain, is in the digest (SHA-256).
 */
typedef struct pys_chain_key {
    uint64_t generation;
    bool server;
    int depth;
    int security_level;
    unsigned host_flags;
    uint8_t digest[32];
} pys_chain_key;

/* How long a chain that passed is remembered at most. */
enum { PYS_CHAIN_SECONDS = 300 };

/* False: nothing is to be looked up or kept for this job. */
PYS_MUST bool pys_chain_key_of(const pys_verify_job *job, pys_chain_key *key);
/* Fills in the verdict if it is known; now is in milliseconds. */
PYS_MUST bool pys_chain_recall(const pys_chain_key *key, int64_t now,
    pys_verdict *v);
/*
 * Keeps a verdict of now, if it is a good one. All certificates of the path
 * are valid for PYS_CHAIN_SECONDS more.
 */
void pys_chain_remember(const pys_chain_key *key, int64_t now,
    const pys_verdict *v);
void pys_chain_forget_all(void);
#ifdef PYS_TEST
/* How many verdicts were known. */
long pys_chain_recalled(void);
#endif

/* NID of the hash that it was signed over, or NID_undef. */
int pys_x509_hash(X509 *x);

/* What a PEM text holds; counted and never changed. */
typedef struct pys_bundle {
    STACK_OF(X509) * certs;
    STACK_OF(X509_CRL) * crls;
    uint8_t digest[PYS_HASH_MAX]; /* of the text, if remembered */
    atomic_int refs;
} pys_bundle;

/*
 * Decodes all of it, or finds it among the texts decoded lately: a new
 * reference. NULL with codes in f; nothing found at all is no failure.
 */
PYS_MUST pys_bundle *pys_bundle_of(const uint8_t *p, size_t n, pys_fault *f);
void pys_bundle_free(pys_bundle *b);
void pys_bundle_forget_all(void);

/* Passphrase callback that never asks: an encrypted block fails. */
int pys_no_pass(char *buf, int size, int rwflag, void *u);

/* Records libcrypto's entries, or that memory is short if it left none. */
void pys_pki_fault(pys_fault *f);

#endif
