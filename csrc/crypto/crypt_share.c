/*
 * Key shares: X25519 (RFC 7748), the NIST curves (RFC 8446 4.2.8.2) and
 * X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem).
 *
 * Every group has a Diffie-Hellman half; the hybrid has a KEM half before it.
 */
#include "crypto/crypt_half.h"

#include "crypto/suite.h"

struct pys_share {
    uint16_t group;
    pys_half dh;
    pys_kem *kem; /* NULL but for the hybrid */
};

bool
pys_share_has(uint16_t group)
{
    if (group == PYS_X25519MLKEM768)
        return pys_kem_has();
    return pys_group_find(group) != NULL;
}

pys_share *
pys_share_new(uint16_t group)
{
    bool hybrid = group == PYS_X25519MLKEM768;
    pys_share *s;

    if (!pys_share_has(group) || (s = pys_alloc(sizeof(*s))) == NULL)
        return NULL;
    s->group = group;
    if (hybrid)
        s->kem = pys_kem_new();
    if ((hybrid && s->kem == NULL) || !pys_half_new(group, &s->dh)) {
        pys_half_failed();
        pys_share_free(s);
        return NULL;
    }
    return s;
}

void
pys_share_free(pys_share *s)
{
    if (s == NULL)
        return;
    pys_half_wipe(&s->dh);
    pys_kem_free(s->kem);
    pys_free(s);
}

uint16_t
pys_share_group(const pys_share *s)
{
    return s->group;
}

bool
pys_share_public(pys_share *s, pys_wr *out)
{
    bool ok = (s->kem == NULL || pys_kem_write(s->kem, out)) &&
        pys_half_write(s->group, &s->dh, out);

    if (!ok)
        pys_half_failed();
    return ok;
}

/* Nothing of a secret is left. */
static bool
refused(uint8_t *secret, size_t *n)
{
    pys_half_failed();
    pys_wipe(secret, PYS_SECRET_MAX);
    *n = 0;
    return false;
}

/* Takes the KEM half off the front of a hybrid's key_exchange. */
static bool
derive_kem(pys_share *s, pys_rd *peer, uint8_t *secret, bool *internal)
{
    pys_rd ciphertext;

    /* draft-ietf-tls-ecdhe-mlkem 4.1: the ciphertext comes first. */
    if (!pys_rd_bytes(peer, PYS_KEM_CIPHERTEXT_LEN, &ciphertext) ||
        peer->n != PYS_X25519_LEN)
        return false;
    *internal = !pys_kem_open(s->kem, ciphertext, secret);
    return !*internal;
}

bool
pys_share_derive(pys_share *s, pys_rd peer, uint8_t *secret, size_t *n,
    bool *internal)
{
    size_t kem = s->kem != NULL ? PYS_KEM_SECRET_LEN : 0;

    *internal = false;
    if ((s->kem != NULL && !derive_kem(s, &peer, secret, internal)) ||
        !pys_half_derive(s->group, &s->dh, peer, secret + kem, n, internal))
        return refused(secret, n);
    *n += kem;
    return true;
}

/*
 * Takes the client's KEM half off the front of peer, answers it in out and
 * puts the secret of that half into secret.
 */
static bool
respond_kem(pys_rd *peer, pys_wr *out, uint8_t *secret, bool *internal)
{
    pys_rd public;
    uint8_t *room;

    /* draft-ietf-tls-ecdhe-mlkem 4.1: the encapsulation key comes first. */
    if (!pys_rd_bytes(peer, PYS_KEM_PUBLIC_LEN, &public) ||
        peer->n != PYS_X25519_LEN)
        return false;
    room = pys_wr_room(out, PYS_KEM_CIPHERTEXT_LEN);
    *internal = room == NULL;
    return room != NULL && pys_kem_respond(public, room, secret, internal);
}

/* The same for the Diffie-Hellman half, which is all of peer. */
static bool
respond_dh(uint16_t group, pys_rd peer, pys_wr *out, uint8_t *secret,
    size_t *n, bool *internal)
{
    pys_half dh;
    bool ok;

    *internal = !pys_half_new(group, &dh) || !pys_half_write(group, &dh, out);
    ok = !*internal && pys_half_derive(group, &dh, peer, secret, n, internal);
    pys_half_wipe(&dh);
    return ok;
}

bool
pys_share_respond(uint16_t group, pys_rd peer, pys_wr *out, uint8_t *secret,
    size_t *n, bool *internal)
{
    bool hybrid = group == PYS_X25519MLKEM768;
    size_t kem = hybrid ? PYS_KEM_SECRET_LEN : 0;

    *n = 0;
    *internal = !pys_share_has(group);
    if (*internal)
        return false;
    if ((hybrid && !respond_kem(&peer, out, secret, internal)) ||
        !respond_dh(group, peer, out, secret + kem, n, internal))
        return refused(secret, n);
    *n += kem;
    return true;
}
