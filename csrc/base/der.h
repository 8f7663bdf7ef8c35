/*
 * DER (X.690), as much of it as a session's file needs: tags of one byte,
 * lengths in their shortest form. Whoever reads it takes the file for
 * hostile. Refusals are recorded with the reasons of libcrypto's ASN.1.
 */
#ifndef PYS_DER_H
#define PYS_DER_H

#include "base/fault.h"
#include "base/wire.h"

enum {
    PYS_DER_INTEGER = 0x02,
    PYS_DER_OCTETS = 0x04,
    PYS_DER_SEQUENCE = 0x30,
    PYS_DER_IMPLICIT = 0x80, /* + number: [n] IMPLICIT, primitive */
    PYS_DER_EXPLICIT = 0xa0  /* + number: [n] EXPLICIT */
};

enum {
    PYS_LIB_ASN1 = 13,
    PYS_ASN1_EXPLICIT_LENGTH_MISMATCH = 119,
    PYS_ASN1_EXPLICIT_NOT_CONSTRUCTED = 120,
    PYS_ASN1_FIELD_MISSING = 121,
    PYS_ASN1_HEADER_TOO_LONG = 123,
    PYS_ASN1_ILLEGAL_CHARACTERS = 124,
    PYS_ASN1_SEQUENCE_NOT_CONSTRUCTED = 149,
    PYS_ASN1_STRING_TOO_LONG = 151,
    PYS_ASN1_STRING_TOO_SHORT = 152,
    PYS_ASN1_TOO_LONG = 155,
    PYS_ASN1_WRONG_TAG = 168,
    PYS_ASN1_ILLEGAL_PADDING = 221,
    PYS_ASN1_ILLEGAL_ZERO_CONTENT = 222,
    PYS_ASN1_TOO_LARGE = 223,
    PYS_ASN1_TOO_SMALL = 224,
    PYS_ASN1_ILLEGAL_NEGATIVE_VALUE = 226
};

/* Records the reason unless f holds one. Always false. */
bool pys_der_refuse(pys_fault *f, unsigned reason);

/* True if there is a next item and it has this tag; reads nothing. */
PYS_MUST bool pys_der_is(const pys_rd *in, unsigned tag);
/* The content of the next item, which must have this tag. */
PYS_MUST bool pys_der_take(pys_rd *in, unsigned tag, pys_rd *content,
    pys_fault *f);
/* The same, and content begins with the item's own tag and length. */
PYS_MUST bool pys_der_take_whole(pys_rd *in, unsigned tag, pys_rd *whole,
    pys_fault *f);
/* An INTEGER of 0 to max. */
PYS_MUST bool pys_der_take_int(pys_rd *in, int64_t max, int64_t *v,
    pys_fault *f);

/* Writes one item. */
void pys_der_put(pys_wr *w, unsigned tag, pys_rd content);
/* Writes an INTEGER that is not negative. */
void pys_der_put_int(pys_wr *w, uint64_t v);
/* The same within [n] EXPLICIT. */
void pys_der_put_in(pys_wr *w, unsigned n, unsigned tag, pys_rd content);
void pys_der_put_int_in(pys_wr *w, unsigned n, uint64_t v);

#endif
