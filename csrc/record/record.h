/*
 * The record layer (RFC 8446 5): seals and opens one record at a time. It
 * knows keys and buffers, not connections.
 */
#ifndef PYS_RECORD_H
#define PYS_RECORD_H

#include "base/fault.h"
#include "crypto/keys12.h"
#include "crypto/keys13.h"
#include "crypto/suite.h"

enum {
    PYS_RECORD_HEADER = 5,
    PYS_PLAIN_MAX = 16384,            /* RFC 8446 5.1 */
    PYS_CIPHER_MAX = 16384 + 256,     /* RFC 8446 5.2 */
    PYS_CIPHER_MAX_12 = 16384 + 2048, /* RFC 5246 6.2.3 */
    PYS_EXPLICIT_LEN = 8,             /* RFC 5288 3 */
    PYS_RECORD_EXTRA = 5 + 8 + 16     /* header, explicit nonce, tag */
};

enum pys_record_type {
    PYS_RT_CHANGE_CIPHER_SPEC = 20,
    PYS_RT_ALERT = 21,
    PYS_RT_HANDSHAKE = 22,
    PYS_RT_APPLICATION_DATA = 23
};

/* The protection of one direction. Without aead records go in the clear. */
typedef struct pys_protect {
    pys_aead *aead;
    const pys_suite *suite;
    uint64_t seq;
    uint8_t iv[PYS_IV_LEN];
    uint16_t legacy; /* version of the next header in the clear; 0: 1.2 */
} pys_protect;

void pys_protect_wipe(pys_protect *p);
/* Key, IV and sequence number 0 from a traffic secret (RFC 8446 7.3). */
PYS_MUST bool pys_protect_install(pys_protect *p, const pys_suite *suite,
    pys_hash *scratch, const uint8_t *secret, bool sealing);
/* The same for TLS 1.2, from a key block (RFC 5246 6.3). */
PYS_MUST bool pys_protect_install12(pys_protect *p, const pys_suite *suite,
    const uint8_t *key, const uint8_t *iv, bool sealing);
/* True when only few records are left under this key (RFC 8446 5.5). */
bool pys_protect_worn(const pys_protect *p);

/*
 * Appends one record with in (at most PYS_PLAIN_MAX bytes) and pad zeros to
 * out; fewer if it would be too long, none in the clear and in TLS 1.2. False
 * if memory is short, libcrypto fails or the sequence number would wrap.
 */
PYS_MUST bool pys_record_seal(pys_protect *p, enum pys_record_type type,
    pys_rd in, size_t pad, pys_buf *out);

/* TLS 1.2's forms of the two (record12.c); only record.c calls them. */
PYS_MUST bool pys_record_seal12(pys_protect *p, enum pys_record_type type,
    pys_rd in, pys_buf *out);

/* The header of a record: type and length of what follows. */
typedef struct pys_head {
    uint8_t type;
    uint16_t version;
    size_t len;
} pys_head;

/* Reads 5 bytes; judges nothing. */
pys_head pys_record_head(const uint8_t bytes[PYS_RECORD_HEADER]);

/*
 * Opens a whole protected record (header and body). The content goes to out,
 * which may be the body itself and has room bytes: at least what
 * pys_record_room says. False with alert and reason in f.
 */
PYS_MUST bool pys_record_open(pys_protect *p, pys_rd record, uint8_t *out,
    size_t room, pys_head *inner, pys_fault *f);
PYS_MUST bool pys_record_open12(pys_protect *p, pys_rd record, uint8_t *out,
    pys_head *inner, pys_fault *f);

/* Most bytes of content in a record with a body of len bytes. */
size_t pys_record_room(const pys_protect *p, size_t len);

/* Bytes in front of the ciphertext of a record (RFC 5288 3). */
size_t pys_record_explicit(const pys_protect *p);

/* RFC 8446 5.3, RFC 7905 2: the sequence number, padded, XOR the IV. */
void pys_record_nonce(const pys_protect *p, uint8_t nonce[PYS_IV_LEN]);

#endif
