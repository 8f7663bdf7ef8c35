/*
 * Trust anchors: libcrypto's store, filled once and shared by reference.
 */
#include <openssl/err.h>

#include "pki/pki_x509.h"
#include "pki/verify.h"

typedef STACK_OF(X509_OBJECT) object_stack;

/* The last number given to a store; with 64 bits, none comes twice. */
static _Atomic uint64_t generations;

/*
 * What was remembered by the old number is never found again. To be called
 * when a change is over, also one that failed: what was verified half-way
 * then carries the old number.
 */
static void
store_changed(pys_trust *t)
{
    uint64_t fresh = atomic_fetch_add(&generations, 1) + 1;
    uint64_t old = atomic_load(&t->generation);

    while (old != 0 &&
        !atomic_compare_exchange_weak(&t->generation, &old, fresh))
        continue;
}

pys_trust *
pys_trust_new(void)
{
    pys_trust *t = pys_alloc(sizeof(*t));

    if (t == NULL)
        return NULL;
    atomic_init(&t->refs, 1);
    atomic_init(&t->generation, atomic_fetch_add(&generations, 1) + 1);
    if ((t->store = X509_STORE_new()) == NULL) {
        pys_fault_forget();
        pys_free(t);
        return NULL;
    }
    return t;
}

pys_trust *
pys_trust_up_ref(pys_trust *t)
{
    if (t != NULL)
        atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void
pys_trust_free(pys_trust *t)
{
    if (t == NULL ||
        atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_STORE_free(t->store);
    pys_free(t);
}

bool
pys_trust_add_cert(pys_trust *t, pys_cert *c, pys_fault *f)
{
    bool ok;

    pys_fault_forget();
    ok = X509_STORE_add_cert(t->store, c->x) == 1;
    store_changed(t);
    if (!ok)
        pys_pki_fault(f);
    return ok;
}

static bool
add_bundle(X509_STORE *store, const pys_bundle *b)
{
    for (int i = 0; i < sk_X509_num(b->certs); i++) {
        if (X509_STORE_add_cert(store, sk_X509_value(b->certs, i)) != 1)
            return false;
    }
    for (int i = 0; i < sk_X509_CRL_num(b->crls); i++) {
        if (X509_STORE_add_crl(store, sk_X509_CRL_value(b->crls, i)) != 1)
            return false;
    }
    return true;
}

bool
pys_trust_add_pem(pys_trust *t, const uint8_t *p, size_t n, pys_fault *f)
{
    pys_bundle *b;
    bool ok = false;

    pys_fault_forget();
    /* All is decoded before anything is trusted. */
    if ((b = pys_bundle_of(p, n, f)) == NULL)
        return false;
    if (sk_X509_num(b->certs) == 0 && sk_X509_CRL_num(b->crls) == 0)
        pys_fault_code(f, ERR_LIB_X509, X509_R_NO_CERTIFICATE_OR_CRL_FOUND);
    else if (!add_bundle(t->store, b))
        pys_pki_fault(f);
    else
        ok = true;
    store_changed(t);
    pys_bundle_free(b);
    return ok;
}

bool
pys_trust_add_dir(pys_trust *t, const char *path, pys_fault *f)
{
    X509_LOOKUP *lookup;

    pys_fault_forget();
    atomic_store(&t->generation, 0); /* files come and go */
    lookup = X509_STORE_add_lookup(t->store, X509_LOOKUP_hash_dir());
    if (lookup == NULL ||
        X509_LOOKUP_add_dir(lookup, path, X509_FILETYPE_PEM) != 1) {
        pys_pki_fault(f);
        return false;
    }
    return true;
}

bool
pys_trust_set_flags(pys_trust *t, unsigned long flags)
{
    bool ok = X509_STORE_set_flags(t->store, flags) == 1;

    if ((flags & (X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL)) != 0)
        atomic_store(&t->generation, 0); /* lists run out */
    else
        store_changed(t);
    return ok;
}

size_t
pys_trust_count(pys_trust *t)
{
    const object_stack *all;
    size_t n = 0;

    if (X509_STORE_lock(t->store) != 1)
        return 0;
    all = X509_STORE_get0_objects(t->store);
    for (int i = 0; i < sk_X509_OBJECT_num(all); i++) {
        if (X509_OBJECT_get_type(sk_X509_OBJECT_value(all, i)) == X509_LU_X509)
            n++;
    }
    X509_STORE_unlock(t->store);
    return n;
}

const char *
pys_trust_default_file(void)
{
    return X509_get_default_cert_file();
}

const char *
pys_trust_default_dir(void)
{
    return X509_get_default_cert_dir();
}

/* Takes over x; NULL if memory is short. */
static pys_cert *
cert_of_anchor(X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    pys_cert *c = NULL;

    if (n > 0)
        c = pys_cert_of(x, der, (size_t)n);
    else
        X509_free(x);
    OPENSSL_free(der);
    return c;
}

/* Cross-signed CAs may issue each other: the walk must not turn round. */
static bool
already_there(pys_cert *const *certs, size_t n, const X509 *x)
{
    for (size_t i = 0; i < n; i++) {
        if (X509_cmp(certs[i]->x, x) == 0)
            return true;
    }
    return false;
}

static bool
walk_up(X509_STORE_CTX *ctx, X509 *x, pys_cert **out, size_t max, size_t *n)
{
    X509 *above = NULL;

    while (*n < max && X509_self_signed(x, 0) != 1 &&
        X509_STORE_CTX_get1_issuer(&above, ctx, x) == 1) {
        if (already_there(out, *n, above)) {
            X509_free(above);
            return true;
        }
        if ((out[*n] = cert_of_anchor(above)) == NULL)
            return false;
        x = out[(*n)++]->x;
    }
    return true;
}

bool
pys_trust_issuers(pys_trust *t, pys_cert *leaf, pys_cert **out, size_t max,
    size_t *n)
{
    X509_STORE_CTX *ctx;
    bool ok = false;

    *n = 0;
    if (t == NULL)
        return true;
    ctx = X509_STORE_CTX_new();
    if (ctx != NULL &&
        X509_STORE_CTX_init(ctx, t->store, leaf->x, NULL) == 1) {
        X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(ctx),
            (time_t)(pys_now_ms() / 1000));
        ok = walk_up(ctx, leaf->x, out, max, n);
    }
    X509_STORE_CTX_free(ctx);
    pys_fault_forget();
    while (!ok && *n > 0)
        pys_cert_free(out[--*n]);
    return ok;
}
