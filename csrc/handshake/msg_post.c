/*
 * Messages after the handshake (RFC 8446 4.6): tickets, key updates.
 */
#include "conn/notice.h"
#include "handshake/flight.h"
#include "handshake/keys.h"

/* KeyUpdates in a row without data that are still obeyed (RW-29). */
enum { UPDATES_MAX = 32 };

/* RFC 8446 4.6.3. */
static bool
update_process(pys_conn *c, pys_rd *in)
{
    uint8_t request;
    int none = 0;

    if (!pys_rd_u8(in, &request) || !pys_rd_end(in))
        return false;
    if (request > 1)
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_BAD_KEY_UPDATE);
    if (++c->n_updates > UPDATES_MAX)
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_TOO_MANY_KEY_UPDATES);
    if (!pys_keys_update(c, PYS_IN))
        return false;
    /* The answer goes out with the next write; one does for several. */
    if (request == 1)
        (void)atomic_compare_exchange_strong(&c->update_due, &none, 1);
    return true;
}

/*
 * RFC 5746 4.1, RFC 5246 7.2.2: no renegotiation. The refusal goes out as
 * soon as somebody may write.
 */
static bool
refuse_renegotiation(pys_conn *c, uint8_t type, pys_rd *body)
{
    uint8_t expected = c->role == PYS_CLIENT ? PYS_MT_HELLO_REQUEST :
                                               PYS_MT_CLIENT_HELLO;

    if (type != expected)
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_UNEXPECTED_MESSAGE);
    if (++c->n_updates > UPDATES_MAX)
        return pys_fail(c, PYS_AD_HANDSHAKE_FAILURE, PYS_R_NO_RENEGOTIATION);
    /* A hello is not looked at; a request is empty (RFC 5246 7.4.1.1). */
    if (c->role == PYS_SERVER)
        *body = pys_rd_of(NULL, 0);
    atomic_store(&c->refuse_due, 1);
    return true;
}

static bool
post_process(pys_conn *c, uint8_t type, pys_rd *body)
{
    if (pys_is_12(c))
        return refuse_renegotiation(c, type, body);
    switch (type) {
    case PYS_MT_NEW_SESSION_TICKET:
        return pys_ticket_process(c, body);
    case PYS_MT_KEY_UPDATE:
        return update_process(c, body);
    default:
        /* RFC 8446 4.6.2, 4: also a CertificateRequest nobody offered. */
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_UNEXPECTED_MESSAGE);
    }
}

/* A message that was obeyed (INFO-7). */
static void
note_taken(pys_conn *c, uint8_t type, pys_rd whole)
{
    enum pys_state state = PYS_ST_TRST;

    if (type == PYS_MT_KEY_UPDATE)
        state = c->role == PYS_SERVER ? PYS_ST_TRCKU : PYS_ST_TRSKU;
    if (c->watch != NULL)
        pys_note_post(c, PYS_IN, state, whole);
}

/* Longest message there is: a ticket with all its extensions. */
enum { POST_MAX = 4 + 4 + 1 + 255 + 2 + 65535 + 2 + 65535 };

bool
pys_post_take(pys_conn *c, bool *moved)
{
    pys_rd in = pys_rd_buf(&c->msgs);
    pys_rd whole = in;
    uint8_t type;
    uint8_t update[PYS_MESSAGE_HEADER + 1];
    uint32_t len;
    pys_rd body;

    *moved = false;
    if (!pys_rd_u8(&in, &type))
        return true;
    /* RFC 8446 4: known before its length is. */
    if (!pys_is_12(c) && type != PYS_MT_NEW_SESSION_TICKET &&
        type != PYS_MT_KEY_UPDATE)
        return post_process(c, type, NULL);
    if (!pys_rd_u24(&in, &len))
        return true;
    if (len > POST_MAX)
        return pys_fail(c, PYS_AD_DECODE_ERROR, PYS_R_EXCESSIVE_MESSAGE_SIZE);
    if (!pys_rd_bytes(&in, len, &body))
        return true;
    *moved = true;
    /* Eaten before its keys change: RFC 8446 5.1 looks at the rest. */
    if (!pys_is_12(c) && type == PYS_MT_KEY_UPDATE && len == 1) {
        memcpy(update, whole.p, sizeof(update));
        pys_buf_eat(&c->msgs, sizeof(update));
        body = pys_rd_of(update + PYS_MESSAGE_HEADER, 1);
        if (!post_process(c, type, &body))
            return false;
        note_taken(c, type, pys_rd_of(update, sizeof(update)));
        return true;
    }
    if (!post_process(c, type, &body) || !pys_rd_end(&body))
        return pys_fail(c, PYS_AD_DECODE_ERROR, PYS_R_LENGTH_MISMATCH);
    note_taken(c, type, pys_rd_of(whole.p, PYS_MESSAGE_HEADER + len));
    pys_buf_eat(&c->msgs, PYS_MESSAGE_HEADER + len);
    return true;
}
