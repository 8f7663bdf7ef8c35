/*
 * The transcript hash of RFC 8446 4.4.1.
 */
#include "crypto/transcript.h"

/* What is kept is one ClientHello; its size is limited by who receives it. */
enum { KEPT_MAX = 1 << 18, KEPT_USUAL = 512, MESSAGE_HASH = 254 };

bool
pys_transcript_init(pys_transcript *t)
{
    *t = (pys_transcript){.started = false};
    pys_buf_init(&t->kept, KEPT_MAX);
    t->hash = pys_hash_new();
    t->scratch = pys_hash_new();
    if (t->hash == NULL || t->scratch == NULL ||
        !pys_buf_reserve(&t->kept, KEPT_USUAL)) {
        pys_transcript_wipe(t);
        return false;
    }
    return true;
}

void
pys_transcript_wipe(pys_transcript *t)
{
    pys_buf_wipe(&t->kept);
    pys_hash_free(t->hash);
    pys_hash_free(t->scratch);
    *t = (pys_transcript){.started = false};
}

bool
pys_transcript_add(pys_transcript *t, pys_rd message)
{
    t->known = false;
    if (t->started && !pys_hash_add(t->hash, message))
        return false;
    if (t->started && !t->keep)
        return true;
    return pys_buf_add(&t->kept, message.p, message.n);
}

/* Hashes into h what is kept, but for what was hashed ahead. */
static bool
hash_kept(pys_transcript *t, enum pys_hash_alg alg, pys_hash *h)
{
    pys_rd kept = pys_rd_buf(&t->kept);
    pys_rd had;

    if (t->n_ahead != 0 && t->alg == alg &&
        pys_rd_bytes(&kept, t->n_ahead, &had))
        return (h == t->hash || pys_hash_fork(t->hash, h)) &&
            pys_hash_add(h, kept);
    return pys_hash_begin(h, alg) && pys_hash_add(h, kept);
}

bool
pys_transcript_start(pys_transcript *t, enum pys_hash_alg alg)
{
    if (t->started || !hash_kept(t, alg, t->hash))
        return false;
    if (!t->keep)
        pys_buf_wipe(&t->kept);
    t->alg = alg;
    t->started = true;
    return true;
}

void
pys_transcript_forget(pys_transcript *t)
{
    t->keep = false;
    pys_buf_wipe(&t->kept);
}

bool
pys_transcript_retry(pys_transcript *t)
{
    uint8_t head[] = {MESSAGE_HASH, 0, 0, 0};
    uint8_t hash[PYS_HASH_MAX];
    size_t n = pys_hash_len(t->alg);

    head[3] = (uint8_t)n;
    t->known = false;
    return t->started && pys_hash_end(t->hash, hash) &&
        pys_hash_begin(t->hash, t->alg) &&
        pys_hash_add(t->hash, pys_rd_of(head, sizeof(head))) &&
        pys_hash_add(t->hash, pys_rd_of(hash, n));
}

bool
pys_transcript_resume(pys_transcript *t, enum pys_hash_alg alg,
    const pys_hash *base)
{
    t->alg = alg;
    t->started = pys_hash_fork(base, t->hash);
    return t->started;
}

bool
pys_transcript_now(pys_transcript *t, uint8_t *out)
{
    if (!t->known)
        t->known = t->started && pys_hash_peek(t->hash, t->scratch, t->now);
    memcpy(out, t->now, PYS_HASH_MAX);
    return t->known;
}

bool
pys_transcript_with(pys_transcript *t, enum pys_hash_alg alg, pys_rd head,
    pys_rd rest, uint8_t *out)
{
    bool begun = t->started ? pys_hash_fork(t->hash, t->scratch) :
                              hash_kept(t, alg, t->scratch);

    return begun && pys_hash_add(t->scratch, head) &&
        pys_hash_add(t->scratch, rest) && pys_hash_end(t->scratch, out);
}

bool
pys_transcript_first(pys_transcript *t, enum pys_hash_alg alg, pys_rd head,
    pys_rd rest, uint8_t *out)
{
    t->n_ahead = 0;
    if (t->started || !pys_hash_begin(t->hash, alg) ||
        !pys_hash_add(t->hash, head) || !pys_hash_add(t->hash, rest))
        return false;
    t->alg = alg;
    t->n_ahead = head.n + rest.n;
    return pys_hash_peek(t->hash, t->scratch, out);
}
