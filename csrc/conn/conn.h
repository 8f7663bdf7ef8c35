/*
 * The structs of a connection, of its handshake and of the settings that
 * connections share. Everything in handshake/ and api/ sees them; nothing
 * below does.
 */
#ifndef PYS_CONN_CONN_H
#define PYS_CONN_CONN_H

#include <stdatomic.h>

#include "base/fault.h"
#include "conn/state.h"
#include "crypto/keys12.h"
#include "crypto/keys13.h"
#include "crypto/suite.h"
#include "crypto/transcript.h"
#include "pki/identity.h"
#include "pki/verify.h"
#include "pys_conn.h"
#include "record/record.h"
#include "session/cache.h"
#include "session/counts.h"
#include "session/ticket.h"

/* ---- settings ---------------------------------------------------------- */

typedef struct pys_list {
    uint16_t ids[PYS_LIST_MAX];
    size_t n;
} pys_list;

enum { PYS_N_ROLES = 2 };

/* What may be used, best first (usable.c); by role where that matters. */
typedef struct pys_usable {
    pys_list suites13[PYS_N_ROLES];
    pys_list suites12[PYS_N_ROLES];
    pys_list groups;
    pys_list schemes;
    uint16_t max[PYS_N_ROLES]; /* version; 0: none */
    uint16_t min[PYS_N_ROLES];
} pys_usable;

struct pys_settings {
    atomic_int refs;
    int64_t numbers[PYS_N_NUMBERS];
    pys_list lists[PYS_N_KINDS];
    pys_usable usable; /* follows from the two above */
    pys_identities ids;
    pys_trust *trust; /* or NULL */
    pys_ticket_keys *tickets; /* or NULL: none are given */
    pys_cache *cache;         /* or NULL */
    pys_counts *counts;       /* those of the first context */
    uint8_t id_context[PYS_ID_CONTEXT_MAX];
    size_t n_id_context;
    pys_buf alpn;     /* wire form, without the outer length */
    pys_buf ca_names; /* each with its 16-bit length */
    pys_buf scts;     /* of our certificate, with the outer length */
    pys_buf psk_hint; /* TLS 1.2, server; empty: none */
};

/* SSL_OP_, SSL_MODE_ and SSL_VERIFY_ bits that the core looks at. */
enum {
    PYS_OP_IGNORE_UNEXPECTED_EOF = 0x80,
    PYS_OP_MIDDLEBOX_COMPAT = 0x100000,
    PYS_OP_PRIORITIZE_CHACHA = 0x200000,
    PYS_OP_SERVER_PREFERENCE = 0x400000,
    PYS_OP_LEGACY_SERVER_CONNECT = 0x4,
    PYS_OP_NO_EXTENDED_MASTER_SECRET = 0x1,
    PYS_OP_ALLOW_NO_DHE_KEX = 0x400,
    PYS_OP_NO_TICKET = 0x4000,
    PYS_OP_NO_ANTI_REPLAY = 0x1000000,
    PYS_OP_NO_TLSV1_2 = 0x8000000,
    PYS_OP_NO_TLSV1_3 = 0x20000000,
    PYS_MODE_PARTIAL_WRITE = 1,
    PYS_MODE_MOVING_BUFFER = 2,
    PYS_MODE_AUTO_RETRY = 4,
    PYS_MODE_NO_AUTO_CHAIN = 8,
    PYS_MODE_FALLBACK_SCSV = 0x80,
    PYS_VERIFY_PEER = 1,
    PYS_VERIFY_FAIL_IF_NO_CERT = 2,
    PYS_VERIFY_ONCE = 4,
    PYS_VERIFY_POST = 8,
    PYS_CACHE_CLIENT = 1,
    PYS_CACHE_SERVER = 2,
    PYS_CACHE_NO_AUTO_CLEAR = 0x80,
    PYS_CACHE_NO_LOOKUP = 0x100,
    PYS_CACHE_NO_STORE = 0x200
};

static inline bool
pys_setting(const pys_settings *s, enum pys_number which, int64_t bits)
{
    return (s->numbers[which] & bits) != 0;
}

/* To be called when a number or a list has changed, before anyone asks. */
void pys_settings_changed(pys_settings *s);

/*
 * Bits of security that the level of SSL_CTX_set_security_level(3) demands.
 */
int pys_security_bits(const pys_settings *s);

/* May tickets hold the session itself? Not from level 3 on (SESS-12). */
static inline bool
pys_tickets_whole(const pys_settings *s)
{
    return !pys_setting(s, PYS_OPTIONS, PYS_OP_NO_TICKET) &&
        s->numbers[PYS_SECURITY_LEVEL] < 3;
}

/* ---- the handshake ----------------------------------------------------- */

/* What a handler answers; nothing recorded on FAIL means decode_error. */
typedef enum pys_go {
    PYS_GO_FAIL,
    PYS_GO_NEXT,
    PYS_GO_READ,
    PYS_GO_ASK,
    PYS_GO_DONE
} pys_go;

/* Facts known to both sides; conditions of the steps in flight.c. */
enum {
    PYS_HS_RETRIED = 1,      /* a HelloRetryRequest was sent or taken */
    PYS_HS_CLIENT_AUTH = 2,  /* the server asked for a certificate */
    PYS_HS_CLIENT_CERT = 4,  /* the client has sent one */
    PYS_HS_COMPAT = 8,       /* dummy change_cipher_spec (RFC 8446 D.4) */
    PYS_HS_CCS_SENT = 16,
    PYS_HS_PSK = 32,         /* authenticated by PSK: no certificates */
    PYS_HS_RESUMED = 64,     /* TLS 1.2: the short form */
    PYS_HS_TICKET = 128,     /* TLS 1.2: the server promised a ticket */
    PYS_HS_EARLY = 256,      /* early data was accepted */
    PYS_HS_STATUS = 512      /* an OCSP response is, or may be, stapled */
};

typedef struct pys_hs pys_hs;
typedef struct pys_step pys_step;
typedef struct pys_watch pys_watch;
typedef struct pys_pad pys_pad;

enum {
    PYS_RANDOM_LEN = 32,
    PYS_SESSION_ID_MAX = 32,
    PYS_SHARES_MAX = 2,
    PYS_PSKS_MAX = 2 /* offered: of a ticket, external */
};

/*
 * Everything that only the handshake needs; wiped and freed at its end. The
 * extensions' handlers keep what they parsed here.
 */
struct pys_hs {
    pys_conn *conn;
    bool server;
    unsigned flags; /* PYS_HS_ */

    const pys_step *step; /* where flight.c stands; ends with a NULL name */
    bool settling;        /* the step's message is done, settle is not */
    int stage;            /* inside a settle that asks the application */
    int asked;            /* enum pys_ask, or -1 */
    bool answered;
    enum pys_answer answer;
    int answer_alert;
    pys_buf answer_data;

    pys_buf unsealed; /* messages of one level, to share records */
    pys_transcript transcript;
    pys_keys13 keys;
    pys_session *keys_of; /* keys are at the early secret of it; or NULL */
    const pys_suite *suite;
    const pys_group *group;
    uint8_t random[PYS_RANDOM_LEN];  /* the client's */
    uint8_t server_random[PYS_RANDOM_LEN];
    uint8_t session_id[PYS_SESSION_ID_MAX];
    size_t n_session_id;

    /* Client: offered. Server: the answer to the client's share. */
    pys_share *shares[PYS_SHARES_MAX];
    size_t n_shares;
    /* Resumption: offered by the client, or found by the server. */
    pys_session *psk;
    bool psk_dhe;        /* psk_dhe_ke may be used, or psk_ke */
    bool psk_only;
    pys_rd psk_list;     /* server: identities, while a hello is judged */
    pys_rd binder_list;
    size_t n_before_binders; /* of the ClientHello, header included */
    uint8_t before_hash[PYS_HASH_MAX]; /* second hello: up to the binders */
    int psk_index;       /* what the ServerHello names */
    uint32_t psk_age;    /* server: as the client says, veiled */
    bool early_wanted;   /* the application writes or reads early data */
    bool early_allowed;  /* server: but for a second use */
    bool half_open;      /* server: data may go out already */
    bool psk_external;   /* psk is none of ours: other binders */
    bool psk_plain;      /* server: psk_ke, without (EC)DHE */
    int psk_try;         /* server: identity that is being looked at */
    bool psk_looked;     /* server: the application knows none for it */
    /* Client: those of the last hello in their order, borrowed. */
    pys_session *offered[PYS_PSKS_MAX];
    size_t n_offered;
    pys_session *external; /* by the answer to a PYS_ASK_PSK_ question */
    pys_buf psk_about;     /* what that question is about */
    pys_ticket_setup *setup; /* server: by PYS_ASK_TICKET_, or NULL */
    bool setup_renews;       /* server: the ticket that was opened is old */
    pys_rd ticket_about;     /* server: the one that is to be opened */
    unsigned n_tickets;  /* server: still to be sent */
    bool ticket_wanted;  /* server: the client takes tickets */
    pys_session *given;  /* server: by PYS_ASK_SESSION */
    pys_rd ticket12;     /* server: of the hello, while it is judged */
    pys_buf ticket_got;  /* client: TLS 1.2 */
    uint32_t ticket_lifetime;

    uint8_t master[PYS_MASTER_LEN]; /* TLS 1.2 */
    pys_keys12 keys12;
    bool extended;    /* both know extended_master_secret (RFC 7627) */
    bool secure;      /* the peer knows RFC 5746 */
    bool formats_got; /* the peer sent ec_point_formats */
    bool ccs_got;     /* a change_cipher_spec that the step waits for */
    uint8_t secret[PYS_SECRET_MAX]; /* the (EC)DHE result */
    size_t n_secret;
    pys_buf share_out; /* server: key_exchange for the ServerHello */

    uint32_t ext_sent;  /* bits by row of ext.c: offered or asked by us */
    uint32_t ext_got; /* seen in the message being taken, then last hello */
    pys_buf cookie; /* RFC 8446 4.2.2 */
    pys_buf hello; /* server: first ClientHello, to compare the second */
    uint16_t retry_group; /* group named by a HelloRetryRequest, or 0 */
    pys_rd peer_shares; /* valid while a ClientHello is processed */

    pys_buf peer_schemes_cert; /* signature_algorithms_cert, raw, or empty */
    pys_buf alpn_chosen; /* server: what goes into the answer */
    bool name_accepted; /* server: acknowledge server_name */
    bool limit_got; /* server: the client sent a record limit */
    bool types_taken[PYS_AUTH_RSA + 1]; /* client: TLS 1.2, by pys_auth */
    bool scts_asked; /* server: the client wants timestamps */

    const pys_identity *id; /* ours, chosen; NULL: none */
    pys_settings *id_owner; /* keeps id alive */
    const pys_scheme *scheme; /* for our CertificateVerify */
    pys_buf to_sign; /* while somebody else signs */
    pys_buf params;  /* server, TLS 1.2: until they are signed */
    pys_buf request_context; /* of a CertificateRequest */
    pys_verdict verdict;
    bool verdict_taken;
    bool post_offered; /* the client offered post_handshake_auth */
    bool post; /* this is such an authentication, nothing else */
    bool paused; /* the step before awaits its answer */
    bool retry_verify; /* SSL_set_retry_verify(3) was called */
};

/*
 * Post-handshake authentication (RFC 8446 4.6.2): what is kept while it may
 * happen, that is if the client offered it.
 */
typedef struct pys_post {
    pys_hash *base;   /* ClientHello up to the client's Finished */
    pys_hs *waiting;  /* server: the request is out, the answer to come */
    bool asked;       /* server: the client was asked before */
    unsigned n_tickets; /* server: after each authentication */
    pys_buf used; /* client: contexts of requests lately, 8-bit lengths */
} pys_post;

/* ---- the connection ---------------------------------------------------- */

/* What is shown beside a certificate (handshake/ext_cert.c). */
typedef struct pys_proofs {
    pys_buf status; /* OCSPResponse: a server's own, a client's received */
    pys_buf scts;   /* client: received */
} pys_proofs;

/* Lists as they went over the wire, one behind the other. */
typedef struct pys_span {
    size_t at; /* inside of bytes */
    size_t n;
} pys_span;
typedef struct pys_offers {
    pys_buf bytes;
    pys_span own[PYS_N_OFFERS];
    pys_span peer[PYS_N_OFFERS];
} pys_offers;

/* One direction of I/O. A thread that reads owns one, a writer the other. */
typedef struct pys_flow {
    pys_bio *bio; /* borrowed, or NULL */
    pys_protect protect;
    uint8_t secret[PYS_HASH_MAX]; /* its traffic secret, for updates */
    pys_buf buf; /* in: bytes of records; out: sealed records */
    int want; /* SSL_want(3) */
    int err; /* errno of a failed BIO */
    int bio_fault; /* BIO_R_ of a failed BIO */
    bool ended; /* in: a read moved nothing; EOF is to be asked */
    bool flush_due; /* out: BIO_flush is to follow */
} pys_flow;

enum { PYS_IN = 0, PYS_OUT = 1 };

/* SSL_get_early_data_status(3); 0: not sent. */
enum { PYS_EARLY_REJECTED = 1, PYS_EARLY_ACCEPTED = 2 };

/* Early data of a connection that was offered some (RFC 8446 2.3). */
typedef struct pys_early {
    int status;
    bool ours;     /* client: it is what goes out now */
    bool theirs;   /* server: it is what comes in now */
    bool skipping; /* server: refused, and perhaps under way still */
    bool exports;  /* exporter is there */
    uint64_t left; /* bytes that may be sent, taken or passed over */
    enum pys_hash_alg alg;
    uint8_t secret[PYS_HASH_MAX];
    uint8_t exporter[PYS_HASH_MAX];
    uint8_t id[32];     /* server: hash of the ticket */
    int64_t expires_ms; /* server: until when it is to be remembered */
} pys_early;

/* Bits of SSL_get_shutdown(3). */
enum { PYS_SENT_SHUTDOWN = 1, PYS_RECEIVED_SHUTDOWN = 2 };

struct pys_conn {
    pys_settings *set;
    _Atomic int refs;
    enum pys_role role;
    _Atomic int phase; /* enum pys_phase */
    _Atomic int state; /* enum pys_state */
    _Atomic int closing; /* PYS_SENT_SHUTDOWN, PYS_RECEIVED_SHUTDOWN */
    _Atomic int update_due; /* a KeyUpdate to send: 1 plain, 2 asking */
    _Atomic int refuse_due; /* a no_renegotiation warning to send */
    _Atomic int alert_due; /* alert to send + 1; level fatal unless 0, 90 */
    atomic_flag faulted;
    pys_fault fault;
    _Atomic int misuse; /* SSL_R_ of the last wrong call */
    _Atomic int turn[2]; /* who may call pys_quick_read, _write */
    pys_flow flow[2];
    pys_hs *hs; /* NULL but while the handshake runs */
    pys_watch *watch; /* NULL unless notices are wanted: notice.h */
    pys_pad *pad; /* NULL unless the application pads: pad.h */
    pys_post *post; /* NULL: no authentication after the handshake */

    pys_buf msgs; /* handshake bytes not yet taken as messages */
    pys_rd plain; /* decrypted and unread, inside flow[PYS_IN].buf */
    size_t plain_raw; /* bytes of that record to eat when plain is read */
    _Atomic size_t n_pending; /* plain.n, for other threads */
    bool failing; /* the fault's alert is on its way out */
    unsigned n_empty; /* records without content in a row */
    unsigned n_warnings; /* alerts, HelloRequests passed over in a row */
    unsigned n_updates; /* KeyUpdates in a row without data */
    pys_early *early; /* or NULL: none was offered */
    unsigned n_ccs; /* change_cipher_spec records seen */
    bool first_record; /* nothing was received yet */
    bool early_read; /* server: the application asked for early data */

    /* A write under way (RW-18): the caller's buffer and how far it is. */
    const uint8_t *w_buf;
    size_t w_len;
    size_t w_sealed;
    bool w_open;

    /* Wishes of the application. */
    pys_buf server_name; /* client: to send. server: received */
    pys_hosts hosts;

    /* Results. */
    size_t send_max; /* longest content of a record we send (RFC 8449) */
    uint16_t version;
    const pys_suite *suite;
    uint16_t group;
    uint16_t own_scheme;
    uint16_t peer_scheme;
    bool retried;
    pys_buf alpn;
    pys_cert **peer_chain; /* leaf first */
    size_t n_peer_chain;
    long verify_result;
    int verify_depth;
    char *peername;
    pys_buf peer_ca_names;
    pys_proofs *proofs; /* or NULL: none */
    bool status_asked; /* server: the client asked for a response */
    pys_offers *offers; /* NULL but in a handshake and after a failed one */
    pys_session *session; /* to offer; then the one in use */
    pys_session **fresh; /* made or received since last asked */
    size_t n_fresh;
    pys_session **dropped; /* by the cache since last asked */
    size_t n_dropped;
    bool clear_due; /* it is time to look for expired sessions */
    bool resumed;
    pys_cert *own_cert; /* shown in this handshake, or NULL */
    pys_buf *psk_hint; /* client: of a server of TLS 1.2, or NULL */
    uint32_t n_nonce; /* tickets given */
    uint8_t exporter[PYS_HASH_MAX]; /* in TLS 1.2 the master secret */
    union {
        uint8_t randoms[2 * PYS_RANDOM_LEN]; /* TLS 1.2, for exporters */
        uint8_t resumption[PYS_HASH_MAX]; /* TLS 1.3, for tickets */
    };
    /* verify_data of the Finished messages: received, sent. */
    uint8_t finished[2][PYS_HASH_MAX];
    uint8_t n_finished[2];
    bool extended; /* made with extended_master_secret */
    pys_buf keylog; /* lines, each ended by a NUL */
    pys_buf keylog_line; /* the one handed out */
};

/*
 * Records a fatal fault and the alert that goes with it; the first one of a
 * connection wins. Always false.
 */
bool pys_fail(pys_conn *c, int alert, unsigned reason);

/* The same with entries of libcrypto in front of the reason. */
bool pys_fail_after(pys_conn *c, const pys_fault *first, int alert,
    unsigned reason);

/* The same for libcrypto's and memory's failures: internal_error. */
bool pys_fail_internal(pys_conn *c);

/*
 * Counts a handshake that is complete (SSL_CTX_sess_number(3)). Now and then
 * it is time to clean the cache (SESS-1).
 */
void pys_count_good(pys_conn *c);

/* Bytes n of a secret become a key log line, if anyone wants it. */
PYS_MUST bool pys_keylog(pys_hs *hs, const char *label, const uint8_t *secret,
    size_t n);

/* Copies a raw list into a buffer, replacing what it held. */
PYS_MUST bool pys_keep(pys_buf *to, pys_rd from);
/* Forgets what both sides have offered. */
void pys_offers_drop(pys_conn *c);

/* Made when first needed; NULL if memory is short. */
PYS_MUST pys_proofs *pys_conn_proofs(pys_conn *c);
/* Drops what the peer has shown, or all of it. */
void pys_proofs_drop(pys_conn *c, bool all);

/* RFC 6962 3.3: a list of at least one, none of them empty. */
PYS_MUST bool pys_scts_check(pys_rd list);

/* True once TLS 1.2 was agreed on. */
static inline bool
pys_is_12(const pys_conn *c)
{
    return c->version == PYS_TLS1_2;
}

/*
 * Our suites of one version, groups that libcrypto serves, and schemes that
 * may be used, best first; how many (usable.c).
 */
size_t pys_suites_of(const pys_conn *c, uint16_t version,
    uint16_t out[PYS_LIST_MAX]);
size_t pys_groups(const pys_settings *s, uint16_t out[PYS_LIST_MAX]);
size_t pys_schemes(const pys_settings *s, uint16_t out[PYS_LIST_MAX]);

/*
 * Highest and lowest version that settings allow and that have a suite; 0 if
 * there is none, and SSL_R_ of why.
 */
uint16_t pys_version_max(const pys_conn *c);
uint16_t pys_version_min(const pys_conn *c);
unsigned pys_version_lack(const pys_conn *c);

/* Has the application registered for a question? */
static inline bool
pys_registered(const pys_conn *c, enum pys_ask what)
{
    return pys_setting(c->set, PYS_ASKS, (int64_t)1 << what);
}

/*
 * Asks the application. True: it answered (hs->answer and the rest are set,
 * and the question is closed). False: suspend with PYS_GO_ASK. A question
 * that nobody registered for is answered PYS_GO_ON at once.
 */
PYS_MUST bool pys_ask(pys_hs *hs, enum pys_ask what);

/* Most bytes of content in the next record: RFC 8449 binds protected ones. */
static inline size_t
pys_send_max(const pys_conn *c)
{
    size_t wish = (size_t)c->set->numbers[PYS_SEND_FRAGMENT];

    if (c->flow[PYS_OUT].protect.aead != NULL && c->send_max < wish)
        return c->send_max;
    return wish;
}

/*
 * Appends one record to what is to be sent, now or once its padding is known.
 * False as pys_record_seal.
 */
PYS_MUST bool pys_seal(pys_conn *c, pys_protect *p, enum pys_record_type type,
    pys_rd in);

/* The same with these zeros, at once; conn/pad.h is for those that wait. */
PYS_MUST bool pys_seal_padded(pys_conn *c, pys_protect *p,
    enum pys_record_type type, pys_rd in, size_t pad);

/* Seals the messages built since the last call, in few records. */
PYS_MUST bool pys_hs_seal(pys_hs *hs);

/*
 * Appends a certificate, whose reference is handed over, to the peer's chain.
 * False with a fault if memory is short.
 */
PYS_MUST bool pys_peer_add(pys_conn *c, pys_cert *cert);
/* Forgets who the peer is. */
void pys_peer_drop(pys_conn *c);

void pys_post_free(pys_conn *c);

/* A fresh handshake for c, or NULL. */
PYS_MUST pys_hs *pys_hs_new(pys_conn *c);
void pys_hs_free(pys_hs *hs);

/* Puts a list in place of the one there; false if memory is short. */
PYS_MUST bool pys_offers_put(pys_offers *o, pys_span *list, pys_rd bytes);

static inline pys_rd
pys_offers_list(const pys_offers *o, pys_span list)
{
    return list.n == 0 ? pys_rd_of(NULL, 0) :
                         pys_rd_of(pys_buf_head(&o->bytes) + list.at, list.n);
}

/*
 * Lists that the peer sent and that we did, raw: until the next one is put
 * or taken.
 */
static inline pys_rd
pys_offered(const pys_hs *hs, enum pys_offer_list which)
{
    return pys_offers_list(hs->conn->offers, hs->conn->offers->peer[which]);
}

static inline pys_rd
pys_offered_own(const pys_hs *hs, enum pys_offer_list which)
{
    return pys_offers_list(hs->conn->offers, hs->conn->offers->own[which]);
}

#endif
