/*
 * Key shares by AWS-LC: X25519 (RFC 7748), the NIST curves (RFC 8446 4.2.8.2)
 * and X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem).
 *
 * Every group has a Diffie-Hellman half; the hybrid has a KEM half before it.
 */
#include <awslc/curve25519.h>
#include <awslc/ec_key.h>
#include <awslc/ecdh.h>
#include <awslc/err.h>
#include <awslc/evp.h>
#include <awslc/nid.h>

#include "crypto/awslc/crypt_fork.h"
#include "crypto/crypt_part.h"
#include "crypto/suite.h"

#ifdef PYS_TEST
#include <awslc/bn.h>
#include <awslc/experimental/kem_deterministic_api.h>
#endif

enum {
    X25519_LEN = X25519_PUBLIC_VALUE_LEN,
    KEM_PUBLIC_LEN = 1184,     /* FIPS 203, table 3 */
    KEM_CIPHERTEXT_LEN = 1088,
    KEM_SECRET_LEN = 32,
    UNCOMPRESSED = 4           /* SEC 1, 2.3.3 */
};

/* The Diffie-Hellman half; ec is NULL with X25519. */
typedef struct half {
    EC_KEY *ec;
    uint8_t private[X25519_PRIVATE_KEY_LEN];
    uint8_t public[X25519_LEN];
} half;

struct pys_share {
    uint16_t group;
    half dh;
    EVP_PKEY *kem; /* NULL but for the hybrid */
};

/* Its tables of curves and methods make themselves at first use. */
bool
pys_share_start(void)
{
    return true;
}

bool
pys_share_has(uint16_t group)
{
    return pys_group_find(group) != NULL;
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
field_len(const half *h)
{
    return (EC_GROUP_get_degree(EC_KEY_get0_group(h->ec)) + 7) / 8;
}

static size_t
dh_public_len(const half *h)
{
    return h->ec != NULL ? 1 + 2 * field_len(h) : X25519_LEN;
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
dh_put(uint16_t group, half *h)
{
    uint8_t key[PYS_SECRET_MAX];

    if (h->ec != NULL)
        return pys_test_take_share(group, key, field_len(h)) &&
            ec_put(h->ec, key, field_len(h));
    if (!pys_test_take_share(group, h->private, sizeof(h->private)))
        return false;
    X25519_public_from_private(h->public, h->private);
    return true;
}
#endif

/* A fresh private key. */
static bool
dh_new(uint16_t group, half *h)
{
    int curve = curve_of(group);
    bool ok = true;

    h->ec = NULL;
    if (curve != NID_undef &&
        (h->ec = EC_KEY_new_by_curve_name(curve)) == NULL)
        return false;
#ifdef PYS_TEST
    if (dh_put(group, h))
        return true;
#endif
    pys_draw_begin();
    if (h->ec != NULL)
        ok = EC_KEY_generate_key(h->ec) == 1;
    else
        X25519_keypair(h->public, h->private);
    pys_draw_end();
    return ok;
}

static void
dh_wipe(half *h)
{
    EC_KEY_free(h->ec); /* which wipes all it frees */
    pys_wipe(h, sizeof(*h));
}

static bool
dh_write(const half *h, pys_wr *out)
{
    size_t n = dh_public_len(h);
    uint8_t *room = pys_wr_room(out, n);

    if (room == NULL)
        return false;
    if (h->ec == NULL) {
        memcpy(room, h->public, X25519_LEN);
        return true;
    }
    return EC_POINT_point2oct(EC_KEY_get0_group(h->ec),
               EC_KEY_get0_public_key(h->ec), POINT_CONVERSION_UNCOMPRESSED,
               room, n, NULL) == n;
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

/* secret has room for a coordinate; *n is its length. */
static bool
dh_derive(const half *h, pys_rd peer, uint8_t *secret, size_t *n,
    bool *internal)
{
    *internal = false;
    /* RFC 8446 4.2.8.2: one length a group. */
    if (peer.n != dh_public_len(h))
        return false;
    *n = X25519_LEN;
    /* RFC 8446 7.4.2: X25519 fails if the result is all zeros. */
    if (h->ec == NULL)
        return X25519(secret, h->private, peer.p) == 1;
    /* RFC 8446 4.2.8.2: uncompressed form only. */
    if (peer.p[0] != UNCOMPRESSED)
        return false;
    *n = field_len(h);
    return ec_derive(h->ec, peer, secret, *n, internal);
}

/* ---- the KEM half ---- */

/* The client's: a fresh decapsulation key. */
static EVP_PKEY *
kem_new(void)
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
    return ok == 1 ? kem : NULL;
}

static bool
kem_write(EVP_PKEY *kem, pys_wr *out)
{
    size_t n = KEM_PUBLIC_LEN;
    uint8_t *room = pys_wr_room(out, n);

    return room != NULL && EVP_PKEY_get_raw_public_key(kem, room, &n) == 1 &&
        n == KEM_PUBLIC_LEN;
}

static bool
kem_open(EVP_PKEY *kem, pys_rd ciphertext, uint8_t *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(kem, NULL);
    size_t n = KEM_SECRET_LEN;
    bool ok;

    ok = ctx != NULL &&
        EVP_PKEY_decapsulate(ctx, secret, &n, ciphertext.p, ciphertext.n) ==
            1 &&
        n == KEM_SECRET_LEN;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* The server's: a secret, and its ciphertext for the client's key. */
static bool
kem_seal(EVP_PKEY_CTX *ctx, uint8_t *ciphertext, uint8_t *secret)
{
    size_t n_text = KEM_CIPHERTEXT_LEN;
    size_t n = KEM_SECRET_LEN;
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
        n_text == KEM_CIPHERTEXT_LEN && n == KEM_SECRET_LEN;
    pys_draw_end();
    return ok;
}

static bool
kem_respond(pys_rd public, uint8_t *ciphertext, uint8_t *secret,
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
    if (!ok)
        *internal = ctx == NULL || EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(kem);
    return ok;
}

/* ---- shares ---- */

pys_share *
pys_share_new(uint16_t group)
{
    pys_share *s;

    if (!pys_share_has(group) || (s = pys_alloc(sizeof(*s))) == NULL)
        return NULL;
    s->group = group;
    if (group == PYS_X25519MLKEM768)
        s->kem = kem_new();
    if ((group == PYS_X25519MLKEM768 && s->kem == NULL) ||
        !dh_new(group, &s->dh)) {
        ERR_clear_error();
        pys_share_free(s);
        return NULL;
    }
    return s;
}

void
pys_share_free(pys_share *s)
{
    if (s == NULL)
        return;
    dh_wipe(&s->dh);
    EVP_PKEY_free(s->kem); /* which wipes all it frees */
    pys_free(s);
}

uint16_t
pys_share_group(const pys_share *s)
{
    return s->group;
}

bool
pys_share_public(pys_share *s, pys_wr *out)
{
    bool ok = (s->kem == NULL || kem_write(s->kem, out)) &&
        dh_write(&s->dh, out);

    if (!ok)
        ERR_clear_error();
    return ok;
}

/* Nothing of a secret is left, nor of AWS-LC's reasons. */
static bool
refused(uint8_t *secret, size_t *n)
{
    ERR_clear_error();
    pys_wipe(secret, PYS_SECRET_MAX);
    *n = 0;
    return false;
}

/* Takes the KEM half off the front of a hybrid's key_exchange. */
static bool
derive_kem(pys_share *s, pys_rd *peer, uint8_t *secret, bool *internal)
{
    pys_rd ciphertext;

    /* draft-ietf-tls-ecdhe-mlkem 4.1: the ciphertext comes first. */
    if (!pys_rd_bytes(peer, KEM_CIPHERTEXT_LEN, &ciphertext) ||
        peer->n != X25519_LEN)
        return false;
    *internal = !kem_open(s->kem, ciphertext, secret);
    return !*internal;
}

bool
pys_share_derive(pys_share *s, pys_rd peer, uint8_t *secret, size_t *n,
    bool *internal)
{
    size_t kem = s->kem != NULL ? KEM_SECRET_LEN : 0;

    *internal = false;
    if ((s->kem != NULL && !derive_kem(s, &peer, secret, internal)) ||
        !dh_derive(&s->dh, peer, secret + kem, n, internal))
        return refused(secret, n);
    *n += kem;
    return true;
}

/*
 * Takes the client's KEM half off the front of peer, answers it in out and
 * puts the secret of that half into secret.
 */
static bool
respond_kem(pys_rd *peer, pys_wr *out, uint8_t *secret, bool *internal)
{
    pys_rd public;
    uint8_t *room;

    /* draft-ietf-tls-ecdhe-mlkem 4.1: the encapsulation key comes first. */
    if (!pys_rd_bytes(peer, KEM_PUBLIC_LEN, &public) || peer->n != X25519_LEN)
        return false;
    room = pys_wr_room(out, KEM_CIPHERTEXT_LEN);
    *internal = room == NULL;
    return room != NULL && kem_respond(public, room, secret, internal);
}

/* The same for the Diffie-Hellman half, which is all of peer. */
static bool
respond_dh(uint16_t group, pys_rd peer, pys_wr *out, uint8_t *secret,
    size_t *n, bool *internal)
{
    half dh;
    bool ok;

    *internal = !dh_new(group, &dh) || !dh_write(&dh, out);
    ok = !*internal && dh_derive(&dh, peer, secret, n, internal);
    dh_wipe(&dh);
    return ok;
}

bool
pys_share_respond(uint16_t group, pys_rd peer, pys_wr *out, uint8_t *secret,
    size_t *n, bool *internal)
{
    bool hybrid = group == PYS_X25519MLKEM768;
    size_t kem = hybrid ? KEM_SECRET_LEN : 0;

    *n = 0;
    *internal = !pys_share_has(group);
    if (*internal)
        return false;
    if ((hybrid && !respond_kem(&peer, out, secret, internal)) ||
        !respond_dh(group, peer, out, secret + kem, n, internal))
        return refused(secret, n);
    *n += kem;
    return true;
}
