/*
 * PSKs and resumption: what ext_psk.c, psk_external.c, psk12.c and session12.c
 * give to the rest of the handshake.
 */
#ifndef PYS_PSK_H
#define PYS_PSK_H

#include "conn/conn.h"

/* Client: fills in the binder of a whole ClientHello (RFC 8446 4.2.11.2). */
PYS_MUST bool pys_psk_bind(pys_hs *hs, uint8_t *whole, size_t n);

/* Client: is this session of use for what we offer? */
bool pys_psk_offers(const pys_conn *c, const pys_session *s);

/* Server: takes a PSK of the first hello, or none. */
pys_go pys_psk_choose(pys_hs *hs);
/* Server: keeps which one it was; then the binder of the second hello. */
PYS_MUST bool pys_psk_before_retry(pys_hs *hs);
pys_go pys_psk_again(pys_hs *hs);
/* Hash of the first ClientHello up to its binders. */
PYS_MUST bool pys_psk_first_hash(pys_hs *hs, uint8_t *hash);

/* May this session be resumed in this handshake? Suites are not looked at. */
bool pys_session_serves(const pys_hs *hs, const pys_session *s);
/* SESS-9: whose session it is cannot be told; false then, with the fault. */
PYS_MUST bool pys_session_tellable(pys_hs *hs);
/* What a resumed connection takes over of the first one (SESS-5). */
PYS_MUST bool pys_session_adopt(pys_hs *hs, const pys_session *s);
/* A session of this connection, without its secret; NULL: memory. */
PYS_MUST pys_session *pys_session_made(pys_conn *c);
/* The id of a session that a ticket stands for: a hash of it. */
PYS_MUST bool pys_session_name(pys_session *s, pys_rd ticket);
/* Makes a session the current one (takes over the reference). */
void pys_session_use(pys_conn *c, pys_session *s);
/* The same, and hands it to whoever asks (SESS-7). */
void pys_session_announce(pys_conn *c, pys_session *s);
/* In the server's cache: fresh, a new reference; or NULL. */
PYS_MUST pys_session *pys_session_cached(pys_hs *hs, pys_rd id);
/* Puts a session into the cache, unless that is the application's affair. */
PYS_MUST bool pys_session_store(pys_conn *c, pys_session *s);
/*
 * Server: opens a ticket, with the application's keys if it has any (TKT-2).
 * *old: a new one should be sent.
 */
pys_go pys_ticket_unseal(pys_hs *hs, pys_rd ticket, pys_session **out,
    bool *old);
/* Server: asks for the keys of a new ticket; a prepare. */
pys_go pys_ticket_prepare(pys_hs *hs);
/* Server: seals it. */
PYS_MUST bool pys_ticket_wrap(pys_hs *hs, const pys_session *s, pys_buf *out);
/* Both forget what nobody asked for. */
void pys_fresh_drop(pys_conn *c);
void pys_dropped_drop(pys_conn *c);
/* TLS 1.3: the current session at the end of a handshake (SESS-4). */
PYS_MUST bool pys_session13_done(pys_hs *hs);

/* Whose external PSK is behind this handshake; empty: nobody's. */
pys_rd pys_psk_identity(const pys_hs *hs);

/* Client: asks for an external PSK before the first hello; its prepare. */
pys_go pys_external_offer(pys_hs *hs);
/*
 * Server: asks for the PSK of an identity; with one that fits, hs->psk and
 * its mark are set.
 */
pys_go pys_external_find(pys_hs *hs, pys_rd identity);
/*
 * Server: is there a suite with the hash of a PSK? If another one was chosen,
 * the best of these takes its place.
 */
bool pys_psk_fits(pys_hs *hs, const pys_session *s);
void pys_psk_hint_drop(pys_conn *c);

/* TLS 1.2, ECDHE_PSK (RFC 5489): parts of the two key exchange messages. */
PYS_MUST bool pys_psk12_hint_process(pys_hs *hs, pys_rd *in);
pys_go pys_psk12_prepare(pys_hs *hs);
PYS_MUST bool pys_psk12_identity_process(pys_hs *hs, pys_rd *in);
pys_go pys_psk12_settle(pys_hs *hs);
/* The premaster secret of hs->secret and the PSK. */
PYS_MUST bool pys_psk12_premaster(pys_hs *hs, pys_buf *out);

/* TLS 1.2: the client puts its session into the hello. */
void pys_session12_offer(pys_hs *hs);
/* TLS 1.2: the server takes the session of the hello, or none. */
pys_go pys_session12_choose(pys_hs *hs);
/* TLS 1.2: the server has taken the one that we offered. */
PYS_MUST bool pys_session12_accept(pys_hs *hs);
/* TLS 1.2: what comes of this handshake for the next one. */
PYS_MUST bool pys_session12_done(pys_hs *hs);

#endif
