/*
 * The TLS 1.3 key schedule (RFC 8446 7.1), walked top to bottom. Secrets live
 * in fixed arrays, wiped by their owner.
 */
#ifndef PYS_KEYS13_H
#define PYS_KEYS13_H

#include "crypto/transcript.h"

typedef struct pys_keys13 {
    enum pys_hash_alg alg;
    uint8_t stage[PYS_HASH_MAX]; /* early, then handshake, then master */
    uint8_t salt[PYS_HASH_MAX];  /* of the stage to come */
    uint8_t client_handshake[PYS_HASH_MAX];
    uint8_t server_handshake[PYS_HASH_MAX];
    uint8_t client_finished[PYS_HASH_MAX]; /* keys of Finished */
    uint8_t server_finished[PYS_HASH_MAX];
    uint8_t client_traffic[PYS_HASH_MAX];
    uint8_t server_traffic[PYS_HASH_MAX];
    uint8_t exporter[PYS_HASH_MAX];
    uint8_t resumption[PYS_HASH_MAX];
} pys_keys13;

/* A part of pys_crypt_start: works out what is the same every time. */
PYS_MUST bool pys_keys13_start(void);
/* Early secret; an empty psk is zeros (RFC 8446 7.1). */
PYS_MUST bool pys_keys13_early(pys_keys13 *k, pys_hash *scratch,
    enum pys_hash_alg alg, pys_rd psk);
/*
 * Client early traffic secret and early exporter secret, once the early
 * secret is there; hash: ClientHello.
 */
PYS_MUST bool pys_keys13_early_data(const pys_keys13 *k, pys_hash *scratch,
    const uint8_t *hash, uint8_t *traffic, uint8_t *exporter);
/* Handshake secret and both handshake traffic secrets; hash: CH..SH. */
PYS_MUST bool pys_keys13_handshake(pys_keys13 *k, pys_hash *scratch,
    pys_rd shared, const uint8_t *hash);
/* Master secret, traffic and exporter secrets; hash: CH..server Finished. */
PYS_MUST bool pys_keys13_master(pys_keys13 *k, pys_hash *scratch,
    const uint8_t *hash);
/* Resumption secret; hash: CH..client Finished. */
PYS_MUST bool pys_keys13_resumption(pys_keys13 *k, pys_hash *scratch,
    const uint8_t *hash);
/*
 * RFC 8446 4.4.4: the key of Finished from a base key. It costs half behind
 * pys_keys13_traffic for the same secret.
 */
PYS_MUST bool pys_keys13_finished_key(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *base, uint8_t *out);
/* Its verify_data for a base key; out has a hash's length. */
PYS_MUST bool pys_keys13_finished(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *base, const uint8_t *hash, uint8_t *out);
/*
 * RFC 8446 4.2.11.2: a binder, once the early secret is there; hash of the
 * messages up to the binders. external: not from a ticket.
 */
PYS_MUST bool pys_keys13_binder(const pys_keys13 *k, pys_hash *scratch,
    bool external, const uint8_t *hash, uint8_t *out);
/* RFC 8446 4.6.1: the PSK of a ticket. */
PYS_MUST bool pys_keys13_psk(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *resumption, pys_rd nonce, uint8_t *out);
/* RFC 8446 7.3: key and IV from a traffic secret. */
PYS_MUST bool pys_keys13_traffic(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *secret, uint8_t *key, size_t n_key, uint8_t iv[PYS_IV_LEN]);
/* RFC 8446 7.2: the next traffic secret, in place. */
PYS_MUST bool pys_keys13_update(pys_hash *scratch, enum pys_hash_alg alg,
    uint8_t *secret);
/* RFC 8446 7.5; label and context as the caller gave them. */
PYS_MUST bool pys_keys13_export(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *exporter, pys_rd label, pys_rd context, uint8_t *out,
    size_t n);

#endif
