/*
 * The handshake as data: one ordered list of steps a version, and the loop
 * that walks it for both sides (RFC 8446 2, A).
 */
#ifndef PYS_FLIGHT_H
#define PYS_FLIGHT_H

#include "conn/own.h"

/* RFC 8446 B.3. */
enum {
    PYS_MT_CLIENT_HELLO = 1,
    PYS_MT_SERVER_HELLO = 2,
    PYS_MT_NEW_SESSION_TICKET = 4,
    PYS_MT_END_OF_EARLY_DATA = 5,
    PYS_MT_ENCRYPTED_EXTENSIONS = 8,
    PYS_MT_CERTIFICATE = 11,
    PYS_MT_CERTIFICATE_REQUEST = 13,
    PYS_MT_CERTIFICATE_VERIFY = 15,
    PYS_MT_FINISHED = 20,
    PYS_MT_KEY_UPDATE = 24,
    PYS_MT_HELLO_REQUEST = 0,
    PYS_MT_SERVER_KEY_EXCHANGE = 12,
    PYS_MT_SERVER_HELLO_DONE = 14,
    PYS_MT_CLIENT_KEY_EXCHANGE = 16,
    PYS_MT_CERTIFICATE_STATUS = 22,
    PYS_MT_MESSAGE_HASH = 254
};

enum { PYS_MESSAGE_HEADER = 4 };

/*
 * A handshake message. The loop writes and reads the header, checks that
 * process leaves nothing over, and keeps the transcript: process runs before
 * the message is added to it.
 */
typedef struct pys_msg {
    uint8_t type;
    size_t max; /* longest body accepted (RFC 8446 4; ours where silent) */
    /*
     * Sender: runs before anything is written; may ask the application, and
     * is called again then. PYS_GO_DONE leaves the message out. NULL: nothing.
     */
    pys_go (*prepare)(pys_hs *hs);
    /* Writes the body. */
    bool (*build)(pys_hs *hs, pys_wr *w);
    /* Completes the whole message, header included; NULL: nothing. */
    bool (*finish)(pys_hs *hs, uint8_t *whole, size_t n);
    /* Takes the body; must read it to its end. */
    bool (*process)(pys_hs *hs, pys_rd *in);
    /* Sender: is this optional message to be sent? NULL: yes. */
    bool (*wanted)(pys_hs *hs);
    /*
     * Receiver: is this body (of this type) the optional message? NULL: the
     * type decides.
     */
    bool (*is)(pys_rd body);
    /*
     * Runs after process and before anything follows: decisions that may ask
     * the application. Called again after PYS_GO_ASK. NULL: nothing.
     */
    pys_go (*settle)(pys_hs *hs);
} pys_msg;

struct pys_step {
    const char *name; /* NULL ends the list */
    const pys_msg *msg; /* NULL: a change_cipher_spec of TLS 1.2 */
    enum pys_role from;
    unsigned when;   /* skip unless all these flags are set */
    unsigned unless; /* skip if any of these flags is set */
    bool optional;   /* wanted/is/type decide */
    bool repeated;   /* as long as it is wanted; nobody waits for it */
    bool pause;      /* the sender goes on when the answer has come */
    enum pys_state sent;
    enum pys_state got;
    /* After the message is in the transcript: keys and the like. */
    bool (*then)(pys_hs *hs);
};

extern const pys_step pys_flight13[];
/* TLS 1.2 goes on here once a ServerHello says so. */
extern const pys_step pys_flight12[];
/* Authentication after the handshake (RFC 8446 4.6.2). */
extern const pys_step pys_flight_post[];

/*
 * Goes on as far as it can: writes messages into flow[PYS_OUT].buf, takes
 * them from conn->msgs. PYS_GO_READ: wants another record. PYS_GO_DONE: every
 * step is done; once the bytes are handed over, pys_flight_finish.
 */
pys_go pys_flight_run(pys_conn *c);

/* Drops what only the handshake needed; the connection is open. */
void pys_flight_finish(pys_conn *c);

/* Messages of the lists. */
extern const pys_msg pys_msg_client_hello;
extern const pys_msg pys_msg_retry; /* HelloRetryRequest */
extern const pys_msg pys_msg_server_hello;
extern const pys_msg pys_msg_encrypted_extensions;
extern const pys_msg pys_msg_certificate_request;
extern const pys_msg pys_msg_certificate;
extern const pys_msg pys_msg_certificate_verify;
extern const pys_msg pys_msg_finished;
extern const pys_msg pys_msg_end_of_early_data;
extern const pys_msg pys_msg_ticket;
extern const pys_msg pys_msg_ticket12;
extern const pys_msg pys_msg_certificate12;
extern const pys_msg pys_msg_certificate_status;
extern const pys_msg pys_msg_certificate_request12;
extern const pys_msg pys_msg_certificate_verify12;
extern const pys_msg pys_msg_server_kx;
extern const pys_msg pys_msg_server_done;
extern const pys_msg pys_msg_client_kx;
extern const pys_msg pys_msg_finished12;

/*
 * Handshake: PYS_GO_NEXT if a message waits in conn->msgs, whole or not
 * (intake.c). RFC 5246 7.4.1.1: a client passes over a HelloRequest, which is
 * no part of the transcript. Not without end.
 */
pys_go pys_message_waits(pys_conn *c);

/*
 * Messages of an established connection (msg_post.c): takes the first one in
 * conn->msgs. *moved tells whether it was whole.
 */
PYS_MUST bool pys_post_take(pys_conn *c, bool *moved);

/* At the end of a handshake: keeps what an authentication later needs. */
PYS_MUST bool pys_post_keep(pys_hs *hs);
/* Begins one, or goes on with the answer to ours: conn->hs. */
PYS_MUST bool pys_post_begin(pys_conn *c);
/* The context of a request: a server's, or one that a client got. */
PYS_MUST bool pys_post_context_make(pys_hs *hs);
PYS_MUST bool pys_post_context_take(pys_hs *hs, pys_rd context);

/* A ticket that a client got (msg_ticket.c). */
PYS_MUST bool pys_ticket_process(pys_conn *c, pys_rd *in);

/*
 * Server: every decision on a ClientHello (choose.c); its settle. PYS_GO_ASK
 * comes back here once the application has answered.
 */
pys_go pys_choose(pys_hs *hs);

/*
 * The application's word on an OCSP response (ext_cert.c): a server's before
 * it shows one, a client's once the peer is known to own its certificate.
 */
pys_go pys_status_choose(pys_hs *hs);
pys_go pys_status_settle(pys_hs *hs);

#endif
