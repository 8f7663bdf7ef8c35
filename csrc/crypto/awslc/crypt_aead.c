/*
 * AEAD over AWS-LC (see crypto/crypt_aead.c). EVP_AEAD takes a text as a
 * whole, in a plain struct in place. Only AES-GCM is opened with EVP_CIPHER,
 * in pieces, because the last byte of a text may go elsewhere than the rest.
 */
#include <awslc/aead.h>
#include <awslc/cipher.h>
#include <awslc/err.h>
#include <limits.h>

#include "crypto/crypt_part.h"

enum {
    TAIL_MAX = 16, /* a longer tail is copied behind the text */
    /* RFC 8446 5.2: the longest ciphertext that a record may have. */
    APART_MAX = (1 << 14) + 256
};

typedef struct aead_kind {
    size_t key_len;
    /* Text up to here is sealed faster copied together with its tail. */
    size_t copied_max;
    const EVP_AEAD *(*whole)(void);
    const EVP_CIPHER *(*pieces)(void); /* NULL: it is opened as a whole */
} aead_kind;

static const aead_kind kinds[] = {
    [PYS_AES_128_GCM] = {16, 1024, EVP_aead_aes_128_gcm, EVP_aes_128_gcm},
    [PYS_AES_256_GCM] = {32, 1024, EVP_aead_aes_256_gcm, EVP_aes_256_gcm},
    [PYS_CHACHA20_POLY1305] = {32, SIZE_MAX, EVP_aead_chacha20_poly1305, NULL},
};

static struct {
    const EVP_AEAD *whole;
    const EVP_CIPHER *pieces;
} fetched[PYS_COUNT(kinds)];

/* The head of one of the two below. */
struct pys_aead {
    enum pys_aead_alg alg;
    bool by_pieces;
};

typedef struct whole {
    pys_aead head;
    EVP_AEAD_CTX ctx;
} whole;

typedef struct pieces {
    pys_aead head;
    EVP_CIPHER_CTX ctx;
} pieces;

static whole *
whole_of(pys_aead *a)
{
    return (whole *)a;
}

static pieces *
pieces_of(pys_aead *a)
{
    return (pieces *)a;
}

bool
pys_aead_start(void)
{
    for (size_t i = 0; i < PYS_COUNT(kinds); i++) {
        fetched[i].whole = kinds[i].whole();
        if (kinds[i].pieces != NULL)
            fetched[i].pieces = kinds[i].pieces();
    }
    return true;
}

size_t
pys_aead_key_len(enum pys_aead_alg alg)
{
    return kinds[alg].key_len;
}

/* What AWS-LC says of a failure is for nobody: its queue stays empty. */
static bool
failed(void)
{
    ERR_clear_error();
    return false;
}

static bool
whole_key(whole *w, const uint8_t *key)
{
    EVP_AEAD_CTX_cleanup(&w->ctx);
    return EVP_AEAD_CTX_init(&w->ctx, fetched[w->head.alg].whole, key,
               kinds[w->head.alg].key_len, PYS_TAG_LEN, NULL) == 1 ||
        failed();
}

/* cipher is NULL when it has one. */
static bool
pieces_key(pieces *p, const EVP_CIPHER *cipher, const uint8_t *key)
{
    return EVP_DecryptInit_ex(&p->ctx, cipher, NULL, key, NULL) == 1 ||
        failed();
}

static bool
rekey(pys_aead *a, const EVP_CIPHER *cipher, const uint8_t *key)
{
    return a->by_pieces ? pieces_key(pieces_of(a), cipher, key) :
                          whole_key(whole_of(a), key);
}

/* pys_alloc's zeros are what EVP_AEAD_CTX_zero and EVP_CIPHER_CTX_init do. */
pys_aead *
pys_aead_new(enum pys_aead_alg alg, const uint8_t *key, bool sealing)
{
    const EVP_CIPHER *cipher = sealing ? NULL : fetched[alg].pieces;
    pys_aead *a = pys_alloc(cipher != NULL ? sizeof(pieces) : sizeof(whole));

    if (a == NULL)
        return NULL;
    a->alg = alg;
    a->by_pieces = cipher != NULL;
    if (!rekey(a, cipher, key)) {
        pys_aead_free(a);
        return NULL;
    }
    return a;
}

bool
pys_aead_rekey(pys_aead *a, const uint8_t *key)
{
    return rekey(a, NULL, key);
}

void
pys_aead_free(pys_aead *a)
{
    if (a == NULL)
        return;
    if (a->by_pieces) {
        EVP_CIPHER_CTX_cleanup(&pieces_of(a)->ctx);
        pys_free_secret(a, sizeof(pieces));
    } else {
        EVP_AEAD_CTX_cleanup(&whole_of(a)->ctx);
        pys_free_secret(a, sizeof(whole));
    }
}

bool
pys_aead_seal(pys_aead *a, const uint8_t nonce[PYS_IV_LEN], pys_rd ad,
    pys_rd in, pys_rd tail, uint8_t *out)
{
    uint8_t end[TAIL_MAX];
    size_t n;

    if (tail.n > TAIL_MAX ||
        (tail.n != 0 && in.n + tail.n <= kinds[a->alg].copied_max)) {
        if (in.n != 0 && in.p != out)
            memmove(out, in.p, in.n);
        memmove(out + in.n, tail.p, tail.n);
        in = pys_rd_of(out, in.n + tail.n);
        tail.n = 0;
    } else if (tail.n != 0) {
        /* It may stand where its ciphertext does; AWS-LC forbids that. */
        memcpy(end, tail.p, tail.n);
    }
    return EVP_AEAD_CTX_seal_scatter(&whole_of(a)->ctx, out, out + in.n, &n,
               tail.n + PYS_TAG_LEN, nonce, PYS_IV_LEN, in.p, in.n, end,
               tail.n, ad.p, ad.n) == 1 ||
        failed();
}

static bool
open_whole(whole *w, const uint8_t *nonce, pys_rd ad, pys_rd text,
    uint8_t *out)
{
    return EVP_AEAD_CTX_open_gather(&w->ctx, out, nonce, PYS_IV_LEN, text.p,
               text.n, text.p + text.n, PYS_TAG_LEN, ad.p, ad.n) == 1;
}

/* Opened beside out, since AWS-LC wants room for all of it. */
static bool
open_beside(whole *w, const uint8_t *nonce, pys_rd ad, pys_rd text,
    uint8_t *out, uint8_t *last)
{
    uint8_t room[APART_MAX];
    bool ok;

    if (text.n > sizeof(room))
        return false;
    ok = open_whole(w, nonce, ad, text, room);
    if (ok) {
        memcpy(out, room, text.n - 1);
        *last = room[text.n - 1];
    }
    pys_wipe(room, text.n);
    return ok;
}

/* One piece of text, or of additional data when out is NULL. */
static bool
add(pieces *p, pys_rd in, uint8_t *out)
{
    int n = 0;

    return in.n == 0 ||
        (in.n <= INT_MAX &&
            EVP_DecryptUpdate(&p->ctx, out, &n, in.p, (int)in.n) == 1);
}

static bool
open_pieces(pieces *p, const uint8_t *nonce, pys_rd ad, pys_rd text,
    uint8_t *out, uint8_t *last)
{
    uint8_t tag[PYS_TAG_LEN];
    pys_rd apart = {0};
    int n = 0;

    memcpy(tag, text.p + text.n, PYS_TAG_LEN);
    if (last != NULL)
        apart = pys_rd_of(text.p + --text.n, 1);
    /* The end gives no byte: this mode holds no text back. */
    return EVP_DecryptInit_ex(&p->ctx, NULL, NULL, NULL, nonce) == 1 &&
        EVP_CIPHER_CTX_ctrl(&p->ctx, EVP_CTRL_AEAD_SET_TAG, PYS_TAG_LEN,
            tag) == 1 &&
        add(p, ad, NULL) && add(p, text, out) && add(p, apart, last) &&
        EVP_DecryptFinal_ex(&p->ctx, tag, &n) == 1;
}

bool
pys_aead_open(pys_aead *a, const uint8_t nonce[PYS_IV_LEN], pys_rd ad,
    pys_rd in, uint8_t *out, uint8_t *last)
{
    pys_rd text;
    bool apart;
    bool ok;

    /* RFC 8446 5.2: too short to hold even the tag. */
    if (in.n < PYS_TAG_LEN || !pys_rd_bytes(&in, in.n - PYS_TAG_LEN, &text))
        return false;
    apart = last != NULL && text.n != 0;
    if (a->by_pieces)
        ok = open_pieces(pieces_of(a), nonce, ad, text, out,
            apart ? last : NULL);
    else if (apart)
        ok = open_beside(whole_of(a), nonce, ad, text, out, last);
    else
        ok = open_whole(whole_of(a), nonce, ad, text, out);
    if (ok)
        return true;
    /* RFC 8446 5.2: what did not verify must not be used. */
    pys_wipe(out, apart ? text.n - 1 : text.n);
    if (last != NULL)
        *last = 0;
    return failed();
}
