/*
 * The application of the fuzz targets: it answers whatever the core asks, as
 * the head of the input says.
 */
#include <string.h>

#include "crypto/crypt.h"
#include "fuzz.h"
#include "pys_pki.h"

/* Questions of one run; who suspends for ever is not asked for ever. */
enum { ASKED_MAX = 300, PAD_STEP = 37, PAD_MAX = 400 };

static const uint8_t identity[] = "fuzz";

/* The same PSK for every identity; SHA-256 (RFC 8446 4.2.11). */
static bool
give_psk(pys_conn *c)
{
    static const uint8_t secret[32] = {1, 2, 3};
    pys_session *s = pys_session_new();
    size_t n;
    bool ok;

    (void)pys_conn_asked_psk(c, &n);
    ok = s != NULL && pys_session_set_number(s, PYS_SESSION_VERSION, 0x0304) &&
        pys_session_set_number(s, PYS_SESSION_SUITE, 0x1301) &&
        pys_session_set_bytes(s, PYS_SESSION_SECRET, secret, sizeof(secret)) &&
        pys_conn_give_psk(c, s, identity, sizeof(identity) - 1);
    pys_session_free(s);
    return ok;
}

static void
give_ticket_keys(pys_conn *c, bool renew)
{
    pys_ticket_setup setup;
    const uint8_t *head = pys_conn_asked_ticket(c);

    memset(&setup, 5, sizeof(setup));
    setup.n_key = 16;
    setup.n_mac_key = 32;
    setup.sha384 = renew;
    if (head != NULL)
        memcpy(setup.iv, head + sizeof(setup.name), sizeof(setup.iv));
    (void)pys_conn_answer_ticket(c, &setup, renew);
}

static void
give_session(fuzz_pair *p, pys_conn *c)
{
    pys_session *s = fuzz_session(p->flags);
    size_t n;

    (void)pys_conn_asked_id(c, &n);
    if (s != NULL)
        pys_conn_give_session(c, s);
    pys_session_free(s);
}

/* What a verification callback looks at, and its word. */
static void
judge(pys_conn *c, int asked)
{
    bool lost;
    bool ok;
    long error;

    if (asked == PYS_ASK_JUDGE)
        (void)pys_conn_verify(c);
    for (size_t i = 0; i < pys_conn_n_verify_events(c, &lost); i++)
        (void)pys_conn_verify_event(c, i, &ok, &error);
    for (size_t i = 0; i < pys_conn_n_verify_path(c); i++)
        pys_cert_free(pys_conn_verify_path(c, i));
    pys_conn_set_verdict(c, 0, -1);
}

/* What belongs to a yes; bytes of the answer, if it has any. */
static size_t
prepare(fuzz_pair *p, pys_conn *c, int asked, unsigned count, uint8_t *out)
{
    unsigned scheme;
    unsigned signer;
    const uint8_t *text;
    size_t n = 0;

    switch (asked) {
    case PYS_ASK_ALPN:
        memcpy(out, "h2", 2);
        return 2;
    case PYS_ASK_STATUS:
        (void)pys_conn_set_status(c, identity, sizeof(identity));
        return 0;
    case PYS_ASK_SESSION:
        give_session(p, c);
        return 0;
    case PYS_ASK_TICKET_SEAL:
    case PYS_ASK_TICKET_OPEN:
        give_ticket_keys(c, (count & 1) != 0);
        return 0;
    case PYS_ASK_VERIFY:
    case PYS_ASK_JUDGE:
        judge(c, asked);
        return 0;
    case PYS_ASK_SIGN:
        text = pys_conn_to_sign(c, &n, &scheme, &signer);
        if (!pys_sign(fuzz_own_key(), (uint16_t)scheme, pys_rd_of(text, n),
                out, &n))
            n = 0;
        return n;
    default:
        if (asked >= PYS_ASK_PSK_OFFER && asked <= PYS_ASK_PSK_SERVER)
            (void)give_psk(c);
        return 0;
    }
}

static bool
answer(fuzz_pair *p, pys_conn *c, int asked)
{
    static const enum pys_answer by_bits[] = {
        PYS_GO_ON, PYS_DECLINE, PYS_SUSPEND, PYS_REFUSE};
    uint8_t data[PYS_SIG_MAX];
    unsigned count = p->n_asked++;
    enum pys_answer said = by_bits[p->answers >> 2 * (count % 4) & 3];
    size_t n = 0;

    /* It comes again with the next call. */
    if (said == PYS_SUSPEND)
        return false;
    if (said == PYS_GO_ON)
        n = prepare(p, c, asked, count, data);
    pys_conn_answer(c, said, 80, data, n);
    return true;
}

bool
fuzz_answer(fuzz_pair *p, int side, enum pys_io io)
{
    pys_conn *c = p->conn[side];
    size_t n;

    if (p->n_asked >= ASKED_MAX)
        return false;
    if (io == PYS_IO_NEWS) {
        p->n_asked++;
        (void)pys_conn_flush(c);
        return true;
    }
    if (io == PYS_IO_ASK)
        return answer(p, c, pys_conn_asked(c));
    if (io != PYS_IO_BIO || pys_conn_pad_asked(c, &n) < 0)
        return false;
    /* The answers for others may be this one's failure. */
    if ((p->answers >> 2 * (p->n_asked++ % 4) & 3) == 3)
        pys_conn_pad_failed(c);
    else
        pys_conn_pad(c, p->n_asked * PAD_STEP % PAD_MAX);
    return true;
}
