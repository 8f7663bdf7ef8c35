/*
 * What the certificate messages of both versions share (msg_cert.c).
 */
#ifndef PYS_MSG_CERT_H
#define PYS_MSG_CERT_H

#include "handshake/flight.h"

enum { PYS_CERT_MESSAGE_MAX = 102400 };

/* CertificateRequest: does the server send one? */
bool pys_request_wanted(pys_hs *hs);
/* The client's answer is made ready; it may ask the application. */
pys_go pys_request_settle(pys_hs *hs);

/*
 * Our chain, leaf first; with an extension block behind each certificate or
 * without.
 */
PYS_MUST bool pys_chain_build(pys_hs *hs, bool exts, pys_wr *w);
/* Takes the peer's, and keeps it in the connection. */
PYS_MUST bool pys_chain_process(pys_hs *hs, bool exts, pys_rd list);
/* Runs the verification of the peer's chain; false: memory. */
PYS_MUST bool pys_verification_run(pys_hs *hs);
/* Verifies it; may ask the application. */
pys_go pys_certificate_settle(pys_hs *hs);

/*
 * Where the key is not here: asks for the signature of content, and checks
 * it. Else nothing.
 */
pys_go pys_sign_prepare(pys_hs *hs, pys_rd content);
/* Writes scheme and signature; pys_sign_prepare came before. */
PYS_MUST bool pys_sign_build(pys_hs *hs, pys_rd content, pys_wr *w);

/*
 * The peer's key, if it may sign with the scheme that the peer chose; NULL
 * with the fault recorded if not.
 */
PYS_MUST pys_key *pys_signing_key(pys_hs *hs, uint16_t scheme);

#endif
