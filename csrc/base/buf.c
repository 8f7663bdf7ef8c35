#include "base/buf.h"

void
pys_buf_init(pys_buf *b, size_t limit)
{
    *b = (pys_buf){.limit = limit};
}

void
pys_buf_wipe(pys_buf *b)
{
    if (b->data == NULL)
        return;
    pys_free_secret(b->data, b->cap);
    pys_buf_init(b, b->limit);
}

void
pys_buf_drop(pys_buf *b)
{
    pys_free(b->data);
    pys_buf_init(b, b->limit);
}

/* Moves the bytes to a block of n bytes, wiping the old one. */
static bool
buf_move(pys_buf *b, size_t n)
{
    size_t size = pys_buf_size(b);
    uint8_t *data;

    data = pys_alloc_raw(n);
    if (data == NULL)
        return false;
    if (size != 0)
        memcpy(data, pys_buf_head(b), size);
    pys_free_secret(b->data, b->cap);
    b->data = data;
    b->off = 0;
    b->len = size;
    b->cap = n;
    return true;
}

/* The size of a block with room for n bytes, and some to come. */
static size_t
grown(const pys_buf *b, size_t n)
{
    if (n < 512)
        n = 512;
    if (n < 2 * b->cap)
        n = 2 * b->cap;
    return n > b->limit ? b->limit : n;
}

bool
pys_buf_grow(pys_buf *b, size_t n)
{
    size_t size = pys_buf_size(b);

    if (n > b->limit || size > b->limit - n)
        return false;
    if (b->data != NULL && size + n <= b->cap) {
        memmove(b->data, pys_buf_head(b), size);
        b->off = 0;
        b->len = size;
        return true;
    }
    return buf_move(b, grown(b, size + n));
}

bool
pys_buf_add(pys_buf *b, const void *p, size_t n)
{
    if (n == 0)
        return true;
    if (!pys_buf_reserve(b, n))
        return false;
    memcpy(pys_buf_tail(b), p, n);
    b->len += n;
    return true;
}

bool
pys_buf_keep(pys_buf *b, const void *p, size_t n)
{
    pys_buf_eat(b, pys_buf_size(b));
    if (n > b->limit || (n > b->cap && !buf_move(b, n)))
        return false;
    return pys_buf_add(b, p, n);
}

void
pys_buf_eat(pys_buf *b, size_t n)
{
    if (n >= pys_buf_size(b)) {
        b->off = 0;
        b->len = 0;
    } else {
        b->off += n;
    }
}
