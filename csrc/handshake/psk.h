/*
 * Resumption: what ext_psk.c and session12.c give to the rest of the
 * handshake.
 */
#ifndef PYS_PSK_H
#define PYS_PSK_H

#include "handshake/conn.h"

/* Client: fills in the binder of a whole ClientHello (RFC 8446 4.2.11.2). */
PYS_MUST bool pys_psk_bind(pys_hs *hs, uint8_t *whole, size_t n);

/* Server: takes a PSK of the first hello, or none. */
pys_go pys_psk_choose(pys_hs *hs);
/* Server: the binder of the second hello. */
pys_go pys_psk_again(pys_hs *hs);
/* Hash of the first ClientHello up to its binders. */
PYS_MUST bool pys_psk_first_hash(pys_hs *hs, uint8_t *hash);

/* May this session be resumed in this handshake? Suites are not looked at. */
bool pys_session_serves(const pys_hs *hs, const pys_session *s);
/* What a resumed connection takes over of the first one (SESS-5). */
PYS_MUST bool pys_session_adopt(pys_hs *hs, const pys_session *s);
/* A session of this connection, without its secret; NULL: memory. */
PYS_MUST pys_session *pys_session_made(pys_conn *c);
/* Hands a session to whoever asks (SESS-7), and makes it the current one. */
void pys_session_announce(pys_conn *c, pys_session *s);

/* TLS 1.2: the client puts its session into the hello. */
PYS_MUST bool pys_session12_offer(pys_hs *hs);
/* TLS 1.2: the server takes the session of the hello, or none. */
pys_go pys_session12_choose(pys_hs *hs);
/* TLS 1.2: the server has taken the one that we offered. */
PYS_MUST bool pys_session12_accept(pys_hs *hs);
/* TLS 1.2: what comes of this handshake for the next one. */
PYS_MUST bool pys_session12_done(pys_hs *hs);

#endif
