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
/* The libcrypto whose headers this was compiled with; the compiler. */
const char *pys_libcrypto_built(void);
const char *pys_compiler(void);
bool pys_libcrypto_static(void); /* it is inside the extension */
/* Where the primitives come from: libcrypto, or a library beside it. */
const char *pys_primitives_text(void);
/* What libcrypto found the processor to have, as "OPENSSL_ia32cap=..." */
const char *pys_libcrypto_cpu(void);
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
    PYS_ASKS,       /* bits 1 << enum pys_ask, PYS_HEAR_ */
    PYS_SESSION_TIMEOUT, /* seconds */
    PYS_NUM_TICKETS,
    PYS_CACHE_MODE, /* SSL_SESS_CACHE_ */
    PYS_REMEMBER_CHAINS, /* 1: keep good verdicts for minutes */
    PYS_SEND_FRAGMENT, /* most bytes of content in a record, 512 to 16384 */
    PYS_SPLIT_FRAGMENT, /* the same for application data */
    PYS_PAD_DATA, /* TLS 1.3: data padded to a multiple of it; 0: not */
    PYS_PAD_OTHER, /* the same for messages and alerts */
    PYS_PAD_ASKED, /* TLS 1.3: 1: the application says how much instead */
    PYS_MAX_EARLY_DATA, /* said in tickets, bytes; 0: none */
    PYS_RECV_MAX_EARLY_DATA, /* most that is taken */
    PYS_STATUS_TYPE, /* client: 1 asks for an OCSP response */
    PYS_ASK_SCTS,    /* client: 1 asks for timestamps (RFC 6962) */
    PYS_POST_HANDSHAKE_AUTH, /* 1: a client offers it (RFC 8446 4.2.6) */
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

/*
 * SSL_set_SSL_CTX(3): takes over certificates and what goes with them, trust
 * too. Session id context and names of CAs only if they are those of before,
 * which may be NULL. False, and s is of no use, if memory is short.
 */
bool pys_settings_adopt(pys_settings *s, const pys_settings *from,
    const pys_settings *before);
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
/*
 * A SignedCertificateTimestampList (RFC 6962 3.3) for clients that ask;
 * false if it is none, or memory is short. No bytes: none. The limit leaves
 * room for an OCSP response in the same 65535 bytes (RFC 8446 4.4.2).
 */
enum { PYS_SCTS_MAX = 0x2000 };
bool pys_settings_set_scts(pys_settings *s, const uint8_t *p, size_t n);
void pys_settings_set_trust(pys_settings *s, pys_trust *t); /* takes a ref */
pys_trust *pys_settings_trust(const pys_settings *s);       /* borrowed */

/* SSL_CTX_use_certificate(3) and its family; false with codes in f. */
bool pys_settings_use_cert(pys_settings *s, pys_cert *c, pys_fault *f);
bool pys_settings_use_key(pys_settings *s, pys_key *k, pys_fault *f);
/*
 * The application signs for the certificate loaded last; it knows the key by
 * a number, not 0. Is this number in use here?
 */
bool pys_settings_use_signer(pys_settings *s, unsigned signer, pys_fault *f);
bool pys_settings_has_signer(const pys_settings *s, unsigned signer);
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
 * What SSL_CTX_set_tlsext_ticket_key_cb(3) sets up for one ticket: AES-CBC
 * with a key of 16 or 32 bytes, then HMAC over all that stands before it.
 */
typedef struct pys_ticket_setup {
    uint8_t name[16];
    uint8_t iv[16];
    uint8_t key[32];
    size_t n_key;
    uint8_t mac_key[64];
    size_t n_mac_key;
    bool sha384; /* SHA-256 otherwise */
} pys_ticket_setup;

/* What the connections of a context did: SSL_CTX_sess_number(3). */
enum pys_count {
    PYS_COUNT_CONNECT,
    PYS_COUNT_CONNECT_GOOD,
    PYS_COUNT_ACCEPT,
    PYS_COUNT_ACCEPT_GOOD,
    PYS_COUNT_HITS,
    PYS_COUNT_CB_HITS,
    PYS_COUNT_MISSES,
    PYS_COUNT_TIMEOUTS,
    PYS_COUNT_CACHE_FULL,
    PYS_N_COUNTS
};
uint64_t pys_settings_count(const pys_settings *s, enum pys_count which);
void pys_settings_add_count(pys_settings *s, enum pys_count which);

/*
 * The cache of sessions: borrowed, shared by copies, NULL before there is a
 * certificate or pys_settings_set_ticket_keys was called (n may be 0).
 */
typedef struct pys_cache pys_cache;
pys_cache *pys_settings_cache(const pys_settings *s);
pys_cache *pys_cache_up_ref(pys_cache *c);
void pys_cache_free(pys_cache *c);
/*
 * Most sessions kept; 0: no bound but memory. Default 20480. Those above a
 * new bound stay until pys_cache_excess takes them.
 */
void pys_cache_set_size(pys_cache *c, size_t n);
size_t pys_cache_size(pys_cache *c);
size_t pys_cache_count(pys_cache *c);
/*
 * Adds a session (takes a reference). False if that very object is in
 * already or memory is short. *dropped: the one that had to go, with its
 * reference, or NULL: one of the same id, or the least lately used one. A
 * session without an id is kept, but not found.
 */
bool pys_cache_add(pys_cache *c, pys_session *s, pys_session **dropped);
/* While there are too many: the least lately used one, taken out. */
pys_session *pys_cache_excess(pys_cache *c);
/*
 * The reference that the cache had, or NULL if it was not in. One of the same
 * id counts as the session.
 */
pys_session *pys_cache_remove(pys_cache *c, const pys_session *s);
/*
 * One session that has expired at `now` (seconds; 0: any session), taken out,
 * with its reference; NULL when there is none left. Taking out all that have
 * costs one look at each session.
 */
pys_session *pys_cache_expire(pys_cache *c, int64_t now);
/* PSK identity hint of a server of TLS 1.2: at most 256 bytes, 0 for none. */
bool pys_settings_set_psk_hint(pys_settings *s, const uint8_t *p, size_t n);
const uint8_t *pys_settings_psk_hint(const pys_settings *s, size_t *n);
/* Names of CAs for a certificate request: each a DER Name. */
bool pys_settings_add_ca_name(pys_settings *s, const uint8_t *p, size_t n);
void pys_settings_clear_ca_names(pys_settings *s);

#endif
