#include "record/record.h"

void
pys_protect_wipe(pys_protect *p)
{
    pys_aead_free(p->aead);
    pys_wipe(p, sizeof(*p));
}

bool
pys_protect_install(pys_protect *p, const pys_suite *suite, pys_hash *scratch,
    const uint8_t *secret, bool sealing)
{
    uint8_t key[PYS_KEY_MAX];
    size_t n_key = pys_aead_key_len(suite->aead);
    bool ok;

    ok = pys_keys13_traffic(scratch, suite->hash, secret, key, n_key, p->iv);
    if (ok && p->aead != NULL && p->suite == suite) {
        ok = pys_aead_rekey(p->aead, key);
    } else if (ok) {
        pys_aead_free(p->aead);
        p->aead = pys_aead_new(suite->aead, key, sealing);
        ok = p->aead != NULL;
    }
    p->suite = suite;
    p->seq = 0;
    pys_wipe(key, sizeof(key));
    return ok;
}

bool
pys_protect_install12(pys_protect *p, const pys_suite *suite,
    const uint8_t *key, const uint8_t *iv, bool sealing)
{
    pys_aead_free(p->aead);
    p->aead = pys_aead_new(suite->aead, key, sealing);
    p->suite = suite;
    p->seq = 0;
    memcpy(p->iv, iv, pys_keys12_iv_len(suite));
    return p->aead != NULL;
}

bool
pys_protect_worn(const pys_protect *p)
{
    /* RFC 8446 5.5: half the limit leaves room for whatever is under way. */
    return p->aead != NULL && p->seq >= p->suite->limit / 2;
}

void
pys_record_nonce(const pys_protect *p, uint8_t nonce[PYS_IV_LEN])
{
    enum { SEQ_LEN = 8, FIXED = PYS_IV_LEN - SEQ_LEN };
    uint8_t iv[SEQ_LEN];
    uint8_t seq[SEQ_LEN];

    /* Apart: bytes read back across those just written are waited for. */
    memcpy(iv, p->iv + FIXED, SEQ_LEN);
    pys_put_u64(seq, p->seq);
    for (size_t i = 0; i < SEQ_LEN; i++)
        seq[i] ^= iv[i];
    memcpy(nonce, p->iv, FIXED);
    memcpy(nonce + FIXED, seq, SEQ_LEN);
}

static void
record_header(uint8_t *at, unsigned type, unsigned version, size_t len)
{
    at[0] = (uint8_t)type;
    pys_put_u16(at + 1, version);
    pys_put_u16(at + 3, (unsigned)len);
}

static bool
seal_clear(enum pys_record_type type, unsigned version, pys_rd in,
    pys_buf *out)
{
    if (!pys_buf_reserve(out, PYS_RECORD_HEADER + in.n))
        return false;
    record_header(pys_buf_tail(out), type, version, in.n);
    pys_buf_added(out, PYS_RECORD_HEADER);
    return pys_buf_add(out, in.p, in.n);
}

bool
pys_record_seal(pys_protect *p, enum pys_record_type type, pys_rd in,
    size_t pad, pys_buf *out)
{
    uint8_t nonce[PYS_IV_LEN];
    size_t len;
    uint8_t *tail;
    uint8_t *at;

    if (in.n > PYS_PLAIN_MAX)
        return false;
    if (p->aead == NULL) {
        unsigned version = p->legacy != 0 ? p->legacy : PYS_TLS1_2;

        p->legacy = 0;
        return seal_clear(type, version, in, out);
    }
    if (p->suite->version == PYS_TLS1_2)
        return pys_record_seal12(p, type, in, out);
    /* RFC 8446 5.4: content and padding fit one record. */
    if (pad > PYS_PLAIN_MAX - in.n)
        pad = PYS_PLAIN_MAX - in.n;
    /* RFC 8446 5.3: the sequence number never wraps. */
    if (p->seq == UINT64_MAX)
        return false;

    len = in.n + 1 + pad + PYS_TAG_LEN;
    if (!pys_buf_reserve(out, PYS_RECORD_HEADER + len))
        return false;
    at = pys_buf_tail(out);
    record_header(at, PYS_RT_APPLICATION_DATA, PYS_TLS1_2, len);
    pys_record_nonce(p, nonce);
    /* Sealed where it stands. */
    tail = at + PYS_RECORD_HEADER + in.n;
    tail[0] = (uint8_t)type;
    if (pad != 0)
        pys_wipe(tail + 1, pad);
    if (!pys_aead_seal(p->aead, nonce, pys_rd_of(at, PYS_RECORD_HEADER), in,
            pys_rd_of(tail, 1 + pad), at + PYS_RECORD_HEADER))
        return false;
    p->seq++;
    pys_buf_added(out, PYS_RECORD_HEADER + len);
    return true;
}

pys_head
pys_record_head(const uint8_t bytes[PYS_RECORD_HEADER])
{
    pys_rd in = pys_rd_of(bytes, PYS_RECORD_HEADER);
    pys_head head = {0};
    uint16_t len;

    if (pys_rd_u8(&in, &head.type) && pys_rd_u16(&in, &head.version) &&
        pys_rd_u16(&in, &len))
        head.len = len;
    return head;
}

size_t
pys_record_room(const pys_protect *p, size_t len)
{
    size_t extra = p->suite->version == PYS_TLS1_2 ?
        pys_record_explicit(p) + PYS_TAG_LEN :
        PYS_TAG_LEN + 1;

    return len > extra ? len - extra : 0;
}

static bool
inner_is(pys_head *inner, uint8_t type, size_t len)
{
    *inner = (pys_head){.type = type, .version = PYS_TLS1_3, .len = len};
    return true;
}

bool
pys_record_open(pys_protect *p, pys_rd record, uint8_t *out, size_t room,
    pys_head *inner, pys_fault *f)
{
    pys_rd body = pys_rd_of(record.p + PYS_RECORD_HEADER,
        record.n - PYS_RECORD_HEADER);
    uint8_t nonce[PYS_IV_LEN];
    uint8_t last = 0;
    uint8_t *end;
    uint8_t kept;
    uint8_t type;
    size_t len;

    if (p->suite->version == PYS_TLS1_2)
        return pys_record_open12(p, record, out, inner, f);
    /* RFC 8446 5.2: no AEAD expands less than a tag and the inner type. */
    if (body.n < PYS_TAG_LEN + 1)
        return pys_fault_set(f, PYS_AD_BAD_RECORD_MAC,
            PYS_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
    if (p->seq == UINT64_MAX)
        return pys_fault_internal(f);
    /* The type, of a record that is not padded: it is none of the caller's. */
    len = body.n - PYS_TAG_LEN;
    end = room < len ? &last : out + len - 1;
    kept = *end;
    pys_record_nonce(p, nonce);
    if (!pys_aead_open(p->aead, nonce, pys_rd_of(record.p, PYS_RECORD_HEADER),
            body, out, end == &last ? end : NULL)) {
        /* RFC 8446 5.2: a record that does not authenticate. */
        pys_fault_forget();
        return pys_fault_set(f, PYS_AD_BAD_RECORD_MAC,
            PYS_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
    }
    p->seq++;

    /* RFC 8446 5.4: at most 2^14 and the type, padding included. */
    if (len > PYS_PLAIN_MAX + 1)
        return pys_fault_set(f, PYS_AD_RECORD_OVERFLOW,
            PYS_R_ENCRYPTED_LENGTH_TOO_LONG);
    type = *end;
    len--;
    if (type != 0) {
        *end = kept;
        return inner_is(inner, type, len);
    }
    while (len > 0 && out[len - 1] == 0)
        len--;
    /* RFC 8446 5.4: nothing but zeros. */
    if (len == 0)
        return pys_fault_set(f, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_BAD_RECORD_TYPE);
    return inner_is(inner, out[len - 1], len - 1);
}
