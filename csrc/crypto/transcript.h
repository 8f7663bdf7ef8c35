/*
 * The hash over all handshake messages (RFC 8446 4.4.1). Messages before the
 * suite is known are kept; then they are hashed and dropped.
 */
#ifndef PYS_TRANSCRIPT_H
#define PYS_TRANSCRIPT_H

#include "crypto/crypt.h"

typedef struct pys_transcript {
    pys_buf kept; /* until the hash is known */
    pys_hash *hash;
    pys_hash *scratch; /* free for any short-lived use */
    enum pys_hash_alg alg;
    size_t n_ahead; /* not started: what hash has had of the first message */
    bool started;
    bool known; /* now is the hash of everything up to now */
    uint8_t now[PYS_HASH_MAX];
    bool keep; /* TLS 1.2: CertificateVerify signs the messages themselves */
} pys_transcript;

PYS_MUST bool pys_transcript_init(pys_transcript *t);
void pys_transcript_wipe(pys_transcript *t);
/* Adds one whole handshake message with its header. */
PYS_MUST bool pys_transcript_add(pys_transcript *t, pys_rd message);
/* The hash is known now; hashes and drops what was kept. */
PYS_MUST bool pys_transcript_start(pys_transcript *t, enum pys_hash_alg alg);
/*
 * RFC 8446 4.4.1: what was hashed so far (ClientHello1) becomes a message_hash
 * message; called before the HelloRetryRequest is added.
 */
PYS_MUST bool pys_transcript_retry(pys_transcript *t);
/*
 * Goes on behind what base has hashed (RFC 8446 4.4.1: authentication after
 * the handshake); nothing was added before.
 */
PYS_MUST bool pys_transcript_resume(pys_transcript *t, enum pys_hash_alg alg,
    const pys_hash *base);
/*
 * The hash of everything up to now and head and rest, without adding them (RFC
 * 8446 4.2.11.2); alg counts while none was started.
 */
PYS_MUST bool pys_transcript_with(pys_transcript *t, enum pys_hash_alg alg,
    pys_rd head, pys_rd rest, uint8_t *out);
/*
 * The hash of the beginning of the first message, kept or yet to be added,
 * which is head and rest. A start with this alg then goes on from there.
 */
PYS_MUST bool pys_transcript_first(pys_transcript *t, enum pys_hash_alg alg,
    pys_rd head, pys_rd rest, uint8_t *out);
/* No CertificateVerify will come: drops what was kept for it. */
void pys_transcript_forget(pys_transcript *t);
/* The hash up to now, into out. */
PYS_MUST bool pys_transcript_now(pys_transcript *t, uint8_t *out);

#endif
