/*
 * AEAD (RFC 5116, RFC 8439) for records. The context is keyed once for one
 * direction; a record sets the nonce alone.
 */
#include "crypto/crypt_evp.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/params.h>

/* Text up to here is sealed faster in one piece, copied together first. */
enum { COPIED_MAX = 2048 };

typedef struct aead_kind {
    const char *name;
    size_t key_len;
} aead_kind;

static const aead_kind kinds[] = {
    [PYS_AES_128_GCM] = {.name = "AES-128-GCM", .key_len = 16},
    [PYS_AES_256_GCM] = {.name = "AES-256-GCM", .key_len = 32},
    [PYS_CHACHA20_POLY1305] = {.name = "ChaCha20-Poly1305", .key_len = 32},
};

static EVP_CIPHER *fetched[PYS_COUNT(kinds)];

/*
 * OpenSSL 3.0 asks a cipher how long its nonce is each time that one is set,
 * and looks eight names up for it. Its GCM also takes a whole nonce among the
 * parameters, as if it were put back (length -1: what OpenSSH relies on).
 */
static bool nonce_asked;

struct pys_aead {
    EVP_CIPHER_CTX *ctx;
    bool nonce_put; /* among the parameters */
};

bool
pys_aead_start(void)
{
    for (size_t i = 0; i < PYS_COUNT(kinds); i++) {
        fetched[i] = EVP_CIPHER_fetch(NULL, kinds[i].name, NULL);
        if (fetched[i] == NULL)
            return false;
    }
    nonce_asked = OPENSSL_version_major() == 3 && OPENSSL_version_minor() == 0;
    return true;
}

size_t
pys_aead_key_len(enum pys_aead_alg alg)
{
    return kinds[alg].key_len;
}

pys_aead *
pys_aead_new(enum pys_aead_alg alg, const uint8_t *key, bool sealing)
{
    pys_aead *a = pys_alloc(sizeof(*a));

    if (a == NULL)
        return NULL;
    a->nonce_put = nonce_asked && alg != PYS_CHACHA20_POLY1305;
    a->ctx = EVP_CIPHER_CTX_new();
    if (a->ctx == NULL ||
        EVP_CipherInit_ex2(a->ctx, fetched[alg], key, NULL, sealing ? 1 : 0,
            NULL) != 1) {
        pys_aead_free(a);
        return NULL;
    }
    return a;
}

bool
pys_aead_rekey(pys_aead *a, const uint8_t *key)
{
    return EVP_CipherInit_ex2(a->ctx, NULL, key, NULL, -1, NULL) == 1;
}

void
pys_aead_free(pys_aead *a)
{
    if (a == NULL)
        return;
    EVP_CIPHER_CTX_free(a->ctx);
    pys_free(a);
}

/* One piece of text, or of additional data when out is NULL. */
static bool
add(pys_aead *a, pys_rd in, uint8_t *out)
{
    int n = 0;

    if (in.n == 0)
        return true;
    return in.n <= INT_MAX &&
        EVP_CipherUpdate(a->ctx, out, &n, in.p, (int)in.n) == 1 &&
        (size_t)n == in.n;
}

/* How libcrypto is told where a tag is: at once, not by a ctrl. */
#define TAG_PARAM(tag) \
    OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, PYS_TAG_LEN)

/* tag may be NULL: the one that is expected. */
static bool
begin(pys_aead *a, const uint8_t *nonce, pys_rd ad, uint8_t *tag)
{
    uint8_t iv[PYS_IV_LEN];
    OSSL_PARAM params[] = {TAG_PARAM(tag),
        OSSL_PARAM_octet_string(OSSL_CIPHER_PARAM_AEAD_TLS1_IV_FIXED, iv,
            (size_t)-1),
        OSSL_PARAM_END};

    if (a->nonce_put) {
        memcpy(iv, nonce, PYS_IV_LEN);
        return EVP_CIPHER_CTX_set_params(a->ctx,
                   tag == NULL ? params + 1 : params) == 1 &&
            add(a, ad, NULL);
    }
    params[1] = params[2];
    return EVP_CipherInit_ex2(a->ctx, NULL, NULL, nonce, -1,
               tag == NULL ? NULL : params) == 1 &&
        add(a, ad, NULL);
}

/* None of these modes holds text back, so the end gives no byte. */
static bool
end(pys_aead *a)
{
    uint8_t none[EVP_MAX_BLOCK_LENGTH];
    int n = 0;

    return EVP_CipherFinal_ex(a->ctx, none, &n) == 1 && n == 0;
}

bool
pys_aead_seal(pys_aead *a, const uint8_t nonce[PYS_IV_LEN], pys_rd ad,
    pys_rd in, pys_rd tail, uint8_t *out)
{
    OSSL_PARAM params[] = {TAG_PARAM(out + in.n + tail.n), OSSL_PARAM_END};

    if (tail.n != 0 && in.n + tail.n <= COPIED_MAX) {
        if (in.n != 0)
            memmove(out, in.p, in.n);
        memmove(out + in.n, tail.p, tail.n);
        in = pys_rd_of(out, in.n + tail.n);
        tail.n = 0;
    }
    return begin(a, nonce, ad, NULL) && add(a, in, out) &&
        add(a, tail, out + in.n) && end(a) &&
        EVP_CIPHER_CTX_get_params(a->ctx, params) == 1;
}

bool
pys_aead_open(pys_aead *a, const uint8_t nonce[PYS_IV_LEN], pys_rd ad,
    pys_rd in, uint8_t *out, uint8_t *last)
{
    uint8_t tag[PYS_TAG_LEN];
    pys_rd apart = {0};
    pys_rd text;

    /* RFC 8446 5.2: too short to hold even the tag. */
    if (in.n < PYS_TAG_LEN || !pys_rd_bytes(&in, in.n - PYS_TAG_LEN, &text) ||
        !pys_rd_copy(&in, tag, PYS_TAG_LEN))
        return false;
    if (last != NULL && text.n != 0)
        apart = pys_rd_of(text.p + --text.n, 1);
    if (begin(a, nonce, ad, tag) && add(a, text, out) && add(a, apart, last) &&
        end(a))
        return true;
    /* RFC 8446 5.2: what did not verify must not be used. */
    pys_wipe(out, text.n);
    if (last != NULL)
        *last = 0;
    return false;
}
