/* The calls that all kinds of BIO share; contract, section 3. */
#include "bio/bio.h"

enum { BIO_CLOSE = 1 };

static const pys_bio_method *const methods[] = {
    [PYS_BIO_MEM] = &pys_bio_method_mem,
    [PYS_BIO_PAIR] = &pys_bio_method_pair,
    [PYS_BIO_SOCKET] = &pys_bio_method_socket,
    [PYS_BIO_FD] = &pys_bio_method_fd,
    [PYS_BIO_NULL] = &pys_bio_method_null,
    [PYS_BIO_FOREIGN] = &pys_bio_method_foreign,
};

/* Room for one record of the largest size, as other libraries have it. */
enum { PAIR_SIZE = 17 * 1024 };

pys_bio *
pys_bio_new(enum pys_bio_kind kind)
{
    pys_bio *b;

    if ((size_t)kind >= PYS_COUNT(methods))
        return NULL;
    b = pys_alloc(sizeof(*b));
    if (b == NULL)
        return NULL;
    b->method = methods[kind];
    atomic_init(&b->close, true);
    atomic_init(&b->init, true);
    atomic_flag_clear(&b->lock);
    switch (kind) {
    case PYS_BIO_MEM:
        b->u.mem.eof_return = -1;
        break;
    case PYS_BIO_PAIR:
        b->u.half.size = PAIR_SIZE;
        break;
    case PYS_BIO_SOCKET:
    case PYS_BIO_FD:
        atomic_init(&b->init, false);
        atomic_init(&b->u.fd.fd, -1);
        atomic_init(&b->u.fd.socket, kind == PYS_BIO_SOCKET);
        break;
    case PYS_BIO_NULL:
        atomic_init(&b->close, false);
        break;
    case PYS_BIO_FOREIGN:
        break;
    }
    return b;
}

void
pys_bio_free(pys_bio *b)
{
    if (b == NULL)
        return;
    if (b->method->wipe != NULL)
        b->method->wipe(b);
    pys_free(b);
}

/* ---- what the kinds use ------------------------------------------------ */

/* Looking is cheap, an atomic store is not: most often it is 0 already. */
static void
zero(atomic_int *number)
{
    if (atomic_load(number) != 0)
        atomic_store(number, 0);
}

void
pys_bio_begin(pys_bio *b, int writing)
{
    pys_bio_side *s = &b->side[writing];

    if ((atomic_load(&b->flags) & PYS_BIO_RETRY_BITS) != 0)
        atomic_fetch_and(&b->flags, ~PYS_BIO_RETRY_BITS);
    zero(&s->retry);
    zero(&s->fault);
    zero(&s->err);
    zero(&b->err);
}

long
pys_bio_again(pys_bio *b, int writing)
{
    int bits = PYS_BIO_RETRY | (writing ? PYS_BIO_WRITE : PYS_BIO_READ);

    atomic_fetch_or(&b->flags, bits);
    atomic_store(&b->side[writing].retry, bits);
    return -1;
}

long
pys_bio_fail(pys_bio *b, int writing, int fault)
{
    atomic_store(&b->side[writing].fault, fault);
    return -1;
}

void
pys_bio_save_errno(pys_bio *b, int writing, int err)
{
    atomic_store(&b->side[writing].err, err);
    atomic_store(&b->err, err);
}

void
pys_bio_hand_over(pys_bio *b)
{
    atomic_store(&b->handed_over, true);
}

/* ---- moving bytes ------------------------------------------------------ */

/*
 * Foreign BIOs do all of this in Python: clear flags, check init, count.
 */
long
pys_bio_read(pys_bio *b, uint8_t *out, size_t n)
{
    long ret;

    if (n == 0)
        return 0;
    if (n > PYS_BIO_MOST)
        n = PYS_BIO_MOST;
    if (pys_bio_is_foreign(b))
        return b->method->read(b, out, n);
    pys_bio_begin(b, 0);
    if (!atomic_load(&b->init))
        return pys_bio_fail(b, 0, PYS_BIO_R_UNINITIALIZED);
    ret = b->method->read(b, out, n);
    if (ret > 0)
        atomic_fetch_add(&b->side[0].count, (uint64_t)ret);
    return ret;
}

long
pys_bio_write(pys_bio *b, const uint8_t *p, size_t n)
{
    long ret;

    if (n == 0)
        return 0;
    if (n > PYS_BIO_MOST)
        n = PYS_BIO_MOST;
    if (pys_bio_is_foreign(b))
        return b->method->write(b, p, n);
    pys_bio_begin(b, 1);
    if (!atomic_load(&b->init))
        return pys_bio_fail(b, 1, PYS_BIO_R_UNINITIALIZED);
    ret = b->method->write(b, p, n);
    if (ret > 0)
        atomic_fetch_add(&b->side[1].count, (uint64_t)ret);
    return ret;
}

long
pys_bio_gets(pys_bio *b, uint8_t *out, size_t size)
{
    if (b->method->gets == NULL) {
        (void)pys_bio_fail(b, 0, PYS_BIO_R_UNSUPPORTED_METHOD);
        return -2;
    }
    pys_bio_begin(b, 0);
    if (!atomic_load(&b->init))
        return pys_bio_fail(b, 0, PYS_BIO_R_UNINITIALIZED);
    return b->method->gets(b, out, size);
}

long
pys_bio_ctrl(pys_bio *b, int cmd, long larg)
{
    if (pys_bio_is_foreign(b))
        return b->method->ctrl(b, cmd, larg);
    if (cmd == PYS_CTRL_GET_CLOSE)
        return atomic_load(&b->close) ? BIO_CLOSE : 0;
    if (cmd == PYS_CTRL_SET_CLOSE) {
        if (b->method != &pys_bio_method_null)
            atomic_store(&b->close, (larg & BIO_CLOSE) != 0);
        return 1;
    }
    return b->method->ctrl(b, cmd, larg);
}

/* ---- flags ------------------------------------------------------------- */

int
pys_bio_flags(const pys_bio *b)
{
    return atomic_load(&b->flags);
}

/* What is set from outside an operation counts for both directions. */
void
pys_bio_set_flags(pys_bio *b, int flags)
{
    atomic_fetch_or(&b->flags, flags);
    atomic_fetch_or(&b->side[0].retry, flags & PYS_BIO_RETRY_BITS);
    atomic_fetch_or(&b->side[1].retry, flags & PYS_BIO_RETRY_BITS);
}

void
pys_bio_clear_flags(pys_bio *b, int flags)
{
    atomic_fetch_and(&b->flags, ~flags);
    atomic_fetch_and(&b->side[0].retry, ~flags);
    atomic_fetch_and(&b->side[1].retry, ~flags);
}

void
pys_bio_side_flags(pys_bio *b, int writing, int set, int clear)
{
    pys_bio_side *s = &b->side[writing != 0];

    atomic_fetch_and(&b->flags, ~clear);
    atomic_fetch_or(&b->flags, set);
    atomic_fetch_and(&s->retry, ~clear);
    atomic_fetch_or(&s->retry, set & PYS_BIO_RETRY_BITS);
}

int
pys_bio_retry(const pys_bio *b, int writing)
{
    if (b->method->duplex)
        return atomic_load(&b->side[writing != 0].retry);
    return atomic_load(&b->flags) & PYS_BIO_RETRY_BITS;
}

int
pys_bio_reason(const pys_bio *b, int writing)
{
    if (writing < 0)
        return atomic_load(&b->reason);
    return atomic_load(&b->side[writing != 0].reason);
}

void
pys_bio_set_reason(pys_bio *b, int reason)
{
    pys_bio_side_reason(b, 0, reason);
    pys_bio_side_reason(b, 1, reason);
}

void
pys_bio_side_reason(pys_bio *b, int writing, int reason)
{
    atomic_store(&b->reason, reason);
    atomic_store(&b->side[writing != 0].reason, reason);
}

int
pys_bio_fault(const pys_bio *b, int writing)
{
    return atomic_load(&b->side[writing != 0].fault);
}

int
pys_bio_errno(const pys_bio *b, int writing)
{
    if (writing < 0)
        return atomic_load(&b->err);
    return atomic_load(&b->side[writing != 0].err);
}

void
pys_bio_side_errno(pys_bio *b, int writing, int err)
{
    pys_bio_save_errno(b, writing != 0, err);
}

bool
pys_bio_ready(pys_bio *b)
{
    return atomic_load(&b->init) &&
        (b->method->ready == NULL || b->method->ready(b));
}

void
pys_bio_set_ready(pys_bio *b, bool on)
{
    atomic_store(&b->init, on);
}

uint64_t
pys_bio_count(const pys_bio *b, int writing)
{
    return atomic_load(&b->side[writing != 0].count);
}

void
pys_bio_add_count(pys_bio *b, int writing, uint64_t n)
{
    atomic_fetch_add(&b->side[writing != 0].count, n);
}
