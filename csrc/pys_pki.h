/*
 * The face of certificates, keys, trust and sessions. The Python side reads
 * it after pys.h, whose types and conventions hold here too.
 */
#ifndef PYS_PKI_H
#define PYS_PKI_H

#include "pys.h"

/* ---- certificates and keys (pki/) -------------------------------------- */

/* A certificate from DER (exactly n bytes), or NULL with codes in f. */
pys_cert *pys_cert_from_der(const uint8_t *p, size_t n, pys_fault *f);
/*
 * The next certificate of PEM text; *used is moved behind it. NULL at the
 * end (no start line: PEM 108 in f) or for bad data. Other text and other
 * PEM blocks are passed over.
 */
pys_cert *pys_cert_from_pem(const uint8_t *p, size_t n, size_t *used,
    pys_fault *f);
pys_cert *pys_cert_up_ref(pys_cert *c);
void pys_cert_free(pys_cert *c);
/* Encodings; they live as long as the certificate. */
const uint8_t *pys_cert_der(pys_cert *c, size_t *n);
const uint8_t *pys_cert_subject_der(pys_cert *c, size_t *n);
const uint8_t *pys_cert_issuer_der(pys_cert *c, size_t *n);
/*
 * Text fields written to out (at most max bytes, no NUL needed); the answer
 * is the length of the whole text, also when max is smaller.
 */
enum pys_cert_text {
    PYS_CERT_SUBJECT,  /* RFC 2253 */
    PYS_CERT_ISSUER,   /* RFC 2253 */
    PYS_CERT_SERIAL,   /* hex */
    PYS_CERT_ALT_NAMES /* a line each: "DNS:name", "IP:addr", ... */
};
size_t pys_cert_text(pys_cert *c, enum pys_cert_text what, char *out,
    size_t max);
/*
 * RFC 5929 4.1: the hash of the certificate for tls-server-end-point, in at
 * most PYS_END_POINT_MAX bytes; 0 if its signature has no hash of its own or
 * libcrypto has not that one.
 */
enum { PYS_END_POINT_MAX = 64 };
size_t pys_cert_end_point(pys_cert *c, uint8_t *out);
/* Validity in seconds since the epoch; false if the field is not a time. */
bool pys_cert_validity(pys_cert *c, int64_t *from, int64_t *until);
/* libcrypto's text form of the certificate, as pys_cert_text. */
size_t pys_cert_print(pys_cert *c, char *out, size_t max);

/* A private key from DER (PKCS#8 or traditional), or NULL. */
pys_key *pys_key_from_der(const uint8_t *p, size_t n, pys_fault *f);
/* 1: the first private key of the PEM text is encrypted; 0: not, or none. */
int pys_pem_key_encrypted(const uint8_t *p, size_t n);
/*
 * The first private key of PEM text. pass may be NULL (then an encrypted key
 * fails, and nobody is asked).
 */
pys_key *pys_key_from_pem(const uint8_t *p, size_t n, const uint8_t *pass,
    size_t n_pass, pys_fault *f);
pys_key *pys_key_up_ref(pys_key *k);
void pys_key_free(pys_key *k);

/* A store of trust anchors: parsed once, then shared by reference. */
pys_trust *pys_trust_new(void);
pys_trust *pys_trust_up_ref(pys_trust *t);
void pys_trust_free(pys_trust *t);
bool pys_trust_add_cert(pys_trust *t, pys_cert *c, pys_fault *f);
/* All certificates and CRLs of PEM text; X509 136 if there is none. */
bool pys_trust_add_pem(pys_trust *t, const uint8_t *p, size_t n, pys_fault *f);
/* A folder with hashed names, looked at when a name is needed. */
bool pys_trust_add_dir(pys_trust *t, const char *path, pys_fault *f);
/* X509_V_FLAG_ bits for all later verifications (CRL check, ...). */
bool pys_trust_set_flags(pys_trust *t, unsigned long flags);
/* Certificates held in memory. */
size_t pys_trust_count(pys_trust *t);
/* Where libcrypto looks by default; environment not consulted. */
const char *pys_trust_default_file(void);
const char *pys_trust_default_dir(void);

/* libcrypto's words for an X509_V_ code. */
const char *pys_verify_text(long result);

/* ---- sessions (session/) ----------------------------------------------- */

pys_session *pys_session_up_ref(pys_session *s);
void pys_session_free(pys_session *s);
/* SSL_SESSION_new(3), SSL_SESSION_dup(3); NULL if memory is short. */
pys_session *pys_session_new(void);
pys_session *pys_session_copy(const pys_session *s);
/*
 * i2d_SSL_SESSION(3). The whole length; out is written if max is as much. 0
 * if it has no suite yet or memory is short.
 */
size_t pys_session_der(const pys_session *s, uint8_t *out, size_t max);
/*
 * d2i_SSL_SESSION(3): the session at the front of p, *used bytes of it; or
 * NULL with codes in f.
 */
pys_session *pys_session_from_der_bytes(const uint8_t *p, size_t n,
    size_t *used, pys_fault *f);

enum pys_session_number {
    PYS_SESSION_VERSION, /* may be set, as all up to timeout */
    PYS_SESSION_SUITE,
    PYS_SESSION_MAX_EARLY_DATA,
    PYS_SESSION_VERIFY_RESULT,
    PYS_SESSION_TIME, /* seconds since the epoch */
    PYS_SESSION_LIFE, /* seconds: SSL_SESSION_get_timeout(3) */
    PYS_SESSION_GROUP,
    PYS_SESSION_EXTENDED, /* 1: RFC 7627 */
    PYS_SESSION_LIFETIME_HINT,
    PYS_SESSION_AGE_ADD
};
int64_t pys_session_number(const pys_session *s, enum pys_session_number k);
/*
 * False if it does not fit, or cannot be set. Only TIME and LIFE may be set
 * while others have the session; they are brought to 0 or more.
 */
bool pys_session_set_number(pys_session *s, enum pys_session_number k,
    int64_t v);

enum pys_session_bytes {
    PYS_SESSION_ID,
    PYS_SESSION_ID_CONTEXT,
    PYS_SESSION_SECRET, /* master secret, or PSK */
    PYS_SESSION_NAME,   /* server_name */
    PYS_SESSION_ALPN,
    PYS_SESSION_TICKET,
    PYS_SESSION_PSK_IDENTITY /* of an external PSK behind it */
};
/* Lives as long as the session is not changed; NULL or n 0: none. */
const uint8_t *pys_session_bytes(const pys_session *s,
    enum pys_session_bytes k, size_t *n);
/* False if too long or memory is short. For who alone has the session. */
bool pys_session_set_bytes(pys_session *s, enum pys_session_bytes k,
    const uint8_t *p, size_t n);
/* It shall not be resumed any more (SD-14). */
void pys_session_retire(pys_session *s);
/* SSL_SESSION_is_resumable(3), SSL_SESSION_get0_peer(3) as a new reference. */
bool pys_session_resumable(const pys_session *s);
pys_cert *pys_session_peer_cert(const pys_session *s, size_t i);

/* ---- measuring (crypto/crypt_bench.c) ------------------------------------ */

enum pys_bench {
    PYS_BENCH_SHARE,   /* a client's half of a key exchange; id: group */
    PYS_BENCH_RESPOND, /* a server's half of it */
    PYS_BENCH_SIGN,    /* id: scheme, which fits the key */
    PYS_BENCH_VERIFY,
    PYS_BENCH_CHECK, /* the same of a chain's link */
    PYS_BENCH_HASH, /* id: suite, here and below */
    PYS_BENCH_HMAC,
    PYS_BENCH_KEY, /* an AEAD gets another key */
    PYS_BENCH_SEAL,
    PYS_BENCH_OPEN,
    PYS_N_BENCH
};
/*
 * CPU time in ns of a primitive on n bytes (at most
 * 16384), so many times; -1 if it fails or is not there.
 */
int64_t pys_bench(enum pys_bench what, unsigned id, pys_key *key, size_t n,
    size_t times);

#endif
