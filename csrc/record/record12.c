/*
 * Protected records of TLS 1.2 (RFC 5246 6.2.3.3, RFC 5288 3, RFC 7905 2).
 */
#include "record/record.h"

enum { AD_LEN = 8 + 1 + 2 + 2 };

size_t
pys_record_explicit(const pys_protect *p)
{
    return p->suite->version == PYS_TLS1_2 &&
            p->suite->aead != PYS_CHACHA20_POLY1305 ?
        PYS_EXPLICIT_LEN :
        0;
}

/* RFC 5246 6.2.3.3: number, type, version and length of the content. */
static void
additional_data(const pys_protect *p, unsigned type, size_t len,
    uint8_t out[AD_LEN])
{
    pys_put_u64(out, p->seq);
    out[8] = (uint8_t)type;
    pys_put_u16(out + 9, PYS_TLS1_2);
    pys_put_u16(out + 11, (unsigned)len);
}

/* RFC 5288 3: four bytes of salt, then what is in the record. */
static void
nonce_of(const pys_protect *p, const uint8_t *part, uint8_t out[PYS_IV_LEN])
{
    size_t n = pys_record_explicit(p);

    if (n == 0) {
        pys_record_nonce(p, out);
    } else {
        memcpy(out, p->iv, PYS_IV_LEN - n);
        memcpy(out + PYS_IV_LEN - n, part, n);
    }
}

bool
pys_record_seal12(pys_protect *p, enum pys_record_type type, pys_rd in,
    pys_buf *out)
{
    size_t n = pys_record_explicit(p);
    size_t len = n + in.n + PYS_TAG_LEN;
    uint8_t part[PYS_EXPLICIT_LEN];
    uint8_t nonce[PYS_IV_LEN];
    uint8_t ad[AD_LEN];
    uint8_t *at;

    /* RFC 5246 6.1: the number never wraps; there is no other key. */
    if (p->seq >= p->suite->limit)
        return false;
    if (!pys_buf_reserve(out, PYS_RECORD_HEADER + len))
        return false;
    at = pys_buf_tail(out);
    at[0] = (uint8_t)type;
    pys_put_u16(at + 1, PYS_TLS1_2);
    pys_put_u16(at + 3, (unsigned)len);
    at += PYS_RECORD_HEADER;
    pys_put_u64(part, p->seq);
    memcpy(at, part, n);
    nonce_of(p, part, nonce);
    additional_data(p, type, in.n, ad);
    if (!pys_aead_seal(p->aead, nonce, pys_rd_of(ad, sizeof(ad)), in,
            pys_rd_of(NULL, 0), at + n))
        return false;
    p->seq++;
    pys_buf_added(out, PYS_RECORD_HEADER + len);
    return true;
}

static bool
bad_mac(pys_fault *f)
{
    return pys_fault_set(f, PYS_AD_BAD_RECORD_MAC,
        PYS_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC);
}

bool
pys_record_open12(pys_protect *p, pys_rd record, uint8_t *out, pys_head *inner,
    pys_fault *f)
{
    pys_rd body = pys_rd_of(record.p + PYS_RECORD_HEADER,
        record.n - PYS_RECORD_HEADER);
    size_t n = pys_record_explicit(p);
    uint8_t nonce[PYS_IV_LEN];
    uint8_t ad[AD_LEN];
    pys_rd part;
    size_t len;

    /* RFC 5246 6.2.3.3: shorter than nonce and tag. */
    if (body.n < n + PYS_TAG_LEN || !pys_rd_bytes(&body, n, &part))
        return bad_mac(f);
    len = body.n - PYS_TAG_LEN;
    if (p->seq == UINT64_MAX)
        return pys_fault_internal(f);
    nonce_of(p, part.p, nonce);
    additional_data(p, record.p[0], len, ad);
    if (!pys_aead_open(p->aead, nonce, pys_rd_of(ad, sizeof(ad)), body, out,
            NULL)) {
        /* RFC 5246 6.2.3.3: bad_record_mac. */
        pys_fault_forget();
        return bad_mac(f);
    }
    p->seq++;
    /* RFC 5246 6.2.3: at most 2^14 bytes of content. */
    if (len > PYS_PLAIN_MAX)
        return pys_fault_set(f, PYS_AD_RECORD_OVERFLOW,
            PYS_R_DATA_LENGTH_TOO_LONG);
    *inner = (pys_head){
        .type = record.p[0], .version = PYS_TLS1_2, .len = len};
    return true;
}
