/*
 * The face of connections: what an SSL object stands on. The Python side
 * reads it after pys.h, whose types and conventions hold here too.
 */
#ifndef PYS_CONN_H
#define PYS_CONN_H

#include "pys.h"

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
    PYS_ASK_EARLY_DATA,   /* may early data be taken? */
    PYS_ASK_FIRST_USE,    /* was this ticket never seen before? */
    PYS_ASK_JUDGE,        /* the peer's chain, instead of a verification */
    PYS_ASK_STATUS,       /* SSL_CTX_set_tlsext_status_cb(3) */
    PYS_ASK_TICKET_SEAL,  /* keys for a new ticket, server */
    PYS_ASK_TICKET_OPEN,  /* keys for the client's ticket, server */
    PYS_ASK_PSK_OFFER,    /* an external PSK to offer in TLS 1.3, client */
    PYS_ASK_PSK_LOOKUP,   /* the external PSK of an identity, TLS 1.3 */
    PYS_ASK_PSK_CLIENT,   /* the PSK of a TLS 1.2 suite, client */
    PYS_ASK_PSK_SERVER,   /* the same for the client's identity, server */
    PYS_ASK_SIGN,         /* with a key that is not here */
    PYS_N_ASKS
};

/* Bits beside those of the questions: what the application hears of. */
enum {
    PYS_HEAR_SESSIONS = 0x20000000, /* SSL_CTX_sess_set_new_cb(3) */
    PYS_HEAR_KEYLOG = 0x40000000    /* SSL_CTX_set_keylog_callback(3) */
};

/* Answers: go on, fail with the alert given, or stay suspended. */
enum pys_answer { PYS_GO_ON, PYS_REFUSE, PYS_SUSPEND, PYS_DECLINE };

/* SSL_want(3). */
enum {
    PYS_NOTHING = 1,
    PYS_WRITING = 2,
    PYS_READING = 3,
    PYS_X509_LOOKUP = 4,
    PYS_ASYNC_PAUSED = 5,
    PYS_CLIENT_HELLO_CB = 7,
    PYS_RETRY_VERIFY = 8
};

/* Takes a reference to the settings. */
pys_conn *pys_conn_new(pys_settings *s);
pys_conn *pys_conn_up_ref(pys_conn *c); /* one more to be freed */
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
/* The same; PYS_TOLD is added if Python has to hear of something. */
int pys_conn_shake(pys_conn *c);
enum { PYS_TOLD = 0x100 };
/* Has it? */
bool pys_conn_told(const pys_conn *c);
/*
 * Bytes read or written, 0 or more, if that is what was asked; else minus an
 * enum pys_io. They do not run the handshake.
 */
long pys_conn_read(pys_conn *c, uint8_t *out, size_t n, bool peek);
long pys_conn_write(pys_conn *c, const uint8_t *p, size_t n);
/*
 * Each direction has a turn beside the lock, taken by reads and writes that
 * never wait (api/quick.h). Whoever has the lock of a direction and needs
 * others kept out shuts it, which waits for moments only, and opens it later:
 * false if such calls are of no use here. It begins shut. writing: 0 or 1.
 */
bool pys_conn_open_quick(pys_conn *c, int writing);
void pys_conn_shut_quick(pys_conn *c, int writing);
enum pys_io pys_conn_shutdown(pys_conn *c);
/* Second half of SSL_shutdown(3): waits for the peer's close_notify. */
enum pys_io pys_conn_shutdown_read(pys_conn *c);
/* Tries once to hand over an alert or refusal that a read left behind. */
enum pys_io pys_conn_flush(pys_conn *c);

/*
 * Early data (RFC 8446 2.3). A client writes before anything else, a server
 * reads so; these run the handshake as far as it must. Keep every other
 * thread out. write: as pys_conn_write. read: PYS_IO_DONE with *n bytes, or
 * with *ended: there is no more, and the handshake goes on.
 */
long pys_conn_write_early(pys_conn *c, const uint8_t *p, size_t n);
enum pys_io pys_conn_read_early(pys_conn *c, uint8_t *out, size_t *n,
    bool *ended);
/* 0 not sent, 1 refused, or no answer yet, 2 accepted. */
int pys_conn_early_status(const pys_conn *c);
/*
 * What PYS_ASK_FIRST_USE is about: 32 bytes that stand for the ticket, or
 * NULL, and until when it is to be remembered, seconds since the epoch.
 */
const uint8_t *pys_conn_early_ticket(const pys_conn *c, int64_t *expires);

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
 * PYS_ASK_ALPN, the signature for PYS_ASK_SIGN, or nothing.
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
/*
 * Gives the session in use up, if there is one: it is resumed no more and
 * leaves the cache. Unless anyway, only if the connection ends without a
 * close_notify of ours (SSL_clear(3)). Says whether a session was given up.
 */
bool pys_conn_retire(pys_conn *c, bool anyway);
/*
 * Sessions that came to be, oldest first: a new reference, or NULL. Those of
 * a client whose cache is on are kept for this, others with
 * PYS_HEAR_SESSIONS.
 */
pys_session *pys_conn_fresh_session(pys_conn *c);
bool pys_conn_resumed(const pys_conn *c);
/* The id that PYS_ASK_SESSION is about; its answer (takes a reference). */
const uint8_t *pys_conn_asked_id(const pys_conn *c, size_t *n);
void pys_conn_give_session(pys_conn *c, pys_session *s);
/*
 * PYS_ASK_TICKET_OPEN: the ticket's first 32 bytes, name of the key and
 * initialisation vector; NULL if nothing of the kind is asked.
 */
const uint8_t *pys_conn_asked_ticket(const pys_conn *c);
/*
 * The keys for either question, which are copied and forgotten after use.
 * renew: a ticket that is opened is to be replaced. False: memory is short.
 */
bool pys_conn_answer_ticket(pys_conn *c, const pys_ticket_setup *setup,
    bool renew);
/*
 * What a question for a PSK is about: the identity, or for
 * PYS_ASK_PSK_CLIENT the server's hint (it may be empty). NULL: nothing.
 */
const uint8_t *pys_conn_asked_psk(const pys_conn *c, size_t *n);
/*
 * Its answer: a copy of the session, whose secret is the key; the identity is
 * the client's. False if it does not fit or memory is short.
 */
bool pys_conn_give_psk(pys_conn *c, const pys_session *s,
    const uint8_t *identity, size_t n);
/* The hint that a server of TLS 1.2 sent, or NULL. */
const uint8_t *pys_conn_psk_hint(const pys_conn *c, size_t *n);
/*
 * What the cache of a server let go of, oldest first: its reference, or NULL
 * when there is no more.
 */
pys_session *pys_conn_dropped_session(pys_conn *c);
/* It is time to drop what has expired from the cache; told once. */
bool pys_conn_clear_due(pys_conn *c);
/* The body of the ClientHello that a server is answering, or NULL. */
const uint8_t *pys_conn_client_hello(const pys_conn *c, size_t *n);
/*
 * The OCSP response: a server's to staple, a client's as received; NULL for
 * none. A new one is at most PYS_RESPONSE_MAX bytes, or false.
 */
enum { PYS_RESPONSE_MAX = 0xd000 };
bool pys_conn_set_status(pys_conn *c, const uint8_t *p, size_t n);
const uint8_t *pys_conn_status(const pys_conn *c, size_t *n);
/* Server: the client asked for one. */
bool pys_conn_status_asked(const pys_conn *c);
/* Client: the SignedCertificateTimestampList received, or NULL. */
const uint8_t *pys_conn_scts(const pys_conn *c, size_t *n);
/* SSL_key_update(3): 1 asks the peer for one too. */
enum pys_io pys_conn_key_update(pys_conn *c, int request);

/*
 * Padding (RFC 8446 5.4) with PYS_PAD_ASKED: a call that has sealed something
 * ends with PYS_IO_BIO for each record that waits for the answer; keep other
 * writers out, answer, and call again. The type of its content and how much
 * there is, the type included; -1 if none waits.
 */
int pys_conn_pad_asked(const pys_conn *c, size_t *n);
/* The answer: zeros to add, fewer if so many do not fit. */
void pys_conn_pad(pys_conn *c, size_t n);
/* There is none: the connection fails, and nobody is asked any more. */
void pys_conn_pad_failed(pys_conn *c);

/* SSL_verify_client_post_handshake(3): the next call sends the request. */
enum pys_io pys_conn_ask_auth(pys_conn *c);

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
/*
 * While PYS_ASK_SIGN is asked: what is to be signed (NULL if it is not), by
 * which scheme, and the number of who signs.
 */
const uint8_t *pys_conn_to_sign(const pys_conn *c, size_t *n, unsigned *scheme,
    unsigned *signer);
/*
 * While PYS_ASK_VERIFY or PYS_ASK_JUDGE is asked: what the verification said
 * (none before it ran), in its order; the path that it built, leaf first, as
 * new references. lost: there was more to say.
 */
size_t pys_conn_n_verify_events(const pys_conn *c, bool *lost);
/* Gives the depth; *error is an X509_V_ code, *ok whether it is none. */
int pys_conn_verify_event(const pys_conn *c, size_t i, bool *ok, long *error);
size_t pys_conn_n_verify_path(const pys_conn *c);
pys_cert *pys_conn_verify_path(const pys_conn *c, size_t i);
/* Runs our own verification for who answers PYS_ASK_JUDGE; false: memory. */
bool pys_conn_verify(pys_conn *c);
/* The application's result; it goes before the answer. */
void pys_conn_set_verdict(pys_conn *c, long result, int depth);
/*
 * SSL_set_retry_verify(3), false if no such question is open; and whether it
 * was called since last asked.
 */
bool pys_conn_retry_verify(pys_conn *c);
bool pys_conn_retry_wanted(pys_conn *c);
/*
 * Our own certificate in this handshake, or NULL; of a resumed one the only
 * certificate there is. A new reference.
 */
pys_cert *pys_conn_own_cert(const pys_conn *c);
/* verify_data of Finished, ours if sent; n is 0 while there is none. */
const uint8_t *pys_conn_finished(const pys_conn *c, int sent, size_t *n);
/* CA names that a server asked with: concatenated 16-bit-length Names. */
const uint8_t *pys_conn_peer_ca_names(const pys_conn *c, size_t *n);
/* RFC 8446 7.5, RFC 5705; false before the handshake is done. */
bool pys_conn_export(pys_conn *c, uint8_t *out, size_t n, const char *label,
    size_t n_label, const uint8_t *context, size_t n_context);

/* The same from early_exporter_master_secret; false if there is none. */
bool pys_conn_export_early(pys_conn *c, uint8_t *out, size_t n,
    const char *label, size_t n_label, const uint8_t *context,
    size_t n_context);

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

/*
 * Notices (SSL_CTX_set_info_callback(3), SSL_CTX_set_msg_callback(3)): what
 * happened, in order, kept until it is asked for. While somebody watches,
 * calls may end with PYS_IO_NEWS so that not too much is kept: fetch it, and
 * make the same call again.
 */
enum {
    PYS_WATCH_INFO = 1,
    PYS_WATCH_MSG = 2,
    PYS_WATCH_LOST = 4 /* memory was short: some notices are missing */
};
typedef struct pys_notice {
    int kind;  /* PYS_WATCH_ */
    int state; /* SSL_get_state(3) at that time */
    int where; /* info: SSL_CB_ bits. message: 1 if sent */
    int ret;   /* info: its argument. message: version */
    int type;  /* message: content type, 256 or 257 */
    const uint8_t *p; /* message */
    size_t n;
} pys_notice;
/* Says which kinds are kept, 0 for none; false if memory is short. */
bool pys_conn_watch(pys_conn *c, unsigned bits);
/*
 * The next one, or NULL: of the reading half, to which the handshake
 * belongs, or of the other. Valid until the next call.
 */
const pys_notice *pys_conn_next_notice(pys_conn *c, int writing);
/* The texts of a state in a notice; as pys_conn_state_text. */
const char *pys_state_text(int state, bool longer);

/* Key log (SSL_CTX_set_keylog_callback(3)): lines queued since last asked. */
/* The next line without newline, or NULL; valid until the next call. */
const char *pys_conn_next_keylog(pys_conn *c);

#endif
