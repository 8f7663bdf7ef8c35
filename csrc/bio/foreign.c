/*
 * A BIO that Python answers for. A call that has no answer yet puts its
 * question into the slot of its direction and says PYS_BIO_PENDING; Python
 * does the work, stores the answer, and the same call, made again, takes it.
 * So C never calls Python, and no exception crosses C.
 */
#include "bio/bio.h"

/* Drops the bytes of a slot. Call with the lock held. */
static void
slot_clear(pys_slot *s)
{
    pys_free(s->data);
    s->data = NULL;
    s->off = 0;
    s->len = 0;
}

/*
 * Puts a question. Bytes to write are copied, so that the question stays
 * good whatever becomes of the caller's buffer.
 */
static long
slot_ask(pys_slot *s, enum pys_bio_op op, const uint8_t *p, size_t n)
{
    uint8_t *data = NULL;

    if (p != NULL) {
        data = pys_copy(p, n);
        if (data == NULL)
            return -1;
    }
    slot_clear(s);
    s->data = data;
    s->len = data != NULL ? n : 0;
    s->op = op;
    s->n = n;
    s->state = PYS_SLOT_ASKED;
    return PYS_BIO_PENDING;
}

/* True, once, if the slot holds the answer to this operation. */
static bool
slot_answered(pys_slot *s, enum pys_bio_op op)
{
    if (s->state != PYS_SLOT_ANSWERED || s->op != op)
        return false;
    s->state = PYS_SLOT_IDLE;
    return true;
}

/* The answer to op, or else the question, for which memory may be short. */
static long
ask_or_take(pys_bio *b, int writing, enum pys_bio_op op, const uint8_t *p,
    size_t n)
{
    pys_slot *s = &b->u.slot[writing];
    long ret;

    pys_spin_lock(&b->lock);
    atomic_store(&b->side[writing].fault, 0);
    if (slot_answered(s, op)) {
        ret = s->ret;
        slot_clear(s);
    } else {
        ret = slot_ask(s, op, p, n);
        if (ret != PYS_BIO_PENDING) {
            pys_bio_begin(b, writing);
            (void)pys_bio_fail(b, writing, PYS_BIO_R_MALLOC);
        }
    }
    pys_spin_unlock(&b->lock);
    return ret;
}

/* Bytes that an answer brought are kept until a read has taken them all. */
static bool
take_data(pys_slot *s, uint8_t *out, size_t n, long *ret)
{
    if (s->op != PYS_BIO_OP_READ || s->off == s->len)
        return false;
    if (n > s->len - s->off)
        n = s->len - s->off;
    memcpy(out, s->data + s->off, n);
    s->off += n;
    if (s->off == s->len) {
        s->state = PYS_SLOT_IDLE;
        slot_clear(s);
    }
    *ret = pys_bio_long(n);
    return true;
}

static long
foreign_read(pys_bio *b, uint8_t *out, size_t n)
{
    bool taken;
    long ret;

    pys_spin_lock(&b->lock);
    taken = take_data(&b->u.slot[0], out, n, &ret);
    pys_spin_unlock(&b->lock);
    if (!taken)
        ret = ask_or_take(b, 0, PYS_BIO_OP_READ, NULL, n);
    return ret;
}

static long
foreign_write(pys_bio *b, const uint8_t *p, size_t n)
{
    long ret = ask_or_take(b, 1, PYS_BIO_OP_WRITE, p, n);

    /* The answer to a longer offer that its asker never came back for. */
    if (ret > 0 && (size_t)ret > n)
        ret = pys_bio_long(n);
    return ret;
}

static long
foreign_ctrl(pys_bio *b, int cmd, long larg)
{
    (void)larg;
    switch (cmd) {
    case PYS_CTRL_EOF:
        return ask_or_take(b, 0, PYS_BIO_OP_EOF, NULL, 0);
    case PYS_CTRL_FLUSH:
        return ask_or_take(b, 1, PYS_BIO_OP_FLUSH, NULL, 0);
    default:
        return 0;
    }
}

static void
foreign_wipe(pys_bio *b)
{
    slot_clear(&b->u.slot[0]);
    slot_clear(&b->u.slot[1]);
}

const pys_bio_method pys_bio_method_foreign = {
    .duplex = true,
    .read = foreign_read,
    .write = foreign_write,
    .ctrl = foreign_ctrl,
    .wipe = foreign_wipe,
};

pys_bio_question
pys_bio_asked(const pys_bio *b, int writing)
{
    const pys_slot *s = &b->u.slot[writing != 0];
    pys_bio_question q = {.op = PYS_BIO_OP_NONE};

    if (!pys_bio_is_foreign(b) || s->state != PYS_SLOT_ASKED)
        return q;
    q.op = s->op;
    q.n = s->n;
    q.data = s->data;
    return q;
}

size_t
pys_bio_asked_data(pys_bio *b, int writing, uint8_t *out, size_t max)
{
    pys_slot *s = &b->u.slot[writing != 0];

    if (!pys_bio_is_foreign(b))
        return 0;
    pys_spin_lock(&b->lock);
    if (s->state != PYS_SLOT_ASKED || max > s->len)
        max = 0;
    if (max != 0)
        memcpy(out, s->data, max);
    pys_spin_unlock(&b->lock);
    return max;
}

/* Stores an answer that is possible. Call with the lock held. */
static bool
slot_answer(pys_slot *s, long ret, const uint8_t *data)
{
    bool moves = s->op == PYS_BIO_OP_READ || s->op == PYS_BIO_OP_WRITE;

    slot_clear(s);
    s->state = PYS_SLOT_ANSWERED;
    s->ret = -1;
    if (ret > 0 && moves && (unsigned long)ret > s->n)
        return false;
    if (ret > 0 && s->op == PYS_BIO_OP_READ) {
        if (data == NULL)
            return false;
        s->data = pys_copy(data, (size_t)ret);
        if (s->data == NULL)
            return false;
        s->len = (size_t)ret;
    }
    s->ret = ret <= PYS_BIO_PENDING ? -1 : ret;
    return true;
}

bool
pys_bio_answer(pys_bio *b, int writing, long ret, const uint8_t *data)
{
    pys_slot *s = &b->u.slot[writing != 0];
    bool ok;

    if (!pys_bio_is_foreign(b))
        return false;
    pys_spin_lock(&b->lock);
    ok = s->state == PYS_SLOT_ASKED && slot_answer(s, ret, data);
    pys_spin_unlock(&b->lock);
    return ok;
}
