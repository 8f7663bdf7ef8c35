/*
 * The face of the core: enumerations, opaque types, prototypes; that of the
 * BIOs is in pys_bio.h, that of certificates, keys and sessions in pys_pki.h.
 * The Python side reads these very files, so they hold nothing that a C
 * declaration parser cannot read: no macro with arguments, no inline function.
 *
 * Conventions: new/free on the heap, free takes NULL; a bool is true for
 * success; bytes are pointer and length; object, outputs, inputs.
 */
#ifndef PYS_H
#define PYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pys_bio.h"

/* ---- outcomes ---------------------------------------------------------- */

/* What a call that may do I/O ended with. */
enum pys_io {
    PYS_IO_DONE = 1,    /* did what was asked */
    PYS_IO_WANT_READ,   /* the read BIO had nothing: call again */
    PYS_IO_WANT_WRITE,  /* the write BIO took not everything: call again */
    PYS_IO_ASK,         /* the application must decide: pys_conn_asked */
    PYS_IO_BIO,         /* a BIO answered by Python has a question */
    PYS_IO_CLOSED,      /* close_notify came */
    PYS_IO_FAULT,       /* a fatal fault, new: pys_conn_fault */
    PYS_IO_DEAD,        /* a fatal fault before this call; nothing done */
    PYS_IO_EOF,         /* the transport ended; a fatal fault, new */
    PYS_IO_SYSCALL,     /* the transport failed; errno: pys_conn_errno */
    PYS_IO_MISUSE,      /* wrong call; not fatal: pys_conn_misuse */
    PYS_IO_MOVED,       /* a post-handshake message was eaten (no data) */
    PYS_IO_NEWS,        /* so, and it left something to pys_conn_flush or
                           pys_conn_fresh_session; read again */
    PYS_IO_NOT_OPEN     /* nothing done: the handshake comes first */
};

/* Error codes packed as libcrypto packs them, oldest first. */
enum { PYS_FAULT_CODES = 8, PYS_NO_ALERT = -1 };

typedef struct pys_fault {
    int alert;          /* to send or sent; PYS_NO_ALERT for none */
    int alert_received; /* PYS_NO_ALERT for none */
    int n_codes;
    unsigned long codes[PYS_FAULT_CODES];
} pys_fault;

/* ---- the library ------------------------------------------------------- */

/*
 * Fetches every algorithm from libcrypto, once per process; later calls only
 * answer. False if libcrypto lacks something that TLS 1.3 needs.
 */
bool pys_start(void);
const char *pys_version(void);
unsigned long pys_libcrypto_number(void);
const char *pys_libcrypto_text(void);
/* libcrypto's words for a packed code, or NULL if it has none. */
const char *pys_code_library(unsigned long code);
const char *pys_code_reason(unsigned long code);

/* ---- names of algorithms ----------------------------------------------- */

enum pys_kind {
    PYS_KIND_SUITE,  /* cipher suites, RFC 8446 B.4 */
    PYS_KIND_GROUP,  /* named groups, RFC 8446 4.2.7 */
    PYS_KIND_SCHEME, /* signature schemes, RFC 8446 4.2.3 */
    PYS_N_KINDS
};

/* Most items that a list of one kind may hold. */
enum { PYS_LIST_MAX = 32 };

/* The code point of a name (any of its spellings), or 0. */
unsigned pys_id_of(enum pys_kind kind, const char *name);
/* The main name of a code point, or NULL. */
const char *pys_name_of(enum pys_kind kind, unsigned id);
/* The i-th code point that this libcrypto serves, or 0 past the end. */
unsigned pys_id_at(enum pys_kind kind, size_t i);
/* Secret bits, tag and hash of a suite, for SSL_CIPHER; 0 if unknown. */
int pys_suite_bits(unsigned id);
const char *pys_suite_standard_name(unsigned id);
const char *pys_suite_description(unsigned id);

/* ---- counted objects: pys_pki.h ------------------------------------------ */

typedef struct pys_cert pys_cert;
typedef struct pys_key pys_key;
typedef struct pys_trust pys_trust;
typedef struct pys_session pys_session;

/* ---- settings ---------------------------------------------------------- */

/*
 * What an SSL_CTX holds; connections share it by reference. A setter must
 * get a settings object that it alone owns: pys_settings_own.
 */
typedef struct pys_settings pys_settings;

enum pys_number {
    PYS_MIN_VERSION,  /* 0: automatic */
    PYS_MAX_VERSION,  /* 0: automatic */
    PYS_OPTIONS,      /* SSL_OP_ */
    PYS_MODE,         /* SSL_MODE_ */
    PYS_VERIFY_MODE,  /* SSL_VERIFY_ */
    PYS_VERIFY_DEPTH, /* -1: not set */
    PYS_READ_AHEAD,
    PYS_QUIET_SHUTDOWN,
    PYS_SECURITY_LEVEL,
    PYS_HOST_FLAGS, /* X509_CHECK_FLAG_ */
    PYS_RECORD_LIMIT, /* RFC 8449, 64 to 16385; 0: not sent */
    PYS_ASKS,       /* bits 1 << enum pys_ask */
    PYS_SESSION_TIMEOUT, /* seconds */
    PYS_NUM_TICKETS,
    PYS_CACHE_MODE, /* SSL_SESS_CACHE_ */
    PYS_REMEMBER_CHAINS, /* 1: keep good verdicts for minutes */
    PYS_N_NUMBERS
};

pys_settings *pys_settings_new(void);
pys_settings *pys_settings_up_ref(pys_settings *s);
void pys_settings_free(pys_settings *s);
/*
 * The same settings with no other owner: s itself, or a copy for which the
 * caller's reference to s is given up. NULL (and s untouched) if memory is
 * short.
 */
pys_settings *pys_settings_own(pys_settings *s);

void pys_settings_set_number(pys_settings *s, enum pys_number which,
    int64_t v);
int64_t pys_settings_number(const pys_settings *s, enum pys_number which);
/* A list in order of preference; false for more than PYS_LIST_MAX items. */
bool pys_settings_set_list(pys_settings *s, enum pys_kind kind,
    const uint16_t *ids, size_t n);
size_t pys_settings_list(const pys_settings *s, enum pys_kind kind,
    uint16_t *ids);
/* ALPN protocols in wire form (RFC 7301 3.1); checked by the caller. */
bool pys_settings_set_alpn(pys_settings *s, const uint8_t *p, size_t n);
const uint8_t *pys_settings_alpn(const pys_settings *s, size_t *n);
void pys_settings_set_trust(pys_settings *s, pys_trust *t); /* takes a ref */
pys_trust *pys_settings_trust(const pys_settings *s);       /* borrowed */

/* SSL_CTX_use_certificate(3) and its family; false with codes in f. */
bool pys_settings_use_cert(pys_settings *s, pys_cert *c, pys_fault *f);
bool pys_settings_use_key(pys_settings *s, pys_key *k, pys_fault *f);
bool pys_settings_check_key(const pys_settings *s, pys_fault *f);
/* Adds to the chain of the certificate loaded last; clear empties it. */
bool pys_settings_add_chain(pys_settings *s, pys_cert *c, pys_fault *f);
bool pys_settings_clear_chain(pys_settings *s, pys_fault *f);
/* Certificates for leaves without a chain of their own. */
bool pys_settings_add_extra(pys_settings *s, pys_cert *c, pys_fault *f);
/* The certificate loaded last, a new reference, or NULL. */
pys_cert *pys_settings_cert(const pys_settings *s);
/* Who may resume: at most 32 bytes (SSL_CTX_set_session_id_context(3)). */
bool pys_settings_set_id_context(pys_settings *s, const uint8_t *p, size_t n);
/* Ticket keys, 80 bytes each, the sealing one first; shared by copies. */
bool pys_settings_set_ticket_keys(pys_settings *s, const uint8_t *p, size_t n);
bool pys_settings_ticket_key(const pys_settings *s, uint8_t *out);
/*
 * The cache of sessions: borrowed, shared by copies, NULL before there is a
 * certificate or pys_settings_set_ticket_keys was called (n may be 0).
 */
typedef struct pys_cache pys_cache;
pys_cache *pys_settings_cache(const pys_settings *s);
/* Most sessions kept; 0: no bound but memory. Default 20480. */
void pys_cache_set_size(pys_cache *c, size_t n);
size_t pys_cache_size(pys_cache *c);
size_t pys_cache_count(pys_cache *c);
/*
 * Adds a session (takes a reference). False if that very object is in
 * already or memory is short. *dropped: the one that had to go, with its
 * reference, or NULL.
 */
bool pys_cache_add(pys_cache *c, pys_session *s, pys_session **dropped);
/* One that is too many for the size, as pys_cache_expire; else NULL. */
pys_session *pys_cache_excess(pys_cache *c);
/* The reference that the cache had, or NULL if it was not in. */
pys_session *pys_cache_remove(pys_cache *c, const pys_session *s);
/*
 * One session that has expired at `now` (seconds; 0: any session), taken out,
 * with its reference; NULL when there is none left.
 */
pys_session *pys_cache_expire(pys_cache *c, int64_t now);
/* Names of CAs for a certificate request: each a DER Name. */
bool pys_settings_add_ca_name(pys_settings *s, const uint8_t *p, size_t n);
void pys_settings_clear_ca_names(pys_settings *s);

/* ---- connections ------------------------------------------------------- */

typedef struct pys_conn pys_conn;

enum pys_role { PYS_CLIENT, PYS_SERVER, PYS_NO_ROLE };

/* Where a connection stands. */
enum pys_phase { PYS_BEFORE, PYS_RUNNING, PYS_OPEN, PYS_DEAD };

/* What the engine may ask the application. */
enum pys_ask {
    PYS_ASK_CLIENT_HELLO, /* SSL_CTX_set_client_hello_cb(3) */
    PYS_ASK_SERVER_NAME,  /* SNI, server */
    PYS_ASK_CERT,         /* certificate callback, both sides */
    PYS_ASK_ALPN,         /* choose a protocol, server */
    PYS_ASK_VERIFY,       /* the peer's chain */
    PYS_ASK_SESSION,      /* a session by its id, server */
    PYS_N_ASKS
};

/* Answers: go on, fail with the alert given, or stay suspended. */
enum pys_answer { PYS_GO_ON, PYS_REFUSE, PYS_SUSPEND, PYS_DECLINE };

/* SSL_want(3). */
enum {
    PYS_NOTHING = 1,
    PYS_WRITING = 2,
    PYS_READING = 3,
    PYS_X509_LOOKUP = 4,
    PYS_CLIENT_HELLO_CB = 7,
    PYS_RETRY_VERIFY = 8
};

/* Takes a reference to the settings. */
pys_conn *pys_conn_new(pys_settings *s);
void pys_conn_free(pys_conn *c);
/* Exchanges the settings (takes a reference). */
void pys_conn_set_settings(pys_conn *c, pys_settings *s);
pys_settings *pys_conn_settings(const pys_conn *c); /* borrowed */
/* The BIOs are borrowed: the caller keeps them alive; NULL for none. */
void pys_conn_set_bio(pys_conn *c, pys_bio *rbio, pys_bio *wbio);
/* SSL_set_connect_state(3): sets the role and begins anew. */
void pys_conn_set_role(pys_conn *c, enum pys_role role);
enum pys_role pys_conn_role(const pys_conn *c);
/* SSL_clear(3). */
void pys_conn_clear(pys_conn *c);

/*
 * I/O. handshake, or any of them while the handshake runs, needs the caller
 * to keep every other thread out; once open, one thread may be inside
 * read/peek while another is inside write/shutdown.
 */
enum pys_io pys_conn_handshake(pys_conn *c);
/*
 * Bytes read or written, 0 or more, if that is what was asked; else minus an
 * enum pys_io. They do not run the handshake.
 */
long pys_conn_read(pys_conn *c, uint8_t *out, size_t n, bool peek);
long pys_conn_write(pys_conn *c, const uint8_t *p, size_t n);
enum pys_io pys_conn_shutdown(pys_conn *c);
/* Second half of SSL_shutdown(3): waits for the peer's close_notify. */
enum pys_io pys_conn_shutdown_read(pys_conn *c);
/* Tries once to hand over an alert or refusal that a read left behind. */
enum pys_io pys_conn_flush(pys_conn *c);

/* Results of the last call. writing: 0 the reading half, 1 the other. */
int pys_conn_want(const pys_conn *c, int writing);
int pys_conn_errno(const pys_conn *c, int writing);
/* BIO_R_ reason of a BIO that failed, or 0. */
int pys_conn_bio_fault(const pys_conn *c, int writing);
int pys_conn_misuse(const pys_conn *c); /* SSL_R_ reason */
const pys_fault *pys_conn_fault(const pys_conn *c);

/* State. */
enum pys_phase pys_conn_phase(const pys_conn *c);
int pys_conn_state(const pys_conn *c); /* SSL_get_state(3) */
const char *pys_conn_state_text(const pys_conn *c, bool longer);
size_t pys_conn_pending(const pys_conn *c);
bool pys_conn_has_pending(const pys_conn *c);
int pys_conn_get_shutdown(const pys_conn *c);
void pys_conn_put_shutdown(pys_conn *c, int mode);

/* The application's say. What is asked now, or -1. */
int pys_conn_asked(const pys_conn *c);
/*
 * Answers it. alert counts for PYS_REFUSE; data is the protocol chosen for
 * PYS_ASK_ALPN, or nothing.
 */
void pys_conn_answer(pys_conn *c, enum pys_answer answer, int alert,
    const uint8_t *data, size_t n);

/* Per-connection wishes. */
bool pys_conn_set_server_name(pys_conn *c, const char *name, size_t n);
/* What SSL_get_servername(3) gives, or NULL. */
const char *pys_conn_server_name(const pys_conn *c, size_t *n);
/*
 * The names or IP literals of which the peer's certificate must match one:
 * one alone, or one more. An empty name is none.
 */
bool pys_conn_set_host(pys_conn *c, const char *name, size_t n);
bool pys_conn_add_host(pys_conn *c, const char *name, size_t n);
const char *pys_conn_peername(const pys_conn *c);
/* The session to offer (takes a reference), or the one in use. */
void pys_conn_set_session(pys_conn *c, pys_session *s);
pys_session *pys_conn_session(const pys_conn *c); /* new ref, or NULL */
/* Sessions that came to be, oldest first: a new reference, or NULL. */
void pys_conn_keep_fresh(pys_conn *c, bool on);
pys_session *pys_conn_fresh_session(pys_conn *c);
bool pys_conn_resumed(const pys_conn *c);
/* The id that PYS_ASK_SESSION is about; its answer (takes a reference). */
const uint8_t *pys_conn_asked_id(const pys_conn *c, size_t *n);
void pys_conn_give_session(pys_conn *c, pys_session *s);
/* What happened in the cache since the last call, as bits. */
enum {
    PYS_CACHE_MISSED = 1,
    PYS_CACHE_EXPIRED = 2,
    PYS_CACHE_FULL = 4,
    PYS_CACHE_GIVEN = 8 /* by the answer to PYS_ASK_SESSION */
};
unsigned pys_conn_cache_news(pys_conn *c);
/* The one that the cache dropped meanwhile: its reference, or NULL. */
pys_session *pys_conn_dropped_session(pys_conn *c);
/* SSL_key_update(3): 1 asks the peer for one too. */
enum pys_io pys_conn_key_update(pys_conn *c, int request);

/* What was agreed; 0 or NULL while it is not known. */
unsigned pys_conn_version(const pys_conn *c);
unsigned pys_conn_suite(const pys_conn *c);
unsigned pys_conn_group(const pys_conn *c);
unsigned pys_conn_own_scheme(const pys_conn *c);
unsigned pys_conn_peer_scheme(const pys_conn *c);
bool pys_conn_retried(const pys_conn *c); /* a HelloRetryRequest was used */
bool pys_conn_extended(const pys_conn *c); /* RFC 7627, RFC 8446 D */
const uint8_t *pys_conn_alpn(const pys_conn *c, size_t *n);
size_t pys_conn_n_peer_certs(const pys_conn *c);
pys_cert *pys_conn_peer_cert(const pys_conn *c, size_t i); /* new ref */
long pys_conn_verify_result(const pys_conn *c);
void pys_conn_set_verify_result(pys_conn *c, long result);
/* Depth and certificate at which verification failed; -1 and NULL if not. */
int pys_conn_verify_depth(const pys_conn *c);
/* CA names that a server asked with: concatenated 16-bit-length Names. */
const uint8_t *pys_conn_peer_ca_names(const pys_conn *c, size_t *n);
/* RFC 8446 7.5, RFC 5705; false before the handshake is done. */
bool pys_conn_export(pys_conn *c, uint8_t *out, size_t n, const char *label,
    size_t n_label, const uint8_t *context, size_t n_context);

/* Lists offered, for a report on a failed handshake: 16-bit numbers. */
enum pys_offer_list {
    PYS_OFFER_VERSIONS,
    PYS_OFFER_SUITES,
    PYS_OFFER_GROUPS,
    PYS_OFFER_SCHEMES,
    PYS_OFFER_ALPN, /* bytes: wire form, RFC 7301 3.1 */
    PYS_N_OFFERS
};
/* Raw list as on the wire (network order), or NULL; n in bytes. */
const uint8_t *pys_conn_peer_offer(const pys_conn *c,
    enum pys_offer_list which, size_t *n);
const uint8_t *pys_conn_own_offer(const pys_conn *c, enum pys_offer_list which,
    size_t *n);

/* Key log (SSL_CTX_set_keylog_callback(3)): lines queued since last asked. */
void pys_conn_keep_keylog(pys_conn *c, bool on);
/* The next line without newline, or NULL; valid until the next call. */
const char *pys_conn_next_keylog(pys_conn *c);

#endif
