/*
 * Primitives that cost nothing and prove everything, in place of the core's
 * (the linker's --wrap), so that a fuzzer gets past them: records travel in
 * the clear, every signature and MAC is right, key shares are constants and
 * random bytes come from a counter. The parsers and the state machine are
 * the real ones.
 */
#include "crypto/crypt.h"

#include "fuzz.h"

static uint64_t state;

void
fuzz_reset(void)
{
    state = 1;
}

/* xorshift64. */
static uint8_t
next_byte(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint8_t)(state >> 24);
}

bool __wrap_pys_random(uint8_t *out, size_t n);
bool __wrap_pys_aead_seal(pys_aead *a, const uint8_t nonce[PYS_IV_LEN],
    pys_rd ad, pys_rd in, pys_rd tail, uint8_t *out);
bool __wrap_pys_aead_open(pys_aead *a, const uint8_t nonce[PYS_IV_LEN],
    pys_rd ad, pys_rd in, uint8_t *out, uint8_t *last);
bool __wrap_pys_hmac(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key,
    pys_rd data, uint8_t *out);
bool __wrap_pys_sign(pys_key *k, uint16_t scheme, pys_rd data, uint8_t *sig,
    size_t *n);
bool __wrap_pys_verify(pys_key *k, uint16_t scheme, pys_rd data, pys_rd sig);
pys_share *__wrap_pys_share_new(uint16_t group);
void __wrap_pys_share_free(pys_share *s);
uint16_t __wrap_pys_share_group(const pys_share *s);
bool __wrap_pys_share_public(pys_share *s, pys_wr *out);
bool __wrap_pys_share_derive(pys_share *s, pys_rd peer, uint8_t *secret,
    size_t *n, bool *internal);
bool __wrap_pys_share_respond(uint16_t group, pys_rd peer, pys_wr *out,
    uint8_t *secret, size_t *n, bool *internal);

bool
__wrap_pys_random(uint8_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = next_byte();
    return true;
}

bool
__wrap_pys_aead_seal(pys_aead *a, const uint8_t nonce[PYS_IV_LEN], pys_rd ad,
    pys_rd in, pys_rd tail, uint8_t *out)
{
    (void)a;
    (void)nonce;
    (void)ad;
    if (in.n != 0)
        memmove(out, in.p, in.n);
    if (tail.n != 0)
        memcpy(out + in.n, tail.p, tail.n);
    memset(out + in.n + tail.n, 0, PYS_TAG_LEN);
    return true;
}

bool
__wrap_pys_aead_open(pys_aead *a, const uint8_t nonce[PYS_IV_LEN], pys_rd ad,
    pys_rd in, uint8_t *out, uint8_t *last)
{
    size_t n;

    (void)a;
    (void)nonce;
    (void)ad;
    if (in.n < PYS_TAG_LEN)
        return false;
    n = in.n - PYS_TAG_LEN;
    if (last != NULL && n != 0)
        *last = in.p[--n];
    if (n != 0)
        memmove(out, in.p, n);
    return true;
}

bool
__wrap_pys_hmac(pys_hash *scratch, enum pys_hash_alg alg, pys_rd key,
    pys_rd data, uint8_t *out)
{
    (void)scratch;
    (void)key;
    (void)data;
    memset(out, 0, pys_hash_len(alg));
    return true;
}

bool
__wrap_pys_sign(pys_key *k, uint16_t scheme, pys_rd data, uint8_t *sig,
    size_t *n)
{
    (void)k;
    (void)scheme;
    (void)data;
    memset(sig, 0, 64);
    *n = 64;
    return true;
}

bool
__wrap_pys_verify(pys_key *k, uint16_t scheme, pys_rd data, pys_rd sig)
{
    (void)k;
    (void)scheme;
    (void)data;
    (void)sig;
    return true;
}

/* ---- key shares: the group is all there is to them --------------------- */

struct pys_share {
    uint16_t group;
};

static size_t
share_len(uint16_t group)
{
    switch (group) {
    case 23:
        return 65;
    case 24:
        return 97;
    case 25:
        return 133;
    default:
        return 32;
    }
}

static bool
share_put(uint16_t group, pys_wr *out)
{
    static const uint8_t point[133] = {4};

    pys_wr_bytes(out, point, share_len(group));
    return true;
}

pys_share *
__wrap_pys_share_new(uint16_t group)
{
    pys_share *s = pys_alloc(sizeof(*s));

    if (s != NULL)
        s->group = group;
    return s;
}

void
__wrap_pys_share_free(pys_share *s)
{
    pys_free(s);
}

uint16_t
__wrap_pys_share_group(const pys_share *s)
{
    return s->group;
}

bool
__wrap_pys_share_public(pys_share *s, pys_wr *out)
{
    return share_put(s->group, out);
}

bool
__wrap_pys_share_derive(pys_share *s, pys_rd peer, uint8_t *secret, size_t *n,
    bool *internal)
{
    *internal = false;
    if (peer.n != share_len(s->group))
        return false;
    *n = 32;
    memset(secret, 7, *n);
    return true;
}

bool
__wrap_pys_share_respond(uint16_t group, pys_rd peer, pys_wr *out,
    uint8_t *secret, size_t *n, bool *internal)
{
    *internal = false;
    if (peer.n != share_len(group))
        return false;
    *n = 32;
    memset(secret, 7, *n);
    return share_put(group, out);
}
