/*
 * A victim and its peer. Input: a head (fuzz.h), then edits of the bytes that
 * the peer sends: three bytes each (how far on, what to do, with what), and
 * for some of them data. Behind the last edit everything passes unchanged.
 * With the highest bit of the flags there is no peer: the input is what the
 * victim gets.
 */
#include "fuzz.h"

#include <string.h>

enum { STREAM_MAX = 1 << 16, TURNS = 18 };

enum { OP_SET, OP_XOR, OP_DROP, OP_INSERT, OP_TWICE, N_OPS };

typedef struct script {
    const uint8_t *p;
    size_t n;
    size_t wait; /* bytes to pass before the next edit */
    uint8_t op;
    uint8_t with;
    bool ready;
} script;

static bool
script_next(script *s)
{
    if (s->n < 3)
        return false;
    s->wait = s->p[0];
    s->op = s->p[1];
    s->with = s->p[2];
    s->p += 3;
    s->n -= 3;
    s->ready = true;
    return true;
}

static size_t
put(uint8_t *out, size_t at, const uint8_t *p, size_t n)
{
    if (n > STREAM_MAX - at)
        n = STREAM_MAX - at;
    if (n != 0)
        memcpy(out + at, p, n);
    return at + n;
}

/* Does one edit at in[*i]; gives the new end of out. */
static size_t
edit(script *s, const uint8_t *in, size_t n, size_t *i, uint8_t *out,
    size_t at)
{
    uint8_t byte = in[*i];
    size_t len;

    switch (s->op % N_OPS) {
    case OP_SET:
        byte = s->with;
        break;
    case OP_XOR:
        byte ^= s->with;
        break;
    case OP_DROP:
        *i += s->with < n - *i ? s->with : n - *i;
        return at;
    case OP_INSERT:
        len = s->with < s->n ? s->with : s->n;
        at = put(out, at, s->p, len);
        s->p += len;
        s->n -= len;
        break;
    default:
        len = s->with < n - *i ? s->with : n - *i;
        at = put(out, at, in + *i, len);
        break;
    }
    *i += 1;
    return put(out, at, &byte, 1);
}

static size_t
change(script *s, const uint8_t *in, size_t n, uint8_t *out)
{
    size_t at = 0;
    size_t i = 0;

    while (i < n) {
        size_t pass;

        if (!s->ready && !script_next(s))
            return put(out, at, in + i, n - i);
        pass = s->wait < n - i ? s->wait : n - i;
        at = put(out, at, in + i, pass);
        i += pass;
        s->wait -= pass;
        if (i == n)
            break;
        s->ready = false;
        at = edit(s, in, n, &i, out, at);
    }
    return at;
}

static void
raw(fuzz_pair *pair, int victim, const uint8_t *p, size_t n)
{
    (void)fuzz_turn(pair, victim);
    fuzz_give(pair, victim, p, n);
    (void)fuzz_turn(pair, victim);
}

static void
joined(fuzz_pair *pair, int victim, script *s)
{
    static uint8_t bytes[STREAM_MAX];
    static uint8_t changed[STREAM_MAX];
    bool alive = true;

    for (int turn = 0; turn < TURNS && alive; turn++) {
        int side = turn & 1;
        size_t n;

        alive = fuzz_turn(pair, side);
        n = fuzz_take(pair, side, bytes, sizeof(bytes));
        if (side == victim)
            fuzz_give(pair, 1 - side, bytes, n);
        else
            fuzz_give(pair, victim, changed, change(s, bytes, n, changed));
    }
    fuzz_close(pair, victim);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    fuzz_pair pair;
    script s;
    int victim;

    if (n < FUZZ_HEAD)
        return 0;
    victim = (p[0] & FUZZ_SERVER) != 0;
    fuzz_pair_new(&pair, p);
    memset(&s, 0, sizeof(s));
    s.p = p + FUZZ_HEAD;
    s.n = n - FUZZ_HEAD;
    if ((p[0] & FUZZ_RAW) != 0)
        raw(&pair, victim, s.p, s.n);
    else
        joined(&pair, victim, &s);
    fuzz_pair_free(&pair);
    return 0;
}
