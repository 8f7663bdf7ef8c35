/*
 * The key schedule of RFC 8446 7.1, step by step down its drawing.
 */
#include "crypto/keys13.h"

/* Names the secret to expand; label is a C string. */
static pys_label
label_of(enum pys_hash_alg alg, const uint8_t *secret, const char *label)
{
    return (pys_label){
        .alg = alg,
        .secret = secret,
        .label = label,
        .n_label = strlen(label),
    };
}

/* Derive-Secret from the stage reached; hash: of the messages so far. */
static bool
derive(const pys_keys13 *k, pys_hash *scratch, const char *label,
    const uint8_t *hash, uint8_t *out)
{
    pys_label what = label_of(k->alg, k->stage, label);
    size_t n = pys_hash_len(k->alg);

    what.context = pys_rd_of(hash, n);
    return pys_expand_label(scratch, &what, out, n);
}

/*
 * Down to the next stage, with new key material. The salt of the stage after
 * it is derived at once: the labels of a stage come cheaper in a row.
 */
static bool
descend(pys_keys13 *k, pys_hash *scratch, pys_rd salt, pys_rd ikm)
{
    return pys_hkdf_extract(scratch, k->alg, salt, ikm, k->stage) &&
        derive(k, scratch, "derived", pys_hash_of_nothing(k->alg), k->salt);
}

static pys_rd
salt_of(const pys_keys13 *k)
{
    return pys_rd_of(k->salt, pys_hash_len(k->alg));
}

static const uint8_t zeros[PYS_HASH_MAX];

/* How schedules begin, which depends on the hash alone. */
static struct {
    pys_keys13 no_psk; /* at the early secret of one without a PSK */
    pys_hash *salted;  /* keyed with its salt, for the handshake secret */
    pys_hash *bare;    /* keyed with the salt of every early secret */
} starts[PYS_N_HASHES];

/* HMAC of nothing, to leave its key in h. */
static bool
key_in(pys_hash *h, enum pys_hash_alg alg, pys_rd key)
{
    uint8_t out[PYS_HASH_MAX];

    return h != NULL && pys_hmac(h, alg, key, pys_rd_of(NULL, 0), out);
}

bool
pys_keys13_start(void)
{
    pys_hash *scratch = pys_hash_new();
    bool ok = scratch != NULL;

    for (size_t i = 0; ok && i < PYS_COUNT(starts); i++) {
        enum pys_hash_alg alg = (enum pys_hash_alg)i;
        pys_keys13 *k = &starts[i].no_psk;
        pys_rd no_salt = pys_rd_of(NULL, 0);

        k->alg = alg;
        starts[i].salted = pys_hash_new();
        starts[i].bare = pys_hash_new();
        ok = descend(k, scratch, no_salt,
                 pys_rd_of(zeros, pys_hash_len(alg))) &&
            key_in(starts[i].salted, alg, salt_of(k)) &&
            key_in(starts[i].bare, alg, no_salt);
    }
    pys_hash_free(scratch);
    return ok;
}

bool
pys_keys13_early(pys_keys13 *k, pys_hash *scratch, enum pys_hash_alg alg,
    pys_rd psk)
{
    k->alg = alg;
    if (psk.n != 0)
        return pys_hmac_prime(scratch, starts[alg].bare) &&
            descend(k, scratch, pys_rd_of(NULL, 0), psk);
    memcpy(k->stage, starts[alg].no_psk.stage, PYS_HASH_MAX);
    memcpy(k->salt, starts[alg].no_psk.salt, PYS_HASH_MAX);
    return pys_hmac_prime(scratch, starts[alg].salted);
}

bool
pys_keys13_early_data(const pys_keys13 *k, pys_hash *scratch,
    const uint8_t *hash, uint8_t *traffic, uint8_t *exporter)
{
    return derive(k, scratch, "c e traffic", hash, traffic) &&
        derive(k, scratch, "e exp master", hash, exporter);
}

bool
pys_keys13_handshake(pys_keys13 *k, pys_hash *scratch, pys_rd shared,
    const uint8_t *hash)
{
    return descend(k, scratch, salt_of(k), shared) &&
        derive(k, scratch, "c hs traffic", hash, k->client_handshake) &&
        derive(k, scratch, "s hs traffic", hash, k->server_handshake);
}

bool
pys_keys13_master(pys_keys13 *k, pys_hash *scratch, const uint8_t *hash)
{
    pys_rd none = pys_rd_of(zeros, pys_hash_len(k->alg));

    /* RFC 8446 7.1: the last stage, so no salt comes from it. */
    return pys_hkdf_extract(scratch, k->alg, salt_of(k), none, k->stage) &&
        derive(k, scratch, "c ap traffic", hash, k->client_traffic) &&
        derive(k, scratch, "s ap traffic", hash, k->server_traffic) &&
        derive(k, scratch, "exp master", hash, k->exporter);
}

bool
pys_keys13_resumption(pys_keys13 *k, pys_hash *scratch, const uint8_t *hash)
{
    return derive(k, scratch, "res master", hash, k->resumption);
}

bool
pys_keys13_finished_key(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *base, uint8_t *out)
{
    pys_label what = label_of(alg, base, "finished");

    return pys_expand_label(scratch, &what, out, pys_hash_len(alg));
}

bool
pys_keys13_finished(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *base, const uint8_t *hash, uint8_t *out)
{
    size_t n = pys_hash_len(alg);
    uint8_t key[PYS_HASH_MAX];
    bool ok;

    ok = pys_keys13_finished_key(scratch, alg, base, key) &&
        pys_hmac(scratch, alg, pys_rd_of(key, n), pys_rd_of(hash, n), out);
    pys_wipe(key, sizeof(key));
    return ok;
}

bool
pys_keys13_binder(const pys_keys13 *k, pys_hash *scratch, bool external,
    const uint8_t *hash, uint8_t *out)
{
    uint8_t key[PYS_HASH_MAX];
    bool ok;

    ok = derive(k, scratch, external ? "ext binder" : "res binder",
             pys_hash_of_nothing(k->alg), key) &&
        pys_keys13_finished(scratch, k->alg, key, hash, out);
    pys_wipe(key, sizeof(key));
    return ok;
}

bool
pys_keys13_psk(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *resumption, pys_rd nonce, uint8_t *out)
{
    pys_label what = label_of(alg, resumption, "resumption");

    what.context = nonce;
    return pys_expand_label(scratch, &what, out, pys_hash_len(alg));
}

bool
pys_keys13_traffic(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *secret, uint8_t *key, size_t n_key, uint8_t iv[PYS_IV_LEN])
{
    pys_label for_key = label_of(alg, secret, "key");
    pys_label for_iv = label_of(alg, secret, "iv");

    return pys_expand_label(scratch, &for_key, key, n_key) &&
        pys_expand_label(scratch, &for_iv, iv, PYS_IV_LEN);
}

bool
pys_keys13_update(pys_hash *scratch, enum pys_hash_alg alg, uint8_t *secret)
{
    pys_label what = label_of(alg, secret, "traffic upd");
    size_t n = pys_hash_len(alg);
    uint8_t next[PYS_HASH_MAX];
    bool ok = pys_expand_label(scratch, &what, next, n);

    if (ok)
        memcpy(secret, next, n);
    pys_wipe(next, sizeof(next));
    return ok;
}

bool
pys_keys13_export(pys_hash *scratch, enum pys_hash_alg alg,
    const uint8_t *exporter, pys_rd label, pys_rd context, uint8_t *out,
    size_t n)
{
    size_t len = pys_hash_len(alg);
    uint8_t hash[PYS_HASH_MAX];
    uint8_t secret[PYS_HASH_MAX];
    pys_label for_label = {
        .alg = alg,
        .secret = exporter,
        .label = (const char *)label.p,
        .n_label = label.n,
        .context = pys_rd_of(pys_hash_of_nothing(alg), len),
    };
    pys_label for_output = label_of(alg, secret, "exporter");
    bool ok;

    for_output.context = pys_rd_of(hash, len);
    ok = pys_hash_begin(scratch, alg) && pys_hash_add(scratch, context) &&
        pys_hash_end(scratch, hash) &&
        pys_expand_label(scratch, &for_label, secret, len) &&
        pys_expand_label(scratch, &for_output, out, n);
    pys_wipe(secret, sizeof(secret));
    return ok;
}
