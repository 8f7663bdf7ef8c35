/*
 * Owned bytes with a limit: a queue that grows at the tail and is eaten at
 * the head.
 *
 *   data         off            len            cap
 *    | eaten ...  | the bytes ... | free ...    |
 */
#ifndef PYS_BUF_H
#define PYS_BUF_H

#include "base/base.h"

typedef struct pys_buf {
    uint8_t *data;
    size_t off;   /* first byte that counts */
    size_t len;   /* one past the last byte that counts */
    size_t cap;   /* bytes allocated */
    size_t limit; /* most bytes it may hold at a time */
} pys_buf;

/* Makes an empty buffer that will never hold more than limit bytes. */
void pys_buf_init(pys_buf *b, size_t limit);

/* Wipes and frees the bytes; the buffer stays usable and keeps its limit. */
void pys_buf_wipe(pys_buf *b);

/* The same without wiping: for bytes that are on the wire anyway. */
void pys_buf_drop(pys_buf *b);

/* What pys_buf_reserve does where the room is not there yet. */
PYS_MUST bool pys_buf_grow(pys_buf *b, size_t n);

/* Appends n bytes; false as pys_buf_reserve. p must not point into b. */
PYS_MUST bool pys_buf_add(pys_buf *b, const void *p, size_t n);

/*
 * Puts n bytes in place of what is there; a new block is of their size, for
 * what stays. False as pys_buf_reserve, and then it is empty.
 */
PYS_MUST bool pys_buf_keep(pys_buf *b, const void *p, size_t n);

/* Drops n bytes at the head (at most what is there). */
void pys_buf_eat(pys_buf *b, size_t n);

/*
 * Makes room for n more bytes at the tail. False (and nothing changed) when
 * that is over the limit or memory is short. The bytes may move.
 */
static inline PYS_MUST bool
pys_buf_reserve(pys_buf *b, size_t n)
{
    /* No more than the limit was ever allocated. */
    return (b->data != NULL && n <= b->cap - b->len) || pys_buf_grow(b, n);
}

static inline size_t
pys_buf_size(const pys_buf *b)
{
    return b->len - b->off;
}

static inline uint8_t *
pys_buf_head(const pys_buf *b)
{
    return b->data == NULL ? NULL : b->data + b->off;
}

/* Where the next byte goes; valid for what pys_buf_reserve made room for. */
static inline uint8_t *
pys_buf_tail(const pys_buf *b)
{
    return b->data == NULL ? NULL : b->data + b->len;
}

/* Says that n bytes were put at the tail, within the reserved room. */
static inline void
pys_buf_added(pys_buf *b, size_t n)
{
    b->len += n;
}

#endif
