#include "api/io.h"

#include "bio/bio.h"
#include "conn/notice.h"
#include "conn/pad.h"
#include "handshake/flight.h"
#include "handshake/intake.h"

enum { LEVEL_WARNING = 1, LEVEL_FATAL = 2 };

/* Most bytes a read-ahead asks for at a time (RW-32). */
enum { READ_AHEAD = PYS_CIPHER_MAX + PYS_RECORD_HEADER };

enum pys_io
pys_io_misuse(pys_conn *c, int reason)
{
    atomic_store(&c->misuse, reason);
    return PYS_IO_MISUSE;
}

/* A BIO moved nothing and asks for no retry: the transport failed. */
static enum pys_io
transport_failed(pys_flow *flow, int direction)
{
    flow->err = pys_bio_errno(flow->bio, direction);
    flow->bio_fault = pys_bio_fault(flow->bio, direction);
    return PYS_IO_SYSCALL;
}

static enum pys_io
write_failed(pys_flow *out)
{
    out->want = PYS_WRITING;
    if ((pys_bio_retry(out->bio, PYS_OUT) & PYS_BIO_RETRY) != 0)
        return PYS_IO_WANT_WRITE;
    return transport_failed(out, PYS_OUT);
}

enum pys_io
pys_io_drain(pys_conn *c)
{
    pys_flow *out = &c->flow[PYS_OUT];

    if (c->pad != NULL) {
        enum pys_io io = pys_pad_seal(c);

        if (io != PYS_IO_DONE)
            return io == PYS_IO_FAULT ? pys_io_fail(c) : io;
    }
    while (pys_buf_size(&out->buf) != 0) {
        long n = pys_bio_write(out->bio, pys_buf_head(&out->buf),
            pys_buf_size(&out->buf));

        if (n == PYS_BIO_PENDING)
            return PYS_IO_BIO;
        if (n <= 0)
            return write_failed(out);
        pys_buf_eat(&out->buf, (size_t)n);
    }
    pys_buf_drop(&out->buf);
    if (out->flush_due) {
        long done = pys_bio_ctrl(out->bio, PYS_CTRL_FLUSH, 0);

        if (done == PYS_BIO_PENDING)
            return PYS_IO_BIO;
        if (done <= 0)
            return write_failed(out);
        out->flush_due = false;
    }
    return PYS_IO_DONE;
}

/* The peer's end without close_notify (HS-16, RW-8). */
static enum pys_io
transport_ended(pys_conn *c)
{
    if (pys_setting(c->set, PYS_OPTIONS, PYS_OP_IGNORE_UNEXPECTED_EOF)) {
        atomic_fetch_or(&c->closing, PYS_RECEIVED_SHUTDOWN);
        return PYS_IO_CLOSED;
    }
    (void)pys_fail(c, PYS_NO_ALERT, PYS_R_UNEXPECTED_EOF_WHILE_READING);
    return PYS_IO_EOF;
}

/* A read moved nothing: retry, end, or failure. */
static enum pys_io
read_failed(pys_conn *c)
{
    pys_flow *in = &c->flow[PYS_IN];
    long eof;

    if (!in->ended && (pys_bio_retry(in->bio, PYS_IN) & PYS_BIO_RETRY) != 0) {
        in->want = PYS_READING;
        /* Nothing is under way: nothing is kept. */
        if (pys_buf_size(&in->buf) == 0)
            pys_buf_wipe(&in->buf);
        return PYS_IO_WANT_READ;
    }
    in->want = PYS_READING;
    if (pys_bio_fault(in->bio, PYS_IN) != 0) {
        in->ended = false;
        return transport_failed(in, PYS_IN);
    }
    /* A BIO answered by Python is asked again: remember where we were. */
    in->ended = true;
    eof = pys_bio_ctrl(in->bio, PYS_CTRL_EOF, 0);
    if (eof == PYS_BIO_PENDING)
        return PYS_IO_BIO;
    in->ended = false;
    return eof > 0 ? transport_ended(c) : transport_failed(in, PYS_IN);
}

/* Has at least n bytes of records, or says why not. */
static enum pys_io
fill(pys_conn *c, size_t n)
{
    pys_flow *in = &c->flow[PYS_IN];

    while (pys_buf_size(&in->buf) < n) {
        size_t ask = n - pys_buf_size(&in->buf);
        long got;

        if (in->ended)
            return read_failed(c);
        if (c->set->numbers[PYS_READ_AHEAD] != 0 && ask < READ_AHEAD)
            ask = READ_AHEAD;
        if (!pys_buf_reserve(&in->buf, ask)) {
            (void)pys_fail_internal(c);
            return PYS_IO_FAULT;
        }
        got = pys_bio_read(in->bio, pys_buf_tail(&in->buf), ask);
        if (got == PYS_BIO_PENDING)
            return PYS_IO_BIO;
        if (got <= 0)
            return read_failed(c);
        pys_buf_added(&in->buf, (size_t)got);
    }
    return PYS_IO_DONE;
}

/*
 * A record that lies whole in a memory BIO is opened from there. Whatever
 * else there is (PYS_IO_MOVED) is not touched.
 */
static enum pys_io
record_there(pys_conn *c, uint8_t *out, size_t n, pys_record_got *got)
{
    pys_flow *in = &c->flow[PYS_IN];
    pys_rd there = pys_bio_mem_look(in->bio);
    pys_head head;
    size_t raw = 0;

    if (there.p == NULL)
        return PYS_IO_MOVED;
    if (there.n >= PYS_RECORD_HEADER) {
        head = pys_record_head(there.p);
        raw = PYS_RECORD_HEADER + head.len;
        if (raw > there.n || head.type != PYS_RT_APPLICATION_DATA ||
            n < pys_record_room(&in->protect, head.len) ||
            !pys_intake_head(c, there.p, &head))
            raw = 0;
    }
    if (raw != 0) {
        got->raw = raw;
        got->took = pys_intake(c, pys_rd_of(there.p, raw), out, n,
            &got->content);
    }
    pys_bio_mem_ate(in->bio, raw);
    if (raw == 0)
        return PYS_IO_MOVED;
    return got->took == PYS_TOOK_FAULT ? PYS_IO_FAULT : PYS_IO_DONE;
}

enum pys_io
pys_io_record(pys_conn *c, uint8_t *out, size_t n, pys_record_got *got)
{
    pys_flow *in = &c->flow[PYS_IN];
    enum pys_io io = PYS_IO_MOVED;
    pys_head head;
    pys_rd record;

    if (in->protect.aead == NULL)
        out = NULL;
    if (out != NULL && pys_buf_size(&in->buf) == 0 &&
        c->set->numbers[PYS_READ_AHEAD] == 0)
        io = record_there(c, out, n, got);
    if (io != PYS_IO_MOVED)
        return io;
    io = fill(c, PYS_RECORD_HEADER);
    if (io != PYS_IO_DONE)
        return io;
    if (!pys_intake_head(c, pys_buf_head(&in->buf), &head))
        return PYS_IO_FAULT;
    io = fill(c, PYS_RECORD_HEADER + head.len);
    if (io != PYS_IO_DONE)
        return io;

    record = pys_rd_of(pys_buf_head(&in->buf), PYS_RECORD_HEADER + head.len);
    if (out != NULL && n < pys_record_room(&in->protect, head.len))
        out = NULL;
    got->raw = record.n;
    got->took = pys_intake(c, record, out, n, &got->content);
    if (got->took == PYS_TOOK_FAULT)
        return PYS_IO_FAULT;
    if (got->took != PYS_TOOK_DATA || got->content.p == out)
        pys_buf_eat(&in->buf, record.n);
    return PYS_IO_DONE;
}

/* close_notify and user_canceled are warnings, the rest is fatal. */
static void
seal_alert(pys_conn *c)
{
    int due = atomic_exchange(&c->alert_due, 0);

    if (due != 0 && c->flow[PYS_OUT].bio != NULL &&
        !pys_alert_send(c, LEVEL_FATAL, due - 1))
        pys_fault_forget();
}

static void
bury(pys_conn *c)
{
    atomic_store(&c->state, PYS_ST_ERROR);
    atomic_store(&c->phase, PYS_DEAD);
}

enum pys_io
pys_io_fail(pys_conn *c)
{
    int want = c->flow[PYS_OUT].want;

    bury(c);
    c->failing = true;
    seal_alert(c);
    /* One try; its failure changes nothing (HS-18). */
    if (c->flow[PYS_OUT].bio != NULL && pys_io_drain(c) == PYS_IO_BIO)
        return PYS_IO_BIO;
    c->failing = false;
    c->flow[PYS_OUT].want = want;
    if (c->hs != NULL) {
        c->flow[PYS_IN].want = PYS_NOTHING;
        pys_hs_free(c->hs);
        c->hs = NULL;
    }
    return PYS_IO_FAULT;
}

static bool
handshake_begin(pys_conn *c)
{
    if (c->post != NULL)
        return pys_post_begin(c) || pys_fail_internal(c);
    (void)pys_counts_add(c->set->counts,
        c->role == PYS_CLIENT ? PYS_COUNT_CONNECT : PYS_COUNT_ACCEPT);
    c->hs = pys_hs_new(c);
    if (c->hs == NULL)
        return pys_fail_internal(c);
    atomic_store(&c->phase, PYS_RUNNING);
    if (c->watch != NULL) {
        pys_note_info(c, PYS_IN, PYS_CB_START, 1);
        pys_note_info(c, PYS_IN, PYS_CB_LOOP, 1);
    }
    /* RFC 8446 5.1: for middleboxes, the first record of all only. */
    if (c->role == PYS_CLIENT)
        c->flow[PYS_OUT].protect.legacy = 0x0301;
    /* HS-18: nothing to negotiate with; the peer was never greeted. */
    if (pys_version_max(c) == 0)
        return pys_fail(c, PYS_NO_ALERT, pys_version_lack(c));
    return true;
}

enum pys_io
pys_io_turn(pys_conn *c)
{
    pys_go go = pys_flight_run(c);
    enum pys_io io;

    if (go == PYS_GO_FAIL)
        return pys_io_fail(c);
    io = pys_io_drain(c);
    if (io != PYS_IO_DONE)
        return io;
    if (go == PYS_GO_DONE) {
        pys_flight_finish(c);
        if (c->watch != NULL)
            pys_note_info(c, PYS_IN, PYS_CB_EXIT, 1);
        return PYS_IO_DONE;
    }
    return go == PYS_GO_ASK ? pys_io_asked(c) : PYS_IO_MOVED;
}

enum pys_io
pys_io_take(pys_conn *c, pys_record_got *got)
{
    enum pys_io io = pys_io_record(c, NULL, 0, got);

    switch (io) {
    case PYS_IO_DONE:
        if (c->watch != NULL && got->took != PYS_TOOK_DATA &&
            got->took != PYS_TOOK_CLOSED && pys_noted_much(c))
            return PYS_IO_NEWS;
        return got->took == PYS_TOOK_CLOSED ? PYS_IO_CLOSED : PYS_IO_MOVED;
    case PYS_IO_FAULT:
    case PYS_IO_EOF:
        return pys_io_fail(c);
    default:
        return io;
    }
}

/*
 * Early data that was accepted is read with SSL_read_early_data(3) to its
 * end; who goes on without it would lose it.
 */
static enum pys_io
unread(pys_conn *c)
{
    (void)pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE, PYS_R_UNEXPECTED_RECORD);
    return pys_io_fail(c);
}

/* SSL_want(3) while the application is asked. */
static int
want_of(int asked)
{
    switch (asked) {
    case PYS_ASK_CLIENT_HELLO:
        return PYS_CLIENT_HELLO_CB;
    case PYS_ASK_CERT:
        return PYS_X509_LOOKUP;
    case PYS_ASK_SIGN:
        return PYS_ASYNC_PAUSED;
    case PYS_ASK_VERIFY:
    case PYS_ASK_JUDGE:
        return PYS_RETRY_VERIFY;
    default:
        return PYS_NOTHING;
    }
}

enum pys_io
pys_io_asked(pys_conn *c)
{
    c->flow[PYS_IN].want = want_of(c->hs->asked);
    return PYS_IO_ASK;
}

enum pys_io
pys_io_handshake(pys_conn *c)
{
    pys_record_got got = {.took = PYS_TOOK_NOTHING};
    enum pys_io io;

    if (c->plain.n != 0 && !c->hs->post)
        return unread(c);
    do {
        io = pys_io_turn(c);
        if (io == PYS_IO_MOVED)
            io = pys_io_take(c, &got);
        if (io == PYS_IO_MOVED && got.took == PYS_TOOK_DATA)
            io = unread(c);
    } while (io == PYS_IO_MOVED);
    return io;
}

enum pys_io
pys_io_ready(pys_conn *c)
{
    if (c->failing)
        return pys_io_fail(c);
    c->flow[PYS_IN].want = PYS_NOTHING;
    c->flow[PYS_OUT].want = PYS_NOTHING;
    if (c->role == PYS_NO_ROLE)
        return pys_io_misuse(c, PYS_R_CONNECTION_TYPE_NOT_SET);
    if (c->flow[PYS_IN].bio == NULL || c->flow[PYS_OUT].bio == NULL)
        return pys_io_misuse(c, PYS_R_BIO_NOT_SET);
    /* HS-14: closed in good order before it was complete. */
    if ((atomic_load(&c->closing) & PYS_RECEIVED_SHUTDOWN) != 0)
        return PYS_IO_CLOSED;
    return c->hs != NULL || handshake_begin(c) ? PYS_IO_MOVED : pys_io_fail(c);
}

/* INFO-4: the call is over, unless the caller goes on with it at once. */
static enum pys_io
handshake_told(pys_conn *c, enum pys_io io)
{
    bool over = io != PYS_IO_BIO && io != PYS_IO_NEWS && io != PYS_IO_ASK &&
        io != PYS_IO_DONE;

    if (c->watch != NULL && over)
        pys_note_info(c, PYS_IN, PYS_CB_EXIT, io == PYS_IO_CLOSED ? 0 : -1);
    return io;
}

enum pys_io
pys_conn_handshake(pys_conn *c)
{
    int phase = atomic_load(&c->phase);
    enum pys_io io;

    if (phase == PYS_DEAD && !c->failing)
        return PYS_IO_DEAD;
    if (phase == PYS_OPEN && !c->failing)
        return PYS_IO_DONE;
    io = pys_io_ready(c);
    if (io == PYS_IO_MISUSE || io == PYS_IO_CLOSED)
        return io;
    return handshake_told(c, io == PYS_IO_MOVED ? pys_io_handshake(c) : io);
}

bool
pys_conn_told(const pys_conn *c)
{
    return c->watch != NULL || c->n_fresh != 0 || c->n_dropped != 0 ||
        c->clear_due || pys_buf_size(&c->keylog) != 0;
}

int
pys_conn_shake(pys_conn *c)
{
    int io = (int)pys_conn_handshake(c);

    return pys_conn_told(c) ? io | PYS_TOLD : io;
}

bool
pys_io_refuse(pys_conn *c)
{
    if (atomic_load(&c->refuse_due) == 0 ||
        atomic_exchange(&c->refuse_due, 0) == 0 ||
        (atomic_load(&c->closing) & PYS_SENT_SHUTDOWN) != 0)
        return true;
    return pys_alert_send(c, LEVEL_WARNING, PYS_AD_NO_RENEGOTIATION) ||
        pys_fail_internal(c);
}

enum pys_io
pys_conn_flush(pys_conn *c)
{
    enum pys_io io = PYS_IO_DONE;

    if (atomic_load(&c->phase) == PYS_DEAD)
        io = pys_io_fail(c);
    else if (c->flow[PYS_OUT].bio != NULL && pys_io_refuse(c))
        io = pys_io_drain(c);
    return io == PYS_IO_BIO ? io : PYS_IO_DONE;
}
