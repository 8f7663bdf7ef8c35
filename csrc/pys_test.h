/*
 * The hooks of the test core, built with -DPYS_TEST. The shipped core has
 * none of them. The Python side of the tests reads this very file after
 * pys.h, so it holds what a C declaration parser can read.
 */
#ifndef PYS_TEST_H
#define PYS_TEST_H

#include "pys_conn.h"

/* Lets the n-th allocation from now fail (1: the next); 0 switches it off. */
void pys_test_fail_alloc(long n);
/* Allocations asked for since the last pys_test_fail_alloc. */
long pys_test_n_alloc(void);
/* Allocations that were given and not yet given back. */
long pys_test_n_live(void);

/*
 * The next handshake message of this type is sent as these bytes (header
 * included) instead of what was built.
 */
void pys_test_put_message(int type, const uint8_t *p, size_t n);

/* Fixes the clock, milliseconds; a negative value gives the system's back. */
void pys_test_set_now(int64_t ms);

/* The next calls of pys_random take these bytes first. */
void pys_test_put_random(const uint8_t *p, size_t n);

/*
 * The next key share of the group uses this private key (for the hybrid: d,
 * z, X25519 private; as a server m, X25519 private).
 */
void pys_test_put_share(uint16_t group, const uint8_t *p, size_t n);

/* Puts the sequence number of one direction of an open connection. */
void pys_test_set_seq(pys_conn *c, int writing, uint64_t seq);

/* ---- the steps of the handshake (handshake/flight.h) ---- */

typedef struct pys_test_step {
    const char *name;
    int type;
    enum pys_role from;
    unsigned when;   /* bits PYS_HS_ */
    unsigned unless;
    bool optional;
} pys_test_step;

/* By version, 0x0303 or 0x0304; a type of -1: change_cipher_spec. False past
 * the end. */
bool pys_test_step_at(int version, size_t i, pys_test_step *out);

/* ---- pki/, without a connection ---- */

enum { PYS_TEST_EVENTS = 64, PYS_TEST_PEERNAME = 256 };

/* As pys_verify_job (pki/verify.h). */
typedef struct pys_test_job {
    pys_trust *trust;
    pys_cert *const *chain;
    size_t n_chain;
    bool server;
    int depth;
    int security_level;
    unsigned host_flags;
    const char *const *hosts;
    const size_t *host_lens;
    size_t n_hosts;
    bool remember;
} pys_test_job;

typedef struct pys_test_verdict {
    long result;
    int depth;
    size_t n_events;
    int ok[PYS_TEST_EVENTS];
    long error[PYS_TEST_EVENTS];
    int depths[PYS_TEST_EVENTS];
    char peername[PYS_TEST_PEERNAME]; /* empty: none */
} pys_test_verdict;

/* False also if a host was refused. */
bool pys_test_verify(const pys_test_job *job, pys_test_verdict *out);
int pys_test_verify_alert(long result);
bool pys_test_issuers(pys_trust *t, pys_cert *leaf, pys_cert **out, size_t max,
    size_t *n);

/* What pki/cert.h tells of a certificate; key_type -1: not readable. */
typedef struct pys_test_cert {
    int key_type;
    unsigned signed_with;
    bool may_sign;
    bool self_issued;
} pys_test_cert;

pys_test_cert pys_test_cert_facts(pys_cert *c);
/* Empties the caches of certificates, PEM texts and verified chains. */
void pys_test_forget_certs(void);
/* Verifications that were answered from memory, since the start. */
long pys_test_n_recalled(void);
int pys_test_key_type(pys_key *k);
bool pys_test_key_fits(pys_key *k, pys_cert *c);

/* pki/identity.h. */
typedef struct pys_identities pys_identities;

/* Everything borrowed; current is the identities', -1 for none. */
typedef struct pys_test_slot {
    pys_cert *leaf;
    pys_key *key;
    pys_cert *const *chain;
    size_t n_chain;
    pys_cert *const *extra;
    size_t n_extra;
    int current;
} pys_test_slot;

pys_identities *pys_test_ids_new(void);
void pys_test_ids_free(pys_identities *ids);
pys_identities *pys_test_ids_copy(const pys_identities *from);
bool pys_test_ids_use_cert(pys_identities *ids, pys_cert *c, pys_fault *f);
bool pys_test_ids_use_key(pys_identities *ids, pys_key *k, pys_fault *f);
bool pys_test_ids_check(const pys_identities *ids, pys_fault *f);
bool pys_test_ids_add_chain(pys_identities *ids, pys_cert *c, pys_fault *f);
bool pys_test_ids_clear_chain(pys_identities *ids, pys_fault *f);
bool pys_test_ids_add_extra(pys_identities *ids, pys_cert *c, pys_fault *f);
pys_test_slot pys_test_ids_slot(const pys_identities *ids, int slot);

/* ---- session/, without a connection ---- */

/* What pys.h does not show of a session; the chain is borrowed. */
typedef struct pys_test_session {
    int refs; /* only read */
    unsigned group;
    bool extended;
    bool not_resumable;
    int64_t made_ms;
    unsigned lifetime;
    unsigned age_add;
    pys_cert *const *chain;
    size_t n_chain;
} pys_test_session;

pys_test_session pys_test_session_facts(const pys_session *s);
bool pys_test_session_fill(pys_session *s, const pys_test_session *facts);
bool pys_test_session_fresh(const pys_session *s, int64_t now);
/* The compact form; lengths as pys_session_der. */
size_t pys_test_session_put(const pys_session *s, uint8_t *out, size_t max);
pys_session *pys_test_session_take(const uint8_t *p, size_t n);

/* session/ticket.h. */
typedef struct pys_ticket_keys pys_ticket_keys;

pys_ticket_keys *pys_ticket_keys_new(void);
pys_ticket_keys *pys_ticket_keys_up_ref(pys_ticket_keys *k);
void pys_ticket_keys_free(pys_ticket_keys *k);
bool pys_ticket_keys_set(pys_ticket_keys *k, const uint8_t *p, size_t n);
void pys_ticket_keys_get(pys_ticket_keys *k, uint8_t out[80]);
size_t pys_test_ticket_seal(pys_ticket_keys *k, const pys_session *s,
    uint8_t *out, size_t max);
pys_session *pys_test_ticket_open(pys_ticket_keys *k, const uint8_t *p,
    size_t n, bool *old);

/* session/cache.h; the rest of it is in pys.h. */
pys_cache *pys_cache_new(void);
pys_session *pys_test_cache_find(pys_cache *c, const uint8_t *p, size_t n);
bool pys_cache_first_use(pys_cache *c, const uint8_t id[32], int64_t now_ms,
    int64_t window_ms, int64_t life_ms);
bool pys_cache_covers(const pys_cache *c, int64_t made_ms, int64_t now_ms,
    int64_t window_ms);

#endif
