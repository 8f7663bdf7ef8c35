/*
 * Setters and getters of settings: SSL_CTX_set_...(3) without the words.
 */
#include "conn/conn.h"

void
pys_settings_set_number(pys_settings *s, enum pys_number which, int64_t v)
{
    s->numbers[which] = v;
    if (which == PYS_OPTIONS || which == PYS_ASKS ||
        which == PYS_MIN_VERSION || which == PYS_MAX_VERSION ||
        which == PYS_SECURITY_LEVEL)
        pys_settings_changed(s);
}

int64_t
pys_settings_number(const pys_settings *s, enum pys_number which)
{
    return s->numbers[which];
}

bool
pys_settings_set_list(pys_settings *s, enum pys_kind kind, const uint16_t *ids,
    size_t n)
{
    if (n > PYS_LIST_MAX)
        return false;
    if (n != 0)
        memcpy(s->lists[kind].ids, ids, n * sizeof(*ids));
    s->lists[kind].n = n;
    pys_settings_changed(s);
    return true;
}

size_t
pys_settings_list(const pys_settings *s, enum pys_kind kind, uint16_t *ids)
{
    const pys_list *list = &s->lists[kind];

    memcpy(ids, list->ids, list->n * sizeof(*ids));
    return list->n;
}

bool
pys_settings_set_alpn(pys_settings *s, const uint8_t *p, size_t n)
{
    return pys_keep(&s->alpn, pys_rd_of(p, n));
}

const uint8_t *
pys_settings_alpn(const pys_settings *s, size_t *n)
{
    *n = pys_buf_size(&s->alpn);
    return pys_buf_head(&s->alpn);
}

void
pys_settings_set_trust(pys_settings *s, pys_trust *t)
{
    pys_trust *old = s->trust;

    s->trust = pys_trust_up_ref(t);
    pys_trust_free(old);
}

pys_trust *
pys_settings_trust(const pys_settings *s)
{
    return s->trust;
}

/* Made when first needed: a client has no use for one. False: no memory. */
static bool
tickets_ready(pys_settings *s)
{
    if (s->tickets == NULL)
        s->tickets = pys_ticket_keys_new();
    if (s->cache == NULL)
        s->cache = pys_cache_new();
    return s->tickets != NULL && s->cache != NULL;
}

/* SSL_CTX_set_security_level(3). */
static bool
strong(const pys_settings *s, const pys_cert *c, bool leaf, pys_fault *f)
{
    unsigned reason = pys_cert_weakness(c, leaf, pys_security_bits(s));

    if (reason != 0)
        pys_fault_code(f, PYS_LIB_SSL, reason);
    return reason == 0;
}

bool
pys_settings_use_cert(pys_settings *s, pys_cert *c, pys_fault *f)
{
    if (!strong(s, c, true, f))
        return false;
    /* Whoever shows a certificate may give tickets, too. */
    if (!tickets_ready(s)) {
        pys_fault_code(f, PYS_LIB_SSL, PYS_ERR_MALLOC);
        return false;
    }
    return pys_identities_use_cert(&s->ids, c, f);
}

bool
pys_settings_use_key(pys_settings *s, pys_key *k, pys_fault *f)
{
    return pys_identities_use_key(&s->ids, k, f);
}

bool
pys_settings_use_signer(pys_settings *s, unsigned signer, pys_fault *f)
{
    return pys_identities_use_signer(&s->ids, signer, f);
}

bool
pys_settings_has_signer(const pys_settings *s, unsigned signer)
{
    for (size_t i = 0; i < PYS_COUNT(s->ids.slot); i++) {
        if (s->ids.slot[i].signer == signer)
            return true;
    }
    return false;
}

bool
pys_settings_check_key(const pys_settings *s, pys_fault *f)
{
    return pys_identities_check(&s->ids, f);
}

bool
pys_settings_add_chain(pys_settings *s, pys_cert *c, pys_fault *f)
{
    return strong(s, c, false, f) && pys_identities_add_chain(&s->ids, c, f);
}

bool
pys_settings_clear_chain(pys_settings *s, pys_fault *f)
{
    return pys_identities_clear_chain(&s->ids, f);
}

bool
pys_settings_add_extra(pys_settings *s, pys_cert *c, pys_fault *f)
{
    return pys_identities_add_extra(&s->ids, c, f);
}

pys_cert *
pys_settings_cert(const pys_settings *s)
{
    if (s->ids.current < 0)
        return NULL;
    return pys_cert_up_ref(s->ids.slot[s->ids.current].leaf);
}

bool
pys_settings_add_ca_name(pys_settings *s, const uint8_t *p, size_t n)
{
    pys_wr w = pys_wr_to(&s->ca_names);

    /* All or nothing: a name must not be cut. */
    if (n == 0 || n + 2 > s->ca_names.limit - pys_buf_size(&s->ca_names))
        return false;
    pys_wr_vec16(&w, pys_rd_of(p, n));
    return pys_wr_ok(&w);
}

void
pys_settings_clear_ca_names(pys_settings *s)
{
    pys_buf_wipe(&s->ca_names);
}

bool
pys_settings_set_id_context(pys_settings *s, const uint8_t *p, size_t n)
{
    if (n > PYS_ID_CONTEXT_MAX)
        return false;
    if (n != 0)
        memcpy(s->id_context, p, n);
    s->n_id_context = n;
    return true;
}

bool
pys_settings_set_ticket_keys(pys_settings *s, const uint8_t *p, size_t n)
{
    return tickets_ready(s) &&
        (n == 0 || pys_ticket_keys_set(s->tickets, p, n));
}

bool
pys_settings_set_psk_hint(pys_settings *s, const uint8_t *p, size_t n)
{
    return n <= PYS_PSK_IDENTITY_MAX &&
        pys_keep(&s->psk_hint, pys_rd_of(p, n));
}

const uint8_t *
pys_settings_psk_hint(const pys_settings *s, size_t *n)
{
    *n = pys_buf_size(&s->psk_hint);
    return pys_buf_head(&s->psk_hint);
}

uint64_t
pys_settings_count(const pys_settings *s, enum pys_count which)
{
    return atomic_load(&s->counts->n[which]);
}

void
pys_settings_add_count(pys_settings *s, enum pys_count which)
{
    (void)pys_counts_add(s->counts, which);
}

pys_cache *
pys_settings_cache(const pys_settings *s)
{
    return s->cache;
}

bool
pys_settings_ticket_key(const pys_settings *s, uint8_t *out)
{
    if (s->tickets == NULL)
        return false;
    pys_ticket_keys_get(s->tickets, out);
    return true;
}
