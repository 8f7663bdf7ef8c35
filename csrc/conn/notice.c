#include "conn/notice.h"

enum {
    /* More than one call can gather: see MUCH, and the bounds of intake. */
    QUEUE_MAX = 1 << 21,
    MUCH = 1 << 16,
    TYPE_HEADER = 256,
    TYPE_INNER = 257
};

/* A queue holds, for each notice, the struct and then its bytes. */
typedef struct pys_queue {
    pys_buf waiting;
    size_t told; /* bytes at its head that were handed out */
    bool lost;   /* there was no memory for one */
} pys_queue;

struct pys_watch {
    unsigned bits; /* PYS_WATCH_ */
    pys_queue queue[2];
    pys_notice out[2];
};

void
pys_watch_clear(pys_watch *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < PYS_COUNT(w->queue); i++) {
        pys_buf_wipe(&w->queue[i].waiting);
        w->queue[i].told = 0;
        w->queue[i].lost = false;
    }
}

void
pys_watch_free(pys_watch *w)
{
    pys_watch_clear(w);
    pys_free(w);
}

bool
pys_conn_watch(pys_conn *c, unsigned bits)
{
    if (bits == 0) {
        pys_watch_free(c->watch);
        c->watch = NULL;
        return true;
    }
    if (c->watch == NULL) {
        c->watch = pys_alloc(sizeof(*c->watch));
        if (c->watch == NULL)
            return false;
        for (size_t i = 0; i < PYS_COUNT(c->watch->queue); i++)
            pys_buf_init(&c->watch->queue[i].waiting, QUEUE_MAX);
    }
    c->watch->bits = bits;
    return true;
}

static void
put(pys_conn *c, int direction, const pys_notice *notice, pys_rd bytes)
{
    pys_queue *q = &c->watch->queue[c->hs != NULL ? PYS_IN : direction];

    if ((c->watch->bits & (unsigned)notice->kind) == 0)
        return;
    if (q->lost || !pys_buf_reserve(&q->waiting, sizeof(*notice) + bytes.n)) {
        q->lost = true;
        return;
    }
    memcpy(pys_buf_tail(&q->waiting), notice, sizeof(*notice));
    pys_buf_added(&q->waiting, sizeof(*notice));
    if (bytes.n != 0) {
        memcpy(pys_buf_tail(&q->waiting), bytes.p, bytes.n);
        pys_buf_added(&q->waiting, bytes.n);
    }
}

static void
put_info(pys_conn *c, int direction, int state, int where, int ret)
{
    pys_notice notice = {.kind = PYS_WATCH_INFO, .state = state, .ret = ret};

    if ((where & (PYS_CB_LOOP | PYS_CB_EXIT)) != 0)
        where |= c->role == PYS_SERVER ? PYS_CB_ACCEPT : PYS_CB_CONNECT;
    notice.where = where;
    put(c, direction, &notice, pys_rd_of(NULL, 0));
}

static void
put_message(pys_conn *c, int direction, int version, int type, pys_rd bytes)
{
    pys_notice notice = {
        .kind = PYS_WATCH_MSG,
        .state = atomic_load(&c->state),
        .where = direction == PYS_OUT,
        .ret = version,
        .type = type,
        .n = bytes.n,
    };

    put(c, direction, &notice, bytes);
}

/* What is in force, or the highest that may come to be (MSG-3). */
static int
version_of(const pys_conn *c)
{
    return c->version != 0 ? c->version : pys_version_max(c);
}

void
pys_note_info(pys_conn *c, int direction, int where, int ret)
{
    put_info(c, direction, atomic_load(&c->state), where, ret);
}

void
pys_note_message(pys_conn *c, int direction, int type, pys_rd bytes)
{
    put_message(c, direction, version_of(c), type, bytes);
}

static void
put_header(pys_conn *c, int direction, pys_rd header)
{
    int version = pys_record_head(header.p).version;

    put_message(c, direction, version, TYPE_HEADER, header);
}

void
pys_note_header(pys_conn *c, pys_rd header)
{
    put_header(c, PYS_IN, header);
}

void
pys_note_inner(pys_conn *c, uint8_t type)
{
    put_message(c, PYS_IN, version_of(c), TYPE_INNER, pys_rd_of(&type, 1));
}

void
pys_note_sealed(pys_conn *c, bool secret, uint8_t type, pys_rd content,
    const uint8_t *header)
{
    put_header(c, PYS_OUT, pys_rd_of(header, PYS_RECORD_HEADER));
    /* As OpenSSL has it: with the version of the header (MSG-2). */
    if (secret && !pys_is_12(c))
        put_message(c, PYS_OUT, PYS_TLS1_2, TYPE_INNER, pys_rd_of(&type, 1));
    if (type == PYS_RT_CHANGE_CIPHER_SPEC)
        pys_note_message(c, PYS_OUT, type, content);
}

void
pys_note_post(pys_conn *c, int direction, enum pys_state state, pys_rd whole)
{
    /* INFO-7: of TLS 1.2 there is no step that such a message belongs to. */
    bool steps = !pys_is_12(c);

    if (steps)
        put_info(c, direction, PYS_ST_OK, PYS_CB_LOOP, 1);
    pys_note_message(c, direction, PYS_RT_HANDSHAKE, whole);
    if (steps) {
        put_info(c, direction, (int)state, PYS_CB_LOOP, 1);
        put_info(c, direction, PYS_ST_OK, PYS_CB_EXIT, 1);
    }
}

void
pys_note_alert(pys_conn *c, int direction, int level, int alert)
{
    uint8_t bytes[2] = {(uint8_t)level, (uint8_t)alert};
    int where = direction == PYS_IN ? PYS_CB_READ_ALERT : PYS_CB_WRITE_ALERT;

    pys_note_message(c, direction, PYS_RT_ALERT, pys_rd_of(bytes, 2));
    pys_note_info(c, direction, where, level << 8 | alert);
}

/* Bytes that were not handed out yet. */
static size_t
rest_of(const pys_queue *q)
{
    return pys_buf_size(&q->waiting) - q->told;
}

bool
pys_noted(const pys_conn *c, int direction)
{
    const pys_queue *q = &c->watch->queue[direction];

    return rest_of(q) != 0 || q->lost;
}

bool
pys_noted_much(const pys_conn *c)
{
    return rest_of(&c->watch->queue[PYS_IN]) >= MUCH;
}

const pys_notice *
pys_conn_next_notice(pys_conn *c, int writing)
{
    pys_notice *out;
    pys_queue *q;

    if (c->watch == NULL)
        return NULL;
    q = &c->watch->queue[writing != 0];
    out = &c->watch->out[writing != 0];
    pys_buf_eat(&q->waiting, q->told);
    q->told = 0;
    if (pys_buf_size(&q->waiting) == 0) {
        pys_buf_wipe(&q->waiting);
        if (!q->lost)
            return NULL;
        q->lost = false;
        *out = (pys_notice){.kind = PYS_WATCH_LOST};
        return out;
    }
    memcpy(out, pys_buf_head(&q->waiting), sizeof(*out));
    out->p = pys_buf_head(&q->waiting) + sizeof(*out);
    q->told = sizeof(*out) + out->n;
    return out;
}
