/*
 * The two connections of the fuzz targets.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "pys_pki.h"
#include "pys_test.h"

enum { TURNS = 12, CHUNK = 1 << 16, NOW_MS = 0 };

static pys_settings *settings[2][128]; /* by role and flags */
static pys_session *sessions[128];

static const uint8_t alpn[] = "\x02h2\x08http/1.1";

static void
must(bool done)
{
    if (!done)
        abort();
}

static pys_cert *
one_cert(const char *pem)
{
    size_t used = 0;
    pys_fault f = {.alert = PYS_NO_ALERT};

    return pys_cert_from_pem((const uint8_t *)pem, strlen(pem), &used, &f);
}

static void
identify(pys_settings *s)
{
    pys_fault f = {.alert = PYS_NO_ALERT};
    pys_cert *leaf = one_cert(fuzz_leaf);
    pys_key *key = pys_key_from_pem((const uint8_t *)fuzz_key,
        strlen(fuzz_key), NULL, 0, &f);

    must(leaf != NULL && key != NULL);
    must(pys_settings_use_cert(s, leaf, &f));
    must(pys_settings_use_key(s, key, &f));
    pys_cert_free(leaf);
    pys_key_free(key);
}

static void
groups(pys_settings *s, bool server, unsigned flags)
{
    static const uint16_t both[] = {29, 23};
    static const uint16_t p256[] = {23};

    if (server && (flags & FUZZ_RETRY) != 0)
        must(pys_settings_set_list(s, PYS_KIND_GROUP, p256, 1));
    else
        must(pys_settings_set_list(s, PYS_KIND_GROUP, both, 2));
}

static pys_settings *
settings_make(bool server, unsigned flags)
{
    pys_settings *s = pys_settings_new();
    pys_trust *trust = pys_trust_new();
    pys_fault f = {.alert = PYS_NO_ALERT};

    must(s != NULL && trust != NULL);
    must(pys_trust_add_pem(trust, (const uint8_t *)fuzz_ca, strlen(fuzz_ca),
        &f));
    pys_settings_set_trust(s, trust);
    pys_trust_free(trust);
    identify(s);
    groups(s, server, flags);
    must(pys_settings_set_alpn(s, alpn, sizeof(alpn) - 1));
    if ((flags & FUZZ_12) != 0)
        pys_settings_set_number(s, PYS_MAX_VERSION, 0x0303);
    if (server && (flags & FUZZ_AUTH) != 0)
        pys_settings_set_number(s, PYS_VERIFY_MODE, 1);
    if (!server && (flags & FUZZ_VERIFY) != 0)
        pys_settings_set_number(s, PYS_VERIFY_MODE, 1);
    if ((flags & FUZZ_EARLY) != 0) {
        pys_settings_set_number(s, PYS_MAX_EARLY_DATA, 16384);
        pys_settings_set_number(s, PYS_RECV_MAX_EARLY_DATA, 16384);
        pys_settings_set_number(s, PYS_OPTIONS,
            pys_settings_number(s, PYS_OPTIONS) | 0x1000000);
    }
    return s;
}

static pys_settings *
settings_of(bool server, unsigned flags)
{
    pys_settings **slot = &settings[server][flags & 127];

    if (*slot == NULL)
        *slot = settings_make(server, flags);
    return *slot;
}

static void
side_new(fuzz_pair *p, int side, unsigned flags)
{
    static const char name[] = "localhost";
    pys_conn *c = pys_conn_new(settings_of(side == 1, flags));

    p->in[side] = pys_bio_new(PYS_BIO_MEM);
    p->out[side] = pys_bio_new(PYS_BIO_MEM);
    must(c != NULL && p->in[side] != NULL && p->out[side] != NULL);
    pys_conn_set_bio(c, p->in[side], p->out[side]);
    pys_conn_set_role(c, side == 1 ? PYS_SERVER : PYS_CLIENT);
    if (side == 0)
        must(pys_conn_set_server_name(c, name, sizeof(name) - 1));
    if ((flags & FUZZ_VERIFY) != 0)
        must(pys_conn_set_host(c, name, sizeof(name) - 1));
    p->conn[side] = c;
}

bool
fuzz_pair_new(fuzz_pair *p, unsigned flags)
{
    fuzz_reset();
    pys_test_set_now(NOW_MS);
    memset(p, 0, sizeof(*p));
    for (int side = 0; side < 2; side++)
        side_new(p, side, flags);
    if ((flags & FUZZ_RESUME) != 0) {
        pys_session *s = fuzz_session(flags & ~(unsigned)FUZZ_RESUME);

        if (s != NULL)
            pys_conn_set_session(p->conn[0], s);
        pys_session_free(s);
    }
    fuzz_reset();
    return true;
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

bool
fuzz_turn(fuzz_pair *p, int side)
{
    static const uint8_t line[] = "a line";
    pys_conn *c = p->conn[side];
    uint8_t got[64];
    bool ended = false;
    size_t n = sizeof(got);
    enum pys_io io;

    if (pys_conn_phase(c) == PYS_BEFORE && side == 0)
        (void)pys_conn_write_early(c, line, sizeof(line));
    if (pys_conn_phase(c) != PYS_OPEN && side == 1)
        (void)pys_conn_read_early(c, got, &n, &ended);
    io = pys_conn_handshake(c);
    while (io == PYS_IO_DONE) {
        long ret = pys_conn_read(c, got, sizeof(got), false);

        if (ret == -PYS_IO_NEWS)
            (void)pys_conn_flush(c);
        else if (ret <= 0)
            break;
    }
    return pys_conn_phase(c) != PYS_DEAD;
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

pys_session *
fuzz_session(unsigned flags)
{
    pys_session **slot = &sessions[flags & 127];

    if (*slot == NULL) {
        fuzz_pair p;

        (void)fuzz_pair_new(&p, flags);
        converse(&p);
        *slot = pys_conn_session(p.conn[0]);
        fuzz_pair_free(&p);
    }
    /* A copy each: a ticket is used once (RFC 8446 C.4). */
    if (*slot == NULL)
        return NULL;
    {
        static uint8_t der[CHUNK];
        size_t used = 0;
        pys_fault f = {.alert = PYS_NO_ALERT};
        size_t n = pys_session_der(*slot, der, sizeof(der));

        return pys_session_from_der_bytes(der, n, &used, &f);
    }
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    must(pys_start());
    return 0;
}
