/*
 * The only code that turns wire bytes into numbers and back (RFC 8446 3).
 * The reader is checked at each call and moves on success only. The writer's
 * error sticks and is checked once, at the end.
 */
#ifndef PYS_WIRE_H
#define PYS_WIRE_H

#include "base/buf.h"

/* Borrowed bytes; whoever holds them must not outlive their owner. */
typedef struct pys_rd {
    const uint8_t *p;
    size_t n;
} pys_rd;

static inline pys_rd
pys_rd_of(const void *p, size_t n)
{
    return (pys_rd){.p = p, .n = n};
}

/* What a buffer holds now; dies with the next change of the buffer. */
static inline pys_rd
pys_rd_buf(const pys_buf *b)
{
    return pys_rd_of(pys_buf_head(b), pys_buf_size(b));
}

/*
 * Each reads one item from the front; false if it is not all there. Those
 * that every record needs are inline.
 */
static inline PYS_MUST bool
pys_rd_bytes(pys_rd *in, size_t n, pys_rd *out)
{
    if (in->n < n)
        return false;
    *out = pys_rd_of(in->p, n);
    if (n != 0)
        in->p += n;
    in->n -= n;
    return true;
}

static inline PYS_MUST bool
pys_rd_copy(pys_rd *in, void *out, size_t n)
{
    pys_rd bytes;

    if (!pys_rd_bytes(in, n, &bytes))
        return false;
    if (n != 0)
        memcpy(out, bytes.p, n);
    return true;
}

static inline PYS_MUST bool
pys_rd_u8(pys_rd *in, uint8_t *v)
{
    return pys_rd_copy(in, v, 1);
}

static inline PYS_MUST bool
pys_rd_u16(pys_rd *in, uint16_t *v)
{
    pys_rd bytes;

    if (!pys_rd_bytes(in, 2, &bytes))
        return false;
    *v = (uint16_t)(bytes.p[0] << 8 | bytes.p[1]);
    return true;
}

PYS_MUST bool pys_rd_u24(pys_rd *in, uint32_t *v);
PYS_MUST bool pys_rd_u32(pys_rd *in, uint32_t *v);

/* A vector with a length of 1, 2 or 3 bytes; out is exactly its content. */
PYS_MUST bool pys_rd_vec8(pys_rd *in, pys_rd *out);
PYS_MUST bool pys_rd_vec16(pys_rd *in, pys_rd *out);
PYS_MUST bool pys_rd_vec24(pys_rd *in, pys_rd *out);

/* True if nothing is left over. */
static inline bool
pys_rd_end(const pys_rd *in)
{
    return in->n == 0;
}

/* True if the list of 16-bit numbers holds v. The list is not moved. */
PYS_MUST bool pys_rd_has_u16(pys_rd list, uint16_t v);

static inline bool
pys_rd_is(pys_rd a, pys_rd b)
{
    return a.n == b.n && pys_equal(a.p, b.p, a.n);
}

typedef struct pys_wr {
    pys_buf *buf;
    bool failed;
} pys_wr;

static inline pys_wr
pys_wr_to(pys_buf *buf)
{
    return (pys_wr){.buf = buf};
}

void pys_wr_u8(pys_wr *w, unsigned v);
void pys_wr_u16(pys_wr *w, unsigned v);
void pys_wr_u24(pys_wr *w, size_t v);
void pys_wr_u32(pys_wr *w, uint32_t v);
void pys_wr_u64(pys_wr *w, uint64_t v);
void pys_wr_bytes(pys_wr *w, const void *p, size_t n);
void pys_wr_rd(pys_wr *w, pys_rd bytes);
void pys_wr_vec8(pys_wr *w, pys_rd bytes);
void pys_wr_vec16(pys_wr *w, pys_rd bytes);

/* Room for n bytes that the caller fills at once; NULL after an error. */
PYS_MUST uint8_t *pys_wr_room(pys_wr *w, size_t n);

/*
 * Opens a vector whose length is filled in by the close; the answer goes to
 * the close unchanged. Vectors nest.
 */
PYS_MUST size_t pys_wr_open8(pys_wr *w);
PYS_MUST size_t pys_wr_open16(pys_wr *w);
PYS_MUST size_t pys_wr_open24(pys_wr *w);
void pys_wr_close8(pys_wr *w, size_t at);
void pys_wr_close16(pys_wr *w, size_t at);
void pys_wr_close24(pys_wr *w, size_t at);

/* True if everything was written and every length fitted its prefix. */
PYS_MUST bool pys_wr_ok(const pys_wr *w);

/* Numbers at a fixed place, for record headers and nonces. */
static inline void
pys_put_u16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* Written out, compilers make it one store. */
static inline void
pys_put_u64(uint8_t *p, uint64_t v)
{
    p[0] = (uint8_t)(v >> 56);
    p[1] = (uint8_t)(v >> 48);
    p[2] = (uint8_t)(v >> 40);
    p[3] = (uint8_t)(v >> 32);
    p[4] = (uint8_t)(v >> 24);
    p[5] = (uint8_t)(v >> 16);
    p[6] = (uint8_t)(v >> 8);
    p[7] = (uint8_t)v;
}

#endif
