/*
 * The primitives, free of libcrypto's types: the only callers of EVP besides
 * pki/. Algorithms are fetched once per process by pys_crypt_start and then
 * only looked up. Whatever fails leaves its entries in libcrypto's queue for
 * pys_fault_drain.
 */
#ifndef PYS_CRYPT_H
#define PYS_CRYPT_H

#include "base/wire.h"
#include "pys.h"
#include "pys_pki.h"

enum {
    PYS_HASH_MAX = 48,   /* longest hash */
    PYS_SECRET_MAX = 66, /* longest (EC)DHE secret: P-521; hybrid is 64 */
    PYS_KEY_MAX = 32,
    PYS_IV_LEN = 12,
    PYS_TAG_LEN = 16,
    PYS_SIG_MAX = 1024 /* RSA of 8192 bits */
};

/* Fetches everything; false if something mandatory is missing. */
PYS_MUST bool pys_crypt_start(void);

/* ---- hash, HMAC, HKDF (crypt_hash.c) ---- */

enum pys_hash_alg { PYS_SHA256, PYS_SHA384, PYS_N_HASHES };

size_t pys_hash_len(enum pys_hash_alg alg);
/* The hash of no bytes at all (pys_hash_len bytes). */
const uint8_t *pys_hash_of_nothing(enum pys_hash_alg alg);

/* A running hash; also the scratch context of the functions below. */
typedef struct pys_hash pys_hash;

/* NULL if memory is short. */
PYS_MUST pys_hash *pys_hash_new(void);
void pys_hash_free(pys_hash *h);
PYS_MUST bool pys_hash_begin(pys_hash *h, enum pys_hash_alg alg);
PYS_MUST bool pys_hash_add(pys_hash *h, pys_rd bytes);
/* The hash up to now, into out (pys_hash_len bytes); h goes on. */
PYS_MUST bool pys_hash_peek(pys_hash *h, pys_hash *scratch, uint8_t *out);
/* Makes to go on from where h stands; h is not changed. */
PYS_MUST bool pys_hash_fork(const pys_hash *h, pys_hash *to);
/* The hash, into out; h needs a new begin. */
PYS_MUST bool pys_hash_end(pys_hash *h, uint8_t *out);

/*
 * RFC 2104; scratch is used and needs a new begin after. It keeps the key,
 * because the same key again costs half, until it gets another or is freed:
 * so it must not outlive the secrets that it worked on.
 */
PYS_MUST bool pys_hmac(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key,
    pys_rd data, uint8_t *out);
/* Gives scratch the key that from had last, as if it had been used itself. */
PYS_MUST bool pys_hmac_prime(pys_hash *scratch, const pys_hash *from);

/*
 * What the blocks of a key leave behind, to be kept beside it, and as secret.
 * False, and the state unset, if from had another key last, or if the library
 * does not show it.
 */
enum { PYS_HMAC_STATE_LEN = 2 * 64 };
PYS_MUST bool pys_hmac_save(const pys_hash *from, enum pys_hash_alg alg,
    pys_rd key, uint8_t state[PYS_HMAC_STATE_LEN]);
/* Gives scratch a key whose state was saved, as if it had been used itself. */
void pys_hmac_load(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key,
    const uint8_t state[PYS_HMAC_STATE_LEN]);

/* RFC 5869 2.2; out has pys_hash_len bytes. An empty salt is zeros. */
PYS_MUST bool pys_hkdf_extract(pys_hash *scratch, enum pys_hash_alg alg,
    pys_rd salt, pys_rd ikm, uint8_t *out);
/* RFC 5869 2.3; n is at most 255 hashes. prk has pys_hash_len bytes. */
PYS_MUST bool pys_hkdf_expand(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *prk, pys_rd info, pys_buf *out, size_t n);
/*
 * RFC 8446 7.1 HKDF-Expand-Label, label without "tls13 " as a C string, into
 * out of n bytes (n at most 255 hashes).
 */
typedef struct pys_label {
    enum pys_hash_alg alg;
    const uint8_t *secret; /* pys_hash_len bytes */
    const char *label;     /* at most 249 bytes */
    size_t n_label;
    pys_rd context; /* at most 255 bytes */
} pys_label;
PYS_MUST bool pys_expand_label(pys_hash *scratch, const pys_label *what,
    uint8_t *out, size_t n);

/* ---- AEAD (crypt_aead.c) ---- */

enum pys_aead_alg { PYS_AES_128_GCM, PYS_AES_256_GCM, PYS_CHACHA20_POLY1305 };

size_t pys_aead_key_len(enum pys_aead_alg alg);

typedef struct pys_aead pys_aead;

/* A context keyed for one direction; NULL on failure. */
PYS_MUST pys_aead *pys_aead_new(enum pys_aead_alg alg, const uint8_t *key,
    bool sealing);
/* Puts another key into the same context. */
PYS_MUST bool pys_aead_rekey(pys_aead *a, const uint8_t *key);
void pys_aead_free(pys_aead *a);

/*
 * One AEAD call. in and tail are sealed as one text without being copied
 * together first; out may be in.p itself, and gets in.n + tail.n bytes and
 * the tag behind them. tail may stand where its ciphertext comes to stand.
 */
PYS_MUST bool pys_aead_seal(pys_aead *a, const uint8_t nonce[PYS_IV_LEN],
    pys_rd ad, pys_rd in, pys_rd tail, uint8_t *out);
/*
 * in ends with the tag; out gets in.n - PYS_TAG_LEN bytes and may be in.p.
 * Unless last is NULL, it gets the last of them, for which out needs no room.
 * False if it is not authentic (out then holds nothing of use, wiped).
 */
PYS_MUST bool pys_aead_open(pys_aead *a, const uint8_t nonce[PYS_IV_LEN],
    pys_rd ad, pys_rd in, uint8_t *out, uint8_t *last);

/* ---- CBC (crypt_cbc.c) ---- */

enum { PYS_CBC_BLOCK = 16 };

/*
 * AES with a key of 16 or 32 bytes and the padding of RFC 5652 6.3; appends
 * to out. To be opened only after it was found authentic; false then means
 * that it was not sealed so.
 */
PYS_MUST bool pys_cbc_seal(pys_rd key, const uint8_t *iv, pys_rd text,
    pys_buf *out);
PYS_MUST bool pys_cbc_open(pys_rd key, const uint8_t *iv, pys_rd text,
    pys_buf *out);

/* ---- key shares (crypt_share.c) ---- */

/* Our half of a key exchange: RFC 8446 4.2.8, draft-ietf-tls-ecdhe-mlkem. */
typedef struct pys_share pys_share;

/* True if this libcrypto has the group (RFC 8446 4.2.7 code point). */
bool pys_share_has(uint16_t group);
/* A fresh private key; NULL on failure. */
PYS_MUST pys_share *pys_share_new(uint16_t group);
void pys_share_free(pys_share *s); /* NULL is fine */
uint16_t pys_share_group(const pys_share *s);
/* What goes into key_exchange. */
PYS_MUST bool pys_share_public(pys_share *s, pys_wr *out);
/*
 * Client: the shared secret with the server's key_exchange. False for a
 * value that is malformed or that the RFCs refuse (point not on the curve,
 * all-zero X25519 result: RFC 8446 4.2.8.2, 7.4.2); *internal says that
 * libcrypto failed instead. secret has PYS_SECRET_MAX bytes.
 */
PYS_MUST bool pys_share_derive(pys_share *s, pys_rd peer, uint8_t *secret,
    size_t *n, bool *internal);
/* Server: makes its own share for the client's, writes it to out. */
PYS_MUST bool pys_share_respond(uint16_t group, pys_rd peer, pys_wr *out,
    uint8_t *secret, size_t *n, bool *internal);

/* ---- signatures (crypt_sign.c) ---- */

/* Key types: slots of CERT-3 and what a scheme needs. */
enum pys_key_type {
    PYS_KEY_RSA,
    PYS_KEY_RSA_PSS,
    PYS_KEY_P256,
    PYS_KEY_P384,
    PYS_KEY_P521,
    PYS_KEY_ED25519,
    PYS_KEY_ED448,
    PYS_N_KEY_TYPES,
    PYS_KEY_OTHER = PYS_N_KEY_TYPES
};

enum pys_key_type pys_key_type(const pys_key *k);
/* Bits of an RSA modulus or of a curve's order. */
int pys_key_bits(const pys_key *k);
/* libcrypto's estimate of its security strength in bits. */
int pys_key_strength(const pys_key *k);
/* True if both have the same public part. */
bool pys_key_match(const pys_key *a, const pys_key *b);

/*
 * Signs data (hashed by the scheme) into sig of PYS_SIG_MAX bytes. The
 * scheme fits the key (pys_scheme_fits in suite.h).
 */
PYS_MUST bool pys_sign(pys_key *k, uint16_t scheme, pys_rd data, uint8_t *sig,
    size_t *n);
/* True if sig is the signature of data under the public key. */
PYS_MUST bool pys_verify(pys_key *k, uint16_t scheme, pys_rd data, pys_rd sig);

/* ---- random (crypt_hash.c) ---- */

PYS_MUST bool pys_random(uint8_t *out, size_t n);

#ifdef PYS_TEST
/*
 * The next calls of pys_random take these bytes first; none of them (n = 0)
 * drops what is left.
 */
void pys_test_put_random(const uint8_t *p, size_t n);
/*
 * The next pys_share_new or pys_share_respond of the group uses this private
 * key (for the hybrid: d, z, X25519 private; as a server m, X25519 private).
 * No bytes (n = 0) drop what is left for the group.
 */
void pys_test_put_share(uint16_t group, const uint8_t *p, size_t n);
#endif

#endif
