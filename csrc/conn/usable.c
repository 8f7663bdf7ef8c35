/*
 * What follows from the settings alone: which versions, suites, groups and
 * schemes may be used. A handshake looks at these lists ten times and more,
 * so they are worked out when a setting changes.
 */
#include "conn/conn.h"

static void
list_put(pys_list *list, uint16_t id)
{
    list->ids[list->n++] = id;
}

/* The enum pys_ask that makes suites with a PSK of use: RFC 5489 2. */
static bool
has_psks(const pys_settings *s, enum pys_role role)
{
    enum pys_ask key = role == PYS_SERVER ? PYS_ASK_PSK_SERVER :
                                            PYS_ASK_PSK_CLIENT;

    return pys_setting(s, PYS_ASKS, (int64_t)1 << key);
}

static void
find_suites(pys_settings *s, enum pys_role role)
{
    const pys_list *list = &s->lists[PYS_KIND_SUITE];
    pys_usable *u = &s->usable;
    int bits = pys_security_bits(s);

    u->suites13[role].n = 0;
    u->suites12[role].n = 0;
    for (size_t i = 0; i < list->n; i++) {
        const pys_suite *suite = pys_suite_find(list->ids[i]);

        if (suite == NULL || suite->bits < bits ||
            (suite->auth == PYS_AUTH_PSK && !has_psks(s, role)))
            continue;
        list_put(suite->version == PYS_TLS1_3 ? &u->suites13[role] :
                                                &u->suites12[role],
            suite->id);
    }
}

static void
find_groups(pys_settings *s)
{
    const pys_list *list = &s->lists[PYS_KIND_GROUP];
    int bits = pys_security_bits(s);

    s->usable.groups.n = 0;
    for (size_t i = 0; i < list->n; i++) {
        const pys_group *group = pys_group_find(list->ids[i]);

        if (group != NULL && group->strength >= bits &&
            pys_share_has(group->id))
            list_put(&s->usable.groups, group->id);
    }
}

static void
find_schemes(pys_settings *s)
{
    const pys_list *list = &s->lists[PYS_KIND_SCHEME];
    int bits = pys_security_bits(s);

    s->usable.schemes.n = 0;
    for (size_t i = 0; i < list->n; i++) {
        const pys_scheme *scheme = pys_scheme_find(list->ids[i]);

        if (scheme != NULL && scheme->strength >= bits)
            list_put(&s->usable.schemes, scheme->id);
    }
}

/* Is a version inside the range and not switched off (VER-1, VER-3)? */
static bool
in_range(const pys_settings *s, uint16_t version)
{
    int64_t min = s->numbers[PYS_MIN_VERSION];
    int64_t max = s->numbers[PYS_MAX_VERSION];
    int64_t off = version == PYS_TLS1_3 ? PYS_OP_NO_TLSV1_3 :
                                          PYS_OP_NO_TLSV1_2;

    return min <= version && (max == 0 || max >= version) &&
        !pys_setting(s, PYS_OPTIONS, off);
}

/* A version without a suite could not go on (RFC 8446 4.1.1, 4.2.1). */
static void
find_versions(pys_settings *s, enum pys_role role)
{
    pys_usable *u = &s->usable;
    bool newest = in_range(s, PYS_TLS1_3) && u->suites13[role].n != 0;
    bool oldest = in_range(s, PYS_TLS1_2) && u->suites12[role].n != 0;

    u->max[role] = newest ? PYS_TLS1_3 : oldest ? PYS_TLS1_2 : 0;
    u->min[role] = oldest ? PYS_TLS1_2 : newest ? PYS_TLS1_3 : 0;
}

void
pys_settings_changed(pys_settings *s)
{
    find_groups(s);
    find_schemes(s);
    for (int i = 0; i < PYS_N_ROLES; i++) {
        find_suites(s, (enum pys_role)i);
        find_versions(s, (enum pys_role)i);
    }
}

/* Who has no role yet is asked as a client. */
static enum pys_role
role_of(const pys_conn *c)
{
    return c->role == PYS_SERVER ? PYS_SERVER : PYS_CLIENT;
}

uint16_t
pys_version_max(const pys_conn *c)
{
    return c->set->usable.max[role_of(c)];
}

uint16_t
pys_version_min(const pys_conn *c)
{
    return c->set->usable.min[role_of(c)];
}

unsigned
pys_version_lack(const pys_conn *c)
{
    return in_range(c->set, PYS_TLS1_3) || in_range(c->set, PYS_TLS1_2) ?
        PYS_R_NO_CIPHERS_AVAILABLE :
        PYS_R_NO_PROTOCOLS_AVAILABLE;
}

static size_t
list_get(const pys_list *list, uint16_t *out)
{
    memcpy(out, list->ids, list->n * sizeof(*out));
    return list->n;
}

size_t
pys_suites_of(const pys_conn *c, uint16_t version, uint16_t out[PYS_LIST_MAX])
{
    const pys_usable *u = &c->set->usable;
    enum pys_role role = role_of(c);

    return list_get(version == PYS_TLS1_3 ? &u->suites13[role] :
                                            &u->suites12[role],
        out);
}

size_t
pys_groups(const pys_settings *s, uint16_t out[PYS_LIST_MAX])
{
    return list_get(&s->usable.groups, out);
}

size_t
pys_schemes(const pys_settings *s, uint16_t out[PYS_LIST_MAX])
{
    return list_get(&s->usable.schemes, out);
}
