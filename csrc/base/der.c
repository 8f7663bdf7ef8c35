#include "base/der.h"

enum { LONG_FORM = 0x80, CONSTRUCTED = 0x20, NUMBER_BYTES = 9 };

bool
pys_der_refuse(pys_fault *f, unsigned reason)
{
    if (!pys_fault_any(f))
        pys_fault_code(f, PYS_LIB_ASN1, reason);
    return false;
}

bool
pys_der_is(const pys_rd *in, unsigned tag)
{
    return in->n != 0 && in->p[0] == tag;
}

/* X.690 10.1: definite and as short as can be; at most three bytes of it. */
static bool
take_length(pys_rd *in, size_t *n)
{
    uint32_t v = 0;
    uint16_t v16;
    uint8_t v8;
    bool ok;

    if (!pys_rd_u8(in, &v8))
        return false;
    *n = v8;
    switch (v8) {
    case LONG_FORM | 1:
        ok = pys_rd_u8(in, &v8) && v8 >= LONG_FORM;
        *n = v8;
        return ok;
    case LONG_FORM | 2:
        ok = pys_rd_u16(in, &v16) && v16 > UINT8_MAX;
        *n = ok ? v16 : 0;
        return ok;
    case LONG_FORM | 3:
        ok = pys_rd_u24(in, &v) && v > UINT16_MAX;
        *n = v;
        return ok;
    default:
        return v8 < LONG_FORM;
    }
}

/* What libcrypto says of a tag other than the one that must be here. */
static bool
refuse_tag(pys_fault *f, unsigned wanted, unsigned found)
{
    if ((wanted & CONSTRUCTED) == 0 || (found | CONSTRUCTED) != wanted ||
        found == wanted)
        return pys_der_refuse(f, PYS_ASN1_WRONG_TAG);
    return pys_der_refuse(f,
        wanted == PYS_DER_SEQUENCE ? PYS_ASN1_SEQUENCE_NOT_CONSTRUCTED :
                                     PYS_ASN1_EXPLICIT_NOT_CONSTRUCTED);
}

bool
pys_der_take(pys_rd *in, unsigned tag, pys_rd *content, pys_fault *f)
{
    pys_rd at = *in;
    uint8_t found;
    size_t n;

    if (!pys_rd_u8(&at, &found))
        return pys_der_refuse(f, PYS_ASN1_TOO_SMALL);
    if (!take_length(&at, &n))
        return pys_der_refuse(f, PYS_ASN1_HEADER_TOO_LONG);
    if (n > at.n)
        return pys_der_refuse(f, PYS_ASN1_TOO_LONG);
    if (found != tag)
        return refuse_tag(f, tag, found);
    *in = at;
    return pys_rd_bytes(in, n, content);
}

bool
pys_der_take_whole(pys_rd *in, unsigned tag, pys_rd *whole, pys_fault *f)
{
    const pys_rd before = *in;
    pys_rd content;

    if (!pys_der_take(in, tag, &content, f))
        return false;
    *whole = pys_rd_of(before.p, before.n - in->n);
    return true;
}

bool
pys_der_take_int(pys_rd *in, int64_t max, int64_t *v, pys_fault *f)
{
    uint64_t sum = 0;
    pys_rd content;
    uint8_t byte;

    if (!pys_der_take(in, PYS_DER_INTEGER, &content, f))
        return false;
    if (content.n == 0)
        return pys_der_refuse(f, PYS_ASN1_ILLEGAL_ZERO_CONTENT);
    /* X.690 8.3.2: the first nine bits are not all the same. */
    if (content.n > 1 &&
        ((content.p[0] == 0 && content.p[1] < 0x80) ||
            (content.p[0] == 0xff && content.p[1] >= 0x80)))
        return pys_der_refuse(f, PYS_ASN1_ILLEGAL_PADDING);
    if (content.p[0] >= 0x80)
        return pys_der_refuse(f, PYS_ASN1_ILLEGAL_NEGATIVE_VALUE);
    if (content.n > sizeof(sum))
        return pys_der_refuse(f, PYS_ASN1_TOO_LARGE);
    while (pys_rd_u8(&content, &byte))
        sum = sum << 8 | byte;
    if (sum > (uint64_t)max)
        return pys_der_refuse(f, PYS_ASN1_TOO_LARGE);
    *v = (int64_t)sum;
    return true;
}

/* Tag and length of an item with n bytes of content. */
static void
put_head(pys_wr *w, unsigned tag, size_t n)
{
    pys_wr_u8(w, tag);
    if (n < LONG_FORM) {
        pys_wr_u8(w, (unsigned)n);
    } else if (n <= UINT8_MAX) {
        pys_wr_u8(w, LONG_FORM | 1);
        pys_wr_u8(w, (unsigned)n);
    } else if (n <= UINT16_MAX) {
        pys_wr_u8(w, LONG_FORM | 2);
        pys_wr_u16(w, (unsigned)n);
    } else {
        pys_wr_u8(w, LONG_FORM | 3);
        pys_wr_u24(w, n);
    }
}

static size_t
head_len(size_t n)
{
    if (n < LONG_FORM)
        return 2;
    if (n <= UINT8_MAX)
        return 3;
    return n <= UINT16_MAX ? 4 : 5;
}

void
pys_der_put(pys_wr *w, unsigned tag, pys_rd content)
{
    put_head(w, tag, content.n);
    pys_wr_rd(w, content);
}

/* The shortest form, at the end of room; a first bit of 1 needs a zero. */
static pys_rd
shortest(uint64_t v, uint8_t room[NUMBER_BYTES])
{
    size_t at = 0;

    room[0] = 0;
    pys_put_u64(room + 1, v);
    while (at < NUMBER_BYTES - 1 && room[at] == 0 && room[at + 1] < 0x80)
        at++;
    return pys_rd_of(room + at, NUMBER_BYTES - at);
}

void
pys_der_put_int(pys_wr *w, uint64_t v)
{
    uint8_t room[NUMBER_BYTES];

    pys_der_put(w, PYS_DER_INTEGER, shortest(v, room));
}

void
pys_der_put_in(pys_wr *w, unsigned n, unsigned tag, pys_rd content)
{
    put_head(w, PYS_DER_EXPLICIT + n, head_len(content.n) + content.n);
    pys_der_put(w, tag, content);
}

void
pys_der_put_int_in(pys_wr *w, unsigned n, uint64_t v)
{
    uint8_t room[NUMBER_BYTES];

    pys_der_put_in(w, n, PYS_DER_INTEGER, shortest(v, room));
}
