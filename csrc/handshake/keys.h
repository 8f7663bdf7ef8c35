/*
 * Key changes between the steps of flight.c (RFC 8446 7.1, 7.3, 5.1), and
 * those of an established connection (RFC 8446 4.6.3).
 */
#ifndef PYS_KEYS_H
#define PYS_KEYS_H

#include "conn/conn.h"

/* False, with the fault, if keys would change inside a message. */
PYS_MUST bool pys_keys_boundary(pys_conn *c);

/* The keys of a secret; what was built before goes out under the old ones. */
PYS_MUST bool pys_keys_install(pys_hs *hs, int direction,
    const pys_suite *suite, const uint8_t *secret);

/*
 * Puts hs->keys at the early secret of a session (RFC 8446 7.1), unless they
 * are there: its binder, early data and handshake all begin there.
 */
PYS_MUST bool pys_keys_psk(pys_hs *hs, pys_session *s, enum pys_hash_alg alg);

/*
 * Early data (early.c). After a ClientHello: secrets, and the client's keys;
 * after ServerHello: the server's. After a HelloRetryRequest and after
 * EncryptedExtensions: a client's early data that was refused ends. After
 * EndOfEarlyData: handshake keys of the client's direction.
 */
bool pys_keys_early(pys_hs *hs);
PYS_MUST bool pys_keys_early_in(pys_hs *hs);
void pys_keys_early_retry(pys_hs *hs);
bool pys_keys_early_answer(pys_hs *hs);
bool pys_keys_early_end(pys_hs *hs);

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
