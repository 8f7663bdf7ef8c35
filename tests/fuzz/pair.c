/*
 * The two connections of the fuzz targets, and the calls made on them.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "pys_pki.h"
#include "pys_test.h"

enum {
    TURNS = 12,
    CHUNK = 1 << 16,
    DER_MAX = 1 << 14,
    NOW_MS = 0,
    PEER = 1,
    POST = 8,
    SIGNER = 1,
    NO_TICKET = 0x4000,
    NO_ANTI_REPLAY = 0x1000000,
    CACHED = 4
};

enum act { WRITE_EARLY, READ_EARLY, SHAKE, READ, WRITE, CLOSE };

/* By role and flags; what they hold is shared. */
static pys_settings *settings[2][FUZZ_FLAGS];
static struct der {
    uint8_t *p;
    size_t n;
} sessions[FUZZ_FLAGS];

static const uint8_t alpn[] = "\x02h2\x08http/1.1";

static void
must(bool done)
{
    if (!done)
        abort();
}

/* ---- settings ---------------------------------------------------------- */

static pys_cert *
own_cert(void)
{
    static pys_cert *cert;
    size_t used = 0;
    pys_fault f = {.alert = PYS_NO_ALERT};

    if (cert == NULL)
        cert = pys_cert_from_pem((const uint8_t *)fuzz_leaf, strlen(fuzz_leaf),
            &used, &f);
    must(cert != NULL);
    return cert;
}

pys_key *
fuzz_own_key(void)
{
    static pys_key *key;
    pys_fault f = {.alert = PYS_NO_ALERT};

    if (key == NULL)
        key = pys_key_from_pem((const uint8_t *)fuzz_key, strlen(fuzz_key),
            NULL, 0, &f);
    must(key != NULL);
    return key;
}

static pys_trust *
trust(void)
{
    static pys_trust *anchors;
    pys_fault f = {.alert = PYS_NO_ALERT};

    if (anchors == NULL) {
        anchors = pys_trust_new();
        must(anchors != NULL &&
            pys_trust_add_pem(anchors, (const uint8_t *)fuzz_ca,
                strlen(fuzz_ca), &f));
    }
    return anchors;
}

static void
identify(pys_settings *s, unsigned flags)
{
    pys_fault f = {.alert = PYS_NO_ALERT};

    must(pys_settings_use_cert(s, own_cert(), &f));
    if ((flags & FUZZ_SIGN) != 0)
        must(pys_settings_use_signer(s, SIGNER, &f));
    else
        must(pys_settings_use_key(s, fuzz_own_key(), &f));
}

static void
choose(pys_settings *s, bool server, unsigned flags)
{
    static const uint16_t both[] = {29, 23};
    static const uint16_t p256[] = {23};
    /* TLS_AES_128_GCM, ECDHE-PSK first, then ECDHE-ECDSA. */
    static const uint16_t suites[] = {0x1301, 0xd001, 0xccac, 0xc02b};

    if (server && (flags & FUZZ_RETRY) != 0)
        must(pys_settings_set_list(s, PYS_KIND_GROUP, p256, 1));
    else
        must(pys_settings_set_list(s, PYS_KIND_GROUP, both, 2));
    if ((flags & FUZZ_PSK) != 0)
        must(pys_settings_set_list(s, PYS_KIND_SUITE, suites, 4));
    must(pys_settings_set_alpn(s, alpn, sizeof(alpn) - 1));
    if ((flags & FUZZ_12) != 0)
        pys_settings_set_number(s, PYS_MAX_VERSION, 0x0303);
}

static int64_t
questions(bool server, unsigned flags)
{
    const int64_t one = 1;
    int64_t asks = 0;

    if ((flags & FUZZ_PSK) != 0)
        asks |= server ?
            one << PYS_ASK_PSK_LOOKUP | one << PYS_ASK_PSK_SERVER :
            one << PYS_ASK_PSK_OFFER | one << PYS_ASK_PSK_CLIENT;
    if ((flags & FUZZ_SIGN) != 0)
        asks |= one << PYS_ASK_SIGN;
    if ((flags & FUZZ_PROOFS) != 0)
        asks |= one << PYS_ASK_STATUS;
    if ((flags & FUZZ_TICKET) != 0)
        asks |= one << PYS_ASK_TICKET_SEAL | one << PYS_ASK_TICKET_OPEN;
    if ((flags & FUZZ_ASKS) != 0)
        asks |= one << PYS_ASK_CLIENT_HELLO | one << PYS_ASK_SERVER_NAME |
            one << PYS_ASK_CERT | one << PYS_ASK_ALPN | one << PYS_ASK_VERIFY |
            one << PYS_ASK_SESSION | one << PYS_ASK_EARLY_DATA |
            one << PYS_ASK_FIRST_USE | one << PYS_ASK_JUDGE;
    return asks;
}

static void
verify_mode(pys_settings *s, bool server, unsigned flags)
{
    if (server && (flags & FUZZ_POST) != 0)
        pys_settings_set_number(s, PYS_VERIFY_MODE,
            (flags & FUZZ_AUTH) != 0 ? PEER : PEER | POST);
    else if ((flags & (server ? FUZZ_AUTH : FUZZ_VERIFY)) != 0)
        pys_settings_set_number(s, PYS_VERIFY_MODE, PEER);
    if (!server && (flags & FUZZ_POST) != 0)
        pys_settings_set_number(s, PYS_POST_HANDSHAKE_AUTH, 1);
}

static void
rarities(pys_settings *s, bool server, unsigned flags)
{
    static const uint8_t scts[] = "\0\x08\0\x02"
                                  "ab"
                                  "\0\x02"
                                  "cd";

    if ((flags & FUZZ_EARLY) != 0) {
        int64_t options = pys_settings_number(s, PYS_OPTIONS);

        pys_settings_set_number(s, PYS_MAX_EARLY_DATA, 16384);
        pys_settings_set_number(s, PYS_RECV_MAX_EARLY_DATA, 16384);
        if ((flags & FUZZ_ASKS) == 0)
            pys_settings_set_number(s, PYS_OPTIONS, options | NO_ANTI_REPLAY);
    }
    /* Sessions by their ids, from a cache or from the application. */
    if ((flags & FUZZ_ASKS) != 0 && (flags & FUZZ_12) != 0) {
        pys_settings_set_number(s, PYS_OPTIONS,
            pys_settings_number(s, PYS_OPTIONS) | NO_TICKET);
        pys_cache_set_size(pys_settings_cache(s), CACHED);
    }
    if ((flags & FUZZ_PROOFS) != 0) {
        pys_settings_set_number(s, PYS_STATUS_TYPE, 1);
        pys_settings_set_number(s, PYS_ASK_SCTS, 1);
        must(pys_settings_set_scts(s, scts, sizeof(scts) - 1));
    }
    if ((flags & FUZZ_LIMIT) != 0) {
        pys_settings_set_number(s, PYS_RECORD_LIMIT, server ? 200 : 64);
        pys_settings_set_number(s, PYS_PAD_DATA, 100);
    }
    if ((flags & FUZZ_PAD) != 0)
        pys_settings_set_number(s, PYS_PAD_ASKED, 1);
}

static pys_settings *
settings_make(bool server, unsigned flags)
{
    pys_settings *s = pys_settings_new();

    must(s != NULL);
    pys_settings_set_trust(s, trust());
    identify(s, flags);
    choose(s, server, flags);
    verify_mode(s, server, flags);
    rarities(s, server, flags);
    pys_settings_set_number(s, PYS_ASKS, questions(server, flags));
    return s;
}

static pys_settings *
settings_of(bool server, unsigned flags)
{
    pys_settings *
        *slot = &settings[server][flags & ~(unsigned)(FUZZ_RAW | FUZZ_SERVER)];

    if (*slot == NULL)
        *slot = settings_make(server, flags);
    return *slot;
}

/* ---- the pair ---------------------------------------------------------- */

static void
side_new(fuzz_pair *p, int side)
{
    static const char name[] = "localhost";
    pys_conn *c = pys_conn_new(settings_of(side == 1, p->flags));

    p->in[side] = pys_bio_new(PYS_BIO_MEM);
    p->out[side] = pys_bio_new(PYS_BIO_MEM);
    must(c != NULL && p->in[side] != NULL && p->out[side] != NULL);
    pys_conn_set_bio(c, p->in[side], p->out[side]);
    pys_conn_set_role(c, side == 1 ? PYS_SERVER : PYS_CLIENT);
    if (side == 0)
        must(pys_conn_set_server_name(c, name, sizeof(name) - 1));
    if ((p->flags & FUZZ_VERIFY) != 0)
        must(pys_conn_set_host(c, name, sizeof(name) - 1));
    if ((p->flags & FUZZ_ASKS) != 0)
        must(pys_conn_watch(c, PYS_WATCH_INFO | PYS_WATCH_MSG));
    p->conn[side] = c;
}

void
fuzz_pair_new(fuzz_pair *p, const uint8_t *head)
{
    fuzz_reset();
    pys_test_set_now(NOW_MS);
    memset(p, 0, sizeof(*p));
    p->flags = head[0] | (unsigned)head[1] << 8;
    p->answers = head[2];
    for (int side = 0; side < 2; side++)
        side_new(p, side);
    /* Made now if it is asked for later, so that a run repeats itself. */
    if ((p->flags & (FUZZ_RESUME | FUZZ_ASKS)) != 0) {
        pys_session *s = fuzz_session(p->flags);

        if (s != NULL && (p->flags & FUZZ_RESUME) != 0)
            pys_conn_set_session(p->conn[0], s);
        pys_session_free(s);
    }
    fuzz_reset();
}

void
fuzz_pair_free(fuzz_pair *p)
{
    for (int side = 0; side < 2; side++) {
        pys_conn_free(p->conn[side]);
        pys_bio_free(p->in[side]);
        pys_bio_free(p->out[side]);
    }
}

/* ---- calls ------------------------------------------------------------- */

static enum pys_io
call(pys_conn *c, enum act what)
{
    static const uint8_t line[] = "a line that is longer than some records "
                                  "that the other side may have asked for";
    uint8_t got[64];
    size_t n = sizeof(got);
    bool ended = false;
    long ret = 0;

    switch (what) {
    case WRITE_EARLY:
        ret = pys_conn_write_early(c, line, sizeof(line));
        break;
    case READ_EARLY:
        return pys_conn_read_early(c, got, &n, &ended);
    case READ:
        ret = pys_conn_read(c, got, sizeof(got), false);
        break;
    case WRITE:
        ret = pys_conn_write(c, line, sizeof(line));
        break;
    case CLOSE:
        return pys_conn_shutdown(c);
    default:
        return pys_conn_handshake(c);
    }
    return ret >= 0 ? PYS_IO_DONE : (enum pys_io) - ret;
}

static enum pys_io
act(fuzz_pair *p, int side, enum act what)
{
    enum pys_io io;

    do {
        io = call(p->conn[side], what);
        while (pys_conn_next_notice(p->conn[side], what >= WRITE) != NULL)
            continue;
    } while (fuzz_answer(p, side, io));
    return io;
}

static void
use_open(fuzz_pair *p, int side)
{
    pys_conn *c = p->conn[side];
    enum pys_io io;

    if (!p->said[side]) {
        p->said[side] = true;
        (void)act(p, side, WRITE);
        (void)pys_conn_key_update(c, side);
    }
    do {
        io = act(p, side, READ);
        /* An authentication goes on. */
        if (io == PYS_IO_NOT_OPEN)
            io = act(p, side, SHAKE);
    } while (io == PYS_IO_DONE || io == PYS_IO_NEWS);
    if (side == 1 && (p->flags & FUZZ_POST) != 0 && !p->demanded) {
        p->demanded = true;
        if (pys_conn_ask_auth(c) == PYS_IO_DONE)
            (void)act(p, side, SHAKE);
    }
}

bool
fuzz_turn(fuzz_pair *p, int side)
{
    pys_conn *c = p->conn[side];

    if (pys_conn_phase(c) == PYS_BEFORE && side == 0)
        (void)act(p, side, WRITE_EARLY);
    if (pys_conn_phase(c) != PYS_OPEN && side == 1)
        (void)act(p, side, READ_EARLY);
    if (act(p, side, SHAKE) == PYS_IO_DONE)
        use_open(p, side);
    return pys_conn_phase(c) != PYS_DEAD;
}

void
fuzz_close(fuzz_pair *p, int side)
{
    if (pys_conn_phase(p->conn[side]) == PYS_OPEN)
        (void)act(p, side, CLOSE);
}

size_t
fuzz_take(fuzz_pair *p, int side, uint8_t *out, size_t max)
{
    long n = pys_bio_read(p->out[side], out, max);

    return n > 0 ? (size_t)n : 0;
}

void
fuzz_give(fuzz_pair *p, int side, const uint8_t *bytes, size_t n)
{
    if (n != 0)
        must(pys_bio_write(p->in[side], bytes, n) == (long)n);
}

/* ---- a session of an earlier connection -------------------------------- */

static void
converse(fuzz_pair *p)
{
    static uint8_t bytes[CHUNK];

    for (int turn = 0; turn < TURNS; turn++) {
        int side = turn & 1;

        (void)fuzz_turn(p, side);
        fuzz_give(p, 1 - side, bytes, fuzz_take(p, side, bytes, CHUNK));
    }
}

static void
session_make(struct der *slot, unsigned flags)
{
    const uint8_t head[FUZZ_HEAD] = {flags & 0xff, flags >> 8 & 0xff, 0};
    pys_session *s;
    fuzz_pair p;

    /* While it is made there is none. */
    slot->p = malloc(DER_MAX);
    must(slot->p != NULL);
    fuzz_pair_new(&p, head);
    converse(&p);
    s = pys_conn_session(p.conn[0]);
    slot->n = s == NULL ? 0 : pys_session_der(s, slot->p, DER_MAX);
    must(slot->n <= DER_MAX);
    slot->p = realloc(slot->p, slot->n + 1);
    must(slot->p != NULL);
    pys_session_free(s);
    fuzz_pair_free(&p);
}

/* A copy each: a ticket is used once (RFC 8446 C.4). */
pys_session *
fuzz_session(unsigned flags)
{
    struct der *slot;
    pys_fault f = {.alert = PYS_NO_ALERT};
    size_t used = 0;

    flags &= ~(unsigned)(FUZZ_RESUME | FUZZ_SERVER | FUZZ_RAW);
    slot = &sessions[flags];
    if (slot->p == NULL)
        session_make(slot, flags);
    if (slot->n == 0)
        return NULL;
    return pys_session_from_der_bytes(slot->p, slot->n, &used, &f);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    must(pys_start());
    return 0;
}
