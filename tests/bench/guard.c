/*
 * The main paths of the core, for tests/bench/guard.py to count instructions
 * of: guard PATH TIMES ROOT CHAIN KEY. Files are PEM. What counts is what
 * runs inside of `measured`; each path was gone through twice before.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pys_conn.h"
#include "pys_pki.h"

enum { LONGEST = 16384, TURNS = 20, SMALL = 64, VERIFY_PEER = 1 };

/* The two contexts, and the session to resume, if any. */
typedef struct stage {
    pys_settings *client;
    pys_settings *server;
    pys_session *session;
    bool resumed;
    bool tickets13;
} stage;

/* Two connections over two memory BIOs. */
typedef struct ends {
    pys_bio *down;
    pys_bio *up;
    pys_conn *client;
    pys_conn *server;
} ends;

static uint8_t data[LONGEST];
static uint8_t room[LONGEST];

static void
must(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "%s failed\n", what);
        exit(1);
    }
}

static uint8_t *
read_file(const char *path, size_t *n)
{
    static uint8_t kept[3][LONGEST];
    static int used;
    FILE *file = fopen(path, "rb");
    uint8_t *to = kept[used++];

    must(file != NULL, path);
    *n = fread(to, 1, LONGEST, file);
    fclose(file);
    return to;
}

/* ---- a handshake ---- */

static void
begin(const stage *s, ends *e)
{
    static const char host[] = "localhost";
    size_t n = sizeof(host) - 1;

    e->down = pys_bio_new(PYS_BIO_MEM);
    e->up = pys_bio_new(PYS_BIO_MEM);
    e->client = pys_conn_new(s->client);
    e->server = pys_conn_new(s->server);
    pys_bio_ctrl(e->down, 130, -1); /* BIO_C_SET_BUF_MEM_EOF_RETURN */
    pys_bio_ctrl(e->up, 130, -1);
    pys_conn_set_bio(e->client, e->down, e->up);
    pys_conn_set_bio(e->server, e->up, e->down);
    pys_conn_set_role(e->client, PYS_CLIENT);
    pys_conn_set_role(e->server, PYS_SERVER);
    must(pys_conn_set_server_name(e->client, host, n) &&
            pys_conn_set_host(e->client, host, n),
        "name");
    if (s->session != NULL)
        pys_conn_set_session(e->client, s->session);
}

static void
shake(const ends *e)
{
    enum pys_io one = PYS_IO_WANT_READ;
    enum pys_io two = PYS_IO_WANT_READ;

    for (int i = 0; i < TURNS; i++) {
        if (one != PYS_IO_DONE)
            one = pys_conn_handshake(e->client);
        if (two != PYS_IO_DONE)
            two = pys_conn_handshake(e->server);
        if (one == PYS_IO_DONE && two == PYS_IO_DONE)
            return;
    }
    must(false, "handshake");
}

static void
say(const ends *e, size_t n)
{
    size_t got = 0;

    must(pys_conn_write(e->client, data, n) == (long)n, "write");
    while (got < n) {
        long part = pys_conn_read(e->server, room, sizeof(room), false);

        must(part > 0, "read");
        got += (size_t)part;
    }
}

/* The client's session; in TLS 1.3 it comes before the first data. */
static void
keep_session(stage *s, const ends *e)
{
    if (s->tickets13) {
        long got = -PYS_IO_NEWS;

        must(pys_conn_write(e->server, data, 1) == 1, "write");
        while (got == -PYS_IO_NEWS || got == -PYS_IO_MOVED)
            got = pys_conn_read(e->client, room, sizeof(room), false);
        must(got == 1, "ticket");
    }
    pys_conn_put_shutdown(e->client, 3); /* else it is not resumable */
    pys_session_free(s->session);
    s->session = pys_conn_session(e->client);
    must(s->session != NULL, "session");
}

static void
end(ends *e)
{
    pys_conn_free(e->client);
    pys_conn_free(e->server);
    pys_bio_free(e->down);
    pys_bio_free(e->up);
}

/* ---- paths ---- */

static void
connect_once(stage *s)
{
    ends e;

    begin(s, &e);
    shake(&e);
    must(pys_conn_resumed(e.client) == (s->session != NULL), "resumption");
    if (s->resumed)
        keep_session(s, &e);
    end(&e);
}

/* Everything that counts: its name is what callgrind is told. */
__attribute__((noinline)) void measured(stage *s, const ends *e, size_t n,
    long times);

void
measured(stage *s, const ends *e, size_t n, long times)
{
    for (long i = 0; i < times; i++) {
        if (n != 0)
            say(e, n);
        else
            connect_once(s);
    }
}

static void
configure(stage *s, char **files, int version)
{
    pys_fault f;
    pys_trust *trust = pys_trust_new();
    pys_cert *leaf;
    pys_key *key;
    size_t n, used = 0;
    uint8_t *text = read_file(files[0], &n);

    s->client = pys_settings_new();
    s->server = pys_settings_new();
    must(pys_trust_add_pem(trust, text, n, &f), "root");
    pys_settings_set_trust(s->client, trust);
    pys_trust_free(trust);
    pys_settings_set_number(s->client, PYS_VERIFY_MODE, VERIFY_PEER);
    text = read_file(files[1], &n);
    leaf = pys_cert_from_pem(text, n, &used, &f);
    must(leaf != NULL && pys_settings_use_cert(s->server, leaf, &f), "leaf");
    text = read_file(files[2], &n);
    key = pys_key_from_pem(text, n, NULL, 0, &f);
    must(key != NULL && pys_settings_use_key(s->server, key, &f), "key");
    pys_cert_free(leaf);
    pys_key_free(key);
    for (int i = 0; i < 2; i++) {
        pys_settings *one = i == 0 ? s->client : s->server;

        pys_settings_set_number(one, PYS_MIN_VERSION, version);
        pys_settings_set_number(one, PYS_MAX_VERSION, version);
    }
    pys_settings_set_number(s->server, PYS_NUM_TICKETS, s->resumed);
}

int
main(int argc, char **argv)
{
    stage s = {.resumed = false};
    ends e;
    const char *path = argc == 6 ? argv[1] : "";
    long times = argc == 6 ? atol(argv[2]) : 0;
    bool old = strstr(path, "12") != NULL;
    size_t n = strcmp(path, "bulk") == 0 ? LONGEST :
        strcmp(path, "small") == 0       ? SMALL :
                                           0;

    must(times > 0 && pys_start(), "start");
    s.resumed = strncmp(path, "resumed", 7) == 0;
    s.tickets13 = s.resumed && !old;
    configure(&s, argv + 3, old ? 0x0303 : 0x0304);
    for (int i = 0; i < 2; i++)
        connect_once(&s);
    begin(&s, &e);
    shake(&e);
    if (s.resumed)
        keep_session(&s, &e);
    for (int i = 0; n != 0 && i < 2; i++)
        say(&e, n);
    measured(&s, &e, n, times);
    end(&e);
    pys_session_free(s.session);
    pys_settings_free(s.client);
    pys_settings_free(s.server);
    return 0;
}
