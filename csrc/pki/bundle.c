/*
 * Certificates and CRLs of a PEM text (RFC 7468). The large texts decoded
 * last are remembered by their hash: a system's bundle takes libcrypto some
 * 20 ms, a program may make many stores of it, and what is decoded is never
 * changed. Slots are used as in cert_cache.c.
 */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "pki/pki_x509.h"

enum { SLOTS = 2, LARGE = 16384 };

typedef STACK_OF(X509_INFO) info_stack;

static _Atomic(pys_bundle *) slots[SLOTS];
static atomic_uint turn;

void
pys_bundle_free(pys_bundle *b)
{
    if (b == NULL ||
        atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) != 1)
        return;
    sk_X509_pop_free(b->certs, X509_free);
    sk_X509_CRL_pop_free(b->crls, X509_CRL_free);
    pys_free(b);
}

static pys_bundle *
bundle_new(void)
{
    pys_bundle *b = pys_alloc(sizeof(*b));

    if (b == NULL)
        return NULL;
    atomic_init(&b->refs, 1);
    b->certs = sk_X509_new_null();
    b->crls = sk_X509_CRL_new_null();
    if (b->certs == NULL || b->crls == NULL) {
        pys_bundle_free(b);
        return NULL;
    }
    return b;
}

/* Moves certificates and CRLs over; private keys stay behind. */
static bool
take_infos(pys_bundle *b, const info_stack *infos)
{
    for (int i = 0; i < sk_X509_INFO_num(infos); i++) {
        X509_INFO *info = sk_X509_INFO_value(infos, i);

        if (info->x509 != NULL) {
            if (sk_X509_push(b->certs, info->x509) <= 0)
                return false;
            info->x509 = NULL;
        }
        if (info->crl != NULL) {
            if (sk_X509_CRL_push(b->crls, info->crl) <= 0)
                return false;
            info->crl = NULL;
        }
    }
    return true;
}

static pys_bundle *
bundle_decode(const uint8_t *p, size_t n, pys_fault *f)
{
    info_stack *infos = NULL;
    pys_bundle *b = bundle_new();
    BIO *in = BIO_new_mem_buf(p, (int)n);
    bool ok;

    if (b != NULL && in != NULL)
        infos = PEM_X509_INFO_read_bio(in, NULL, pys_no_pass, NULL);
    ok = infos != NULL && take_infos(b, infos);
    sk_X509_INFO_pop_free(infos, X509_INFO_free);
    BIO_free(in);
    if (ok) {
        pys_fault_forget();
        return b;
    }
    pys_pki_fault(f);
    pys_bundle_free(b);
    return NULL;
}

/* SHA-256, for a collision would be a foreign anchor. False: no memory. */
static bool
digest_of(const uint8_t *p, size_t n, uint8_t *out)
{
    pys_hash *h = pys_hash_new();
    bool ok = h != NULL && pys_hash_begin(h, PYS_SHA256) &&
        pys_hash_add(h, pys_rd_of(p, n)) && pys_hash_end(h, out);

    pys_hash_free(h);
    return ok;
}

static pys_bundle *
bundle_seen(const uint8_t *digest)
{
    pys_bundle *found = NULL;

    for (size_t i = 0; i < SLOTS && found == NULL; i++) {
        pys_bundle *b = atomic_exchange(&slots[i], NULL);

        if (b == NULL)
            continue;
        if (pys_equal(b->digest, digest, sizeof(b->digest))) {
            atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
            found = b;
        }
        pys_bundle_free(atomic_exchange(&slots[i], b));
    }
    return found;
}

pys_bundle *
pys_bundle_of(const uint8_t *p, size_t n, pys_fault *f)
{
    uint8_t digest[PYS_HASH_MAX] = {0};
    pys_bundle *b;
    unsigned i;

    if (p == NULL || n > INT_MAX) {
        pys_fault_code(f, ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
        return NULL;
    }
    if (n < LARGE || !digest_of(p, n, digest))
        return bundle_decode(p, n, f);
    if ((b = bundle_seen(digest)) != NULL)
        return b;
    if ((b = bundle_decode(p, n, f)) == NULL)
        return NULL;
    for (i = 0; i < sizeof(digest); i++)
        b->digest[i] = digest[i];
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    i = atomic_fetch_add(&turn, 1) % SLOTS;
    pys_bundle_free(atomic_exchange(&slots[i], b));
    return b;
}

void
pys_bundle_forget_all(void)
{
    for (size_t i = 0; i < SLOTS; i++)
        pys_bundle_free(atomic_exchange(&slots[i], NULL));
}
