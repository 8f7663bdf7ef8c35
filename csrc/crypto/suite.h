/*
 * Tables of cipher suites, groups and signature schemes (RFC 8446 B.4, B.3.1.4,
 * B.3.1.3). A list of settings is checked against them, never the reverse.
 */
#ifndef PYS_SUITE_H
#define PYS_SUITE_H

#include "crypto/crypt.h"

enum { PYS_TLS1_2 = 0x0303, PYS_TLS1_3 = 0x0304 };

enum {
    PYS_TLS_AES_128_GCM_SHA256 = 0x1301,
    PYS_TLS_AES_256_GCM_SHA384 = 0x1302,
    PYS_TLS_CHACHA20_POLY1305_SHA256 = 0x1303,
    PYS_FALLBACK_SCSV = 0x5600,     /* RFC 7507 */
    PYS_RENEGOTIATION_SCSV = 0x00ff /* RFC 5746 3.3 */
};

/*
 * What certificate a suite of TLS 1.2 needs, or none but a PSK; those of 1.3
 * take any.
 */
enum pys_auth { PYS_AUTH_ANY, PYS_AUTH_ECDSA, PYS_AUTH_RSA, PYS_AUTH_PSK };

enum {
    PYS_SECP256R1 = 0x0017,
    PYS_SECP384R1 = 0x0018,
    PYS_SECP521R1 = 0x0019,
    PYS_X25519 = 0x001d,
    PYS_X25519MLKEM768 = 0x11ec
};

typedef struct pys_suite {
    uint16_t id;
    uint16_t version; /* the one version it belongs to */
    const char *name; /* OpenSSL's name */
    const char *standard;
    const char *description; /* SSL_CIPHER_description(3), no newline */
    enum pys_hash_alg hash;
    enum pys_aead_alg aead;
    enum pys_auth auth;
    int bits;
    uint64_t limit; /* records under one key, RFC 8446 5.5; see table */
} pys_suite;

typedef struct pys_group {
    uint16_t id;
    const char *names[4]; /* main name first; unused are NULL */
    int strength;         /* bits of security, for security levels */
    size_t client_len;    /* key_exchange of a client and of a server */
    size_t server_len;
} pys_group;

typedef struct pys_scheme {
    uint16_t id;
    const char *names[3]; /* rsa_pss_rsae_sha256, RSA-PSS+SHA256, ... */
    enum pys_key_type key;
    const char *md;  /* NULL: the scheme hashes by itself */
    bool pss;
    bool tls13;      /* may sign a CertificateVerify (RFC 8446 4.2.3) */
    int strength;
} pys_scheme;

/* Each NULL if not in the table. */
const pys_suite *pys_suite_find(uint16_t id);
const pys_group *pys_group_find(uint16_t id);
const pys_scheme *pys_scheme_find(uint16_t id);

/*
 * True if the key can make or check a TLS 1.3 CertificateVerify of the
 * scheme: type, curve, and an RSA modulus large enough for the PSS hash.
 */
bool pys_scheme_fits(const pys_scheme *s, const pys_key *k);

/* The kind of TLS 1.2 suite that a certificate with this key is for. */
enum pys_auth pys_key_auth(const pys_key *k);

/*
 * The same as pys_scheme_fits for TLS 1.2, where a hash is not bound to a
 * curve (RFC 8446 4.2.3) and PKCS #1 signatures are allowed.
 */
bool pys_scheme_fits12(const pys_scheme *s, const pys_key *k);

/* Default lists, best first; each answer is the number of items. */
size_t pys_default_list(enum pys_kind kind, uint16_t out[PYS_LIST_MAX]);

#endif
