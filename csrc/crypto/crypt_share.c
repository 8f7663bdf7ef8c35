/*
 * Key shares: X25519 (RFC 7748), the NIST curves (RFC 8446 4.2.8.2) and
 * X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem).
 *
 * Every group has a Diffie-Hellman half; the hybrid has a KEM half before it.
 */
#include "crypto/crypt_evp.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include "crypto/suite.h"

enum {
    X25519_LEN = 32,
    KEM_PUBLIC_LEN = 1184,     /* FIPS 203, table 3 */
    KEM_CIPHERTEXT_LEN = 1088,
    KEM_SECRET_LEN = 32,
    UNCOMPRESSED = 4           /* SEC 1, 2.3.3 */
};

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

struct pys_share {
    uint16_t group;
    EVP_PKEY *dh;
    EVP_PKEY *kem; /* NULL but for the hybrid */
};

static EVP_PKEY *
model_new(size_t i)
{
    static const uint8_t unused[X25519_LEN];
    EVP_PKEY_CTX *ctx;
    EVP_PKEY *key = NULL;

    if (i == PYS_COUNT(curves))
        return EVP_PKEY_new_raw_public_key_ex(NULL, x25519_name, NULL, unused,
            X25519_LEN);
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
pys_share_has(uint16_t group)
{
    if (group == PYS_X25519MLKEM768)
        return has_kem;
    return pys_group_find(group) != NULL;
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
    return i < PYS_COUNT(curves) ? 1 + 2 * curves[i].field_len : X25519_LEN;
}

static size_t
dh_secret_len(size_t i)
{
    return i < PYS_COUNT(curves) ? curves[i].field_len : X25519_LEN;
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
        X25519_LEN);
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
    if (i < PYS_COUNT(curves) && peer.p[0] != UNCOMPRESSED)
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

static bool
dh_derive(uint16_t group, EVP_PKEY *own, pys_rd peer, uint8_t *secret,
    size_t *n, bool *internal)
{
    size_t i = curve_of(group);
    kit *k = kit_take(i);

    *internal = k == NULL;
    if (k != NULL && dh_peer(i, peer, k->peer) &&
        dh_compute(group, own, k->peer, secret, n, internal)) {
        kit_give(i, k);
        return true;
    }
    kit_free(k);
    return false;
}

/* The client's half of a KEM exchange: a fresh decapsulation key. */
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

static bool
kem_open(EVP_PKEY *kem, pys_rd ciphertext, uint8_t *secret)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, kem, NULL);
    size_t n = KEM_SECRET_LEN;
    bool ok;

    ok = ctx != NULL && EVP_PKEY_decapsulate_init(ctx, NULL) == 1 &&
        EVP_PKEY_decapsulate(ctx, secret, &n, ciphertext.p, ciphertext.n) ==
            1 &&
        n == KEM_SECRET_LEN;
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
    size_t n_text = KEM_CIPHERTEXT_LEN;
    size_t n = KEM_SECRET_LEN;
    bool ok;

    ok = ctx != NULL && kem_seal_begin(ctx) &&
        EVP_PKEY_encapsulate(ctx, ciphertext, &n_text, secret, &n) == 1 &&
        n_text == KEM_CIPHERTEXT_LEN && n == KEM_SECRET_LEN;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

pys_share *
pys_share_new(uint16_t group)
{
    pys_share *s;

    if (!pys_share_has(group))
        return NULL;
    s = pys_alloc(sizeof(*s));
    if (s == NULL)
        return NULL;
    s->group = group;
    if (group == PYS_X25519MLKEM768) {
        s->kem = kem_new();
        if (s->kem == NULL) {
            pys_share_free(s);
            return NULL;
        }
    }
    s->dh = dh_new(group);
    if (s->dh == NULL) {
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
    EVP_PKEY_free(s->dh);
    EVP_PKEY_free(s->kem);
    pys_free(s);
}

uint16_t
pys_share_group(const pys_share *s)
{
    return s->group;
}

static bool
dh_write(uint16_t group, const EVP_PKEY *dh, pys_wr *out)
{
    size_t n = dh_public_len(curve_of(group));
    uint8_t *room = pys_wr_room(out, n);

    return room != NULL && dh_public(group, dh, room, n);
}

bool
pys_share_public(pys_share *s, pys_wr *out)
{
    if (s->kem != NULL) {
        size_t n = KEM_PUBLIC_LEN;
        uint8_t *room = pys_wr_room(out, n);

        if (room == NULL ||
            EVP_PKEY_get_raw_public_key(s->kem, room, &n) != 1 ||
            n != KEM_PUBLIC_LEN)
            return false;
    }
    return dh_write(s->group, s->dh, out);
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
    if (!kem_open(s->kem, ciphertext, secret)) {
        *internal = true;
        return false;
    }
    return true;
}

bool
pys_share_derive(pys_share *s, pys_rd peer, uint8_t *secret, size_t *n,
    bool *internal)
{
    size_t kem = s->kem != NULL ? KEM_SECRET_LEN : 0;
    size_t dh = PYS_SECRET_MAX - kem;

    *n = 0;
    *internal = false;
    if ((s->kem != NULL && !derive_kem(s, &peer, secret, internal)) ||
        !dh_derive(s->group, s->dh, peer, secret + kem, &dh, internal)) {
        pys_wipe(secret, PYS_SECRET_MAX);
        return false;
    }
    *n = kem + dh;
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
    EVP_PKEY *kem;
    uint8_t *room;
    bool ok;

    /* draft-ietf-tls-ecdhe-mlkem 4.1: the encapsulation key comes first. */
    if (!pys_rd_bytes(peer, KEM_PUBLIC_LEN, &public) || peer->n != X25519_LEN)
        return false;
    /* FIPS 203 7.2: libcrypto refuses a key with an unreduced number. */
    kem = EVP_PKEY_new_raw_public_key_ex(NULL, kem_name, NULL, public.p,
        public.n);
    if (kem == NULL)
        return false;
    room = pys_wr_room(out, KEM_CIPHERTEXT_LEN);
    ok = room != NULL && kem_seal(kem, room, secret);
    EVP_PKEY_free(kem);
    if (!ok)
        *internal = true;
    return ok;
}

/* The same for the Diffie-Hellman half, which is all of peer. */
static bool
respond_dh(uint16_t group, pys_rd peer, pys_wr *out, uint8_t *secret,
    size_t *n, bool *internal)
{
    EVP_PKEY *dh = dh_new(group);
    bool ok;

    if (dh == NULL || !dh_write(group, dh, out)) {
        *internal = true;
        ok = false;
    } else {
        ok = dh_derive(group, dh, peer, secret, n, internal);
    }
    EVP_PKEY_free(dh);
    return ok;
}

bool
pys_share_respond(uint16_t group, pys_rd peer, pys_wr *out, uint8_t *secret,
    size_t *n, bool *internal)
{
    bool hybrid = group == PYS_X25519MLKEM768;
    size_t kem = hybrid ? KEM_SECRET_LEN : 0;
    size_t dh = PYS_SECRET_MAX - kem;

    *n = 0;
    *internal = !pys_share_has(group);
    if (*internal)
        return false;
    if ((hybrid && !respond_kem(&peer, out, secret, internal)) ||
        !respond_dh(group, peer, out, secret + kem, &dh, internal)) {
        pys_wipe(secret, PYS_SECRET_MAX);
        return false;
    }
    *n = kem + dh;
    return true;
}
