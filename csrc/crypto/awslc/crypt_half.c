/*
 * The halves of key shares by AWS-LC: X25519 (RFC 7748), in place, the NIST
 * curves (RFC 8446 4.2.8.2), each an EC_KEY, and ML-KEM-768 (FIPS 203).
 */
#include <awslc/curve25519.h>
#include <awslc/ec_key.h>
#include <awslc/ecdh.h>
#include <awslc/err.h>
#include <awslc/evp.h>
#include <awslc/nid.h>

#include "crypto/awslc/crypt_fork.h"
#include "crypto/crypt_half.h"
#include "crypto/suite.h"

#ifdef PYS_TEST
#include <awslc/bn.h>
#include <awslc/experimental/kem_deterministic_api.h>
#endif

/* Its tables of curves and methods make themselves at first use. */
bool
pys_share_start(void)
{
    return true;
}

bool
pys_kem_has(void)
{
    return true;
}

/* AWS-LC's name of a curve; NID_undef for X25519, alone or in the hybrid. */
static int
curve_of(uint16_t group)
{
    switch (group) {
    case PYS_SECP256R1:
        return NID_X9_62_prime256v1;
    case PYS_SECP384R1:
        return NID_secp384r1;
    case PYS_SECP521R1:
        return NID_secp521r1;
    default:
        return NID_undef;
    }
}

/* ---- the Diffie-Hellman half ---- */

/* Octets of a coordinate, and of the shared secret. */
static size_t
field_len(const EC_KEY *ec)
{
    return (EC_GROUP_get_degree(EC_KEY_get0_group(ec)) + 7) / 8;
}

/* ec is NULL with X25519. */
static size_t
public_len(const EC_KEY *ec)
{
    return ec != NULL ? 1 + 2 * field_len(ec) : PYS_X25519_LEN;
}

#ifdef PYS_TEST
static bool
ec_put(EC_KEY *ec, const uint8_t *key, size_t n)
{
    const EC_GROUP *group = EC_KEY_get0_group(ec);
    BIGNUM *number = BN_bin2bn(key, n, NULL);
    EC_POINT *point = EC_POINT_new(group);
    bool ok;

    ok = number != NULL && point != NULL &&
        EC_POINT_mul(group, point, number, NULL, NULL, NULL) == 1 &&
        EC_KEY_set_private_key(ec, number) == 1 &&
        EC_KEY_set_public_key(ec, point) == 1;
    EC_POINT_free(point);
    BN_clear_free(number);
    return ok;
}

/* Takes the private key put for the group; false if there is none. */
static bool
half_put(uint16_t group, pys_half *h)
{
    uint8_t key[PYS_SECRET_MAX];
    EC_KEY *ec = h->key;

    if (ec != NULL)
        return pys_test_take_share(group, key, field_len(ec)) &&
            ec_put(ec, key, field_len(ec));
    if (!pys_test_take_share(group, h->private, sizeof(h->private)))
        return false;
    X25519_public_from_private(h->public, h->private);
    return true;
}
#endif

bool
pys_half_new(uint16_t group, pys_half *h)
{
    int curve = curve_of(group);
    bool ok = true;

    h->key = NULL;
    if (curve != NID_undef &&
        (h->key = EC_KEY_new_by_curve_name(curve)) == NULL)
        return false;
#ifdef PYS_TEST
    if (half_put(group, h))
        return true;
#endif
    pys_draw_begin();
    if (h->key != NULL)
        ok = EC_KEY_generate_key(h->key) == 1;
    else
        X25519_keypair(h->public, h->private);
    pys_draw_end();
    return ok;
}

void
pys_half_wipe(pys_half *h)
{
    EC_KEY_free(h->key); /* which wipes all it frees */
    pys_wipe(h, sizeof(*h));
}

bool
pys_half_write(uint16_t group, const pys_half *h, pys_wr *out)
{
    const EC_KEY *ec = h->key;
    size_t n = public_len(ec);
    uint8_t *room = pys_wr_room(out, n);

    (void)group;
    if (room == NULL)
        return false;
    if (ec == NULL) {
        memcpy(room, h->public, PYS_X25519_LEN);
        return true;
    }
    return EC_POINT_point2oct(EC_KEY_get0_group(ec),
               EC_KEY_get0_public_key(ec), POINT_CONVERSION_UNCOMPRESSED, room,
               n, NULL) == n;
}

static bool
ec_derive(EC_KEY *ec, pys_rd peer, uint8_t *secret, size_t n, bool *internal)
{
    const EC_GROUP *group = EC_KEY_get0_group(ec);
    EC_POINT *point = EC_POINT_new(group);
    bool ok = false;

    /*
     * RFC 8446 4.2.8.2: coordinates in range and on the curve, which AWS-LC
     * checks as it decodes. These curves have no small subgroup, so that is
     * the whole validation, and after it only AWS-LC can be at fault.
     */
    *internal = point == NULL;
    if (point != NULL &&
        EC_POINT_oct2point(group, point, peer.p, peer.n, NULL) == 1) {
        ok = ECDH_compute_key(secret, n, point, ec, NULL) == (int)n;
        *internal = !ok;
    }
    EC_POINT_free(point);
    return ok;
}

bool
pys_half_derive(uint16_t group, const pys_half *h, pys_rd peer,
    uint8_t *secret, size_t *n, bool *internal)
{
    EC_KEY *ec = h->key;

    (void)group;
    *internal = false;
    /* RFC 8446 4.2.8.2: one length a group. */
    if (peer.n != public_len(ec))
        return false;
    *n = PYS_X25519_LEN;
    /* RFC 8446 7.4.2: X25519 fails if the result is all zeros. */
    if (ec == NULL)
        return X25519(secret, h->private, peer.p) == 1;
    /* RFC 8446 4.2.8.2: uncompressed form only. */
    if (peer.p[0] != PYS_UNCOMPRESSED)
        return false;
    *n = field_len(ec);
    return ec_derive(ec, peer, secret, *n, internal);
}

/* ---- the KEM half ---- */

/* The opaque type is an EVP_PKEY. */
static EVP_PKEY *
pkey_of(pys_kem *kem)
{
    return (EVP_PKEY *)kem;
}

pys_kem *
pys_kem_new(void)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_KEM, NULL);
    EVP_PKEY *kem = NULL;
    int ok = 0;
#ifdef PYS_TEST
    uint8_t seed[PYS_TEST_KEM_SEED_LEN];
    size_t n = sizeof(seed);
#endif

    if (ctx == NULL || EVP_PKEY_CTX_kem_set_params(ctx, NID_MLKEM768) != 1 ||
        EVP_PKEY_keygen_init(ctx) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    pys_draw_begin();
#ifdef PYS_TEST
    if (pys_test_take_share(PYS_X25519MLKEM768, seed, n))
        ok = EVP_PKEY_keygen_deterministic(ctx, &kem, seed, &n);
    else
#endif
        ok = EVP_PKEY_keygen(ctx, &kem);
    pys_draw_end();
    EVP_PKEY_CTX_free(ctx);
    return ok == 1 ? (pys_kem *)kem : NULL;
}

void
pys_kem_free(pys_kem *kem)
{
    EVP_PKEY_free(pkey_of(kem)); /* which wipes all it frees */
}

bool
pys_kem_write(pys_kem *kem, pys_wr *out)
{
    size_t n = PYS_KEM_PUBLIC_LEN;
    uint8_t *room = pys_wr_room(out, n);

    return room != NULL &&
        EVP_PKEY_get_raw_public_key(pkey_of(kem), room, &n) == 1 &&
        n == PYS_KEM_PUBLIC_LEN;
}

bool
pys_kem_open(pys_kem *kem, pys_rd ciphertext, uint8_t *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey_of(kem), NULL);
    size_t n = PYS_KEM_SECRET_LEN;
    bool ok;

    ok = ctx != NULL &&
        EVP_PKEY_decapsulate(ctx, secret, &n, ciphertext.p, ciphertext.n) ==
            1 &&
        n == PYS_KEM_SECRET_LEN;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* The server's: a secret, and its ciphertext for the client's key. */
static bool
kem_seal(EVP_PKEY_CTX *ctx, uint8_t *ciphertext, uint8_t *secret)
{
    size_t n_text = PYS_KEM_CIPHERTEXT_LEN;
    size_t n = PYS_KEM_SECRET_LEN;
    bool ok;
#ifdef PYS_TEST
    uint8_t m[PYS_TEST_KEM_RANDOM_LEN];
    size_t n_m = sizeof(m);

    if (pys_test_take_share(PYS_X25519MLKEM768, m, n_m))
        return EVP_PKEY_encapsulate_deterministic(ctx, ciphertext, &n_text,
                   secret, &n, m, &n_m) == 1;
#endif
    pys_draw_begin();
    ok = EVP_PKEY_encapsulate(ctx, ciphertext, &n_text, secret, &n) == 1 &&
        n_text == PYS_KEM_CIPHERTEXT_LEN && n == PYS_KEM_SECRET_LEN;
    pys_draw_end();
    return ok;
}

bool
pys_kem_respond(pys_rd public, uint8_t *ciphertext, uint8_t *secret,
    bool *internal)
{
    EVP_PKEY *kem = EVP_PKEY_kem_new_raw_public_key(NID_MLKEM768, public.p,
        public.n);
    EVP_PKEY_CTX *ctx = kem != NULL ? EVP_PKEY_CTX_new(kem, NULL) : NULL;
    bool ok = ctx != NULL && kem_seal(ctx, ciphertext, secret);

    /*
     * FIPS 203 7.2: AWS-LC encapsulates nothing for a key with an unreduced
     * number; what it does not refuse for that reason is not the peer's fault.
     */
    *internal = false;
    if (!ok)
        *internal = ctx == NULL || EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(kem);
    return ok;
}

/* What AWS-LC says of a failure is for nobody: its queue stays empty. */
void
pys_half_failed(void)
{
    ERR_clear_error();
}
