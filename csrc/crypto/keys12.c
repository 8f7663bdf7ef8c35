/*
 * The PRF of TLS 1.2 and what is made with it.
 */
#include "crypto/keys12.h"

enum { BLOCK_MAX = 2 * (32 + 12), ROOM = 192 };

static pys_rd
label_of(const char *text)
{
    return pys_rd_of(text, strlen(text));
}

/* One step of P_hash: HMAC(secret, A + label + seed). */
static bool
prf_hmac(pys_hash *scratch, const pys_prf *what, pys_rd data, uint8_t *out)
{
    return pys_hmac(scratch, what->alg, what->secret, data, out);
}

/* RFC 5246 5: A(i) in front of label and seed, in one buffer. */
static bool
prf_run(pys_hash *scratch, const pys_prf *what, pys_buf *text, uint8_t *out,
    size_t n)
{
    size_t len = pys_hash_len(what->alg);
    uint8_t block[PYS_HASH_MAX];
    uint8_t *a = pys_buf_head(text);
    pys_rd all = pys_rd_buf(text);
    bool ok;

    /* A(1) = HMAC(secret, label + seed). */
    ok = prf_hmac(scratch, what, pys_rd_of(all.p + len, all.n - len), block);
    while (ok && n != 0) {
        size_t part = n < len ? n : len;

        memcpy(a, block, len);
        ok = prf_hmac(scratch, what, all, block);
        if (ok)
            memcpy(out, block, part);
        out += part;
        n -= part;
        /* A(i + 1) = HMAC(secret, A(i)); nobody needs one after the last. */
        if (n != 0)
            ok = ok && prf_hmac(scratch, what, pys_rd_of(a, len), block);
    }
    pys_wipe(block, sizeof(block));
    return ok;
}

bool
pys_prf_run(pys_hash *scratch, const pys_prf *what, uint8_t *out, size_t n)
{
    static const uint8_t none[PYS_HASH_MAX];
    uint8_t room[ROOM];
    /* An exporter's context may be longer than what TLS itself needs. */
    size_t all = PYS_HASH_MAX + what->label.n + what->seed.n;
    bool fits = all <= sizeof(room);
    pys_buf text = {.data = fits ? room : NULL, .limit = all};
    pys_wr w = pys_wr_to(&text);
    bool ok;

    if (fits)
        text.cap = text.limit;
    pys_wr_bytes(&w, none, pys_hash_len(what->alg));
    pys_wr_rd(&w, what->label);
    pys_wr_rd(&w, what->seed);
    ok = pys_wr_ok(&w) && prf_run(scratch, what, &text, out, n);
    if (fits)
        pys_wipe(room, all);
    else
        pys_buf_wipe(&text);
    return ok;
}

bool
pys_keys12_master(pys_hash *scratch, enum pys_hash_alg alg, pys_rd premaster,
    const uint8_t *randoms, uint8_t *master)
{
    pys_prf what = {
        .alg = alg,
        .secret = premaster,
        .label = label_of("master secret"),
        .seed = pys_rd_of(randoms, 2 * PYS_HELLO_RANDOM_LEN),
    };

    return pys_prf_run(scratch, &what, master, PYS_MASTER_LEN);
}

bool
pys_keys12_extended(pys_hash *scratch, enum pys_hash_alg alg, pys_rd premaster,
    const uint8_t *hash, uint8_t *master)
{
    pys_prf what = {
        .alg = alg,
        .secret = premaster,
        .label = label_of("extended master secret"),
        .seed = pys_rd_of(hash, pys_hash_len(alg)),
    };

    return pys_prf_run(scratch, &what, master, PYS_MASTER_LEN);
}

bool
pys_keys12_finished(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *master, bool server, const uint8_t *hash, uint8_t *out)
{
    pys_prf what = {
        .alg = alg,
        .secret = pys_rd_of(master, PYS_MASTER_LEN),
        .label = label_of(server ? "server finished" : "client finished"),
        .seed = pys_rd_of(hash, pys_hash_len(alg)),
    };

    return pys_prf_run(scratch, &what, out, PYS_VERIFY_DATA_LEN);
}

size_t
pys_keys12_iv_len(const pys_suite *suite)
{
    return suite->aead == PYS_CHACHA20_POLY1305 ? PYS_IV_LEN : 4;
}

/* RFC 5246 6.3: client key, server key, client IV, server IV. */
static bool
block_cut(pys_rd block, const pys_suite *suite, pys_keys12 *out)
{
    size_t n_key = pys_aead_key_len(suite->aead);
    size_t n_iv = pys_keys12_iv_len(suite);

    return pys_rd_copy(&block, out->client_key, n_key) &&
        pys_rd_copy(&block, out->server_key, n_key) &&
        pys_rd_copy(&block, out->client_iv, n_iv) &&
        pys_rd_copy(&block, out->server_iv, n_iv);
}

bool
pys_keys12_block(pys_hash *scratch, const pys_suite *suite,
    const uint8_t *master, const uint8_t *randoms, pys_keys12 *out)
{
    size_t n = 2 * (pys_aead_key_len(suite->aead) + pys_keys12_iv_len(suite));
    uint8_t seed[2 * PYS_HELLO_RANDOM_LEN];
    uint8_t block[BLOCK_MAX];
    pys_prf what = {
        .alg = suite->hash,
        .secret = pys_rd_of(master, PYS_MASTER_LEN),
        .label = label_of("key expansion"),
        .seed = pys_rd_of(seed, sizeof(seed)),
    };
    bool ok;

    /* RFC 5246 6.3: here the server's random comes first. */
    memcpy(seed, randoms + PYS_HELLO_RANDOM_LEN, PYS_HELLO_RANDOM_LEN);
    memcpy(seed + PYS_HELLO_RANDOM_LEN, randoms, PYS_HELLO_RANDOM_LEN);
    ok = pys_prf_run(scratch, &what, block, n) &&
        block_cut(pys_rd_of(block, n), suite, out);
    pys_wipe(block, sizeof(block));
    return ok;
}
