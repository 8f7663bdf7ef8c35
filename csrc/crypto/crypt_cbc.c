/*
 * AES in CBC mode, for tickets under the application's own keys (RFC 5077 4).
 * Nothing else of TLS uses it here.
 */
#include "crypto/crypt_evp.h"

#include <limits.h>

typedef struct cbc_kind {
    const char *name;
    size_t key_len;
} cbc_kind;

static const cbc_kind kinds[] = {
    {.name = "AES-128-CBC", .key_len = 16},
    {.name = "AES-256-CBC", .key_len = 32},
};

static EVP_CIPHER *fetched[PYS_COUNT(kinds)];

bool
pys_cbc_start(void)
{
    for (size_t i = 0; i < PYS_COUNT(kinds); i++) {
        fetched[i] = EVP_CIPHER_fetch(NULL, kinds[i].name, NULL);
        if (fetched[i] == NULL)
            return false;
    }
    return true;
}

static const EVP_CIPHER *
cipher_of(size_t n_key)
{
    for (size_t i = 0; i < PYS_COUNT(kinds); i++) {
        if (kinds[i].key_len == n_key)
            return fetched[i];
    }
    return NULL;
}

/* text, padded or unpadded, to the end of out. */
static bool
cbc_run(EVP_CIPHER_CTX *ctx, pys_rd text, pys_buf *out)
{
    int n = 0;
    int rest = 0;

    if (text.n > INT_MAX - PYS_CBC_BLOCK ||
        !pys_buf_reserve(out, text.n + PYS_CBC_BLOCK) ||
        EVP_CipherUpdate(ctx, pys_buf_tail(out), &n, text.p, (int)text.n) !=
            1 ||
        EVP_CipherFinal_ex(ctx, pys_buf_tail(out) + n, &rest) != 1)
        return false;
    pys_buf_added(out, (size_t)n + (size_t)rest);
    return true;
}

static bool
cbc(pys_rd key, const uint8_t *iv, bool sealing, pys_rd text, pys_buf *out)
{
    const EVP_CIPHER *cipher = cipher_of(key.n);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok;

    ok = cipher != NULL && ctx != NULL &&
        EVP_CipherInit_ex2(ctx, cipher, key.p, iv, sealing ? 1 : 0, NULL) ==
            1 &&
        cbc_run(ctx, text, out);
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

bool
pys_cbc_seal(pys_rd key, const uint8_t *iv, pys_rd text, pys_buf *out)
{
    return cbc(key, iv, true, text, out);
}

bool
pys_cbc_open(pys_rd key, const uint8_t *iv, pys_rd text, pys_buf *out)
{
    return cbc(key, iv, false, text, out);
}
