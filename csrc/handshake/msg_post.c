/*
 * Messages after the handshake (RFC 8446 4.6): tickets, key updates, and
 * what begins or answers an authentication.
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

/* ---- authentication (RFC 8446 4.6.2) ----------------------------------- */

/* How far back a client knows the contexts of requests. */
enum { CONTEXTS_MAX = 1024 };

bool
pys_post_keep(pys_hs *hs)
{
    pys_conn *c = hs->conn;

    if (!hs->post_offered)
        return true;
    c->post = pys_alloc(sizeof(*c->post));
    if (c->post == NULL)
        return false;
    pys_buf_init(&c->post->used, CONTEXTS_MAX);
    c->post->n_tickets = hs->n_tickets;
    c->post->asked = (hs->flags & PYS_HS_CLIENT_AUTH) != 0;
    c->post->base = pys_hash_new();
    return c->post->base != NULL &&
        pys_hash_fork(hs->transcript.hash, c->post->base);
}

/* RFC 8446 4.3.2: unpredictable, and another one each time. */
enum { CONTEXT_LEN = 32 };

bool
pys_post_context_make(pys_hs *hs)
{
    uint8_t context[CONTEXT_LEN];

    return pys_random(context, sizeof(context)) &&
        pys_buf_add(&hs->request_context, context, sizeof(context));
}

/* Is it among the contexts known? */
static bool
context_used(const pys_buf *used, pys_rd context)
{
    pys_rd known = pys_rd_buf(used);
    pys_rd one;

    while (pys_rd_vec8(&known, &one)) {
        if (pys_rd_is(one, context))
            return true;
    }
    return false;
}

/* Adds it; the oldest ones make room. */
static bool
context_note(pys_buf *used, pys_rd context)
{
    pys_wr w = pys_wr_to(used);

    while (pys_buf_size(used) + 1 + context.n > CONTEXTS_MAX) {
        pys_rd known = pys_rd_buf(used);
        pys_rd one;

        if (!pys_rd_vec8(&known, &one))
            return false;
        pys_buf_eat(used, 1 + one.n);
    }
    pys_wr_vec8(&w, context);
    return pys_wr_ok(&w);
}

bool
pys_post_context_take(pys_hs *hs, pys_rd context)
{
    pys_conn *c = hs->conn;

    /* RFC 8446 4.3.2: zero length within the handshake. */
    if (!hs->post)
        return context.n == 0 ||
            pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_LENGTH_MISMATCH);
    /* RFC 8446 4.3.2: unique within the connection. */
    if (context_used(&c->post->used, context))
        return pys_fail(c, PYS_AD_ILLEGAL_PARAMETER, PYS_R_INVALID_CONTEXT);
    return (context_note(&c->post->used, context) &&
               pys_keep(&hs->request_context, context)) ||
        pys_fail_internal(c);
}

bool
pys_post_begin(pys_conn *c)
{
    pys_post *post = c->post;
    pys_flow *from = &c->flow[c->role == PYS_SERVER ? PYS_IN : PYS_OUT];
    pys_hs *hs = post->waiting;

    post->waiting = NULL;
    if (hs == NULL) {
        hs = pys_hs_new(c);
        if (hs == NULL)
            return false;
        hs->post = true;
        hs->step = pys_flight_post;
        hs->suite = c->suite;
        hs->n_tickets = post->n_tickets;
        if (!pys_transcript_resume(&hs->transcript, c->suite->hash,
                post->base)) {
            pys_hs_free(hs);
            return false;
        }
    }
    /* RFC 8446 4.4.4: the base key is the client's of this moment. */
    if (!pys_keys13_finished_key(hs->transcript.scratch, hs->suite->hash,
            from->secret, hs->keys.client_finished)) {
        pys_hs_free(hs);
        return false;
    }
    hs->paused = false;
    c->hs = hs;
    return true;
}

/* Is this the peer's part of an authentication that may happen now? */
static bool
authenticates(const pys_conn *c, uint8_t type)
{
    if (c->post == NULL)
        return false;
    if (c->role == PYS_CLIENT)
        return type == PYS_MT_CERTIFICATE_REQUEST;
    if (c->post->waiting == NULL)
        return false;
    /* Behind our close_notify the whole answer is passed over. */
    return type == PYS_MT_CERTIFICATE ||
        ((atomic_load(&c->closing) & PYS_SENT_SHUTDOWN) != 0 &&
            (type == PYS_MT_CERTIFICATE_VERIFY || type == PYS_MT_FINISHED));
}

/*
 * It is all there. Answering it takes both directions, so the reader stops
 * and the handshake goes on; unless nothing can be sent any more.
 */
static bool
authentication_take(pys_conn *c, pys_rd whole)
{
    int open = PYS_OPEN;

    if (c->role == PYS_CLIENT && ++c->n_updates > UPDATES_MAX)
        return pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE,
            PYS_R_UNEXPECTED_MESSAGE);
    if ((atomic_load(&c->closing) & PYS_SENT_SHUTDOWN) != 0)
        pys_buf_eat(&c->msgs, whole.n);
    else
        (void)atomic_compare_exchange_strong(&c->phase, &open, PYS_RUNNING);
    return true;
}

/* ---- taking them ------------------------------------------------------- */

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
        type != PYS_MT_KEY_UPDATE && !authenticates(c, type))
        return post_process(c, type, NULL);
    if (!pys_rd_u24(&in, &len))
        return true;
    if (len > POST_MAX)
        return pys_fail(c, PYS_AD_DECODE_ERROR, PYS_R_EXCESSIVE_MESSAGE_SIZE);
    if (!pys_rd_bytes(&in, len, &body))
        return true;
    *moved = true;
    if (authenticates(c, type))
        return authentication_take(c,
            pys_rd_of(pys_buf_head(&c->msgs), PYS_MESSAGE_HEADER + len));
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
