/*
 * Signatures of RFC 8446 4.2.3, and the keys that make and check them.
 */
#include "crypto/crypt_evp.h"

#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include "crypto/suite.h"

static const char *const md_names[] = {"SHA256", "SHA384", "SHA512"};
static EVP_MD *mds[PYS_COUNT(md_names)];

enum use { SIGN, VERIFY };

bool
pys_sign_start(void)
{
    for (size_t i = 0; i < PYS_COUNT(md_names); i++) {
        mds[i] = EVP_MD_fetch(NULL, md_names[i], NULL);
        if (mds[i] == NULL)
            return false;
    }
    return true;
}

static const EVP_MD *
md_of(const char *name)
{
    for (size_t i = 0; name != NULL && i < PYS_COUNT(md_names); i++) {
        if (strcmp(md_names[i], name) == 0)
            return mds[i];
    }
    return NULL;
}

static enum pys_key_type
ec_type(const EVP_PKEY *pkey)
{
    char name[32];
    size_t n = 0;
    int explicit_curve = 0;

    /* RFC 5480 2.1.1: the curve is named, its numbers are not written out. */
    if (EVP_PKEY_get_int_param(pkey,
            OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
            &explicit_curve) != 1 ||
        explicit_curve != 0 ||
        EVP_PKEY_get_group_name(pkey, name, sizeof(name), &n) != 1)
        return PYS_KEY_OTHER;
    switch (pys_id_of(PYS_KIND_GROUP, name)) {
    case PYS_SECP256R1:
        return PYS_KEY_P256;
    case PYS_SECP384R1:
        return PYS_KEY_P384;
    case PYS_SECP521R1:
        return PYS_KEY_P521;
    default:
        return PYS_KEY_OTHER;
    }
}

static enum pys_key_type
type_of(const EVP_PKEY *pkey)
{
    if (EVP_PKEY_is_a(pkey, "RSA"))
        return PYS_KEY_RSA;
    if (EVP_PKEY_is_a(pkey, "RSA-PSS"))
        return PYS_KEY_RSA_PSS;
    if (EVP_PKEY_is_a(pkey, "ED25519"))
        return PYS_KEY_ED25519;
    if (EVP_PKEY_is_a(pkey, "ED448"))
        return PYS_KEY_ED448;
    if (EVP_PKEY_is_a(pkey, "EC"))
        return ec_type(pkey);
    return PYS_KEY_OTHER;
}

pys_key *
pys_key_of(EVP_PKEY *pkey)
{
    pys_key *k = pys_alloc(sizeof(*k));

    if (k == NULL) {
        EVP_PKEY_free(pkey);
        return NULL;
    }
    k->pkey = pkey;
    k->type = type_of(pkey);
    atomic_init(&k->refs, 1);
    return k;
}

pys_key *
pys_key_up_ref(pys_key *k)
{
    if (k != NULL)
        atomic_fetch_add(&k->refs, 1);
    return k;
}

void
pys_key_free(pys_key *k)
{
    if (k == NULL || atomic_fetch_sub(&k->refs, 1) != 1)
        return;
    for (size_t i = 0; i < PYS_COUNT(k->ready); i++)
        EVP_MD_CTX_free(atomic_load(&k->ready[i]));
    pys_curve_drop(k);
    EVP_PKEY_free(k->pkey);
    pys_free(k);
}

enum pys_key_type
pys_key_type(const pys_key *k)
{
    return k->type;
}

int
pys_key_bits(const pys_key *k)
{
    return EVP_PKEY_get_bits(k->pkey);
}

int
pys_key_strength(const pys_key *k)
{
    return EVP_PKEY_get_security_bits(k->pkey);
}

bool
pys_key_match(const pys_key *a, const pys_key *b)
{
    return EVP_PKEY_eq(a->pkey, b->pkey) == 1;
}

static bool
is_ec(enum pys_key_type type)
{
    return type == PYS_KEY_P256 || type == PYS_KEY_P384 ||
        type == PYS_KEY_P521;
}

/* Type of key alone: TLS 1.2 leaves the curve open (RFC 8422 5.4). */
static bool
type_fits(const pys_scheme *s, const pys_key *k)
{
    return s->key == k->type || (is_ec(s->key) && is_ec(k->type));
}

/* RFC 8446 4.2.3: the salt is as long as the hash, MGF1 uses the same one. */
static bool
pad(const pys_scheme *s, EVP_PKEY_CTX *ctx, const EVP_MD *md)
{
    if (s->key != PYS_KEY_RSA && s->key != PYS_KEY_RSA_PSS)
        return true;
    if (!s->pss)
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
        EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

static EVP_MD_CTX *
ready_new(const pys_key *k, const pys_scheme *s, enum use use)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    const EVP_MD *md = md_of(s->md);
    EVP_PKEY_CTX *of_key = NULL;
    int ok = 0;

    if (ctx != NULL && use == SIGN)
        ok = EVP_DigestSignInit(ctx, &of_key, md, NULL, k->pkey);
    else if (ctx != NULL)
        ok = EVP_DigestVerifyInit(ctx, &of_key, md, NULL, k->pkey);
    if (ok == 1 && pad(s, of_key, md))
        return ctx;
    EVP_MD_CTX_free(ctx);
    return NULL;
}

/*
 * What a key keeps for a scheme: with the key, its hash and its padding say
 * all about it.
 */
static _Atomic(EVP_MD_CTX *) *
ready_of(pys_key *k, const pys_scheme *s, enum use use)
{
    size_t md = 0;

    while (s->md != NULL && strcmp(md_names[md], s->md) != 0)
        md++;
    return &k->ready[(md * 2 + s->pss) * 2 + use];
}

/*
 * A context that the caller frees, or NULL. To begin one costs a good part of
 * what a signature does, with OpenSSL 3.0 above all, which looks algorithms up
 * by name; so one is kept and copied. It is taken out while it is copied: who
 * finds none, because another thread has it, makes one.
 */
static EVP_MD_CTX *
begin(pys_key *k, const pys_scheme *s, enum use use)
{
    _Atomic(EVP_MD_CTX *) *kept = ready_of(k, s, use);
    EVP_MD_CTX *ready = atomic_exchange(kept, NULL);
    EVP_MD_CTX *ctx;

    if (ready == NULL && (ready = ready_new(k, s, use)) == NULL)
        return NULL;
    ctx = EVP_MD_CTX_new();
    if (ctx != NULL && EVP_MD_CTX_copy_ex(ctx, ready) != 1) {
        EVP_MD_CTX_free(ctx);
        ctx = NULL;
    }
    EVP_MD_CTX_free(atomic_exchange(kept, ready));
    return ctx;
}

bool
pys_sign(pys_key *k, uint16_t scheme, pys_rd data, uint8_t *sig, size_t *n)
{
    const pys_scheme *s = pys_scheme_find(scheme);
    EVP_MD_CTX *ctx;
    bool ok;

    *n = PYS_SIG_MAX;
    if (s == NULL || !type_fits(s, k) ||
        EVP_PKEY_get_size(k->pkey) > PYS_SIG_MAX)
        return false;
    if (pys_curve_signs(k, s, data, sig, n, &ok))
        return ok;
    ctx = begin(k, s, SIGN);
    ok = ctx != NULL && EVP_DigestSign(ctx, sig, n, data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    /* Short of memory, libcrypto's ECDSA may say success and give -1 here. */
    return ok && *n <= PYS_SIG_MAX;
}

bool
pys_verify_link(pys_key *k, uint16_t scheme, pys_rd data, pys_rd sig)
{
    const pys_scheme *s = pys_scheme_find(scheme);
    EVP_MD_CTX *ctx;
    bool ok;

    if (s == NULL || !type_fits(s, k))
        return false;
    ctx = begin(k, s, VERIFY);
    ok = ctx != NULL &&
        EVP_DigestVerify(ctx, sig.p, sig.n, data.p, data.n) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool
pys_verify(pys_key *k, uint16_t scheme, pys_rd data, pys_rd sig)
{
    const pys_scheme *s = pys_scheme_find(scheme);
    bool ok;

    if (s == NULL || !type_fits(s, k))
        return false;
    if (pys_curve_verifies(k, s, data, sig, &ok))
        return ok;
    return pys_verify_link(k, scheme, data, sig);
}
