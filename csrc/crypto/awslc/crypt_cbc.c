/*
 * AES in CBC mode over AWS-LC (see crypto/crypt_cbc.c).
 */
#include <awslc/aes.h>

#include "crypto/crypt_part.h"

bool
pys_cbc_start(void)
{
    return true;
}

static bool
key_fits(pys_rd key)
{
    return key.n == 16 || key.n == 32;
}

/* n bytes, whole blocks, where they stand. */
static bool
cbc_run(pys_rd key, const uint8_t *iv, bool sealing, uint8_t *at, size_t n)
{
    unsigned bits = (unsigned)key.n * 8;
    uint8_t chain[PYS_CBC_BLOCK];
    AES_KEY aes;
    bool ok;

    memcpy(chain, iv, PYS_CBC_BLOCK);
    ok = (sealing ? AES_set_encrypt_key(key.p, bits, &aes) :
                    AES_set_decrypt_key(key.p, bits, &aes)) == 0;
    if (ok)
        AES_cbc_encrypt(at, at, n, &aes, chain,
            sealing ? AES_ENCRYPT : AES_DECRYPT);
    pys_wipe(&aes, sizeof(aes));
    return ok;
}

bool
pys_cbc_seal(pys_rd key, const uint8_t *iv, pys_rd text, pys_buf *out)
{
    /* RFC 5652 6.3: a whole block of padding rather than none. */
    size_t pad = PYS_CBC_BLOCK - text.n % PYS_CBC_BLOCK;
    uint8_t *at;

    if (!key_fits(key) || text.n > SIZE_MAX - pad ||
        !pys_buf_reserve(out, text.n + pad))
        return false;
    at = pys_buf_tail(out);
    if (text.n != 0)
        memcpy(at, text.p, text.n);
    for (size_t i = 0; i < pad; i++)
        at[text.n + i] = (uint8_t)pad;
    if (!cbc_run(key, iv, true, at, text.n + pad)) {
        pys_wipe(at, text.n);
        return false;
    }
    pys_buf_added(out, text.n + pad);
    return true;
}

/*
 * RFC 5652 6.3: the bytes of padding at the end of whole blocks, 0 if they
 * are not one. Nothing branches on what was opened.
 */
static size_t
padding_of(const uint8_t *end)
{
    unsigned pad = end[-1];
    unsigned bad = (pad - 1) & ~(unsigned)(PYS_CBC_BLOCK - 1);

    for (unsigned i = 1; i <= PYS_CBC_BLOCK; i++) {
        /* All ones as long as i is at most pad. */
        unsigned within = 0U - (1U & ~((pad - i) >> 31));

        bad |= within & (end[-(int)i] ^ pad);
    }
    return bad == 0 ? pad : 0;
}

bool
pys_cbc_open(pys_rd key, const uint8_t *iv, pys_rd text, pys_buf *out)
{
    size_t pad = 0;
    uint8_t *at;

    if (!key_fits(key) || text.n == 0 || text.n % PYS_CBC_BLOCK != 0 ||
        !pys_buf_reserve(out, text.n))
        return false;
    at = pys_buf_tail(out);
    memcpy(at, text.p, text.n);
    if (cbc_run(key, iv, false, at, text.n))
        pad = padding_of(at + text.n);
    if (pad == 0) {
        pys_wipe(at, text.n);
        return false;
    }
    pys_buf_added(out, text.n - pad);
    return true;
}
