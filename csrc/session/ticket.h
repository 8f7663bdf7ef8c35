/*
 * Tickets (RFC 5077 4, RFC 8446 4.6.1): a session sealed under keys that only
 * servers have. Keys rotate: the first one seals, all of them open.
 */
#ifndef PYS_TICKET_H
#define PYS_TICKET_H

#include "session/session.h"

enum {
    PYS_TICKET_KEY_LEN = 80, /* name 16, then 64 of key material (TKT-1) */
    PYS_TICKET_NAME_LEN = 16,
    PYS_TICKET_KEYS_MAX = 16
};

/* Counted, safe for many threads; shared by the contexts of a server. */
typedef struct pys_ticket_keys pys_ticket_keys;

/* One random key; NULL if memory or randomness is short. */
PYS_MUST pys_ticket_keys *pys_ticket_keys_new(void);
pys_ticket_keys *pys_ticket_keys_up_ref(pys_ticket_keys *k);
void pys_ticket_keys_free(pys_ticket_keys *k);
/*
 * Replaces all keys: n (1 to PYS_TICKET_KEYS_MAX) times PYS_TICKET_KEY_LEN
 * bytes, the sealing one first.
 */
PYS_MUST bool pys_ticket_keys_set(pys_ticket_keys *k, const uint8_t *p,
    size_t n);
/* Copies the first key. */
void pys_ticket_keys_get(pys_ticket_keys *k, uint8_t out[PYS_TICKET_KEY_LEN]);

/* Authenticated encryption of the session's DER form. */
PYS_MUST bool pys_ticket_seal(pys_ticket_keys *k, const pys_session *s,
    pys_buf *out);
/*
 * The session, or NULL if no key fits or it is not authentic (nothing is
 * recorded then). *old: not under the first key, so it should be renewed.
 */
PYS_MUST pys_session *pys_ticket_open(pys_ticket_keys *k, pys_rd ticket,
    bool *old);

/* The same in the form of RFC 5077 4, under the application's keys. */
PYS_MUST bool pys_ticket_seal_own(const pys_ticket_setup *k,
    const pys_session *s, pys_buf *out);
PYS_MUST pys_session *pys_ticket_open_own(const pys_ticket_setup *k,
    pys_rd ticket);

#endif
