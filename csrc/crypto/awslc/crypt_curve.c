/*
 * ECDSA (FIPS 186-5) and Ed25519 (RFC 8032) by AWS-LC.
 */
#include "crypto/awslc/crypt_curve.h"

#include <awslc/bn.h>
#include <awslc/curve25519.h>
#include <awslc/ec_key.h>
#include <awslc/ecdsa.h>
#include <awslc/err.h>
#include <awslc/mem.h>
#include <awslc/nid.h>
#include <awslc/sha.h>

#include "crypto/awslc/crypt_fork.h"

struct pys_curve {
    EC_KEY *ec; /* NULL: Ed25519 */
    bool can_sign;
    uint8_t public[ED25519_PUBLIC_KEY_LEN];   /* Ed25519 */
    uint8_t private[ED25519_PRIVATE_KEY_LEN]; /* Ed25519: seed and public */
};

static int
nid_of(enum pys_key_type type)
{
    switch (type) {
    case PYS_KEY_P256:
        return NID_X9_62_prime256v1;
    case PYS_KEY_P384:
        return NID_secp384r1;
    case PYS_KEY_P521:
        return NID_secp521r1;
    default:
        return NID_undef;
    }
}

/* AWS-LC checks that the point is on the curve, and the number's range. */
static bool
ec_fill(EC_KEY *ec, pys_rd public, pys_rd private)
{
    const EC_GROUP *group = EC_KEY_get0_group(ec);
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *number = NULL;
    bool ok;

    ok = point != NULL &&
        EC_POINT_oct2point(group, point, public.p, public.n, NULL) == 1 &&
        EC_KEY_set_public_key(ec, point) == 1;
    if (ok && private.n != 0) {
        number = BN_bin2bn(private.p, private.n, NULL);
        ok = number != NULL && EC_KEY_set_private_key(ec, number) == 1;
    }
    BN_clear_free(number);
    EC_POINT_free(point);
    return ok;
}

/*
 * RFC 8032 5.1.3 refuses a y that is not reduced, and -0 as x, which goes with
 * a y of 1 or -1. Libraries differ here; libcrypto is to judge such a key.
 */
static bool
ed_usual(const uint8_t y[ED25519_PUBLIC_KEY_LEN])
{
    uint8_t low = y[0];
    uint8_t top = y[ED25519_PUBLIC_KEY_LEN - 1] & 0x7f;
    uint8_t all = 0xff;
    uint8_t any = 0;

    for (size_t i = 1; i < ED25519_PUBLIC_KEY_LEN - 1; i++) {
        all &= y[i];
        any |= y[i];
    }
    /* p is 2^255 - 19, so p - 1 begins with 0xec. */
    return (all != 0xff || top != 0x7f || low < 0xec) &&
        (any != 0 || top != 0 || low > 1);
}

static bool
ed_fill(pys_curve *c, pys_rd public, pys_rd private)
{
    if (public.n != sizeof(c->public) || !ed_usual(public.p))
        return false;
    memcpy(c->public, public.p, sizeof(c->public));
    if (private.n == 0)
        return true;
    if (private.n != ED25519_SEED_LEN)
        return false;
    /* What signs must be the public key of its seed, and no other. */
    ED25519_keypair_from_seed(c->public, c->private, private.p);
    return pys_equal(c->public, public.p, sizeof(c->public));
}

pys_curve *
pys_curve_new(enum pys_key_type type, pys_rd public, pys_rd private)
{
    pys_curve *c = OPENSSL_zalloc(sizeof(*c));
    bool ok = c != NULL;

    if (ok && type == PYS_KEY_ED25519) {
        ok = ed_fill(c, public, private);
    } else if (ok) {
        c->ec = EC_KEY_new_by_curve_name(nid_of(type));
        ok = c->ec != NULL && ec_fill(c->ec, public, private);
    }
    if (ok) {
        c->can_sign = private.n != 0;
        return c;
    }
    pys_curve_free(c);
    ERR_clear_error();
    return NULL;
}

/* OPENSSL_free wipes what it frees, and so does EC_KEY_free. */
void
pys_curve_free(pys_curve *c)
{
    if (c == NULL)
        return;
    EC_KEY_free(c->ec);
    OPENSSL_free(c);
}

bool
pys_curve_can_sign(const pys_curve *c)
{
    return c->can_sign;
}

/* The hash of the scheme; its length. */
static size_t
digest(const pys_scheme *s, pys_rd data, uint8_t out[SHA512_DIGEST_LENGTH])
{
    if (strcmp(s->md, "SHA256") == 0) {
        SHA256(data.p, data.n, out);
        return SHA256_DIGEST_LENGTH;
    }
    if (strcmp(s->md, "SHA384") == 0) {
        SHA384(data.p, data.n, out);
        return SHA384_DIGEST_LENGTH;
    }
    SHA512(data.p, data.n, out);
    return SHA512_DIGEST_LENGTH;
}

bool
pys_curve_sign(const pys_curve *c, const pys_scheme *s, pys_rd data,
    uint8_t *sig, size_t *n)
{
    uint8_t hash[SHA512_DIGEST_LENGTH];
    unsigned int made = ED25519_SIGNATURE_LEN;
    bool ok;

    pys_draw_begin();
    if (c->ec == NULL)
        ok = ED25519_sign(sig, data.p, data.n, c->private) == 1;
    else
        ok = ECDSA_sign(0, hash, digest(s, data, hash), sig, &made, c->ec) ==
            1;
    pys_draw_end();
    if (!ok)
        ERR_clear_error();
    *n = made;
    return ok;
}

bool
pys_curve_verify(const pys_curve *c, const pys_scheme *s, pys_rd data,
    pys_rd sig)
{
    uint8_t hash[SHA512_DIGEST_LENGTH];
    bool ok;

    if (c->ec == NULL)
        ok = sig.n == ED25519_SIGNATURE_LEN &&
            ED25519_verify(data.p, data.n, sig.p, c->public) == 1;
    else
        /* RFC 3279 2.2.3; AWS-LC takes nothing but its DER. */
        ok = ECDSA_verify(0, hash, digest(s, data, hash), sig.p, sig.n,
                 c->ec) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}
