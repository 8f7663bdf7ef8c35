/*
 * One certificate: counted, immutable, its DER kept beside the decoded form.
 * The public functions are in pys.h.
 */
#ifndef PYS_CERT_H
#define PYS_CERT_H

#include "base/fault.h"
#include "crypto/crypt.h"

static inline pys_rd
pys_cert_bytes(pys_cert *c)
{
    size_t n = 0;
    const uint8_t *p = pys_cert_der(c, &n);

    return pys_rd_of(p, n);
}

/* Its public key, borrowed; NULL if libcrypto cannot read it. */
pys_key *pys_cert_key(pys_cert *c);
/*
 * True if its keyUsage allows digital signatures, or is absent (RFC 8446
 * 4.4.2.2, 4.4.2.4).
 */
bool pys_cert_may_sign(pys_cert *c);
/* Signature scheme that signed the certificate, 0 if TLS has no name. */
uint16_t pys_cert_signed_with(pys_cert *c);
/*
 * What makes it too weak for so many bits of security: the PYS_R_ reason, or
 * 0. A signature by itself is not looked at.
 */
unsigned pys_cert_weakness(const pys_cert *c, bool leaf, int bits);
/* True if it was signed over MD5 or SHA-1. */
bool pys_cert_hash_weak(pys_cert *c);
/* True if issuer and subject are the same name. */
bool pys_cert_self_issued(pys_cert *c);

#endif
