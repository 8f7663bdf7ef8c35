/*
 * The halves of key shares by libcrypto: X25519 (RFC 7748), the NIST curves
 * (RFC 8446 4.2.8.2) and ML-KEM-768 (FIPS 203). A half is an EVP_PKEY.
 */
#include "crypto/crypt_half.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "crypto/crypt_evp.h"
#include "crypto/suite.h"

static const char x25519_name[] = "X25519";
static const char kem_name[] = "ML-KEM-768";

typedef struct curve {
    uint16_t group;
    const char *name;
    size_t field_len; /* of a coordinate, and of the shared secret */
} curve;

static const curve curves[] = {
    {.group = PYS_SECP256R1, .name = "P-256", .field_len = 32},
    {.group = PYS_SECP384R1, .name = "P-384", .field_len = 48},
    {.group = PYS_SECP521R1, .name = "P-521", .field_len = 66},
};

/*
 * What other keys are made from, at the place that curve_of gives: to copy
 * one is several times cheaper than to look its kind up by name. A curve's
 * has parameters only, X25519's a public key that is never used.
 */
static EVP_PKEY *models[PYS_COUNT(curves) + 1];
static bool has_kem;

/*
 * What makes a key and what takes a peer's, ready for use: both cost more to
 * make than the work around them. One of each group waits for whoever comes
 * next; who finds none, because another thread has it, makes one.
 */
typedef struct kit {
    EVP_PKEY_CTX *maker;
    EVP_PKEY *peer;
} kit;

static _Atomic(kit *) kits[PYS_COUNT(models)];

static EVP_PKEY *
model_new(size_t i)
{
    static const uint8_t unused[PYS_X25519_LEN];
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *key = NULL;

    if (i == PYS_COUNT(curves))
        return EVP_PKEY_new_raw_public_key_ex(NULL, x25519_name, NULL, unused,
            PYS_X25519_LEN);
    ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    if (ctx != NULL && EVP_PKEY_paramgen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_group_name(ctx, curves[i].name) == 1 &&
        EVP_PKEY_paramgen(ctx, &key) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(ctx);
    return key;
}

bool
pys_share_start(void)
{
    EVP_KEYEXCH *x25519 = EVP_KEYEXCH_fetch(NULL, x25519_name, NULL);
    EVP_KEM *kem;

    if (x25519 == NULL)
        return false;
    EVP_KEYEXCH_free(x25519);
    for (size_t i = 0; i < PYS_COUNT(models); i++) {
        models[i] = model_new(i);
        if (models[i] == NULL)
            return false;
    }
    /* libcrypto has it from 3.5 on; that it is missing is no error. */
    (void)ERR_set_mark();
    kem = EVP_KEM_fetch(NULL, kem_name, NULL);
    has_kem = kem != NULL;
    EVP_KEM_free(kem);
    (void)ERR_pop_to_mark();
    return true;
}

bool
pys_kem_has(void)
{
    return has_kem;
}

/* The place of a curve in the table; its count for X25519. */
static size_t
curve_of(uint16_t group)
{
    size_t i = 0;

    while (i < PYS_COUNT(curves) && curves[i].group != group)
        i++;
    return i;
}

static size_t
dh_public_len(size_t i)
{
    return i < PYS_COUNT(curves) ? 1 + 2 * curves[i].field_len :
                                   PYS_X25519_LEN;
}

static size_t
dh_secret_len(size_t i)
{
    return i < PYS_COUNT(curves) ? curves[i].field_len : PYS_X25519_LEN;
}

#ifdef PYS_TEST
/* The private key put for the group, if there is one. */
static EVP_PKEY *
dh_put(uint16_t group, size_t i)
{
    uint8_t key[PYS_SECRET_MAX];

    if (!pys_test_take_share(group, key, dh_secret_len(i)))
        return NULL;
    if (i < PYS_COUNT(curves))
        return pys_test_ec_key(curves[i].name, key, curves[i].field_len);
    return EVP_PKEY_new_raw_private_key_ex(NULL, x25519_name, NULL, key,
        PYS_X25519_LEN);
}
#endif

static void
kit_free(kit *k)
{
    if (k == NULL)
        return;
    EVP_PKEY_CTX_free(k->maker);
    EVP_PKEY_free(k->peer);
    pys_free(k);
}

static kit *
kit_take(size_t i)
{
    kit *k = atomic_exchange(&kits[i], NULL);

    if (k != NULL || (k = pys_alloc(sizeof(*k))) == NULL)
        return k;
    k->maker = EVP_PKEY_CTX_new_from_pkey(NULL, models[i], NULL);
    k->peer = EVP_PKEY_dup(models[i]);
    if (k->maker != NULL && k->peer != NULL &&
        EVP_PKEY_keygen_init(k->maker) == 1)
        return k;
    kit_free(k);
    return NULL;
}

/* One that has failed is not given back but freed. */
static void
kit_give(size_t i, kit *k)
{
    kit_free(atomic_exchange(&kits[i], k));
}

static EVP_PKEY *
dh_new(uint16_t group)
{
    EVP_PKEY *dh = NULL;
    size_t i = curve_of(group);
    kit *k;

#ifdef PYS_TEST
    dh = dh_put(group, i);
    if (dh != NULL)
        return dh;
#endif
    k = kit_take(i);
    if (k == NULL)
        return NULL;
    if (EVP_PKEY_keygen(k->maker, &dh) == 1) {
        kit_give(i, k);
        return dh;
    }
    kit_free(k);
    return NULL;
}

/* The public half into exactly n bytes. */
static bool
dh_public(uint16_t group, const EVP_PKEY *dh, uint8_t *out, size_t n)
{
    size_t got = n;

    if (curve_of(group) == PYS_COUNT(curves)) {
        if (EVP_PKEY_get_raw_public_key(dh, out, &got) != 1)
            return false;
    } else if (EVP_PKEY_get_octet_string_param(dh,
                   OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, out, n, &got) != 1) {
        return false;
    }
    return got == n;
}

/* Puts a peer's public half into dh; false if it is the peer's fault. */
static bool
dh_peer(size_t i, pys_rd peer, EVP_PKEY *dh)
{
    /* RFC 8446 4.2.8.2: one length a group. */
    if (peer.n != dh_public_len(i))
        return false;
    /* RFC 8446 4.2.8.2: uncompressed form only. */
    if (i < PYS_COUNT(curves) && peer.p[0] != PYS_UNCOMPRESSED)
        return false;
    /*
     * RFC 8446 4.2.8.2: coordinates in range and on the curve, which
     * libcrypto checks here. These curves have no small subgroup, so that
     * is the whole validation. X25519 takes any bytes (RFC 7748 5).
     */
    return EVP_PKEY_set1_encoded_public_key(dh, peer.p, peer.n) == 1;
}

/* Diffie-Hellman with a decoded peer; *n is the room, then the length. */
static bool
dh_compute(uint16_t group, EVP_PKEY *own, EVP_PKEY *peer, uint8_t *secret,
    size_t *n, bool *internal)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, own, NULL);
    bool ok = false;

    if (ctx == NULL || EVP_PKEY_derive_init(ctx) != 1 ||
        EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) != 1) {
        *internal = true;
    } else {
        /*
         * RFC 8446 7.4.2: an all-zero X25519 result must be refused, and
         * libcrypto does. On the other curves only libcrypto can be at fault.
         */
        ok = EVP_PKEY_derive(ctx, secret, n) == 1 &&
            *n == dh_secret_len(curve_of(group));
        if (!ok && curve_of(group) < PYS_COUNT(curves))
            *internal = true;
    }
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

bool
pys_half_new(uint16_t group, pys_half *h)
{
    *h = (pys_half){.key = dh_new(group)};
    return h->key != NULL;
}

/* libcrypto erases what a key held. */
void
pys_half_wipe(pys_half *h)
{
    EVP_PKEY_free(h->key);
    h->key = NULL;
}

bool
pys_half_write(uint16_t group, const pys_half *h, pys_wr *out)
{
    size_t n = dh_public_len(curve_of(group));
    uint8_t *room = pys_wr_room(out, n);

    return room != NULL && dh_public(group, h->key, room, n);
}

bool
pys_half_derive(uint16_t group, const pys_half *h, pys_rd peer,
    uint8_t *secret, size_t *n, bool *internal)
{
    size_t i = curve_of(group);
    kit *k = kit_take(i);

    *n = dh_secret_len(i);
    *internal = k == NULL;
    if (k != NULL && dh_peer(i, peer, k->peer) &&
        dh_compute(group, h->key, k->peer, secret, n, internal)) {
        kit_give(i, k);
        return true;
    }
    kit_free(k);
    return false;
}

/* ---- the KEM half ---- */

/* The opaque type is an EVP_PKEY. */
static EVP_PKEY *
pkey_of(pys_kem *kem)
{
    return (EVP_PKEY *)kem;
}

static EVP_PKEY *
kem_new(void)
{
#ifdef PYS_TEST
    uint8_t seed[PYS_TEST_KEM_SEED_LEN];

    if (pys_test_take_share(PYS_X25519MLKEM768, seed, sizeof(seed)))
        return pys_test_kem_key(kem_name, seed);
#endif
    return EVP_PKEY_Q_keygen(NULL, NULL, kem_name);
}

pys_kem *
pys_kem_new(void)
{
    return (pys_kem *)kem_new();
}

void
pys_kem_free(pys_kem *kem)
{
    EVP_PKEY_free(pkey_of(kem));
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
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey_of(kem), NULL);
    size_t n = PYS_KEM_SECRET_LEN;
    bool ok;

    ok = ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
        EVP_PKEY_decapsulate(ctx, secret, &n, ciphertext.p, ciphertext.n) ==
            1 &&
        n == PYS_KEM_SECRET_LEN;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool
kem_seal_begin(EVP_PKEY_CTX *ctx)
{
#ifdef PYS_TEST
    uint8_t m[PYS_TEST_KEM_RANDOM_LEN];

    if (pys_test_take_share(PYS_X25519MLKEM768, m, sizeof(m)))
        return pys_test_kem_begin(ctx, m);
#endif
    return EVP_PKEY_encapsulate_init(ctx, NULL) == 1;
}

/* The server's half: a secret, and its ciphertext for the client's key. */
static bool
kem_seal(EVP_PKEY *kem, uint8_t *ciphertext, uint8_t *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kem, NULL);
    size_t n_text = PYS_KEM_CIPHERTEXT_LEN;
    size_t n = PYS_KEM_SECRET_LEN;
    bool ok;

    ok = ctx != NULL && kem_seal_begin(ctx) &&
        EVP_PKEY_encapsulate(ctx, ciphertext, &n_text, secret, &n) == 1 &&
        n_text == PYS_KEM_CIPHERTEXT_LEN && n == PYS_KEM_SECRET_LEN;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

bool
pys_kem_respond(pys_rd public, uint8_t *ciphertext, uint8_t *secret,
    bool *internal)
{
    /* FIPS 203 7.2: libcrypto refuses a key with an unreduced number. */
    EVP_PKEY *kem = EVP_PKEY_new_raw_public_key_ex(NULL, kem_name, NULL,
        public.p, public.n);
    bool ok;

    *internal = false;
    if (kem == NULL)
        return false;
    ok = kem_seal(kem, ciphertext, secret);
    EVP_PKEY_free(kem);
    *internal = !ok;
    return ok;
}

/* Its entries are for pys_fault_drain. */
void
pys_half_failed(void)
{
}
