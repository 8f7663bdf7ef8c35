/*
 * BIO pairs, BIO_s_bio(3). Two halves share a link with two rings; half i
 * writes into ring i and reads from the other. The link is counted: a half
 * that is gone leaves it broken behind, and the other half lets go of it
 * when it next looks. So neither half ever points to the other.
 *
 *   half 0 --> [ ring 0 ] --> half 1
 *   half 0 <-- [ ring 1 ] <-- half 1
 */
#include "bio/bio.h"

typedef struct ring {
    uint8_t *data; /* inside the link */
    size_t size;
    size_t head; /* first unread byte */
    size_t len;  /* unread bytes, perhaps around the end */
    size_t request; /* what the reader asked for in vain */
    bool closed;    /* BIO_shutdown_wr */
} ring;

struct pys_link {
    atomic_int refs;
    atomic_flag lock;
    bool broken; /* one half left */
    ring ring[2];
};

/* ---- the ring ---------------------------------------------------------- */

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t
ring_room(const ring *r)
{
    return r->closed ? 0 : r->size - r->len;
}

/* Unread bytes up to the end of the memory. */
static size_t
ring_readable(const ring *r)
{
    return least(r->len, r->size - r->head);
}

/* Where the next byte goes, and how many fit there in one piece. */
static size_t
ring_writable(const ring *r, size_t *at)
{
    size_t to_end = r->size - r->head;

    if (r->len < to_end) {
        *at = r->head + r->len;
        return to_end - r->len;
    }
    *at = r->len - to_end;
    return r->size - r->len;
}

static void
ring_ate(ring *r, size_t n)
{
    r->len -= n;
    r->head += n;
    if (r->head == r->size || r->len == 0)
        r->head = 0;
}

static size_t
ring_get(ring *r, uint8_t *out, size_t n)
{
    size_t got = 0, part;

    n = least(n, r->len);
    while (got < n) {
        part = least(n - got, ring_readable(r));
        memcpy(out + got, r->data + r->head, part);
        ring_ate(r, part);
        got += part;
    }
    return n;
}

static size_t
ring_put(ring *r, const uint8_t *p, size_t n)
{
    size_t put = 0, part, at;

    n = least(n, ring_room(r));
    while (put < n) {
        part = least(n - put, ring_writable(r, &at));
        memcpy(r->data + at, p + put, part);
        r->len += part;
        put += part;
    }
    return n;
}

/* ---- the link ---------------------------------------------------------- */

static pys_link *
link_new(size_t size0, size_t size1)
{
    pys_link *l;

    if (size0 > PYS_BIO_MOST || size1 > PYS_BIO_MOST)
        return NULL;
    if (size0 > SIZE_MAX - sizeof(*l) - size1)
        return NULL;
    l = pys_alloc(sizeof(*l) + size0 + size1);
    if (l == NULL)
        return NULL;
    atomic_init(&l->refs, 2);
    atomic_flag_clear(&l->lock);
    l->ring[0] = (ring){.data = (uint8_t *)(l + 1), .size = size0};
    l->ring[1] = (ring){.data = (uint8_t *)(l + 1) + size0, .size = size1};
    return l;
}

void
pys_link_free(pys_link *l)
{
    if (l != NULL && atomic_fetch_sub(&l->refs, 1) == 1)
        pys_free(l);
}

pys_link *
pys_bio_link(pys_bio *b)
{
    pys_link *l;

    if (b->method != &pys_bio_method_pair)
        return NULL;
    pys_spin_lock(&b->lock);
    l = b->u.half.link;
    if (l != NULL)
        atomic_fetch_add(&l->refs, 1);
    pys_spin_unlock(&b->lock);
    return l;
}

/* Takes the half off its link; the link is broken for the other one. */
static void
half_leave(pys_bio *b)
{
    pys_link *l;

    pys_spin_lock(&b->lock);
    l = b->u.half.link;
    b->u.half.link = NULL;
    pys_spin_unlock(&b->lock);
    if (l == NULL)
        return;
    pys_spin_lock(&l->lock);
    l->broken = true;
    pys_spin_unlock(&l->lock);
    pys_link_free(l);
}

/*
 * The link, locked and held, with this half's own index; NULL if the half
 * is unpaired. To be ended with link_leave.
 */
static pys_link *
link_enter(pys_bio *b, int *own)
{
    pys_link *l;

    pys_spin_lock(&b->lock);
    l = b->u.half.link;
    *own = b->u.half.index;
    if (l != NULL)
        atomic_fetch_add(&l->refs, 1);
    pys_spin_unlock(&b->lock);
    if (l == NULL)
        return NULL;
    pys_spin_lock(&l->lock);
    if (!l->broken)
        return l;
    pys_spin_unlock(&l->lock);

    pys_spin_lock(&b->lock);
    if (b->u.half.link == l) {
        b->u.half.link = NULL;
        pys_link_free(l); /* the half's own; ours is still held */
    }
    pys_spin_unlock(&b->lock);
    pys_link_free(l);
    return NULL;
}

static void
link_leave(pys_link *l)
{
    pys_spin_unlock(&l->lock);
    pys_link_free(l);
}

static bool
pair_ready(pys_bio *b)
{
    int own;
    pys_link *l = link_enter(b, &own);

    if (l == NULL)
        return false;
    link_leave(l);
    return true;
}

static size_t
half_size(pys_bio *b)
{
    size_t n;

    pys_spin_lock(&b->lock);
    n = b->u.half.size;
    pys_spin_unlock(&b->lock);
    return n;
}

/* Ties two free halves together; false if one is not free any more. */
static bool
link_tie(pys_bio *a, pys_bio *b, pys_link *l)
{
    pys_bio *first = (uintptr_t)a < (uintptr_t)b ? a : b;
    pys_bio *second = first == a ? b : a;
    bool ok;

    pys_spin_lock(&first->lock);
    pys_spin_lock(&second->lock);
    ok = a->u.half.link == NULL && b->u.half.link == NULL;
    if (ok) {
        a->u.half.link = l;
        a->u.half.index = 0;
        a->u.half.size = l->ring[0].size;
        b->u.half.link = l;
        b->u.half.index = 1;
        b->u.half.size = l->ring[1].size;
    }
    pys_spin_unlock(&second->lock);
    pys_spin_unlock(&first->lock);
    return ok;
}

int
pys_bio_make_pair(pys_bio *a, pys_bio *b)
{
    pys_link *l;
    int fault = 0;

    if (a == b || a->method != &pys_bio_method_pair ||
        b->method != &pys_bio_method_pair) {
        fault = PYS_BIO_R_INVALID_ARGUMENT;
    } else if (pair_ready(a) || pair_ready(b)) {
        fault = PYS_BIO_R_IN_USE;
    } else {
        l = link_new(half_size(a), half_size(b));
        if (l == NULL) {
            fault = PYS_BIO_R_MALLOC;
        } else if (!link_tie(a, b, l)) {
            pys_free(l);
            fault = PYS_BIO_R_IN_USE;
        }
    }
    if (fault != 0) {
        (void)pys_bio_fail(a, 1, fault);
        return 0;
    }
    pys_bio_set_ready(a, true);
    pys_bio_set_ready(b, true);
    return 1;
}

/* ---- the method -------------------------------------------------------- */

/* What a read finds when there is nothing: the end, or a retry. */
static long
read_in_vain(pys_bio *b, ring *in, size_t n)
{
    if (in->closed)
        return 0;
    in->request = least(n, in->size);
    return pys_bio_again(b, 0);
}

static long
pair_read(pys_bio *b, uint8_t *out, size_t n)
{
    int own;
    pys_link *l = link_enter(b, &own);
    ring *in;
    long ret;

    if (l == NULL)
        return pys_bio_fail(b, 0, PYS_BIO_R_UNINITIALIZED);
    in = &l->ring[1 - own];
    in->request = 0;
    if (in->len != 0)
        ret = pys_bio_long(ring_get(in, out, n));
    else
        ret = read_in_vain(b, in, n);
    link_leave(l);
    return ret;
}

/* What stands against writing: 0 for nothing, else what the call returns. */
static long
write_barred(pys_bio *b, ring *out)
{
    out->request = 0;
    if (out->closed)
        return pys_bio_fail(b, 1, PYS_BIO_R_BROKEN_PIPE);
    if (ring_room(out) == 0)
        return pys_bio_again(b, 1);
    return 0;
}

static long
pair_write(pys_bio *b, const uint8_t *p, size_t n)
{
    int own;
    pys_link *l = link_enter(b, &own);
    long ret;

    if (l == NULL)
        return pys_bio_fail(b, 1, PYS_BIO_R_UNINITIALIZED);
    ret = write_barred(b, &l->ring[own]);
    if (ret == 0)
        ret = pys_bio_long(ring_put(&l->ring[own], p, n));
    link_leave(l);
    return ret;
}

static long
pair_set_size(pys_bio *b, long n)
{
    if (n <= 0) {
        (void)pys_bio_fail(b, 1, PYS_BIO_R_INVALID_ARGUMENT);
        return 0;
    }
    if (pair_ready(b)) {
        (void)pys_bio_fail(b, 1, PYS_BIO_R_IN_USE);
        return 0;
    }
    pys_spin_lock(&b->lock);
    b->u.half.size = (size_t)n;
    pys_spin_unlock(&b->lock);
    return 1;
}

/* Commands that look at the rings; out is written here, in read. */
static long
pair_ask(int cmd, ring *out, ring *in)
{
    switch (cmd) {
    case PYS_CTRL_RESET:
        out->head = 0;
        out->len = 0;
        return 0;
    case PYS_CTRL_EOF:
        return in->len == 0 && in->closed;
    case PYS_CTRL_PENDING:
        return pys_bio_long(in->len);
    case PYS_CTRL_WPENDING:
        return pys_bio_long(out->len);
    case PYS_CTRL_WRITE_GUARANTEE:
        return pys_bio_long(ring_room(out));
    case PYS_CTRL_READ_REQUEST:
        return pys_bio_long(least(out->request, ring_room(out)));
    case PYS_CTRL_SHUTDOWN_WR:
        out->closed = true;
        return 1;
    case PYS_CTRL_RESET_READ_REQUEST:
        out->request = 0;
        return 1;
    default:
        return 0;
    }
}

static long
pair_ctrl(pys_bio *b, int cmd, long larg)
{
    pys_link *l;
    long ret;
    int own;

    switch (cmd) {
    case PYS_CTRL_FLUSH:
        return 1;
    case PYS_CTRL_SET_WRITE_BUF_SIZE:
        return pair_set_size(b, larg);
    case PYS_CTRL_GET_WRITE_BUF_SIZE:
        return pys_bio_long(half_size(b));
    case PYS_CTRL_DESTROY_PAIR:
        half_leave(b);
        return 1;
    default:
        break;
    }
    l = link_enter(b, &own);
    if (l == NULL)
        return cmd == PYS_CTRL_EOF || cmd == PYS_CTRL_SHUTDOWN_WR ||
            cmd == PYS_CTRL_RESET_READ_REQUEST;
    ret = pair_ask(cmd, &l->ring[own], &l->ring[1 - own]);
    link_leave(l);
    return ret;
}

/* ---- zero copy --------------------------------------------------------- */

/* What every zero-copy call begins with; NULL with *ret set on failure. */
static pys_link *
zero_copy_enter(pys_bio *b, int writing, int *own, long *ret)
{
    pys_link *l;

    if (b->method != &pys_bio_method_pair) {
        (void)pys_bio_fail(b, writing, PYS_BIO_R_UNSUPPORTED_METHOD);
        *ret = -2;
        return NULL;
    }
    pys_bio_begin(b, writing);
    l = atomic_load(&b->init) ? link_enter(b, own) : NULL;
    if (l == NULL)
        *ret = pys_bio_fail(b, writing, PYS_BIO_R_UNINITIALIZED);
    return l;
}

/* Up to n bytes in one piece; eaten if take is true. */
static long
expose(pys_bio *b, uint8_t **p, size_t n, bool take)
{
    pys_link *l;
    ring *in;
    long ret;
    int own;

    l = zero_copy_enter(b, 0, &own, &ret);
    if (l == NULL)
        return ret;
    in = &l->ring[1 - own];
    in->request = 0;
    if (in->len == 0) {
        ret = read_in_vain(b, in, 1);
    } else {
        n = least(n, ring_readable(in));
        *p = in->data + in->head;
        if (take)
            ring_ate(in, n);
        ret = pys_bio_long(n);
    }
    link_leave(l);
    return ret;
}

/* Up to n free bytes in one piece; counted as written if take is true. */
static long
reserve(pys_bio *b, uint8_t **p, size_t n, bool take)
{
    pys_link *l;
    ring *out;
    long ret;
    size_t at;
    int own;

    l = zero_copy_enter(b, 1, &own, &ret);
    if (l == NULL)
        return ret;
    out = &l->ring[own];
    ret = write_barred(b, out);
    if (ret == 0) {
        n = least(n, ring_writable(out, &at));
        *p = out->data + at;
        if (take)
            out->len += n;
        ret = pys_bio_long(n);
    }
    link_leave(l);
    return ret;
}

long
pys_bio_nread0(pys_bio *b, uint8_t **p)
{
    return expose(b, p, SIZE_MAX, false);
}

long
pys_bio_nread(pys_bio *b, uint8_t **p, size_t n)
{
    return expose(b, p, n, true);
}

long
pys_bio_nwrite0(pys_bio *b, uint8_t **p)
{
    return reserve(b, p, SIZE_MAX, false);
}

long
pys_bio_nwrite(pys_bio *b, uint8_t **p, size_t n)
{
    return reserve(b, p, n, true);
}

const pys_bio_method pys_bio_method_pair = {
    .read = pair_read,
    .write = pair_write,
    .ctrl = pair_ctrl,
    .ready = pair_ready,
    .wipe = half_leave,
};
