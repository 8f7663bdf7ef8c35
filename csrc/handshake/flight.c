#include "handshake/flight.h"

#include "conn/notice.h"
#include "handshake/keys.h"
#include "handshake/psk.h"

const pys_step pys_flight13[] = {
    {
        .name = "ClientHello",
        .msg = &pys_msg_client_hello,
        .from = PYS_CLIENT,
        .sent = PYS_ST_TWCH,
        .got = PYS_ST_TRCH,
        .then = pys_keys_early,
    },
    {
        /* RFC 8446 4.1.4. Its type is ServerHello's: see `is`. */
        .name = "HelloRetryRequest",
        .msg = &pys_msg_retry,
        .from = PYS_SERVER,
        .optional = true,
        .sent = PYS_ST_TWSH,
        .got = PYS_ST_TRSH,
        .then = pys_keys_retry,
    },
    {
        .name = "ClientHello (second)",
        .msg = &pys_msg_client_hello,
        .from = PYS_CLIENT,
        .when = PYS_HS_RETRIED,
        .sent = PYS_ST_TWCH,
        .got = PYS_ST_TRCH,
    },
    {
        .name = "ServerHello",
        .msg = &pys_msg_server_hello,
        .from = PYS_SERVER,
        .sent = PYS_ST_TWSH,
        .got = PYS_ST_TRSH,
        .then = pys_keys_handshake,
    },
    {
        .name = "EncryptedExtensions",
        .msg = &pys_msg_encrypted_extensions,
        .from = PYS_SERVER,
        .sent = PYS_ST_TWEE,
        .got = PYS_ST_TREE,
        .then = pys_keys_early_answer,
    },
    {
        /* RFC 8446 4.3.2. The client learns of it from the next type. */
        .name = "CertificateRequest",
        .msg = &pys_msg_certificate_request,
        .from = PYS_SERVER,
        .unless = PYS_HS_PSK,
        .optional = true,
        .sent = PYS_ST_TWCR,
        .got = PYS_ST_TRCR,
    },
    {
        .name = "server Certificate",
        .msg = &pys_msg_certificate,
        .from = PYS_SERVER,
        .unless = PYS_HS_PSK,
        .sent = PYS_ST_TWSC,
        .got = PYS_ST_TRSC,
    },
    {
        .name = "server CertificateVerify",
        .msg = &pys_msg_certificate_verify,
        .from = PYS_SERVER,
        .unless = PYS_HS_PSK,
        .sent = PYS_ST_TWSCV,
        .got = PYS_ST_TRSCV,
    },
    {
        .name = "server Finished",
        .msg = &pys_msg_finished,
        .from = PYS_SERVER,
        .sent = PYS_ST_TWFIN,
        .got = PYS_ST_TRFIN,
        .then = pys_keys_master,
    },
    {
        /* RFC 8446 4.5. */
        .name = "EndOfEarlyData",
        .msg = &pys_msg_end_of_early_data,
        .from = PYS_CLIENT,
        .when = PYS_HS_EARLY,
        .sent = PYS_ST_TWEOED,
        .got = PYS_ST_TREOED,
        .then = pys_keys_early_end,
    },
    {
        .name = "client Certificate",
        .msg = &pys_msg_certificate,
        .from = PYS_CLIENT,
        .when = PYS_HS_CLIENT_AUTH,
        .sent = PYS_ST_TWCC,
        .got = PYS_ST_TRCC,
    },
    {
        .name = "client CertificateVerify",
        .msg = &pys_msg_certificate_verify,
        .from = PYS_CLIENT,
        .when = PYS_HS_CLIENT_CERT,
        .sent = PYS_ST_TWCV,
        .got = PYS_ST_TRCV,
    },
    {
        .name = "client Finished",
        .msg = &pys_msg_finished,
        .from = PYS_CLIENT,
        .sent = PYS_ST_TWFIN,
        .got = PYS_ST_TRFIN,
        .then = pys_keys_traffic,
    },
    {
        /* RFC 8446 4.6.1. The client is done and takes them later. */
        .name = "NewSessionTicket",
        .msg = &pys_msg_ticket,
        .from = PYS_SERVER,
        .optional = true,
        .repeated = true,
        .sent = PYS_ST_TWST,
    },
    {.name = NULL},
};

const pys_step pys_flight12[] = {
    {
        /* RFC 5246 7.3. Entered from the list above when this is done. */
        .name = "ServerHello",
        .msg = &pys_msg_server_hello,
        .from = PYS_SERVER,
        .sent = PYS_ST_TWSH,
        .got = PYS_ST_TRSH,
    },
    {
        .name = "server Certificate",
        .unless = PYS_HS_RESUMED | PYS_HS_PSK,
        .msg = &pys_msg_certificate12,
        .from = PYS_SERVER,
        .sent = PYS_ST_TWSC,
        .got = PYS_ST_TRSC,
    },
    {
        /* RFC 6066 8. */
        .name = "CertificateStatus",
        .when = PYS_HS_STATUS,
        .unless = PYS_HS_RESUMED | PYS_HS_PSK,
        .msg = &pys_msg_certificate_status,
        .from = PYS_SERVER,
        .optional = true,
        .sent = PYS_ST_TWCS,
        .got = PYS_ST_TRCS,
    },
    {
        .name = "ServerKeyExchange",
        .unless = PYS_HS_RESUMED,
        .msg = &pys_msg_server_kx,
        .from = PYS_SERVER,
        .sent = PYS_ST_TWSKE,
        .got = PYS_ST_TRSKE,
    },
    {
        .name = "CertificateRequest",
        .unless = PYS_HS_RESUMED | PYS_HS_PSK,
        .msg = &pys_msg_certificate_request12,
        .from = PYS_SERVER,
        .optional = true,
        .sent = PYS_ST_TWCR,
        .got = PYS_ST_TRCR,
    },
    {
        .name = "ServerHelloDone",
        .unless = PYS_HS_RESUMED,
        .msg = &pys_msg_server_done,
        .from = PYS_SERVER,
        .sent = PYS_ST_TWSD,
        .got = PYS_ST_TRSD,
    },
    {
        .name = "client Certificate",
        .unless = PYS_HS_RESUMED,
        .msg = &pys_msg_certificate12,
        .from = PYS_CLIENT,
        .when = PYS_HS_CLIENT_AUTH,
        .sent = PYS_ST_TWCC,
        .got = PYS_ST_TRCC,
    },
    {
        .name = "ClientKeyExchange",
        .unless = PYS_HS_RESUMED,
        .msg = &pys_msg_client_kx,
        .from = PYS_CLIENT,
        .sent = PYS_ST_TWCKE,
        .got = PYS_ST_TRCKE,
        .then = pys_keys12_derive,
    },
    {
        .name = "client CertificateVerify",
        .unless = PYS_HS_RESUMED,
        .msg = &pys_msg_certificate_verify12,
        .from = PYS_CLIENT,
        .when = PYS_HS_CLIENT_CERT,
        .sent = PYS_ST_TWCV,
        .got = PYS_ST_TRCV,
    },
    /* RFC 5246 7.3: resumed, the server ends first. */
    {
        /* RFC 5077 3.3. */
        .name = "NewSessionTicket",
        .msg = &pys_msg_ticket12,
        .from = PYS_SERVER,
        .when = PYS_HS_RESUMED | PYS_HS_TICKET,
        .sent = PYS_ST_TWST,
        .got = PYS_ST_TRST,
    },
    {
        .name = "server change_cipher_spec",
        .from = PYS_SERVER,
        .when = PYS_HS_RESUMED,
        .sent = PYS_ST_TWCCS,
        .got = PYS_ST_TRCCS,
        .then = pys_keys12_server,
    },
    {
        .name = "server Finished",
        .msg = &pys_msg_finished12,
        .from = PYS_SERVER,
        .when = PYS_HS_RESUMED,
        .sent = PYS_ST_TWFIN,
        .got = PYS_ST_TRFIN,
    },
    {
        .name = "client change_cipher_spec",
        .from = PYS_CLIENT,
        .sent = PYS_ST_TWCCS,
        .got = PYS_ST_TRCCS,
        .then = pys_keys12_client,
    },
    {
        .name = "client Finished",
        .msg = &pys_msg_finished12,
        .from = PYS_CLIENT,
        .sent = PYS_ST_TWFIN,
        .got = PYS_ST_TRFIN,
    },
    {
        /* RFC 5077 3.3. */
        .name = "NewSessionTicket",
        .msg = &pys_msg_ticket12,
        .from = PYS_SERVER,
        .when = PYS_HS_TICKET,
        .unless = PYS_HS_RESUMED,
        .sent = PYS_ST_TWST,
        .got = PYS_ST_TRST,
    },
    {
        .name = "server change_cipher_spec",
        .from = PYS_SERVER,
        .unless = PYS_HS_RESUMED,
        .sent = PYS_ST_TWCCS,
        .got = PYS_ST_TRCCS,
        .then = pys_keys12_server,
    },
    {
        .name = "server Finished",
        .msg = &pys_msg_finished12,
        .from = PYS_SERVER,
        .unless = PYS_HS_RESUMED,
        .sent = PYS_ST_TWFIN,
        .got = PYS_ST_TRFIN,
    },
    {.name = NULL},
};

const pys_step pys_flight_post[] = {
    {
        .name = "CertificateRequest",
        .msg = &pys_msg_certificate_request,
        .from = PYS_SERVER,
        .pause = true,
        .sent = PYS_ST_TWCR,
        .got = PYS_ST_TRCR,
    },
    {
        .name = "client Certificate",
        .msg = &pys_msg_certificate,
        .from = PYS_CLIENT,
        .sent = PYS_ST_TWCC,
        .got = PYS_ST_TRCC,
    },
    {
        .name = "client CertificateVerify",
        .msg = &pys_msg_certificate_verify,
        .from = PYS_CLIENT,
        .when = PYS_HS_CLIENT_CERT,
        .sent = PYS_ST_TWCV,
        .got = PYS_ST_TRCV,
    },
    {
        .name = "client Finished",
        .msg = &pys_msg_finished,
        .from = PYS_CLIENT,
        .sent = PYS_ST_TWFIN,
        .got = PYS_ST_TRFIN,
    },
    {
        /* Those before are of a session without the certificate. */
        .name = "NewSessionTicket",
        .msg = &pys_msg_ticket,
        .from = PYS_SERVER,
        .optional = true,
        .repeated = true,
        .sent = PYS_ST_TWST,
    },
    {.name = NULL},
};

/* Replay of published traces: see pys_test_put_message. */
static bool
replace_message(pys_hs *hs, size_t before)
{
    size_t n;
    uint8_t *p = pys_injected(hs->step->msg->type, &n);
    bool ok = true;

    if (p != NULL) {
        hs->unsealed.len = hs->unsealed.off + before;
        hs->transcript.n_ahead = 0;
        ok = pys_buf_add(&hs->unsealed, p, n);
        pys_free(p);
    }
    return ok;
}

static bool
write_message(pys_hs *hs, size_t before)
{
    const pys_msg *msg = hs->step->msg;
    pys_wr w = pys_wr_to(&hs->unsealed);
    size_t at;

    pys_wr_u8(&w, msg->type);
    at = pys_wr_open24(&w);
    if (!msg->build(hs, &w))
        return false;
    pys_wr_close24(&w, at);
    if (!pys_wr_ok(&w))
        return false;
    if (msg->finish != NULL &&
        !msg->finish(hs, pys_buf_head(&hs->unsealed) + before,
            pys_buf_size(&hs->unsealed) - before))
        return false;
    return replace_message(hs, before);
}

/* Builds the message of the step behind those that wait to be sealed. */
static bool
build_message(pys_hs *hs)
{
    size_t before = pys_buf_size(&hs->unsealed);
    pys_rd whole;

    if (!write_message(hs, before)) {
        /* No part of it goes out before the alert. */
        hs->unsealed.len = hs->unsealed.off + before;
        return false;
    }
    whole = pys_rd_buf(&hs->unsealed);
    whole = pys_rd_of(whole.p + before, whole.n - before);
    if (hs->conn->watch != NULL)
        pys_note_message(hs->conn, PYS_OUT, PYS_RT_HANDSHAKE, whole);
    return pys_transcript_add(&hs->transcript, whole);
}

static pys_go
step_send(pys_hs *hs, bool *skipped)
{
    /* RFC 8446 D.4: a client's dummy record precedes its second flight. */
    bool first = hs->step == pys_flight13 || hs->post;
    const pys_msg *msg = hs->step->msg;
    pys_go go = msg->prepare == NULL ? PYS_GO_NEXT : msg->prepare(hs);

    if (go != PYS_GO_NEXT) {
        *skipped = go == PYS_GO_DONE;
        return *skipped ? PYS_GO_NEXT : go;
    }
    if ((!first && !hs->server && !pys_keys_dummy_ccs(hs)) ||
        !build_message(hs)) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    pys_enter(hs->conn, hs->step->sent);
    return PYS_GO_NEXT;
}

/*
 * The next whole message in conn->msgs, header included. PYS_GO_READ if it
 * is not all there.
 */
static pys_go
next_message(pys_hs *hs, size_t max, pys_rd *whole)
{
    pys_rd in = pys_rd_buf(&hs->conn->msgs);
    pys_rd at = in;
    uint8_t type;
    uint32_t len;

    if (!pys_rd_u8(&at, &type) || !pys_rd_u24(&at, &len))
        return PYS_GO_READ;
    /* RFC 8446 6.2: a length that no such message can have. */
    if (len > max) {
        (void)pys_fail(hs->conn, PYS_AD_DECODE_ERROR,
            PYS_R_EXCESSIVE_MESSAGE_SIZE);
        return PYS_GO_FAIL;
    }
    if (at.n < len)
        return PYS_GO_READ;
    *whole = pys_rd_of(in.p, PYS_MESSAGE_HEADER + len);
    return PYS_GO_NEXT;
}

/* Is the message that has come the one of this step? */
static bool
step_fits(const pys_step *step, pys_rd whole)
{
    pys_rd body = pys_rd_of(whole.p + PYS_MESSAGE_HEADER,
        whole.n - PYS_MESSAGE_HEADER);

    return whole.p[0] == step->msg->type &&
        (step->msg->is == NULL || step->msg->is(body));
}

static pys_go
step_take(pys_hs *hs, pys_rd whole)
{
    pys_conn *c = hs->conn;
    const pys_step *step = hs->step;
    pys_rd body = pys_rd_of(whole.p + PYS_MESSAGE_HEADER,
        whole.n - PYS_MESSAGE_HEADER);

    /* RFC 8446 6.2: whatever cannot be read to its end is decode_error. */
    if (!step->msg->process(hs, &body) || !pys_rd_end(&body)) {
        (void)pys_fail(c, PYS_AD_DECODE_ERROR,
            whole.n == PYS_MESSAGE_HEADER ? PYS_R_LENGTH_TOO_SHORT :
                                            PYS_R_LENGTH_MISMATCH);
        return PYS_GO_FAIL;
    }
    if (!pys_transcript_add(&hs->transcript, whole)) {
        (void)pys_fail_internal(c);
        return PYS_GO_FAIL;
    }
    if (c->watch != NULL)
        pys_note_message(c, PYS_IN, PYS_RT_HANDSHAKE, whole);
    pys_buf_eat(&c->msgs, whole.n);
    c->n_warnings = 0;
    atomic_store_explicit(&c->state, step->got, memory_order_release);
    return PYS_GO_NEXT;
}

static pys_go
unexpected(pys_conn *c, unsigned reason)
{
    (void)pys_fail(c, PYS_AD_UNEXPECTED_MESSAGE, reason);
    return PYS_GO_FAIL;
}

/* Receives the message of the step, or finds that it was left out. */
static pys_go
step_receive(pys_hs *hs, bool *skipped)
{
    pys_conn *c = hs->conn;
    const pys_step *step = hs->step;
    pys_rd whole;
    pys_go go = pys_message_waits(c);

    if (go != PYS_GO_NEXT)
        return go;
    if (*pys_buf_head(&c->msgs) == step->msg->type) {
        go = next_message(hs, step->msg->max, &whole);
        if (go != PYS_GO_NEXT)
            return go;
        if (step_fits(step, whole))
            return step_take(hs, whole);
    }
    *skipped = step->optional;
    if (step->optional)
        return PYS_GO_NEXT;
    /* RFC 8446 4, 4.1.4: one that may not come here, as a second retry. */
    return unexpected(c, PYS_R_UNEXPECTED_MESSAGE);
}

/* RFC 5246 7.1: a record of its own, between two kinds of keys. */
static pys_go
step_ccs(pys_hs *hs)
{
    pys_conn *c = hs->conn;
    pys_go go;

    if (hs->step->from == c->role) {
        if (!pys_keys12_ccs(hs))
            return PYS_GO_FAIL;
        pys_enter(c, hs->step->sent);
        return PYS_GO_NEXT;
    }
    go = pys_message_waits(c);
    /* RFC 5246 7.4.9: Finished, or anything else, comes behind it. */
    if (go == PYS_GO_NEXT)
        return unexpected(c,
            *pys_buf_head(&c->msgs) == PYS_MT_FINISHED ?
                PYS_R_GOT_A_FIN_BEFORE_A_CCS :
                PYS_R_UNEXPECTED_MESSAGE);
    if (go == PYS_GO_FAIL)
        return go;
    if (!hs->ccs_got)
        return PYS_GO_READ;
    hs->ccs_got = false;
    pys_enter(c, hs->step->got);
    return PYS_GO_NEXT;
}

static bool
step_left_out(const pys_hs *hs)
{
    const pys_step *step = hs->step;

    return (hs->flags & step->when) != step->when ||
        (hs->flags & step->unless) != 0 ||
        (step->repeated && step->from != hs->conn->role);
}

/* Runs the message of the step; *skipped says that there was none. */
static pys_go
step_message(pys_hs *hs, bool *skipped)
{
    const pys_step *step = hs->step;

    if (step->msg == NULL)
        return step_ccs(hs);
    if (step->from == hs->conn->role) {
        if (step->optional && !step->msg->wanted(hs)) {
            *skipped = true;
            return PYS_GO_NEXT;
        }
        return step_send(hs, skipped);
    }
    return step_receive(hs, skipped);
}

/* What a message that came leads to; only then it counts as taken. */
static pys_go
step_settle(pys_hs *hs)
{
    const pys_step *step = hs->step;

    if (step->msg->settle != NULL) {
        pys_go go;

        hs->settling = true;
        go = step->msg->settle(hs);
        if (go != PYS_GO_NEXT)
            return go;
        hs->settling = false;
    }
    if (hs->conn->watch != NULL)
        pys_note_info(hs->conn, PYS_IN, PYS_CB_LOOP, 1);
    return PYS_GO_NEXT;
}

/* One step: message, decisions, key changes. */
static pys_go
step_run(pys_hs *hs)
{
    const pys_step *step = hs->step;
    bool skipped = false;
    pys_go go = PYS_GO_NEXT;

    if (!hs->settling)
        go = step_message(hs, &skipped);
    if (go != PYS_GO_NEXT || skipped)
        return go;
    if (step->msg != NULL && step->from != hs->conn->role) {
        go = step_settle(hs);
        if (go != PYS_GO_NEXT)
            return go;
    }
    if (step->then != NULL && !step->then(hs)) {
        (void)pys_fail_internal(hs->conn);
        return PYS_GO_FAIL;
    }
    return PYS_GO_NEXT;
}

static pys_go
flight_walk(pys_hs *hs)
{
    while (hs->step->name != NULL && !hs->paused) {
        if (!step_left_out(hs)) {
            pys_go go = step_run(hs);

            if (go != PYS_GO_NEXT)
                return go;
        }
        /* The other list goes on behind the message both begin with. */
        if (pys_is_12(hs->conn) && hs->step->msg == &pys_msg_server_hello)
            hs->step = pys_flight12;
        if (hs->step->repeated && hs->step->from == hs->conn->role &&
            hs->step->msg->wanted(hs))
            continue;
        hs->step++;
        hs->paused = hs->step[-1].pause && hs->step[-1].from == hs->conn->role;
    }
    return PYS_GO_DONE;
}

pys_go
pys_flight_run(pys_conn *c)
{
    pys_hs *hs = c->hs;
    pys_go go;

    if (hs->step == NULL)
        hs->step = pys_flight13;
    go = flight_walk(hs);
    if (go == PYS_GO_DONE && !hs->post &&
        !(pys_is_12(c) ? pys_session12_done(hs) : pys_session13_done(hs))) {
        (void)pys_fail_internal(c);
        go = PYS_GO_FAIL;
    }
    if (go == PYS_GO_FAIL)
        (void)pys_fail(c, PYS_AD_DECODE_ERROR, PYS_R_LENGTH_MISMATCH);
    /* What was built before a failure goes out before its alert. */
    return pys_hs_seal(hs) ? go : PYS_GO_FAIL;
}

/* A server's request is out: the rest comes when it is answered. */
static bool
flight_pauses(pys_conn *c)
{
    if (!c->hs->paused)
        return false;
    c->post->waiting = c->hs;
    c->post->asked = true;
    return true;
}

void
pys_flight_finish(pys_conn *c)
{
    bool post = c->hs->post;

    if (c->hs->id != NULL) {
        pys_cert_free(c->own_cert);
        c->own_cert = pys_cert_up_ref(c->hs->id->leaf);
    }
    if (!flight_pauses(c))
        pys_hs_free(c->hs);
    c->hs = NULL;
    atomic_store(&c->state, PYS_ST_OK);
    atomic_store(&c->phase, PYS_OPEN);
    if (post)
        return;
    pys_count_good(c);
    pys_offers_drop(c);
    pys_buf_wipe(&c->msgs);
    if (pys_buf_size(&c->flow[PYS_IN].buf) == 0)
        pys_buf_wipe(&c->flow[PYS_IN].buf);
    if (c->watch != NULL)
        pys_note_info(c, PYS_IN, PYS_CB_DONE, 1);
}
