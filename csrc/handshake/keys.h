/*
 * Key changes between the steps of flight.c (RFC 8446 7.1, 7.3, 5.1), and
 * those of an established connection (RFC 8446 4.6.3).
 */
#ifndef PYS_KEYS_H
#define PYS_KEYS_H

#include "handshake/conn.h"

/* After a HelloRetryRequest: nothing but the dummy record. */
bool pys_keys_retry(pys_hs *hs);
/* After ServerHello: both directions under handshake keys. */
bool pys_keys_handshake(pys_hs *hs);
/* After the server's Finished: master secret; the server's direction. */
bool pys_keys_master(pys_hs *hs);
/* After the client's Finished: the client's direction. */
bool pys_keys_traffic(pys_hs *hs);

/*
 * A side's dummy change_cipher_spec, once (RFC 8446 D.4), before its first
 * encrypted record.
 */
PYS_MUST bool pys_keys_dummy_ccs(pys_hs *hs);

/* The next generation of one direction's keys. */
PYS_MUST bool pys_keys_update(pys_conn *c, int direction);

#endif
