/*
 * Certificates: decoding (RFC 5280 4.1), counting, what TLS asks of them.
 */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/crypt_evp.h"
#include "pki/pki_x509.h"

/* Names of TLS for the algorithms that sign certificates. */
static const struct {
    int key;
    int md;
    uint16_t scheme;
} schemes[] = {
    {NID_rsaEncryption, NID_sha1, 0x0201},
    {NID_X9_62_id_ecPublicKey, NID_sha1, 0x0203},
    {NID_rsaEncryption, NID_sha256, 0x0401},
    {NID_X9_62_id_ecPublicKey, NID_sha256, 0x0403},
    {NID_rsaEncryption, NID_sha384, 0x0501},
    {NID_X9_62_id_ecPublicKey, NID_sha384, 0x0503},
    {NID_rsaEncryption, NID_sha512, 0x0601},
    {NID_X9_62_id_ecPublicKey, NID_sha512, 0x0603},
    {NID_rsassaPss, NID_sha256, 0x0804},
    {NID_rsassaPss, NID_sha384, 0x0805},
    {NID_rsassaPss, NID_sha512, 0x0806},
    {NID_ED25519, NID_undef, 0x0807},
    {NID_ED448, NID_undef, 0x0808},
};

void
pys_pki_fault(pys_fault *f)
{
    int before = f->n_codes;

    pys_fault_drain(f);
    if (f->n_codes == before)
        pys_fault_code(f, ERR_LIB_X509, PYS_ERR_MALLOC);
}

int
pys_no_pass(char *buf, int size, int rwflag, void *u)
{
    (void)buf;
    (void)size;
    (void)rwflag;
    (void)u;
    return -1;
}

static uint16_t
scheme_of(X509 *x)
{
    int md, key, bits;
    uint32_t flags;

    /* The flag also says that PSS has the salt and MGF of RFC 8446 4.2.3. */
    if (X509_get_signature_info(x, &md, &key, &bits, &flags) != 1 ||
        (flags & X509_SIG_INFO_TLS) == 0)
        return 0;
    for (size_t i = 0; i < PYS_COUNT(schemes); i++) {
        if (schemes[i].key == key && schemes[i].md == md)
            return schemes[i].scheme;
    }
    return 0;
}

int
pys_x509_hash(X509 *x)
{
    int md;

    if (X509_get_signature_info(x, &md, NULL, NULL, NULL) != 1)
        return NID_undef;
    return md;
}

/* What libcrypto cannot tell has no strength. */
static int
sig_bits(X509 *x)
{
    int bits = 0;

    if ((X509_get_extension_flags(x) & EXFLAG_SS) != 0)
        return INT_MAX;
    if (X509_get_signature_info(x, NULL, NULL, &bits, NULL) != 1)
        return 0;
    return bits;
}

/* False only if memory is short. */
static bool
read_fields(pys_cert *c)
{
    EVP_PKEY *pkey = X509_get_pubkey(c->x);

    if (pkey != NULL && (c->key = pys_key_of(pkey)) == NULL)
        return false;
    c->signed_with = scheme_of(c->x);
    c->sig_bits = sig_bits(c->x);
    /* All bits without the extension, none with broken extensions. */
    c->may_sign = (X509_get_key_usage(c->x) & KU_DIGITAL_SIGNATURE) != 0;
    c->self_issued = X509_NAME_cmp(X509_get_subject_name(c->x),
                         X509_get_issuer_name(c->x)) == 0;
    pys_fault_forget();
    return true;
}

pys_cert *
pys_cert_of(X509 *x, const uint8_t *der, size_t n)
{
    pys_cert *c = pys_alloc(sizeof(*c));

    if (c == NULL) {
        X509_free(x);
        return NULL;
    }
    c->x = x;
    atomic_init(&c->refs, 1);
    c->n_der = n;
    if ((c->der = pys_copy(der, n)) == NULL || !read_fields(c)) {
        pys_cert_free(c);
        return NULL;
    }
    return c;
}

/* The certificate at the front of n bytes; more may follow only if rest. */
static pys_cert *
cert_at_front(const uint8_t *p, size_t n, bool rest, pys_fault *f)
{
    const unsigned char *end = p;
    X509 *x = NULL;
    pys_cert *c;

    if (n == 0 || n > INT_MAX || (x = d2i_X509(NULL, &end, (long)n)) == NULL) {
        pys_fault_drain(f);
        if (f->n_codes == 0)
            pys_fault_code(f, ERR_LIB_ASN1, ASN1_R_BAD_OBJECT_HEADER);
        return NULL;
    }
    if (!rest && end != p + n) {
        X509_free(x);
        pys_fault_code(f, ERR_LIB_ASN1, ASN1_R_TOO_LONG);
        return NULL;
    }
    c = pys_cert_of(x, p, (size_t)(end - p));
    if (c == NULL)
        pys_pki_fault(f);
    return c;
}

pys_cert *
pys_cert_from_der(const uint8_t *p, size_t n, pys_fault *f)
{
    pys_cert *c = pys_cert_seen(p, n);

    if (c != NULL)
        return c;
    pys_fault_forget();
    c = cert_at_front(p, n, false, f);
    if (c != NULL)
        pys_cert_remember(c);
    return c;
}

pys_cert *
pys_cert_from_pem(const uint8_t *p, size_t n, size_t *used, pys_fault *f)
{
    unsigned char *der = NULL;
    long n_der = 0;
    char *label = NULL;
    pys_cert *c = NULL;
    BIO *in;

    pys_fault_forget();
    if (n > INT_MAX || *used > n) {
        pys_fault_code(f, ERR_LIB_PEM, PEM_R_NO_START_LINE);
        return NULL;
    }
    in = BIO_new_mem_buf(p == NULL ? (const void *)"" : p + *used,
        (int)(n - *used));
    if (in == NULL) {
        pys_pki_fault(f);
        return NULL;
    }
    /* Asking for the trusted kind accepts the plain kinds too. */
    if (PEM_bytes_read_bio(&der, &n_der, &label, PEM_STRING_X509_TRUSTED, in,
            pys_no_pass, NULL) == 1) {
        /* Trust settings may follow the certificate; they are not sent. */
        if (strcmp(label, PEM_STRING_X509_TRUSTED) == 0)
            c = cert_at_front(der, (size_t)n_der, true, f);
        else
            c = pys_cert_from_der(der, (size_t)n_der, f);
    } else {
        pys_pki_fault(f);
    }
    *used = n - BIO_ctrl_pending(in);
    OPENSSL_free(label);
    OPENSSL_free(der);
    BIO_free(in);
    return c;
}

pys_cert *
pys_cert_up_ref(pys_cert *c)
{
    if (c != NULL)
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void
pys_cert_free(pys_cert *c)
{
    if (c == NULL ||
        atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    X509_free(c->x);
    pys_key_free(c->key);
    pys_free(c->der);
    pys_free(c);
}

const uint8_t *
pys_cert_der(pys_cert *c, size_t *n)
{
    *n = c->n_der;
    return c->der;
}

/* A decoded name keeps its encoding; a pointer into it is safe to share. */
static const uint8_t *
name_der(const X509_NAME *name, size_t *n)
{
    const unsigned char *p = NULL;

    *n = 0;
    if (X509_NAME_get0_der(name, &p, n) != 1)
        return NULL;
    return p;
}

const uint8_t *
pys_cert_subject_der(pys_cert *c, size_t *n)
{
    return name_der(X509_get_subject_name(c->x), n);
}

const uint8_t *
pys_cert_issuer_der(pys_cert *c, size_t *n)
{
    return name_der(X509_get_issuer_name(c->x), n);
}

pys_key *
pys_cert_key(pys_cert *c)
{
    return c->key;
}

bool
pys_cert_may_sign(pys_cert *c)
{
    return c->may_sign;
}

uint16_t
pys_cert_signed_with(pys_cert *c)
{
    return c->signed_with;
}

unsigned
pys_cert_weakness(const pys_cert *c, bool leaf, int bits)
{
    if (bits == 0)
        return 0;
    if (c->key == NULL || pys_key_strength(c->key) < bits)
        return leaf ? PYS_R_EE_KEY_TOO_SMALL : PYS_R_CA_KEY_TOO_SMALL;
    return c->sig_bits < bits ? PYS_R_CA_MD_TOO_WEAK : 0;
}

bool
pys_cert_hash_weak(pys_cert *c)
{
    int md = pys_x509_hash(c->x);

    pys_fault_forget();
    return md == NID_md5 || md == NID_sha1;
}

bool
pys_cert_self_issued(pys_cert *c)
{
    return c->self_issued;
}

size_t
pys_cert_end_point(pys_cert *c, uint8_t *out)
{
    const EVP_MD *alg = NULL;
    unsigned n = 0;
    int md, key, bits;
    uint32_t flags;

    if (X509_get_signature_info(c->x, &md, &key, &bits, &flags) == 1 &&
        md != NID_undef) {
        /* RFC 5929 4.1: these two are replaced. */
        if (md == NID_md5 || md == NID_sha1)
            md = NID_sha256;
        alg = EVP_get_digestbynid(md);
    }
    if (alg == NULL || EVP_MD_get_size(alg) > PYS_END_POINT_MAX ||
        EVP_Digest(c->der, c->n_der, out, &n, alg, NULL) != 1)
        n = 0;
    pys_fault_forget();
    return n;
}
