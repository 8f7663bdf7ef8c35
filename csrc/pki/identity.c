#include "pki/identity.h"

#include <openssl/err.h>
#include <openssl/x509.h>

void
pys_identities_init(pys_identities *ids)
{
    *ids = (pys_identities){.current = -1};
}

static void
certs_wipe(pys_cert ***certs, size_t *n)
{
    for (size_t i = 0; i < *n; i++)
        pys_cert_free((*certs)[i]);
    pys_free(*certs);
    *certs = NULL;
    *n = 0;
}

/* Appends a reference to c; certs grows by one. */
static bool
certs_add(pys_cert ***certs, size_t *n, pys_cert *c, pys_fault *f)
{
    pys_cert **grown;

    if (*n >= PYS_CHAIN_MAX) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_EXCESSIVE_MESSAGE_SIZE);
        return false;
    }
    grown = pys_alloc((*n + 1) * sizeof(*grown));
    if (grown == NULL) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_ERR_MALLOC);
        return false;
    }
    for (size_t i = 0; i < *n; i++)
        grown[i] = (*certs)[i];
    grown[(*n)++] = pys_cert_up_ref(c);
    pys_free(*certs);
    *certs = grown;
    return true;
}

static bool
certs_copy(pys_cert ***to, size_t *n_to, pys_cert *const *from, size_t n)
{
    if (n == 0)
        return true;
    *to = pys_alloc(n * sizeof(**to));
    if (*to == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        (*to)[i] = pys_cert_up_ref(from[i]);
    *n_to = n;
    return true;
}

static void
identity_wipe(pys_identity *id)
{
    pys_cert_free(id->leaf);
    pys_key_free(id->key);
    certs_wipe(&id->chain, &id->n_chain);
    *id = (pys_identity){.leaf = NULL};
}

void
pys_identities_wipe(pys_identities *ids)
{
    for (size_t i = 0; i < PYS_COUNT(ids->slot); i++)
        identity_wipe(&ids->slot[i]);
    certs_wipe(&ids->extra, &ids->n_extra);
    ids->current = -1;
}

bool
pys_identities_copy(pys_identities *to, const pys_identities *from)
{
    pys_identities_init(to);
    for (size_t i = 0; i < PYS_COUNT(to->slot); i++) {
        pys_identity *id = &to->slot[i];
        const pys_identity *old = &from->slot[i];

        id->leaf = pys_cert_up_ref(old->leaf);
        id->key = pys_key_up_ref(old->key);
        id->signer = old->signer;
        if (!certs_copy(&id->chain, &id->n_chain, old->chain, old->n_chain))
            goto short_of_memory;
    }
    if (!certs_copy(&to->extra, &to->n_extra, from->extra, from->n_extra))
        goto short_of_memory;
    to->current = from->current;
    return true;

short_of_memory:
    pys_identities_wipe(to);
    return false;
}

static bool
on_curve(enum pys_key_type type)
{
    return type == PYS_KEY_P256 || type == PYS_KEY_P384 ||
        type == PYS_KEY_P521;
}

/*
 * The slot for a key type. ECDSA is one type for CERT-3, whatever the curve,
 * so what is held for another curve moves here first.
 */
static pys_identity *
slot_for(pys_identities *ids, enum pys_key_type type)
{
    pys_identity *here = &ids->slot[type];

    if (!on_curve(type))
        return here;
    for (size_t i = PYS_KEY_P256; i <= PYS_KEY_P521; i++) {
        pys_identity *other = &ids->slot[i];

        if (other == here ||
            (other->leaf == NULL && other->key == NULL && other->n_chain == 0))
            continue;
        identity_wipe(here);
        *here = *other;
        *other = (pys_identity){.leaf = NULL};
    }
    return here;
}

/* The certificate that a key of this type would have to fit, or NULL. */
static pys_cert *
leaf_for(const pys_identities *ids, enum pys_key_type type)
{
    if (ids->slot[type].leaf != NULL || !on_curve(type))
        return ids->slot[type].leaf;
    for (size_t i = PYS_KEY_P256; i <= PYS_KEY_P521; i++) {
        if (ids->slot[i].leaf != NULL)
            return ids->slot[i].leaf;
    }
    return NULL;
}

bool
pys_identities_use_cert(pys_identities *ids, pys_cert *c, pys_fault *f)
{
    const pys_key *public_key = pys_cert_key(c);
    enum pys_key_type type = PYS_KEY_OTHER;
    pys_identity *id;

    if (public_key != NULL)
        type = pys_key_type(public_key);
    if (type >= PYS_N_KEY_TYPES) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_UNKNOWN_CERTIFICATE_TYPE);
        return false;
    }
    id = slot_for(ids, type);
    if (id->leaf != NULL && !pys_key_match(public_key, pys_cert_key(id->leaf)))
        id->signer = 0;
    pys_cert_up_ref(c);
    pys_cert_free(id->leaf);
    id->leaf = c;
    /* CERT-4: the certificate wins over a key that does not fit. */
    if (id->key != NULL && !pys_key_match(public_key, id->key)) {
        pys_key_free(id->key);
        id->key = NULL;
    }
    ids->current = (int)type;
    return true;
}

bool
pys_identities_use_key(pys_identities *ids, pys_key *k, pys_fault *f)
{
    enum pys_key_type type = pys_key_type(k);
    pys_identity *id;
    pys_cert *leaf;

    if (type >= PYS_N_KEY_TYPES) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_UNKNOWN_CERTIFICATE_TYPE);
        return false;
    }
    leaf = leaf_for(ids, type);
    if (leaf != NULL && !pys_key_match(pys_cert_key(leaf), k)) {
        pys_fault_code(f, ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH);
        return false;
    }
    id = slot_for(ids, type);
    pys_key_up_ref(k);
    pys_key_free(id->key);
    id->key = k;
    id->signer = 0;
    ids->current = (int)type;
    return true;
}

bool
pys_identities_use_signer(pys_identities *ids, unsigned signer, pys_fault *f)
{
    pys_identity *id;

    if (ids->current < 0 || ids->slot[ids->current].leaf == NULL) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_NO_CERTIFICATE_ASSIGNED);
        return false;
    }
    id = &ids->slot[ids->current];
    pys_key_free(id->key);
    id->key = NULL;
    id->signer = signer;
    return true;
}

pys_key *
pys_identity_key(const pys_identity *id)
{
    return id->key != NULL ? id->key : pys_cert_key(id->leaf);
}

bool
pys_identities_check(const pys_identities *ids, pys_fault *f)
{
    const pys_identity *id = NULL;

    if (ids->current >= 0)
        id = &ids->slot[ids->current];
    if (id == NULL || id->leaf == NULL) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_NO_CERTIFICATE_ASSIGNED);
        return false;
    }
    if (id->signer != 0)
        return true; /* each of its signatures is checked */
    if (id->key == NULL) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_NO_PRIVATE_KEY_ASSIGNED);
        return false;
    }
    if (!pys_key_match(pys_cert_key(id->leaf), id->key)) {
        pys_fault_code(f, ERR_LIB_X509, X509_R_KEY_VALUES_MISMATCH);
        return false;
    }
    return true;
}

bool
pys_identities_add_chain(pys_identities *ids, pys_cert *c, pys_fault *f)
{
    pys_identity *id;

    if (ids->current < 0) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_NO_CERTIFICATE_ASSIGNED);
        return false;
    }
    id = &ids->slot[ids->current];
    return certs_add(&id->chain, &id->n_chain, c, f);
}

bool
pys_identities_clear_chain(pys_identities *ids, pys_fault *f)
{
    pys_identity *id;

    if (ids->current < 0) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_R_NO_CERTIFICATE_ASSIGNED);
        return false;
    }
    id = &ids->slot[ids->current];
    certs_wipe(&id->chain, &id->n_chain);
    return true;
}

bool
pys_identities_add_extra(pys_identities *ids, pys_cert *c, pys_fault *f)
{
    return certs_add(&ids->extra, &ids->n_extra, c, f);
}
