/*
 * Notices: what an application that watches is told of, in order, once the
 * call that caused it has returned (contract 6.12 and 6.13). A connection
 * that nobody watches has no queue: callers test conn->watch first.
 *
 * There is a queue for each direction, as reader and writer are two threads;
 * everything that happens during the handshake is in that of PYS_IN.
 */
#ifndef PYS_NOTICE_H
#define PYS_NOTICE_H

#include "conn/conn.h"

/* Bits of an info notice: SSL_CTX_set_info_callback(3). */
enum {
    PYS_CB_LOOP = 1,
    PYS_CB_EXIT = 2,
    PYS_CB_START = 0x10,
    PYS_CB_DONE = 0x20,
    PYS_CB_READ_ALERT = 0x4004,
    PYS_CB_WRITE_ALERT = 0x4008,
    PYS_CB_CONNECT = 0x1000,
    PYS_CB_ACCEPT = 0x2000
};

/* START, DONE, and the like; the role is added to LOOP and EXIT. */
void pys_note_info(pys_conn *c, int direction, int where, int ret);
/* A whole message, or the content of a record of another type. */
void pys_note_message(pys_conn *c, int direction, int type, pys_rd bytes);
/* The header of a record that came, and its type out of the protection. */
void pys_note_header(pys_conn *c, pys_rd header);
void pys_note_inner(pys_conn *c, uint8_t type);
/* A record that was sealed, protected or not. */
void pys_note_sealed(pys_conn *c, bool secret, uint8_t type, pys_rd content,
    const uint8_t *header);
/* A message of an established connection, with the state it has a name in. */
void pys_note_post(pys_conn *c, int direction, enum pys_state state,
    pys_rd whole);
/* An alert: the message and its notice. */
void pys_note_alert(pys_conn *c, int direction, int level, int alert);

/* True if something waits to be told of that direction. */
bool pys_noted(const pys_conn *c, int direction);
/* True if so much waits that the call should return now. */
bool pys_noted_much(const pys_conn *c);

/* Forgets what waits. */
void pys_watch_clear(pys_watch *w);
void pys_watch_free(pys_watch *w);

/* The handshake comes to a state, which others may only ask for. */
static inline void
pys_enter(pys_conn *c, enum pys_state state)
{
    atomic_store_explicit(&c->state, state, memory_order_release);
    if (c->watch != NULL)
        pys_note_info(c, PYS_IN, PYS_CB_LOOP, 1);
}

#endif
