#include "handshake/intake.h"

#include "conn/notice.h"
#include "handshake/early.h"
#include "handshake/flight.h"

/*
 * Records that carry nothing, and alerts that change nothing: how many may
 * come in a row before the peer is held to be playing.
 */
enum { EMPTY_MAX = 32, WARNINGS_MAX = 4, CCS_MAX = 32 };

enum { LEVEL_WARNING = 1, LEVEL_FATAL = 2 };

static bool
starts_with(const uint8_t *bytes, const char *word)
{
    return pys_equal(bytes, word, strlen(word));
}

/* HS-18: what an old-fashioned or confused peer says first. */
static bool
not_tls(pys_conn *c, const uint8_t *bytes)
{
    static const char *const verbs[] = {"GET ", "POST ", "HEAD ", "PUT "};

    if (c->role == PYS_SERVER) {
        for (size_t i = 0; i < PYS_COUNT(verbs); i++) {
            if (starts_with(bytes, verbs[i]))
                return pys_fail(c, PYS_NO_ALERT, PYS_R_HTTP_REQUEST);
        }
        if (starts_with(bytes, "CONNE"))
            return pys_fail(c, PYS_NO_ALERT, PYS_R_HTTPS_PROXY_REQUEST);
    }
    return pys_fail(c, PYS_NO_ALERT, PYS_R_WRONG_VERSION_NUMBER);
}

bool
pys_intake_head(pys_conn *c, const uint8_t *bytes, pys_head *head)
{
    size_t most = PYS_CIPHER_MAX;
    bool sealed;

    *head = pys_record_head(bytes);
    /* Later versions are ignored (RFC 8446 5.1); the first one tells TLS. */
    if (c->first_record && head->version >> 8 != 3)
        return not_tls(c, bytes);
    c->first_record = false;

    sealed = c->flow[PYS_IN].protect.aead != NULL &&
        (pys_is_12(c) || head->type == PYS_RT_APPLICATION_DATA);
    if (pys_is_12(c))
        most = PYS_CIPHER_MAX_12;
    /* RFC 8446 4.2.10: it is protected, though we have no keys (any more). */
    if (pys_early_skipping(c) && head->type == PYS_RT_APPLICATION_DATA)
        sealed = true;
    /* RFC 5246 6.2.1: the agreed one; who gives up may not know it. */
    if (pys_is_12(c) && head->version != PYS_TLS1_2 &&
        (sealed || head->type != PYS_RT_ALERT))
        return pys_fail(c, PYS_AD_PROTOCOL_VERSION,
            PYS_R_WRONG_VERSION_NUMBER);
    /* RFC 8446 5.2, RFC 5246 6.2.3. */
    if (sealed && head->len > most)
        return pys_fail(c, PYS_AD_RECORD_OVERFLOW,
            PYS_R_ENCRYPTED_LENGTH_TOO_LONG);
    /* RFC 8446 5.1. */
    if (!sealed && head->len > PYS_PLAIN_MAX)
        return pys_fail(c, PYS_AD_RECORD_OVERFLOW,
            PYS_R_PACKET_LENGTH_TOO_LONG);
    return true;
}

static pys_took
refuse(pys_conn *c, int alert, unsigned reason)
{
    (void)pys_fail(c, alert, reason);
    return PYS_TOOK_FAULT;
}

static pys_took
unexpected(pys_conn *c)
{
    return refuse(c, PYS_AD_UNEXPECTED_MESSAGE, PYS_R_UNEXPECTED_MESSAGE);
}

/*
 * RFC 8446 5 and D.4: between the first ClientHello and the peer's Finished
 * one byte of value 1, in the clear, is dropped.
 */
static pys_took
take_dummy(pys_conn *c, pys_rd content)
{
    bool hello = c->hs != NULL && !c->hs->post &&
        (c->role == PYS_CLIENT || c->hs->suite != NULL);

    if (!hello || pys_buf_size(&c->msgs) != 0)
        return unexpected(c);
    if (content.n != 1 || content.p[0] != 1)
        return refuse(c, PYS_AD_UNEXPECTED_MESSAGE, PYS_R_INVALID_CCS_MESSAGE);
    if (++c->n_ccs > CCS_MAX)
        return unexpected(c);
    return PYS_TOOK_NOTHING;
}

/* RFC 5246 7.1: the step of the handshake that waits for it, no other. */
static pys_took
take_ccs12(pys_conn *c, pys_rd content)
{
    if (c->hs == NULL || c->hs->step == NULL || c->hs->step->msg != NULL ||
        c->hs->step->from == c->role || c->hs->ccs_got)
        return refuse(c, PYS_AD_UNEXPECTED_MESSAGE, PYS_R_CCS_RECEIVED_EARLY);
    if (content.n != 1 || content.p[0] != 1)
        return refuse(c, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_BAD_CHANGE_CIPHER_SPEC);
    c->hs->ccs_got = true;
    return PYS_TOOK_NOTHING;
}

/* The peer gave up: its alert becomes our reason (ERR-20), none goes back. */
static pys_took
take_fatal(pys_conn *c, int alert)
{
    if (pys_fail(c, PYS_NO_ALERT, 1000U + (unsigned)alert))
        return PYS_TOOK_FAULT;
    c->fault.alert_received = alert;
    atomic_fetch_or(&c->closing, PYS_RECEIVED_SHUTDOWN);
    return PYS_TOOK_FAULT;
}

/*
 * An alert that changes nothing: of TLS 1.3 user_canceled alone (RFC 8446
 * 6.1), of TLS 1.2 every warning (RFC 5246 7.2.2), also while the version is
 * open.
 */
static bool
is_warning(const pys_conn *c, int level, int alert)
{
    if (alert == PYS_AD_USER_CANCELED)
        return level == LEVEL_WARNING || !pys_is_12(c);
    return level == LEVEL_WARNING && c->version != PYS_TLS1_3 &&
        pys_version_min(c) == PYS_TLS1_2;
}

static pys_took
take_warning(pys_conn *c, int alert)
{
    /* RW-28: we never ask for it, so it answers nothing. */
    if (alert == PYS_AD_NO_RENEGOTIATION)
        return refuse(c, PYS_AD_HANDSHAKE_FAILURE, PYS_R_NO_RENEGOTIATION);
    if (++c->n_warnings > WARNINGS_MAX)
        return refuse(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_TOO_MANY_WARN_ALERTS);
    return PYS_TOOK_NOTHING;
}

/* RFC 8446 6, RFC 5246 7.2. */
static pys_took
take_alert(pys_conn *c, pys_rd content)
{
    uint8_t level;
    uint8_t alert;

    /* RFC 8446 5.1: one whole alert a record. */
    if (!pys_rd_u8(&content, &level) || !pys_rd_u8(&content, &alert) ||
        !pys_rd_end(&content))
        return refuse(c, PYS_AD_DECODE_ERROR, PYS_R_INVALID_ALERT);
    if (level != LEVEL_WARNING && level != LEVEL_FATAL)
        return refuse(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_UNKNOWN_ALERT_TYPE);
    if (c->watch != NULL)
        pys_note_alert(c, PYS_IN, level, alert);
    if (alert == PYS_AD_CLOSE_NOTIFY) {
        atomic_fetch_or(&c->closing, PYS_RECEIVED_SHUTDOWN);
        return PYS_TOOK_CLOSED;
    }
    if (is_warning(c, level, alert))
        return take_warning(c, alert);
    /* RFC 8446 6.2: fatal whatever the level says. */
    return take_fatal(c, alert);
}

static pys_took
take_messages(pys_conn *c, pys_rd content)
{
    /* RFC 8446 5.1: no empty fragments of handshake messages. */
    if (content.n == 0)
        return unexpected(c);
    /* In a handshake each message that counts ends the row. */
    if (c->hs == NULL)
        c->n_warnings = 0;
    if (content.n > c->msgs.limit - pys_buf_size(&c->msgs))
        return refuse(c, PYS_AD_ILLEGAL_PARAMETER,
            PYS_R_EXCESSIVE_MESSAGE_SIZE);
    if (!pys_buf_add(&c->msgs, content.p, content.n)) {
        (void)pys_fail_internal(c);
        return PYS_TOOK_FAULT;
    }
    return PYS_TOOK_MESSAGES;
}

static pys_took
take_data(pys_conn *c, pys_rd content)
{
    /*
     * RFC 8446 4.4.4, 2.3: none but early data before the handshake is over;
     * 4.6.2: none between the messages of an authentication.
     */
    if ((c->hs != NULL && !pys_early_coming(c)) ||
        c->flow[PYS_IN].protect.aead == NULL)
        return unexpected(c);
    if (c->hs != NULL && !pys_early_count(c, content.n))
        return PYS_TOOK_FAULT;
    if (content.n == 0) {
        if (++c->n_empty > EMPTY_MAX)
            return unexpected(c);
        return PYS_TOOK_NOTHING;
    }
    c->n_empty = 0;
    c->n_warnings = 0;
    c->n_updates = 0;
    return PYS_TOOK_DATA;
}

/* Content of one record, out of its protection. */
static pys_took
take_content(pys_conn *c, unsigned type, pys_rd content)
{
    /* RFC 8446 5.1: nothing in between the fragments of a message. */
    if (type != PYS_RT_HANDSHAKE && pys_buf_size(&c->msgs) != 0)
        return refuse(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_MIXED_HANDSHAKE_AND_NON_HANDSHAKE_DATA);
    switch (type) {
    case PYS_RT_HANDSHAKE:
        return take_messages(c, content);
    case PYS_RT_CHANGE_CIPHER_SPEC:
        return pys_is_12(c) ? take_ccs12(c, content) : unexpected(c);
    case PYS_RT_ALERT:
        return take_alert(c, content);
    case PYS_RT_APPLICATION_DATA:
        return take_data(c, content);
    default:
        /* RFC 8446 5: an unexpected record type, also a protected dummy. */
        return unexpected(c);
    }
}

/*
 * A server that has sent its flight may still get the alert of a client that
 * could not use it, and so has no keys (RFC 8446 6 leaves it open).
 */
static bool
clear_alert_allowed(const pys_conn *c)
{
    return c->role == PYS_SERVER && c->hs != NULL && !c->hs->post &&
        c->flow[PYS_IN].protect.seq == 0;
}

static pys_took
take_clear(pys_conn *c, unsigned type, pys_rd body)
{
    if (type == PYS_RT_CHANGE_CIPHER_SPEC && !pys_is_12(c))
        return take_dummy(c, body);
    if (c->flow[PYS_IN].protect.aead != NULL &&
        (type != PYS_RT_ALERT || !clear_alert_allowed(c)))
        return unexpected(c);
    return take_content(c, type, body);
}

/*
 * RFC 8446 4.2.10: early data that was not accepted is passed over, up to a
 * limit: records before the client has seen a HelloRetryRequest, or those
 * that do not open under the handshake keys.
 */
static pys_took
skip_early(pys_conn *c, size_t n)
{
    const size_t extra = PYS_RECORD_HEADER + 1 + PYS_TAG_LEN;

    return pys_early_count(c, n > extra ? n - extra : 1) ? PYS_TOOK_NOTHING :
                                                           PYS_TOOK_FAULT;
}

/* Our own limit counts content, type and padding. */
static bool
record_too_long(const pys_conn *c, size_t n)
{
    int64_t limit = c->set->numbers[PYS_RECORD_LIMIT];

    /* RFC 8449 4: who sends early data does not know it yet. */
    return limit != 0 && !pys_early_coming(c) &&
        n > (size_t)limit + PYS_RECORD_HEADER + PYS_TAG_LEN +
            pys_record_explicit(&c->flow[PYS_IN].protect);
}

/* Is this record protected, under the keys of what comes in? */
static bool
is_sealed(const pys_conn *c, unsigned type)
{
    return c->flow[PYS_IN].protect.aead != NULL &&
        (pys_is_12(c) || type == PYS_RT_APPLICATION_DATA);
}

pys_took
pys_intake(pys_conn *c, pys_rd record, uint8_t *out, size_t n, pys_rd *content)
{
    pys_flow *in = &c->flow[PYS_IN];
    unsigned type = record.p[0];
    pys_rd body = pys_rd_of(record.p + PYS_RECORD_HEADER,
        record.n - PYS_RECORD_HEADER);
    uint8_t *theirs = out;
    pys_fault fault;
    pys_head inner;
    pys_took took;

    if (c->watch != NULL)
        pys_note_header(c, pys_rd_of(record.p, PYS_RECORD_HEADER));
    if (!is_sealed(c, type)) {
        if (type == PYS_RT_APPLICATION_DATA && pys_early_skipping(c))
            return skip_early(c, record.n);
        return take_clear(c, type, body);
    }
    pys_fault_init(&fault);
    if (out == NULL) {
        out = in->buf.data + (body.p - in->buf.data) +
            pys_record_explicit(&in->protect);
        n = body.n;
    }
    if (!pys_record_open(&in->protect, record, out, n, &inner, &fault)) {
        if (fault.alert == PYS_AD_BAD_RECORD_MAC && pys_early_skipping(c))
            return skip_early(c, record.n);
        return refuse(c, fault.alert, fault.codes[0] & 0x7fffff);
    }
    if (c->early != NULL)
        c->early->skipping = false;
    if (c->watch != NULL && !pys_is_12(c))
        pys_note_inner(c, inner.type);
    /* RFC 8449 4: longer than what we said we take, padding included. */
    if (record_too_long(c, record.n))
        return refuse(c, PYS_AD_RECORD_OVERFLOW,
            PYS_R_ENCRYPTED_LENGTH_TOO_LONG);
    *content = pys_rd_of(out, inner.len);
    took = take_content(c, inner.type, *content);
    /* A ticket, say, is not for the application. */
    if (took != PYS_TOOK_DATA && theirs != NULL)
        pys_wipe(theirs, inner.len);
    return took;
}

bool
pys_alert_send(pys_conn *c, int level, int alert)
{
    uint8_t bytes[2] = {(uint8_t)level, (uint8_t)alert};
    pys_flow *out = &c->flow[PYS_OUT];

    out->flush_due = true;
    if (!pys_seal(c, &out->protect, PYS_RT_ALERT, pys_rd_of(bytes, 2)))
        return false;
    if (c->watch != NULL)
        pys_note_alert(c, PYS_OUT, level, alert);
    return true;
}

pys_go
pys_message_waits(pys_conn *c)
{
    static const uint8_t hello_request[] = {PYS_MT_HELLO_REQUEST, 0, 0, 0};
    const size_t n = sizeof(hello_request);
    bool skips = c->role == PYS_CLIENT && pys_is_12(c);
    size_t have;

    while ((have = pys_buf_size(&c->msgs)) != 0) {
        if (!skips ||
            !pys_equal(pys_buf_head(&c->msgs), hello_request,
                have < n ? have : n))
            return PYS_GO_NEXT;
        if (have < n)
            return PYS_GO_READ;
        if (++c->n_warnings > WARNINGS_MAX) {
            (void)unexpected(c);
            return PYS_GO_FAIL;
        }
        if (c->watch != NULL)
            pys_note_message(c, PYS_IN, PYS_RT_HANDSHAKE,
                pys_rd_of(hello_request, n));
        pys_buf_eat(&c->msgs, n);
    }
    return PYS_GO_READ;
}
