#include "base/wire.h"

static bool
rd_number(pys_rd *in, size_t n, uint32_t *v)
{
    uint32_t sum = 0;

    if (in->n < n)
        return false;
    for (size_t i = 0; i < n; i++)
        sum = sum << 8 | in->p[i];
    in->p += n;
    in->n -= n;
    *v = sum;
    return true;
}

bool
pys_rd_u24(pys_rd *in, uint32_t *v)
{
    return rd_number(in, 3, v);
}

bool
pys_rd_u32(pys_rd *in, uint32_t *v)
{
    return rd_number(in, 4, v);
}

/* A vector whose length takes n_len bytes; moves only if all is there. */
static bool
rd_vec(pys_rd *in, size_t n_len, pys_rd *out)
{
    pys_rd at = *in;
    uint32_t n;

    if (!rd_number(&at, n_len, &n) || !pys_rd_bytes(&at, n, out))
        return false;
    *in = at;
    return true;
}

bool
pys_rd_vec8(pys_rd *in, pys_rd *out)
{
    return rd_vec(in, 1, out);
}

bool
pys_rd_vec16(pys_rd *in, pys_rd *out)
{
    return rd_vec(in, 2, out);
}

bool
pys_rd_vec24(pys_rd *in, pys_rd *out)
{
    return rd_vec(in, 3, out);
}

bool
pys_rd_has_u16(pys_rd list, uint16_t v)
{
    uint16_t item;

    while (pys_rd_u16(&list, &item)) {
        if (item == v)
            return true;
    }
    return false;
}

uint8_t *
pys_wr_room(pys_wr *w, size_t n)
{
    uint8_t *room;

    if (w->failed || !pys_buf_reserve(w->buf, n)) {
        w->failed = true;
        return NULL;
    }
    room = pys_buf_tail(w->buf);
    pys_buf_added(w->buf, n);
    return room;
}

static void
put_number(uint8_t *p, size_t n, uint64_t v)
{
    while (n-- > 0) {
        p[n] = (uint8_t)v;
        v >>= 8;
    }
}

static void
wr_number(pys_wr *w, size_t n, uint64_t v)
{
    uint8_t *room = pys_wr_room(w, n);

    if (room == NULL)
        return;
    if (n < 8 && v >> (8 * n) != 0)
        w->failed = true;
    put_number(room, n, v);
}

void
pys_wr_u8(pys_wr *w, unsigned v)
{
    wr_number(w, 1, v);
}

void
pys_wr_u16(pys_wr *w, unsigned v)
{
    wr_number(w, 2, v);
}

void
pys_wr_u24(pys_wr *w, size_t v)
{
    wr_number(w, 3, v);
}

void
pys_wr_u32(pys_wr *w, uint32_t v)
{
    wr_number(w, 4, v);
}

void
pys_wr_u64(pys_wr *w, uint64_t v)
{
    wr_number(w, 8, v);
}

void
pys_wr_bytes(pys_wr *w, const void *p, size_t n)
{
    uint8_t *room;

    if (n == 0)
        return;
    room = pys_wr_room(w, n);
    if (room != NULL)
        memcpy(room, p, n);
}

void
pys_wr_rd(pys_wr *w, pys_rd bytes)
{
    pys_wr_bytes(w, bytes.p, bytes.n);
}

void
pys_wr_vec8(pys_wr *w, pys_rd bytes)
{
    wr_number(w, 1, bytes.n);
    pys_wr_rd(w, bytes);
}

void
pys_wr_vec16(pys_wr *w, pys_rd bytes)
{
    wr_number(w, 2, bytes.n);
    pys_wr_rd(w, bytes);
}

/* The place is kept relative to the head: the bytes may move meanwhile. */
static size_t
wr_open(pys_wr *w, size_t n)
{
    size_t at = pys_buf_size(w->buf);

    wr_number(w, n, 0);
    return at;
}

static void
wr_close(pys_wr *w, size_t at, size_t n)
{
    size_t len;

    if (w->failed)
        return;
    len = pys_buf_size(w->buf) - at - n;
    if (len >> (8 * n) != 0) {
        w->failed = true;
        return;
    }
    put_number(pys_buf_head(w->buf) + at, n, len);
}

size_t
pys_wr_open8(pys_wr *w)
{
    return wr_open(w, 1);
}

size_t
pys_wr_open16(pys_wr *w)
{
    return wr_open(w, 2);
}

size_t
pys_wr_open24(pys_wr *w)
{
    return wr_open(w, 3);
}

void
pys_wr_close8(pys_wr *w, size_t at)
{
    wr_close(w, at, 1);
}

void
pys_wr_close16(pys_wr *w, size_t at)
{
    wr_close(w, at, 2);
}

void
pys_wr_close24(pys_wr *w, size_t at)
{
    wr_close(w, at, 3);
}

bool
pys_wr_ok(const pys_wr *w)
{
    return !w->failed;
}
