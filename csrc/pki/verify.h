/*
 * Chains and names, through libcrypto (RFC 5280, RFC 6125). Fails closed.
 */
#ifndef PYS_VERIFY_H
#define PYS_VERIFY_H

#include "pki/cert.h"

/* Host names and IP literals the leaf must match (any of them). */
typedef struct pys_hosts {
    char **names;
    size_t n;
} pys_hosts;

enum { PYS_HOSTS_MAX = 32, PYS_NAME_MAX = 255 };

void pys_hosts_wipe(pys_hosts *h);
PYS_MUST bool pys_hosts_add(pys_hosts *h, const char *name, size_t n);

typedef struct pys_verify_job {
    pys_trust *trust; /* NULL: trusts nothing */
    pys_cert *const *chain;
    size_t n_chain; /* leaf first, as sent; at least 1 */
    bool server;    /* the peer is a server: serverAuth, else clientAuth */
    int depth;      /* -1: 100 */
    int security_level;
    unsigned host_flags;
    const pys_hosts *hosts;
    bool remember; /* a chain that passed minutes ago need not run again */
    bool keep_path; /* who asks wants to see the path that was built */
} pys_verify_job;

/* What libcrypto said of one certificate, in its order (VFY-3). */
typedef struct pys_verify_event {
    int error;
    int16_t depth;
    bool ok;
} pys_verify_event;

enum { PYS_EVENTS_MAX = 64 };

typedef struct pys_verdict {
    long result; /* X509_V_ code; 0 only if everything passed */
    int depth;   /* where the result arose; -1 if it passed */
    pys_verify_event events[PYS_EVENTS_MAX];
    size_t n_events;
    bool lost; /* more events than that, or libcrypto gave up by itself */
    pys_cert **path; /* if asked for: leaf first, as far as it was built */
    size_t n_path;
    char *peername; /* what matched, owned; NULL if none was asked for */
} pys_verdict;

void pys_verdict_wipe(pys_verdict *v);

/*
 * Runs the whole verification; errors do not stop it, the first one is the
 * result. False only if it could not run (memory): internal error.
 */
PYS_MUST bool pys_verify_chain(const pys_verify_job *job, pys_verdict *v);

/* The alert for a result (VFY-16). */
int pys_verify_alert(long result);

/*
 * Issuers of the leaf found in the store, up to and with the trust anchor
 * (CERT-12): new references, nearest first. *n is how many, at most max.
 */
PYS_MUST bool pys_trust_issuers(pys_trust *t, pys_cert *leaf, pys_cert **out,
    size_t max, size_t *n);

#endif
