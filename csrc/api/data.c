/*
 * Application data and closing: SSL_read(3), SSL_write(3), SSL_shutdown(3).
 */
#include "api/io.h"
#include "api/quick.h"

#include "bio/bio.h"
#include "conn/notice.h"
#include "handshake/flight.h"
#include "handshake/intake.h"
#include "handshake/keys.h"

/* Records sealed before the BIO is called, and room left for a KeyUpdate. */
enum { BATCH = 4, LEVEL_WARNING = 1 };

/* Data of one write for which a memory BIO makes room at a time. */
enum { AHEAD_MAX = 1024 * 1024 };

/* PYS_IO_DONE if data may pass. */
static enum pys_io
opened(const pys_conn *c)
{
    switch (atomic_load(&c->phase)) {
    case PYS_OPEN:
        return PYS_IO_DONE;
    case PYS_DEAD:
        return PYS_IO_DEAD;
    default:
        return PYS_IO_NOT_OPEN;
    }
}

/* ---- reading ----------------------------------------------------------- */

void
pys_io_hand_out(pys_conn *c, uint8_t *out, size_t *n, bool peek)
{
    if (*n > c->plain.n)
        *n = c->plain.n;
    if (*n != 0)
        memcpy(out, c->plain.p, *n);
    if (peek)
        return;
    c->plain = pys_rd_of(c->plain.p + *n, c->plain.n - *n);
    atomic_store(&c->n_pending, c->plain.n);
    if (c->plain.n == 0) {
        pys_buf_eat(&c->flow[PYS_IN].buf, c->plain_raw);
        c->plain_raw = 0;
    }
}

/* The reader found it; whoever may write sends the alert. */
static enum pys_io
reader_failed(pys_conn *c, enum pys_io io)
{
    atomic_store(&c->state, PYS_ST_ERROR);
    atomic_store(&c->phase, PYS_DEAD);
    c->flow[PYS_IN].want = PYS_NOTHING;
    return io;
}

/*
 * RW-12: without the automatic retry the caller calls again after each
 * message, as if the BIO had had nothing.
 */
static enum pys_io
message_taken(pys_conn *c)
{
    pys_flow *in = &c->flow[PYS_IN];

    if (pys_setting(c->set, PYS_MODE, PYS_MODE_AUTO_RETRY))
        return atomic_load(&c->refuse_due) != 0 || c->n_fresh != 0 ||
                c->watch != NULL ?
            PYS_IO_NEWS :
            PYS_IO_DONE;
    in->want = PYS_READING;
    pys_bio_side_flags(in->bio, PYS_IN, PYS_BIO_READ | PYS_BIO_RETRY, 0);
    return PYS_IO_MOVED;
}

/*
 * One message or record of an open connection. PYS_IO_DONE with *direct set:
 * data are in out; without: look at c->plain, or go on.
 */
static enum pys_io
read_turn(pys_conn *c, uint8_t *out, size_t n, size_t *direct)
{
    pys_record_got got;
    bool moved = false;
    enum pys_io io;

    if (pys_buf_size(&c->msgs) != 0 && !pys_post_take(c, &moved))
        return reader_failed(c, PYS_IO_FAULT);
    /* RFC 8446 4.6.2: what came has to be answered first. */
    if (moved && atomic_load(&c->phase) == PYS_RUNNING)
        return PYS_IO_NOT_OPEN;
    if (moved)
        return message_taken(c);
    io = pys_io_record(c, out, n, &got);
    if (io == PYS_IO_FAULT || io == PYS_IO_EOF)
        return reader_failed(c, io);
    if (io != PYS_IO_DONE)
        return io;
    if (got.took == PYS_TOOK_CLOSED)
        return PYS_IO_CLOSED;
    if (got.took == PYS_TOOK_DATA && got.content.p == out) {
        *direct = got.content.n;
    } else if (got.took == PYS_TOOK_DATA) {
        c->plain = got.content;
        c->plain_raw = got.raw;
        atomic_store(&c->n_pending, c->plain.n);
    }
    return PYS_IO_DONE;
}

static enum pys_io
read_data(pys_conn *c, uint8_t *out, size_t n, size_t *got, bool peek)
{
    enum pys_io io = opened(c);
    size_t direct = 0;
    /* What is told before the data must not be in the caller's buffer. */
    bool apart = peek || c->watch != NULL;

    if (io != PYS_IO_DONE)
        return io;
    c->flow[PYS_IN].want = PYS_NOTHING;
    if (c->flow[PYS_IN].bio == NULL)
        return pys_io_misuse(c, PYS_R_BIO_NOT_SET);
    for (;;) {
        if ((atomic_load(&c->closing) & PYS_RECEIVED_SHUTDOWN) != 0)
            return PYS_IO_CLOSED;
        if (c->plain.n != 0) {
            *got = n;
            pys_io_hand_out(c, out, got, peek);
            return PYS_IO_DONE;
        }
        io = read_turn(c, apart ? NULL : out, apart ? 0 : n, &direct);
        if (io != PYS_IO_DONE)
            return io;
        if (c->watch != NULL && pys_noted(c, PYS_IN))
            return PYS_IO_NEWS;
        if (direct != 0) {
            *got = direct;
            return PYS_IO_DONE;
        }
    }
}

/* What Python gets: a count, or why there is none. */
static long
counted(enum pys_io io, size_t n)
{
    return io == PYS_IO_DONE ? (long)n : -(long)io;
}

long
pys_conn_read(pys_conn *c, uint8_t *out, size_t n, bool peek)
{
    size_t got = 0;
    enum pys_io io = read_data(c, out, n, &got, peek);

    return counted(io, got);
}

/* ---- writing ----------------------------------------------------------- */

/* RFC 8446 4.6.3: the message under the old keys, then the new ones. */
static bool
send_update(pys_conn *c, int due)
{
    pys_flow *out = &c->flow[PYS_OUT];
    pys_buf message;
    pys_wr w;
    bool ok;

    pys_buf_init(&message, 16);
    w = pys_wr_to(&message);
    pys_wr_u8(&w, PYS_MT_KEY_UPDATE);
    pys_wr_u24(&w, 1);
    pys_wr_u8(&w, due == 2);
    ok = pys_wr_ok(&w) &&
        pys_seal(c, &out->protect, PYS_RT_HANDSHAKE, pys_rd_buf(&message));
    if (ok && c->watch != NULL)
        pys_note_post(c, PYS_OUT,
            c->role == PYS_SERVER ? PYS_ST_TWSKU : PYS_ST_TWCKU,
            pys_rd_buf(&message));
    pys_buf_wipe(&message);
    out->flush_due = true;
    return ok ? pys_keys_update(c, PYS_OUT) : pys_fail_internal(c);
}

/* Most bytes of data in the next record. */
static size_t
data_max(const pys_conn *c)
{
    size_t max = pys_send_max(c);
    size_t split = (size_t)c->set->numbers[PYS_SPLIT_FRAGMENT];

    return split < max ? split : max;
}

static bool
seal_next(pys_conn *c, const uint8_t *p)
{
    pys_flow *out = &c->flow[PYS_OUT];
    size_t n = c->w_len - c->w_sealed;
    int due = 0;

    if (atomic_load(&c->update_due) != 0)
        due = atomic_exchange(&c->update_due, 0);
    /* RFC 8446 5.5: new keys well before the limit of the AEAD. */
    if (due == 0 && c->hs == NULL && !pys_is_12(c) &&
        pys_protect_worn(&out->protect))
        due = 1;
    if (due != 0 && !send_update(c, due))
        return false;
    if (n > data_max(c))
        n = data_max(c);
    if (!pys_seal(c, &out->protect, PYS_RT_APPLICATION_DATA,
            pys_rd_of(p + c->w_sealed, n)))
        return pys_fail_internal(c);
    c->w_sealed += n;
    out->flush_due = true;
    return true;
}

/*
 * The next record, sealed where a memory BIO keeps it. False: not there, or
 * not without more ado; nothing has happened.
 */
static bool
seal_there(pys_conn *c, const uint8_t *p, bool partial)
{
    pys_flow *out = &c->flow[PYS_OUT];
    size_t n = c->w_len - c->w_sealed;
    size_t max = data_max(c);
    pys_buf room = {0};
    bool ok;

    if (c->watch != NULL || out->protect.aead == NULL || c->pad != NULL ||
        c->set->numbers[PYS_PAD_ASKED] != 0 ||
        c->set->numbers[PYS_PAD_DATA] != 0 ||
        atomic_load(&c->update_due) != 0 || pys_protect_worn(&out->protect))
        return false;
    /* Room for the records to come as well, so that it grows once. */
    if (n > AHEAD_MAX)
        n = AHEAD_MAX;
    if (partial && n > max)
        n = max;
    room.limit = room.cap = n + (n / max + 1) * PYS_RECORD_EXTRA;
    if (n > max)
        n = max;
    room.data = pys_bio_mem_room(out->bio, room.cap);
    if (room.data == NULL)
        return false;
    ok = pys_record_seal(&out->protect, PYS_RT_APPLICATION_DATA,
        pys_rd_of(p + c->w_sealed, n), 0, &room);
    pys_bio_mem_filled(out->bio, ok ? pys_buf_size(&room) : 0);
    if (ok)
        c->w_sealed += n;
    return ok;
}

static bool
seal_batch(pys_conn *c, const uint8_t *p, bool partial)
{
    size_t left = c->w_len - c->w_sealed;
    size_t max = data_max(c);
    size_t n = (left + max - 1) / max;

    if (n > BATCH)
        n = BATCH;
    if (partial)
        n = 1;
    if (seal_there(c, p, partial))
        return true;
    if (left > n * max)
        left = n * max;
    if (!pys_buf_reserve(&c->flow[PYS_OUT].buf, left + n * PYS_RECORD_EXTRA))
        return pys_fail_internal(c);
    while (n-- > 0) {
        if (!seal_next(c, p))
            return false;
    }
    return true;
}

/* RW-18, RW-20...22: a write that was cut short must be repeated as it was. */
static enum pys_io
write_resumes(pys_conn *c, const uint8_t *p, size_t n)
{
    if (!c->w_open) {
        c->w_buf = p;
        c->w_len = n;
        c->w_sealed = 0;
        c->w_open = true;
        return PYS_IO_DONE;
    }
    if (n < c->w_sealed)
        return pys_io_misuse(c, PYS_R_BAD_LENGTH);
    if (p != c->w_buf &&
        !pys_setting(c->set, PYS_MODE, PYS_MODE_MOVING_BUFFER))
        return pys_io_misuse(c, PYS_R_BAD_WRITE_RETRY);
    c->w_len = n;
    return PYS_IO_DONE;
}

enum pys_io
pys_io_write(pys_conn *c, const uint8_t *p, size_t n, bool partial,
    size_t *done)
{
    enum pys_io io = write_resumes(c, p, n);
    int half = c->hs != NULL ? PYS_IN : PYS_OUT;

    if (io != PYS_IO_DONE)
        return io;
    for (;;) {
        bool enough = c->w_sealed == c->w_len || (c->w_sealed != 0 && partial);

        io = pys_io_drain(c);

        if (io != PYS_IO_DONE)
            return io;
        if (c->watch != NULL && pys_noted(c, half))
            return PYS_IO_NEWS;
        if (enough) {
            *done = c->w_sealed;
            c->w_open = false;
            return PYS_IO_DONE;
        }
        if (!seal_batch(c, p, partial))
            return pys_io_fail(c);
    }
}

static enum pys_io
write_data(pys_conn *c, const uint8_t *p, size_t n, size_t *done)
{
    enum pys_io io = opened(c);

    /* A BIO answered by Python still has the alert of this write's fault. */
    if (c->failing)
        return pys_io_fail(c);
    if (io != PYS_IO_DONE)
        return io;
    c->flow[PYS_OUT].want = PYS_NOTHING;
    if ((atomic_load(&c->closing) & PYS_SENT_SHUTDOWN) != 0)
        return pys_io_misuse(c, PYS_R_PROTOCOL_IS_SHUTDOWN);
    if (c->flow[PYS_OUT].bio == NULL)
        return pys_io_misuse(c, PYS_R_BIO_NOT_SET);
    if (n == 0 && !c->w_open)
        return PYS_IO_DONE;
    if (!pys_io_refuse(c))
        return pys_io_fail(c);
    io = pys_io_write(c, p, n,
        pys_setting(c->set, PYS_MODE, PYS_MODE_PARTIAL_WRITE), done);
    /* A reader may have found a fault meanwhile and left its alert here. */
    if (io == PYS_IO_DONE && atomic_load(&c->phase) == PYS_DEAD)
        (void)pys_conn_flush(c);
    return io;
}

long
pys_conn_write(pys_conn *c, const uint8_t *p, size_t n)
{
    size_t done = 0;
    enum pys_io io = write_data(c, p, n, &done);

    return counted(io, done);
}

/* ---- in one go --------------------------------------------------------- */

/* Longer writes keep others waiting too long to spin for it. */
enum { QUICK_MAX = 64 * 1024 };

/* SHUT: the Python lock decides. OPEN: who takes it. TAKEN: by a quick call. */
enum { TURN_SHUT, TURN_OPEN, TURN_TAKEN };

static bool
turn_take(pys_conn *c, int direction)
{
    int was = TURN_OPEN;

    return atomic_compare_exchange_strong(&c->turn[direction], &was,
        TURN_TAKEN);
}

static void
turn_give(pys_conn *c, int direction)
{
    atomic_store(&c->turn[direction], TURN_OPEN);
}

bool
pys_conn_open_quick(pys_conn *c, int writing)
{
    const pys_flow *flow = &c->flow[writing != 0];

    if (atomic_load(&c->phase) != PYS_OPEN || c->watch != NULL ||
        flow->bio == NULL || !pys_bio_is_quick(flow->bio))
        return false;
    turn_give(c, writing != 0);
    return true;
}

void
pys_conn_shut_quick(pys_conn *c, int writing)
{
    int was = TURN_OPEN;

    while (!atomic_compare_exchange_weak(&c->turn[writing != 0], &was,
               TURN_SHUT) &&
        was != TURN_SHUT)
        was = TURN_OPEN;
}

/* Is what a read would open known to be at most so much? */
static bool
is_brief(pys_conn *c, size_t most)
{
    const pys_flow *in = &c->flow[PYS_IN];
    size_t n = pys_buf_size(&in->buf);

    return c->plain.n != 0 ||
        (n <= most &&
            pys_bio_ctrl(in->bio, PYS_CTRL_PENDING, 0) <= (long)(most - n));
}

long
pys_quick_read(pys_conn *c, uint8_t *out, size_t n, size_t most)
{
    long ret = 0;

    if (!turn_take(c, PYS_IN))
        return 0;
    if (pys_bio_is_quick(c->flow[PYS_IN].bio))
        ret = most == 0 || is_brief(c, most) ?
            pys_conn_read(c, out, n, false) :
            PYS_QUICK_LATER;
    turn_give(c, PYS_IN);
    return ret;
}

long
pys_quick_write(pys_conn *c, const uint8_t *p, size_t n)
{
    long ret = 0;

    if (n > QUICK_MAX || !turn_take(c, PYS_OUT))
        return 0;
    if (!c->w_open && pys_bio_is_quick(c->flow[PYS_OUT].bio))
        ret = pys_conn_write(c, p, n);
    turn_give(c, PYS_OUT);
    return ret;
}

/* Is there a BIO, and is it still the one that the core is to work with? */
static bool
has_bio(const pys_flow *flow)
{
    return flow->bio != NULL && !atomic_load(&flow->bio->handed_over);
}

bool
pys_quick_may_shake(const pys_conn *c)
{
    return has_bio(&c->flow[PYS_IN]) && has_bio(&c->flow[PYS_OUT]);
}

bool
pys_quick_waits(const pys_conn *c)
{
    const pys_flow *in = &c->flow[PYS_IN];

    return has_bio(in) && (pys_bio_retry(in->bio, PYS_IN) & PYS_BIO_READ) != 0;
}

/* ---- key update -------------------------------------------------------- */

enum pys_io
pys_conn_key_update(pys_conn *c, int request)
{
    if (request != 0 && request != 1)
        return pys_io_misuse(c, PYS_R_INVALID_KEY_UPDATE_TYPE);
    if (atomic_load(&c->phase) != PYS_OPEN)
        return pys_io_misuse(c, PYS_R_STILL_IN_INIT);
    if (pys_is_12(c))
        return pys_io_misuse(c, PYS_R_WRONG_SSL_VERSION);
    if ((atomic_load(&c->closing) & PYS_SENT_SHUTDOWN) != 0)
        return pys_io_misuse(c, PYS_R_PROTOCOL_IS_SHUTDOWN);
    atomic_store(&c->update_due, 1 + request);
    return PYS_IO_DONE;
}

/* ---- closing ----------------------------------------------------------- */

/* PYS_IO_DONE if both sides have closed, else PYS_IO_MOVED. */
static enum pys_io
closed_both(pys_conn *c)
{
    int both = PYS_SENT_SHUTDOWN | PYS_RECEIVED_SHUTDOWN;

    return (atomic_load(&c->closing) & both) == both ? PYS_IO_DONE :
                                                       PYS_IO_MOVED;
}

static enum pys_io
may_close(pys_conn *c)
{
    if (c->role == PYS_NO_ROLE)
        return pys_io_misuse(c, PYS_R_UNINITIALIZED);
    if (c->set->numbers[PYS_QUIET_SHUTDOWN] != 0) {
        atomic_fetch_or(&c->closing,
            PYS_SENT_SHUTDOWN | PYS_RECEIVED_SHUTDOWN);
        return PYS_IO_DONE;
    }
    if (atomic_load(&c->phase) != PYS_OPEN)
        return pys_io_misuse(c, PYS_R_SHUTDOWN_WHILE_IN_INIT);
    if (c->flow[PYS_OUT].bio == NULL)
        return pys_io_misuse(c, PYS_R_BIO_NOT_SET);
    return PYS_IO_MOVED;
}

enum pys_io
pys_conn_shutdown(pys_conn *c)
{
    pys_flow *out = &c->flow[PYS_OUT];
    enum pys_io io = may_close(c);
    bool first = (atomic_load(&c->closing) & PYS_SENT_SHUTDOWN) == 0;

    if (io != PYS_IO_MOVED)
        return io;
    out->want = PYS_NOTHING;
    if (first) {
        atomic_fetch_or(&c->closing, PYS_SENT_SHUTDOWN);
        c->w_open = false;
        if (!pys_alert_send(c, LEVEL_WARNING, PYS_AD_CLOSE_NOTIFY)) {
            (void)pys_fail_internal(c);
            return pys_io_fail(c);
        }
    } else if (pys_buf_size(&out->buf) == 0 && !out->flush_due) {
        io = closed_both(c);
        return io == PYS_IO_DONE ? io : PYS_IO_WANT_READ;
    }
    io = pys_io_drain(c);
    return io == PYS_IO_DONE ? closed_both(c) : io;
}

enum pys_io
pys_conn_shutdown_read(pys_conn *c)
{
    enum pys_io io;
    size_t none = 0;

    c->flow[PYS_IN].want = PYS_NOTHING;
    if (c->flow[PYS_IN].bio == NULL)
        return pys_io_misuse(c, PYS_R_BIO_NOT_SET);
    for (;;) {
        if ((atomic_load(&c->closing) & PYS_RECEIVED_SHUTDOWN) != 0)
            return PYS_IO_DONE;
        if (atomic_load(&c->phase) == PYS_DEAD)
            return PYS_IO_DEAD;
        if (c->plain.n != 0) {
            /* SD-5: what the peer had under way must be read first. */
            (void)pys_fail(c, PYS_NO_ALERT,
                PYS_R_APPLICATION_DATA_AFTER_CLOSE_NOTIFY);
            return reader_failed(c, PYS_IO_FAULT);
        }
        io = read_turn(c, NULL, 0, &none);
        if (io != PYS_IO_DONE && io != PYS_IO_CLOSED && io != PYS_IO_MOVED &&
            io != PYS_IO_NEWS)
            return io;
        /* A server may send tickets without end: they must not gather. */
        if (c->n_fresh != 0 || (c->watch != NULL && pys_noted(c, PYS_IN)))
            return PYS_IO_NEWS;
    }
}

bool
pys_quick_on_descriptor(const pys_conn *c, int writing)
{
    const pys_flow *flow = &c->flow[writing != 0];

    return atomic_load(&c->phase) == PYS_OPEN && c->watch == NULL &&
        flow->bio != NULL && pys_bio_is_descriptor(flow->bio);
}
