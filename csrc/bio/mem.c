/*
 * Memory BIOs, BIO_s_mem(3): bytes appended at one end and taken from the
 * other, or read-only bytes that belong to somebody else.
 *
 *   data        off           len           cap
 *    | taken ... | unread ...  | free ...    |
 */
#include "bio/bio.h"

/*
 * What an empty BIO keeps. Records come and go in a block of their size: it
 * stays until a read finds nothing, which says that the stream has paused.
 */
enum {
    LEAST_ROOM = 256,
    KEEP_ROOM = LEAST_ROOM,
    RECORD_ROOM_MIN = 8 * 1024,
    RECORD_ROOM_MAX = 48 * 1024
};

static size_t
mem_size(const pys_mem *m)
{
    return m->len - m->off;
}

/* Transport bytes are no secrets: freed as they are. */
static void
mem_release(pys_mem *m)
{
    if (m->view || m->cap <= KEEP_ROOM)
        return;
    pys_free(m->data);
    m->data = NULL;
    m->cap = 0;
}

static void
mem_empty(pys_mem *m)
{
    m->off = 0;
    m->len = 0;
    if (m->cap < RECORD_ROOM_MIN || m->cap > RECORD_ROOM_MAX)
        mem_release(m);
}

/*
 * Room for n more bytes. Bytes move inside the block only when at least as
 * many were taken, so that the moving costs no more than the taking did.
 */
static bool
mem_reserve(pys_mem *m, size_t n)
{
    size_t size = mem_size(m), cap;
    uint8_t *data;

    if (n <= m->cap - m->len)
        return true;
    if (n > SIZE_MAX / 2 - size)
        return false;
    if (m->off >= size && size + n <= m->cap) {
        if (size != 0)
            memcpy(m->data, m->data + m->off, size);
    } else {
        cap = size + n;
        if (cap < 2 * size)
            cap = 2 * size;
        if (cap < LEAST_ROOM)
            cap = LEAST_ROOM;
        data = pys_alloc(cap);
        if (data == NULL)
            return false;
        if (size != 0)
            memcpy(data, m->data + m->off, size);
        pys_free(m->data);
        m->data = data;
        m->cap = cap;
    }
    m->off = 0;
    m->len = size;
    return true;
}

/* Drops n bytes, which are there. */
static void
mem_ate(pys_mem *m, size_t n)
{
    m->off += n;
    if (m->off == m->len && !m->view)
        mem_empty(m);
}

static void
mem_take(pys_mem *m, uint8_t *out, size_t n)
{
    memcpy(out, m->data + m->off, n);
    mem_ate(m, n);
}

static long
mem_read(pys_bio *b, uint8_t *out, size_t n)
{
    pys_mem *m = &b->u.mem;
    size_t size;
    int nothing;

    pys_spin_lock(&b->lock);
    size = mem_size(m);
    nothing = m->eof_return;
    if (n > size)
        n = size;
    if (n != 0)
        mem_take(m, out, n);
    else
        mem_release(m);
    pys_spin_unlock(&b->lock);
    if (n != 0)
        return pys_bio_long(n);
    if (nothing != 0)
        (void)pys_bio_again(b, 0);
    return nothing;
}

static long
mem_write(pys_bio *b, const uint8_t *p, size_t n)
{
    pys_mem *m = &b->u.mem;
    bool fits;

    if (m->view || (pys_bio_flags(b) & PYS_BIO_RDONLY) != 0)
        return pys_bio_fail(b, 1, PYS_BIO_R_READ_ONLY);
    pys_spin_lock(&b->lock);
    fits = mem_reserve(m, n);
    if (fits) {
        memcpy(m->data + m->len, p, n);
        m->len += n;
    }
    pys_spin_unlock(&b->lock);
    if (!fits)
        return pys_bio_fail(b, 1, PYS_BIO_R_MALLOC);
    return pys_bio_long(n);
}

/* MEM-6: a line with its newline, or what there is. */
static long
mem_gets(pys_bio *b, uint8_t *out, size_t size)
{
    pys_mem *m = &b->u.mem;
    const uint8_t *from, *end;
    size_t n;

    if (size == 0)
        return 0;
    pys_spin_lock(&b->lock);
    n = mem_size(m);
    if (n > size - 1)
        n = size - 1;
    if (n != 0) {
        from = m->data + m->off;
        end = memchr(from, '\n', n);
        if (end != NULL)
            n = (size_t)(end - from) + 1;
        mem_take(m, out, n);
    }
    pys_spin_unlock(&b->lock);
    out[n] = '\0';
    return pys_bio_long(n);
}

static long
mem_reset(pys_mem *m)
{
    if (m->view)
        m->off = 0;
    else
        mem_empty(m);
    return 1;
}

static long
mem_ctrl(pys_bio *b, int cmd, long larg)
{
    pys_mem *m = &b->u.mem;
    long ret = 0;

    pys_spin_lock(&b->lock);
    switch (cmd) {
    case PYS_CTRL_RESET:
        ret = mem_reset(m);
        break;
    case PYS_CTRL_EOF:
        ret = mem_size(m) == 0;
        break;
    case PYS_CTRL_MEM_EOF_RETURN:
        m->eof_return = (int)larg;
        ret = 1;
        break;
    case PYS_CTRL_INFO:
    case PYS_CTRL_PENDING:
        ret = pys_bio_long(mem_size(m));
        break;
    case PYS_CTRL_FLUSH:
        ret = 1;
        break;
    default:
        break;
    }
    pys_spin_unlock(&b->lock);
    return ret;
}

static void
mem_wipe(pys_bio *b)
{
    if (!b->u.mem.view)
        pys_free(b->u.mem.data);
}

const pys_bio_method pys_bio_method_mem = {
    .read = mem_read,
    .write = mem_write,
    .gets = mem_gets,
    .ctrl = mem_ctrl,
    .wipe = mem_wipe,
};

pys_bio *
pys_bio_new_view(const uint8_t *p, size_t n)
{
    pys_bio *b = pys_bio_new(PYS_BIO_MEM);

    if (b == NULL)
        return NULL;
    /* Never written to: mem_write refuses a view. */
    b->u.mem.data = (uint8_t *)(uintptr_t)p;
    b->u.mem.len = n;
    b->u.mem.cap = n;
    b->u.mem.view = true;
    b->u.mem.eof_return = 0;
    atomic_fetch_or(&b->flags, PYS_BIO_RDONLY);
    return b;
}

const uint8_t *
pys_bio_mem_data(const pys_bio *b, size_t *n)
{
    const pys_mem *m = &b->u.mem;

    if (b->method != &pys_bio_method_mem || m->data == NULL) {
        *n = 0;
        return NULL;
    }
    *n = mem_size(m);
    return m->data + m->off;
}

size_t
pys_bio_mem_peek(pys_bio *b, uint8_t *out, size_t max)
{
    size_t n = 0;

    if (b->method != &pys_bio_method_mem)
        return 0;
    pys_spin_lock(&b->lock);
    n = mem_size(&b->u.mem);
    if (n < max)
        max = n;
    if (max != 0)
        memcpy(out, b->u.mem.data + b->u.mem.off, max);
    pys_spin_unlock(&b->lock);
    return n;
}

pys_rd
pys_bio_mem_look(pys_bio *b)
{
    const pys_mem *m = &b->u.mem;

    if (b->method != &pys_bio_method_mem || !atomic_load(&b->init))
        return pys_rd_of(NULL, 0);
    pys_spin_lock(&b->lock);
    if (mem_size(m) != 0)
        return pys_rd_of(m->data + m->off, mem_size(m));
    pys_spin_unlock(&b->lock);
    return pys_rd_of(NULL, 0);
}

void
pys_bio_mem_ate(pys_bio *b, size_t n)
{
    if (n != 0)
        mem_ate(&b->u.mem, n);
    pys_spin_unlock(&b->lock);
    if (n == 0)
        return;
    pys_bio_begin(b, 0);
    atomic_fetch_add(&b->side[0].count, (uint64_t)n);
}

uint8_t *
pys_bio_mem_room(pys_bio *b, size_t n)
{
    pys_mem *m = &b->u.mem;

    if (b->method != &pys_bio_method_mem || !atomic_load(&b->init) ||
        m->view || (pys_bio_flags(b) & PYS_BIO_RDONLY) != 0)
        return NULL;
    pys_spin_lock(&b->lock);
    if (mem_reserve(m, n))
        return m->data + m->len;
    pys_spin_unlock(&b->lock);
    return NULL;
}

void
pys_bio_mem_filled(pys_bio *b, size_t n)
{
    b->u.mem.len += n;
    pys_spin_unlock(&b->lock);
    if (n == 0)
        return;
    pys_bio_begin(b, 1);
    atomic_fetch_add(&b->side[1].count, (uint64_t)n);
}
