/*
 * What libcrypto's keys are for AWS-LC. A key is handed over at its first use
 * and once; what cannot be, because a provider keeps its private half or for
 * another reason, goes on through EVP.
 */
#include "crypto/awslc/crypt_curve.h"
#include "crypto/crypt_evp.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>

/* Each gives a length, or 0 if there is nothing to be had. */
static size_t
public_of(const pys_key *k, uint8_t out[PYS_CURVE_PUBLIC_MAX])
{
    size_t n = PYS_CURVE_PUBLIC_MAX;
    int ok;

    if (k->type == PYS_KEY_ED25519)
        ok = EVP_PKEY_get_raw_public_key(k->pkey, out, &n);
    else
        ok = EVP_PKEY_get_octet_string_param(k->pkey, OSSL_PKEY_PARAM_PUB_KEY,
            out, n, &n);
    return ok == 1 ? n : 0;
}

static size_t
ec_private_of(const pys_key *k, uint8_t out[PYS_CURVE_PRIVATE_MAX])
{
    uint8_t raw[PYS_CURVE_PRIVATE_MAX];
    OSSL_PARAM wanted[] = {OSSL_PARAM_END, OSSL_PARAM_END};
    BIGNUM *number = NULL;
    size_t n = 0;

    wanted[0] = OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_PRIV_KEY, raw,
        sizeof(raw));
    if (EVP_PKEY_get_params(k->pkey, wanted) == 1 &&
        OSSL_PARAM_modified(wanted) &&
        OSSL_PARAM_get_BN(wanted, &number) == 1 &&
        BN_bn2binpad(number, out, PYS_CURVE_PRIVATE_MAX) ==
            PYS_CURVE_PRIVATE_MAX)
        n = PYS_CURVE_PRIVATE_MAX;
    BN_clear_free(number);
    pys_wipe(raw, sizeof(raw));
    return n;
}

static size_t
private_of(const pys_key *k, uint8_t out[PYS_CURVE_PRIVATE_MAX])
{
    size_t n = PYS_CURVE_PRIVATE_MAX;

    if (k->type != PYS_KEY_ED25519)
        return ec_private_of(k, out);
    return EVP_PKEY_get_raw_private_key(k->pkey, out, &n) == 1 ? n : 0;
}

/*
 * NULL if it is to go on through EVP. So is a key that no provider holds:
 * it has methods of its own, and its numbers may not be all there is to it.
 */
static pys_curve *
export_key(const pys_key *k)
{
    uint8_t public[PYS_CURVE_PUBLIC_MAX];
    uint8_t private[PYS_CURVE_PRIVATE_MAX];
    pys_curve *made = NULL;
    size_t n_public;
    size_t n_private;

    if (EVP_PKEY_get0_provider(k->pkey) == NULL)
        return NULL;
    /* That something cannot be exported is no error. */
    (void)ERR_set_mark();
    n_public = public_of(k, public);
    n_private = private_of(k, private);
    (void)ERR_pop_to_mark();
    if (n_public != 0)
        made = pys_curve_new(k->type, pys_rd_of(public, n_public),
            pys_rd_of(private, n_private));
    pys_wipe(private, sizeof(private));
    return made;
}

static bool
is_curve(enum pys_key_type type)
{
    return type == PYS_KEY_P256 || type == PYS_KEY_P384 ||
        type == PYS_KEY_P521 || type == PYS_KEY_ED25519;
}

/* Made at first use; of two threads that make it at once, one's is kept. */
static const pys_curve *
curve_of(pys_key *k)
{
    pys_curve *kept = atomic_load(&k->curve);
    pys_curve *made;

    if (kept != NULL || !is_curve(k->type) || atomic_load(&k->stays))
        return kept;
    made = export_key(k);
    if (made == NULL) {
        atomic_store(&k->stays, true);
    } else if (!atomic_compare_exchange_strong(&k->curve, &kept, made)) {
        pys_curve_free(made);
        made = kept;
    }
    return made;
}

void
pys_curve_drop(pys_key *k)
{
    pys_curve_free(atomic_load(&k->curve));
}

bool
pys_curve_signs(pys_key *k, const pys_scheme *s, pys_rd data, uint8_t *sig,
    size_t *n, bool *ok)
{
    const pys_curve *c = curve_of(k);

    if (c == NULL || !pys_curve_can_sign(c))
        return false;
    *ok = pys_curve_sign(c, s, data, sig, n);
    return true;
}

bool
pys_curve_verifies(pys_key *k, const pys_scheme *s, pys_rd data, pys_rd sig,
    bool *ok)
{
    const pys_curve *c = curve_of(k);

    if (c == NULL)
        return false;
    *ok = pys_curve_verify(c, s, data, sig);
    return true;
}
