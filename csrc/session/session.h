/*
 * What two peers share after a handshake, so that they can shorten the next
 * one: RFC 5246 7.3 (session ids), RFC 5077 (tickets), RFC 8446 4.6.1, 2.2.
 * Counted. Filled in by one owner, then only read, but for times and flags.
 */
#ifndef PYS_SESSION_H
#define PYS_SESSION_H

#include <stdatomic.h>

#include "crypto/suite.h"
#include "pki/cert.h"

enum {
    PYS_SESSION_ID_LEN = 32,
    PYS_ID_CONTEXT_MAX = 32,
    PYS_SESSION_SECRET_MAX = 48,
    PYS_PSK_MAX = 512,          /* external PSKs; OpenSSL's bounds */
    PYS_PSK_IDENTITY_MAX = 256, /* of those that are remembered */
    PYS_TICKET_MAX = 65535,
    PYS_TICKET_LIFETIME_MAX = 604800 /* RFC 8446 4.6.1: seven days */
};

/* Bound of made and timeout: no sum with a time of today overflows. */
#define PYS_SECONDS_MAX (INT64_MAX / 2000)

struct pys_session {
    atomic_int refs;
    uint16_t version;
    uint16_t suite;
    uint16_t group;
    bool extended;              /* extended_master_secret (RFC 7627) */
    atomic_bool not_resumable;  /* bad end, used up, or no ticket yet */
    uint8_t secret[PYS_SESSION_SECRET_MAX]; /* master secret, or PSK */
    size_t n_secret;
    uint8_t *long_secret; /* instead, if n_secret is more than fits */
    uint8_t hmac[PYS_HMAC_STATE_LEN]; /* of a master secret, if it is there */
    bool has_hmac;
    enum pys_hash_alg hmac_alg;
    uint8_t *psk_identity; /* of an external PSK behind it, or NULL */
    size_t n_psk_identity;
    uint8_t id[PYS_SESSION_ID_LEN];
    size_t n_id;
    uint8_t id_context[PYS_ID_CONTEXT_MAX]; /* SESS-9 */
    size_t n_id_context;
    _Atomic int64_t made; /* seconds since the epoch */
    _Atomic int64_t timeout; /* seconds */
    int64_t made_ms; /* the same moment, for a ticket's age */
    pys_buf ticket; /* client: as received; empty: none */
    uint32_t lifetime; /* the server's hint, seconds */
    uint32_t age_add; /* RFC 8446 4.6.1 */
    uint32_t max_early_data;
    pys_buf name; /* server_name, no NUL; or empty */
    pys_buf alpn; /* protocol of the connection, or empty */
    pys_cert **chain; /* the peer's, leaf first */
    size_t n_chain;
    long verify_result;
    void *part; /* quick/session.c's, under the GIL; NULL: none */
};

/* The secret, wherever it is; false if it is too long or memory is short. */
pys_rd pys_session_secret(const pys_session *s);
PYS_MUST bool pys_session_set_secret(pys_session *s, pys_rd secret);
/*
 * Keeps what the secret left behind in from, if HMAC had it last there, until
 * another one is set, and gives it to the scratch of a handshake.
 */
void pys_session_keep_hmac(pys_session *s, enum pys_hash_alg alg,
    const pys_hash *from);
void pys_session_give_hmac(const pys_session *s, enum pys_hash_alg alg,
    pys_hash *scratch);
/*
 * Remembers whose external PSK is behind the session (RFC 9257 5); one of
 * more than PYS_PSK_IDENTITY_MAX bytes is not kept, none is no identity.
 * False if memory is short.
 */
PYS_MUST bool pys_session_set_identity(pys_session *s, pys_rd identity);
/* Shares the certificates of a chain; false if memory is short. */
PYS_MUST bool pys_session_set_chain(pys_session *s, pys_cert *const *chain,
    size_t n);
/* True if it has not expired at this time (seconds) and may be resumed. */
bool pys_session_fresh(const pys_session *s, int64_t now);

/* The compact form of tickets (serial.c); take reads all of in. */
PYS_MUST bool pys_session_put(const pys_session *s, pys_buf *out);
PYS_MUST pys_session *pys_session_take(pys_rd in);

/*
 * The DER form that OpenSSL reads and writes (SESS-10). Like there, the leaf
 * alone is kept of the chain.
 */
PYS_MUST bool pys_session_to_der(const pys_session *s, pys_buf *out);
/* Takes one from the front of in; NULL with ASN.1 entries in f. */
PYS_MUST pys_session *pys_session_from_der(pys_rd *in, pys_fault *f);

#endif
