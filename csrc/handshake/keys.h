/*
 * Key changes between the steps of flight.c (RFC 8446 7.1, 7.3, 5.1), and
 * those of an established connection (RFC 8446 4.6.3).
 */
#ifndef PYS_KEYS_H
#define PYS_KEYS_H

#include "conn/conn.h"

/* False, with the fault, if keys would change inside a message. */
PYS_MUST bool pys_keys_boundary(pys_conn *c);

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

/*
 * TLS 1.2: master secret and keys after ClientKeyExchange; our
 * change_cipher_spec; the keys of one direction behind it.
 */
bool pys_keys12_derive(pys_hs *hs);
PYS_MUST bool pys_keys12_ccs(pys_hs *hs);
bool pys_keys12_client(pys_hs *hs);
bool pys_keys12_server(pys_hs *hs);

/* The next generation of one direction's keys. */
PYS_MUST bool pys_keys_update(pys_conn *c, int direction);

#endif
