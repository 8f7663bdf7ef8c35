/*
 * Keys on curves for AWS-LC: ECDSA on P-256, P-384 and P-521, and Ed25519.
 * Free of both libraries' types, since no file can see both.
 */
#ifndef PYS_CRYPT_CURVE_H
#define PYS_CRYPT_CURVE_H

#include "crypto/crypt.h"
#include "crypto/suite.h"

enum {
    PYS_CURVE_PUBLIC_MAX = 1 + 2 * PYS_SECRET_MAX, /* a point of P-521 */
    PYS_CURVE_PRIVATE_MAX = PYS_SECRET_MAX
};

/* Never changed once made: threads share it. */
typedef struct pys_curve pys_curve;

/*
 * From a point (SEC 1 2.3.3) or the 32 bytes of RFC 8032, and the private
 * number, big-endian, or seed; private is empty for a public key. NULL if
 * they are no key of the type, or if memory is short.
 */
PYS_MUST pys_curve *pys_curve_new(enum pys_key_type type, pys_rd public,
    pys_rd private);
void pys_curve_free(pys_curve *c); /* NULL is fine */
/* True if it has a private half. */
bool pys_curve_can_sign(const pys_curve *c);

/* As pys_sign and pys_verify, for a scheme that fits. */
PYS_MUST bool pys_curve_sign(const pys_curve *c, const pys_scheme *s,
    pys_rd data, uint8_t *sig, size_t *n);
PYS_MUST bool pys_curve_verify(const pys_curve *c, const pys_scheme *s,
    pys_rd data, pys_rd sig);

#endif
