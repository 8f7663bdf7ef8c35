#include "conn/pad.h"

/* What waits for one key; many more bytes than a call can leave here. */
enum { PART_MAX = 1 << 20, RECORD_MARK = 3 };

typedef struct part {
    struct part *next;
    bool closed;         /* the keys have changed since */
    pys_protect protect; /* if closed; else those of the connection */
    pys_buf records;     /* type, 16-bit length, content of each */
} part;

struct pys_pad {
    part *first;
    part *last;
    size_t answer;
    bool answered;
    bool failed; /* there will be no answer */
    bool off;    /* nobody is asked any more */
};

bool
pys_pad_due(const pys_conn *c, const pys_protect *p)
{
    if (c->pad != NULL && c->pad->first != NULL)
        return true;
    return c->set->numbers[PYS_PAD_ASKED] != 0 && p->aead != NULL &&
        p->suite->version == PYS_TLS1_3 && (c->pad == NULL || !c->pad->off);
}

static part *
part_new(pys_conn *c)
{
    part *one;

    if (c->pad == NULL)
        c->pad = pys_alloc(sizeof(*c->pad));
    if (c->pad == NULL)
        return NULL;
    one = pys_alloc(sizeof(*one));
    if (one == NULL)
        return NULL;
    pys_buf_init(&one->records, PART_MAX);
    if (c->pad->first == NULL)
        c->pad->first = one;
    else
        c->pad->last->next = one;
    c->pad->last = one;
    return one;
}

static void
part_drop(pys_pad *pad)
{
    part *one = pad->first;

    pad->first = one->next;
    if (pad->first == NULL)
        pad->last = NULL;
    pys_protect_wipe(&one->protect);
    pys_buf_wipe(&one->records);
    pys_free(one);
}

bool
pys_pad_put(pys_conn *c, const pys_protect *p, enum pys_record_type type,
    pys_rd in)
{
    part *to = c->pad == NULL ? NULL : c->pad->last;
    pys_wr w;

    /* Whatever waits is for the keys in use, then or now. */
    if (p != &c->flow[PYS_OUT].protect || in.n > PYS_PLAIN_MAX)
        return false;
    if (to == NULL || to->closed)
        to = part_new(c);
    if (to == NULL || !pys_buf_reserve(&to->records, RECORD_MARK + in.n))
        return false;
    w = pys_wr_to(&to->records);
    pys_wr_u8(&w, (uint8_t)type);
    pys_wr_u16(&w, (uint16_t)in.n);
    pys_wr_bytes(&w, in.p, in.n);
    return pys_wr_ok(&w);
}

void
pys_pad_keep_keys(pys_conn *c)
{
    pys_protect *used = &c->flow[PYS_OUT].protect;
    part *last = c->pad == NULL ? NULL : c->pad->last;

    if (last == NULL || last->closed)
        return;
    last->protect = *used;
    last->closed = true;
    used->aead = NULL;
}

/* The record that waits longest; false if there is none. */
static bool
oldest(const pys_conn *c, uint8_t *type, pys_rd *content)
{
    const pys_pad *pad = c->pad;
    pys_rd in;

    if (pad == NULL || pad->first == NULL)
        return false;
    in = pys_rd_buf(&pad->first->records);
    return pys_rd_u8(&in, type) && pys_rd_vec16(&in, content);
}

static pys_protect *
keys_of(pys_conn *c, part *one)
{
    return one->closed ? &one->protect : &c->flow[PYS_OUT].protect;
}

/* RFC 8446 5.4, RFC 8449 4: zeros that fit behind n bytes of content. */
static size_t
room(const pys_conn *c, size_t n)
{
    size_t max = pys_send_max(c);

    return n < max ? max - n : 0;
}

/* No part of what waits goes out; an alert is for the keys it was for. */
static void
forget(pys_conn *c)
{
    pys_flow *out = &c->flow[PYS_OUT];
    part *first = c->pad->first;

    if (first != NULL && first->closed) {
        pys_protect_wipe(&out->protect);
        out->protect = first->protect;
        first->protect.aead = NULL;
    }
    while (c->pad->first != NULL)
        part_drop(c->pad);
}

static enum pys_io
give_up(pys_conn *c, unsigned reason)
{
    forget(c);
    c->pad->failed = false;
    c->pad->off = true;
    (void)pys_fail(c, PYS_AD_INTERNAL_ERROR, reason);
    return PYS_IO_FAULT;
}

enum pys_io
pys_pad_seal(pys_conn *c)
{
    pys_pad *pad = c->pad;
    uint8_t type;
    pys_rd in;

    if (pad->failed)
        return give_up(c, PYS_R_CALLBACK_FAILED);
    while (oldest(c, &type, &in)) {
        size_t most = room(c, in.n);

        if (most != 0 && !pad->answered)
            return PYS_IO_BIO;
        if (most > pad->answer)
            most = pad->answer;
        if (!pys_seal_padded(c, keys_of(c, pad->first), type, in, most))
            return give_up(c, PYS_ERR_INTERNAL);
        pad->answered = false;
        pys_buf_eat(&pad->first->records, RECORD_MARK + in.n);
        if (pys_buf_size(&pad->first->records) == 0)
            part_drop(pad);
    }
    return PYS_IO_DONE;
}

int
pys_conn_pad_asked(const pys_conn *c, size_t *n)
{
    uint8_t type;
    pys_rd in;

    if (!oldest(c, &type, &in) || c->pad->answered || c->pad->failed)
        return -1;
    *n = in.n + 1;
    return type;
}

void
pys_conn_pad(pys_conn *c, size_t n)
{
    if (c->pad == NULL || c->pad->first == NULL)
        return;
    c->pad->answer = n;
    c->pad->answered = true;
}

void
pys_conn_pad_failed(pys_conn *c)
{
    if (c->pad != NULL && c->pad->first != NULL)
        c->pad->failed = true;
}

void
pys_pad_free(pys_conn *c)
{
    if (c->pad == NULL)
        return;
    while (c->pad->first != NULL)
        part_drop(c->pad);
    pys_free(c->pad);
    c->pad = NULL;
}
