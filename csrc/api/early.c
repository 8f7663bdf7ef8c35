/*
 * Early data: SSL_write_early_data(3), SSL_read_early_data(3).
 */
#include "handshake/early.h"

#include "api/io.h"
#include "handshake/intake.h"

/* ED-2, ED-3: the wrong side, the wrong session, or the wrong moment. */
static enum pys_io
uncalled(pys_conn *c)
{
    return pys_io_misuse(c, PYS_ERR_SHOULD_NOT_BE_CALLED);
}

/* ---- reading ----------------------------------------------------------- */

/* Is this the first call of the connection, or one that goes on with it? */
static bool
may_read(const pys_conn *c)
{
    if (c->role != PYS_SERVER)
        return false;
    if (atomic_load(&c->phase) == PYS_BEFORE)
        return true;
    return c->failing || (c->hs != NULL && c->hs->early_wanted);
}

/* Nothing of it can come any more, and what we say first is said. */
static bool
read_ended(const pys_conn *c)
{
    return c->hs->half_open && !pys_early_coming(c);
}

/* Records until there is early data, or none to come. */
static enum pys_io
read_on(pys_conn *c, bool *ended)
{
    pys_record_got got = {.took = PYS_TOOK_NOTHING};
    enum pys_io io;

    for (;;) {
        io = pys_io_turn(c);
        /* TLS 1.2 has come to its end. */
        *ended = io == PYS_IO_DONE || (io == PYS_IO_MOVED && read_ended(c));
        if (*ended)
            return PYS_IO_DONE;
        if (io == PYS_IO_MOVED)
            io = pys_io_take(c, &got);
        if (io != PYS_IO_MOVED)
            return io;
        if (got.took == PYS_TOOK_DATA) {
            c->plain = got.content;
            c->plain_raw = got.raw;
            atomic_store(&c->n_pending, c->plain.n);
            return PYS_IO_DONE;
        }
    }
}

enum pys_io
pys_conn_read_early(pys_conn *c, uint8_t *out, size_t *n, bool *ended)
{
    enum pys_io io;

    *ended = false;
    if (!may_read(c))
        return uncalled(c);
    io = pys_io_ready(c);
    if (io != PYS_IO_MOVED)
        return io;
    c->early_read = true;
    c->hs->early_wanted = true;
    io = c->plain.n != 0 ? PYS_IO_DONE : read_on(c, ended);
    if (io != PYS_IO_DONE)
        return io;
    if (!*ended)
        pys_io_hand_out(c, out, n, false);
    else if (c->hs != NULL)
        c->hs->early_wanted = false;
    return PYS_IO_DONE;
}

/* ---- writing ----------------------------------------------------------- */

/* RFC 8446 4.2.10, 4.6.1: no more than the ticket allows. */
static bool
within_limit(pys_conn *c, size_t n)
{
    size_t begun = c->w_open ? c->w_len : 0;
    size_t more = n > begun ? n - begun : 0;

    if (more == 0)
        return true;
    if (more > c->early->left || pys_protect_worn(&c->flow[PYS_OUT].protect))
        return pys_fail(c, PYS_AD_INTERNAL_ERROR, PYS_R_TOO_MUCH_EARLY_DATA);
    c->early->left -= more;
    return true;
}

/* Sends the ClientHello, unless that was done. */
static enum pys_io
greet(pys_conn *c)
{
    enum pys_io io;

    if (atomic_load(&c->phase) == PYS_BEFORE && !pys_early_possible(c))
        return uncalled(c);
    io = pys_io_ready(c);
    if (io != PYS_IO_MOVED || pys_early_going(c))
        return io;
    /* A question before the hello brings us here again. */
    if (c->hs->step != NULL && !c->hs->early_wanted)
        return uncalled(c);
    c->hs->early_wanted = true;
    io = pys_io_turn(c);
    return io == PYS_IO_MOVED && !pys_early_going(c) ? uncalled(c) : io;
}

static enum pys_io
write_client(pys_conn *c, const uint8_t *p, size_t n, size_t *done)
{
    enum pys_io io = greet(c);

    if (io != PYS_IO_MOVED)
        return io;
    if (n == 0 && !c->w_open)
        return pys_io_drain(c);
    if (!within_limit(c, n))
        return pys_io_fail(c);
    return pys_io_write(c, p, n, false, done);
}

/* RFC 8446 2: data to a client that has not proven anything yet. */
static enum pys_io
write_server(pys_conn *c, const uint8_t *p, size_t n, size_t *done)
{
    enum pys_io io;

    /* RFC 8446 4.6.2: a request to be sent is a handshake, but not begun. */
    if (!c->early_read || c->hs == NULL || !c->hs->half_open)
        return uncalled(c);
    io = pys_io_ready(c);
    if (io != PYS_IO_MOVED)
        return io;
    if (n == 0 && !c->w_open)
        return pys_io_drain(c);
    return pys_io_write(c, p, n, false, done);
}

static enum pys_io
write_early(pys_conn *c, const uint8_t *p, size_t n, size_t *done)
{
    if (c->failing)
        return pys_io_fail(c);
    switch (atomic_load(&c->phase)) {
    case PYS_BEFORE:
        return c->role == PYS_CLIENT ? write_client(c, p, n, done) :
                                       uncalled(c);
    case PYS_RUNNING:
        return c->role == PYS_CLIENT ? write_client(c, p, n, done) :
                                       write_server(c, p, n, done);
    default:
        return uncalled(c);
    }
}

long
pys_conn_write_early(pys_conn *c, const uint8_t *p, size_t n)
{
    size_t done = 0;
    enum pys_io io;

    /* A server that has read early data may go on so. */
    if (atomic_load(&c->phase) == PYS_OPEN && c->early_read)
        return pys_conn_write(c, p, n);
    io = write_early(c, p, n, &done);
    return io == PYS_IO_DONE ? (long)done : -(long)io;
}

/* ---- what is known ----------------------------------------------------- */

int
pys_conn_early_status(const pys_conn *c)
{
    return c->early == NULL ? 0 : c->early->status;
}

const uint8_t *
pys_conn_early_ticket(const pys_conn *c, int64_t *expires)
{
    if (c->early == NULL || c->early->expires_ms == 0)
        return NULL;
    *expires = c->early->expires_ms / 1000 + 1;
    return c->early->id;
}

/* RFC 8446 7.5. A server that has refused has no such secret. */
bool
pys_conn_export_early(pys_conn *c, uint8_t *out, size_t n, const char *label,
    size_t n_label, const uint8_t *context, size_t n_context)
{
    pys_hash *scratch;
    bool ok;

    if (c->early == NULL || !c->early->exports)
        return false;
    scratch = pys_hash_new();
    ok = scratch != NULL &&
        pys_keys13_export(scratch, c->early->alg, c->early->exporter,
            pys_rd_of(label, n_label), pys_rd_of(context, n_context), out, n);
    pys_hash_free(scratch);
    return ok;
}
