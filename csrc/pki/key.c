/*
 * Loading private keys: PKCS#8 (RFC 5208), the older forms of RSA (RFC 8017
 * A.1.2) and EC (RFC 5915), each plain or encrypted. Nobody is ever asked
 * for a passphrase from here.
 */
#include <limits.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "crypto/crypt_evp.h"
#include "pki/pki_x509.h"

/* A passphrase, NULL for none, and whether somebody wanted it. */
typedef struct pass {
    const uint8_t *p;
    size_t n;
    bool asked;
} pass;

static int
give_pass(char *buf, int size, int rwflag, void *u)
{
    pass *given = u;
    pys_rd in = pys_rd_of(given->p, given->n);

    (void)rwflag;
    given->asked = true;
    if (given->p == NULL || size < 0 || given->n > (size_t)size ||
        !pys_rd_copy(&in, buf, given->n))
        return -1;
    return (int)given->n;
}

/* Wraps what was decoded, or records why there is nothing. */
static pys_key *
key_or_fault(EVP_PKEY *pkey, pys_fault *f)
{
    pys_key *k = NULL;

    if (pkey != NULL)
        k = pys_key_of(pkey);
    if (k == NULL)
        pys_pki_fault(f);
    else
        pys_fault_forget(); /* attempts that did not fit */
    return k;
}

/* Exactly n bytes of any plain form; NULL with entries in the queue. */
static EVP_PKEY *
key_from_plain(const uint8_t *p, size_t n)
{
    const unsigned char *end = p;
    EVP_PKEY *pkey;

    if (n == 0 || n > INT_MAX) {
        ERR_raise(ERR_LIB_ASN1, ASN1_R_BAD_OBJECT_HEADER);
        return NULL;
    }
    pkey = d2i_AutoPrivateKey(NULL, &end, (long)n);
    if (pkey != NULL && end != p + n) {
        EVP_PKEY_free(pkey);
        ERR_raise(ERR_LIB_ASN1, ASN1_R_TOO_LONG);
        return NULL;
    }
    return pkey;
}

/* RFC 5958 3: an encrypted key. */
static EVP_PKEY *
key_from_encrypted(const uint8_t *p, size_t n, const pass *given)
{
    const unsigned char *end = p;
    PKCS8_PRIV_KEY_INFO *plain = NULL;
    EVP_PKEY *pkey = NULL;
    X509_SIG *sealed;

    if (given->p == NULL || given->n > PEM_BUFSIZE) {
        ERR_raise(ERR_LIB_PEM, PEM_R_BAD_PASSWORD_READ);
        return NULL;
    }
    sealed = d2i_X509_SIG(NULL, &end, (long)n);
    if (sealed != NULL)
        plain = PKCS8_decrypt(sealed, (const char *)given->p, (int)given->n);
    if (plain != NULL)
        pkey = EVP_PKCS82PKEY(plain);
    PKCS8_PRIV_KEY_INFO_free(plain);
    X509_SIG_free(sealed);
    return pkey;
}

pys_key *
pys_key_from_der(const uint8_t *p, size_t n, pys_fault *f)
{
    pys_fault_forget();
    return key_or_fault(key_from_plain(p, n), f);
}

/* A private key block of PEM text, in memory of its own. */
typedef struct block {
    unsigned char *der;
    long n;
    char *label;
} block;

/*
 * The first private key block; encryption of the older forms is undone.
 * False with entries in the queue.
 */
static bool
block_read(block *b, const uint8_t *p, size_t n, pass *given)
{
    BIO *in;
    bool ok;

    *b = (block){.der = NULL};
    if (n > INT_MAX) {
        ERR_raise(ERR_LIB_PEM, PEM_R_NO_START_LINE);
        return false;
    }
    in = BIO_new_mem_buf(p == NULL ? (const void *)"" : p, (int)n);
    if (in == NULL)
        return false;
    ok = PEM_bytes_read_bio_secmem(&b->der, &b->n, &b->label,
             PEM_STRING_EVP_PKEY, in, give_pass, given) == 1;
    BIO_free(in);
    return ok;
}

static void
block_wipe(block *b)
{
    OPENSSL_secure_clear_free(b->der, b->n > 0 ? (size_t)b->n : 0);
    OPENSSL_secure_free(b->label);
    *b = (block){.der = NULL};
}

static bool
block_encrypted(const block *b)
{
    return strcmp(b->label, PEM_STRING_PKCS8) == 0;
}

int
pys_pem_key_encrypted(const uint8_t *p, size_t n)
{
    pass none = {.p = NULL};
    block b;
    bool found = block_read(&b, p, n, &none);
    int encrypted = none.asked || (found && block_encrypted(&b));

    block_wipe(&b);
    pys_fault_forget();
    return encrypted;
}

pys_key *
pys_key_from_pem(const uint8_t *p, size_t n, const uint8_t *phrase,
    size_t n_phrase, pys_fault *f)
{
    pass given = {.p = phrase, .n = n_phrase};
    EVP_PKEY *pkey = NULL;
    block b;

    pys_fault_forget();
    if (block_read(&b, p, n, &given)) {
        if (block_encrypted(&b))
            pkey = key_from_encrypted(b.der, (size_t)b.n, &given);
        else
            pkey = key_from_plain(b.der, (size_t)b.n);
    }
    block_wipe(&b);
    return key_or_fault(pkey, f);
}
