/*
 * The TLS 1.2 key schedule (RFC 5246 5, 6.3, 8.1; RFC 7627 4).
 */
#ifndef PYS_KEYS12_H
#define PYS_KEYS12_H

#include "crypto/suite.h"

enum {
    PYS_MASTER_LEN = 48,
    PYS_VERIFY_DATA_LEN = 12, /* RFC 5246 7.4.9 */
    PYS_HELLO_RANDOM_LEN = 32
};

/* RFC 5246 5: PRF(secret, label, seed), n bytes into out. */
typedef struct pys_prf {
    enum pys_hash_alg alg;
    pys_rd secret;
    pys_rd label;
    pys_rd seed;
} pys_prf;
PYS_MUST bool pys_prf_run(pys_hash *scratch, const pys_prf *what, uint8_t *out,
    size_t n);

/* RFC 5246 8.1, from both randoms (client's first, 64 bytes). */
PYS_MUST bool pys_keys12_master(pys_hash *scratch, enum pys_hash_alg alg,
    pys_rd premaster, const uint8_t *randoms, uint8_t *master);
/* RFC 7627 4, from the hash up to ClientKeyExchange. */
PYS_MUST bool pys_keys12_extended(pys_hash *scratch, enum pys_hash_alg alg,
    pys_rd premaster, const uint8_t *hash, uint8_t *master);
/* RFC 5246 7.4.9; hash of all messages so far. */
PYS_MUST bool pys_keys12_finished(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *master, bool server, const uint8_t *hash, uint8_t *out);

/* RFC 5246 6.3: keys and fixed IVs, cut from the key block. */
typedef struct pys_keys12 {
    uint8_t client_key[PYS_KEY_MAX];
    uint8_t server_key[PYS_KEY_MAX];
    uint8_t client_iv[PYS_IV_LEN];
    uint8_t server_iv[PYS_IV_LEN];
} pys_keys12;
PYS_MUST bool pys_keys12_block(pys_hash *scratch, const pys_suite *suite,
    const uint8_t *master, const uint8_t *randoms, pys_keys12 *out);

/* Bytes of IV that come from the key block: RFC 5288 3, RFC 7905 2. */
size_t pys_keys12_iv_len(const pys_suite *suite);

#endif
