/*
 * The life of settings: counted, copied when somebody else holds them too.
 */
#include "conn/conn.h"

int
pys_security_bits(const pys_settings *s)
{
    static const int bits[] = {0, 80, 112, 128, 192, 256};
    int64_t level = s->numbers[PYS_SECURITY_LEVEL];
    int64_t most = (int64_t)PYS_COUNT(bits) - 1;

    return bits[level < 0 ? 0 : level > most ? most : level];
}

static void
settings_defaults(pys_settings *s)
{
    s->numbers[PYS_OPTIONS] = 0x120000; /* NO_COMPRESSION, compat */
    s->numbers[PYS_MODE] = PYS_MODE_AUTO_RETRY;
    s->numbers[PYS_VERIFY_DEPTH] = -1;
    s->numbers[PYS_SECURITY_LEVEL] = 2;
    s->numbers[PYS_SESSION_TIMEOUT] = 7200;
    s->numbers[PYS_NUM_TICKETS] = 2;
    s->numbers[PYS_CACHE_MODE] = PYS_CACHE_SERVER;
    s->numbers[PYS_REMEMBER_CHAINS] = 1;
    s->numbers[PYS_SEND_FRAGMENT] = PYS_PLAIN_MAX;
    s->numbers[PYS_SPLIT_FRAGMENT] = PYS_PLAIN_MAX;
    s->numbers[PYS_RECV_MAX_EARLY_DATA] = PYS_PLAIN_MAX;
    for (int kind = 0; kind < PYS_N_KINDS; kind++)
        s->lists[kind].n = pys_default_list((enum pys_kind)kind,
            s->lists[kind].ids);
    pys_settings_changed(s);
}

/* Takes over the counters, also if it fails. */
static pys_settings *
settings_with(pys_counts *counts)
{
    pys_settings *s = counts == NULL ? NULL : pys_alloc(sizeof(*s));

    if (s == NULL) {
        pys_counts_free(counts);
        return NULL;
    }
    atomic_init(&s->refs, 1);
    s->counts = counts;
    pys_identities_init(&s->ids);
    pys_buf_init(&s->alpn, UINT16_MAX - 2);
    pys_buf_init(&s->ca_names, UINT16_MAX - 2);
    pys_buf_init(&s->scts, UINT16_MAX);
    pys_buf_init(&s->psk_hint, PYS_PSK_IDENTITY_MAX);
    return s;
}

pys_settings *
pys_settings_new(void)
{
    pys_settings *s = settings_with(pys_counts_new());

    if (s != NULL)
        settings_defaults(s);
    return s;
}

pys_settings *
pys_settings_up_ref(pys_settings *s)
{
    if (s != NULL)
        atomic_fetch_add(&s->refs, 1);
    return s;
}

void
pys_settings_free(pys_settings *s)
{
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) != 1)
        return;
    pys_identities_wipe(&s->ids);
    pys_trust_free(s->trust);
    pys_ticket_keys_free(s->tickets);
    pys_cache_free(s->cache);
    pys_counts_free(s->counts);
    pys_buf_wipe(&s->alpn);
    pys_buf_wipe(&s->ca_names);
    pys_buf_wipe(&s->scts);
    pys_buf_wipe(&s->psk_hint);
    pys_free(s);
}

pys_settings *
pys_settings_own(pys_settings *s)
{
    pys_settings *copy;

    if (atomic_load(&s->refs) == 1)
        return s;
    copy = settings_with(pys_counts_up_ref(s->counts));
    if (copy == NULL)
        return NULL;
    memcpy(copy->numbers, s->numbers, sizeof(s->numbers));
    memcpy(copy->lists, s->lists, sizeof(s->lists));
    copy->usable = s->usable;
    copy->trust = pys_trust_up_ref(s->trust);
    copy->tickets = pys_ticket_keys_up_ref(s->tickets);
    copy->cache = pys_cache_up_ref(s->cache);
    memcpy(copy->id_context, s->id_context, sizeof(s->id_context));
    copy->n_id_context = s->n_id_context;
    if (!pys_identities_copy(&copy->ids, &s->ids) ||
        !pys_keep(&copy->alpn, pys_rd_buf(&s->alpn)) ||
        !pys_keep(&copy->ca_names, pys_rd_buf(&s->ca_names)) ||
        !pys_keep(&copy->scts, pys_rd_buf(&s->scts)) ||
        !pys_keep(&copy->psk_hint, pys_rd_buf(&s->psk_hint))) {
        pys_settings_free(copy);
        return NULL;
    }
    pys_settings_free(s);
    return copy;
}

bool
pys_settings_adopt(pys_settings *s, const pys_settings *from,
    const pys_settings *before)
{
    pys_identities ids;

    if (!pys_identities_copy(&ids, &from->ids))
        return false;
    pys_identities_wipe(&s->ids);
    s->ids = ids;
    pys_trust_free(s->trust);
    s->trust = pys_trust_up_ref(from->trust);
    s->numbers[PYS_SECURITY_LEVEL] = from->numbers[PYS_SECURITY_LEVEL];
    s->lists[PYS_KIND_SCHEME] = from->lists[PYS_KIND_SCHEME];
    pys_settings_changed(s);
    /* Sessions stay those of the first context, if it can have any. */
    if (s->tickets == NULL)
        s->tickets = pys_ticket_keys_up_ref(from->tickets);
    if (s->cache == NULL)
        s->cache = pys_cache_up_ref(from->cache);
    if (before != NULL &&
        pys_rd_is(pys_rd_of(s->id_context, s->n_id_context),
            pys_rd_of(before->id_context, before->n_id_context))) {
        memcpy(s->id_context, from->id_context, sizeof(s->id_context));
        s->n_id_context = from->n_id_context;
    }
    if (before != NULL &&
        pys_rd_is(pys_rd_buf(&s->ca_names), pys_rd_buf(&before->ca_names)) &&
        !pys_keep(&s->ca_names, pys_rd_buf(&from->ca_names)))
        return false;
    return pys_keep(&s->scts, pys_rd_buf(&from->scts));
}
