/*
 * Tables of algorithms and the calls that read them. Each table stands in
 * our default order of preference, best first.
 */
#include "crypto/suite.h"

/*
 * RFC 8446 5.5: AES-GCM is safe for 2^24.5 full-size records under one key.
 * For ChaCha20-Poly1305 the sequence number would wrap before its bound is
 * reached; 2^36 records stay far away from that, and no connection notices a
 * KeyUpdate that rare.
 */
static const pys_suite suites[] = {
    {
        .id = PYS_TLS_AES_256_GCM_SHA384,
        .version = PYS_TLS1_3,
        .name = "TLS_AES_256_GCM_SHA384",
        .standard = "TLS_AES_256_GCM_SHA384",
        .description = "TLS_AES_256_GCM_SHA384         TLSv1.3 Kx=any      "
                       "Au=any   Enc=AESGCM(256)            Mac=AEAD",
        .hash = PYS_SHA384,
        .aead = PYS_AES_256_GCM,
        .bits = 256,
        .limit = UINT64_C(1) << 24,
    },
    {
        .id = PYS_TLS_CHACHA20_POLY1305_SHA256,
        .version = PYS_TLS1_3,
        .name = "TLS_CHACHA20_POLY1305_SHA256",
        .standard = "TLS_CHACHA20_POLY1305_SHA256",
        .description = "TLS_CHACHA20_POLY1305_SHA256   TLSv1.3 Kx=any      "
                       "Au=any   Enc=CHACHA20/POLY1305(256) Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_CHACHA20_POLY1305,
        .bits = 256,
        .limit = UINT64_C(1) << 36,
    },
    {
        .id = PYS_TLS_AES_128_GCM_SHA256,
        .version = PYS_TLS1_3,
        .name = "TLS_AES_128_GCM_SHA256",
        .standard = "TLS_AES_128_GCM_SHA256",
        .description = "TLS_AES_128_GCM_SHA256         TLSv1.3 Kx=any      "
                       "Au=any   Enc=AESGCM(128)            Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_AES_128_GCM,
        .bits = 128,
        .limit = UINT64_C(1) << 24,
    },
    /* RFC 5289, RFC 7905: ECDHE and an AEAD. */
    {
        .id = 0xc02c,
        .version = PYS_TLS1_2,
        .name = "ECDHE-ECDSA-AES256-GCM-SHA384",
        .standard = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        .description = "ECDHE-ECDSA-AES256-GCM-SHA384  TLSv1.2 Kx=ECDH     "
                       "Au=ECDSA Enc=AESGCM(256)            Mac=AEAD",
        .hash = PYS_SHA384,
        .aead = PYS_AES_256_GCM,
        .auth = PYS_AUTH_ECDSA,
        .bits = 256,
        .limit = UINT64_C(1) << 24,
    },
    {
        .id = 0xc030,
        .version = PYS_TLS1_2,
        .name = "ECDHE-RSA-AES256-GCM-SHA384",
        .standard = "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        .description = "ECDHE-RSA-AES256-GCM-SHA384    TLSv1.2 Kx=ECDH     "
                       "Au=RSA   Enc=AESGCM(256)            Mac=AEAD",
        .hash = PYS_SHA384,
        .aead = PYS_AES_256_GCM,
        .auth = PYS_AUTH_RSA,
        .bits = 256,
        .limit = UINT64_C(1) << 24,
    },
    {
        .id = 0xcca9,
        .version = PYS_TLS1_2,
        .name = "ECDHE-ECDSA-CHACHA20-POLY1305",
        .standard = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        .description = "ECDHE-ECDSA-CHACHA20-POLY1305  TLSv1.2 Kx=ECDH     "
                       "Au=ECDSA Enc=CHACHA20/POLY1305(256) Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_CHACHA20_POLY1305,
        .auth = PYS_AUTH_ECDSA,
        .bits = 256,
        .limit = UINT64_C(1) << 36,
    },
    {
        .id = 0xcca8,
        .version = PYS_TLS1_2,
        .name = "ECDHE-RSA-CHACHA20-POLY1305",
        .standard = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        .description = "ECDHE-RSA-CHACHA20-POLY1305    TLSv1.2 Kx=ECDH     "
                       "Au=RSA   Enc=CHACHA20/POLY1305(256) Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_CHACHA20_POLY1305,
        .auth = PYS_AUTH_RSA,
        .bits = 256,
        .limit = UINT64_C(1) << 36,
    },
    {
        .id = 0xc02b,
        .version = PYS_TLS1_2,
        .name = "ECDHE-ECDSA-AES128-GCM-SHA256",
        .standard = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        .description = "ECDHE-ECDSA-AES128-GCM-SHA256  TLSv1.2 Kx=ECDH     "
                       "Au=ECDSA Enc=AESGCM(128)            Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_AES_128_GCM,
        .auth = PYS_AUTH_ECDSA,
        .bits = 128,
        .limit = UINT64_C(1) << 24,
    },
    {
        .id = 0xc02f,
        .version = PYS_TLS1_2,
        .name = "ECDHE-RSA-AES128-GCM-SHA256",
        .standard = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        .description = "ECDHE-RSA-AES128-GCM-SHA256    TLSv1.2 Kx=ECDH     "
                       "Au=RSA   Enc=AESGCM(128)            Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_AES_128_GCM,
        .auth = PYS_AUTH_RSA,
        .bits = 128,
        .limit = UINT64_C(1) << 24,
    },
    /* RFC 8442, RFC 7905: with a PSK in place of certificates. */
    {
        .id = 0xd002,
        .version = PYS_TLS1_2,
        .name = "ECDHE-PSK-AES256-GCM-SHA384",
        .standard = "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384",
        .description = "ECDHE-PSK-AES256-GCM-SHA384    TLSv1.2 Kx=ECDHEPSK "
                       "Au=PSK   Enc=AESGCM(256)            Mac=AEAD",
        .hash = PYS_SHA384,
        .aead = PYS_AES_256_GCM,
        .auth = PYS_AUTH_PSK,
        .bits = 256,
        .limit = UINT64_C(1) << 24,
    },
    {
        .id = 0xccac,
        .version = PYS_TLS1_2,
        .name = "ECDHE-PSK-CHACHA20-POLY1305",
        .standard = "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
        .description = "ECDHE-PSK-CHACHA20-POLY1305    TLSv1.2 Kx=ECDHEPSK "
                       "Au=PSK   Enc=CHACHA20/POLY1305(256) Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_CHACHA20_POLY1305,
        .auth = PYS_AUTH_PSK,
        .bits = 256,
        .limit = UINT64_C(1) << 36,
    },
    {
        .id = 0xd001,
        .version = PYS_TLS1_2,
        .name = "ECDHE-PSK-AES128-GCM-SHA256",
        .standard = "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",
        .description = "ECDHE-PSK-AES128-GCM-SHA256    TLSv1.2 Kx=ECDHEPSK "
                       "Au=PSK   Enc=AESGCM(128)            Mac=AEAD",
        .hash = PYS_SHA256,
        .aead = PYS_AES_128_GCM,
        .auth = PYS_AUTH_PSK,
        .bits = 128,
        .limit = UINT64_C(1) << 24,
    },
};

static const pys_group groups[] = {
    {
        .id = PYS_X25519MLKEM768,
        .names = {"X25519MLKEM768"},
        .strength = 192,
        .client_len = 1184 + 32,
        .server_len = 1088 + 32,
    },
    {
        .id = PYS_X25519,
        .names = {"X25519"},
        .strength = 128,
        .client_len = 32,
        .server_len = 32,
    },
    {
        .id = PYS_SECP256R1,
        .names = {"P-256", "prime256v1", "secp256r1"},
        .strength = 128,
        .client_len = 65,
        .server_len = 65,
    },
    {
        .id = PYS_SECP384R1,
        .names = {"P-384", "secp384r1"},
        .strength = 192,
        .client_len = 97,
        .server_len = 97,
    },
    {
        .id = PYS_SECP521R1,
        .names = {"P-521", "secp521r1"},
        .strength = 256,
        .client_len = 133,
        .server_len = 133,
    },
};

static const pys_scheme schemes[] = {
    {0x0403, {"ecdsa_secp256r1_sha256", "ECDSA+SHA256"}, PYS_KEY_P256,
        "SHA256", false, true, 128},
    {0x0807, {"ed25519"}, PYS_KEY_ED25519, NULL, false, true, 128},
    {0x0503, {"ecdsa_secp384r1_sha384", "ECDSA+SHA384"}, PYS_KEY_P384,
        "SHA384", false, true, 192},
    {0x0603, {"ecdsa_secp521r1_sha512", "ECDSA+SHA512"}, PYS_KEY_P521,
        "SHA512", false, true, 256},
    {0x0808, {"ed448"}, PYS_KEY_ED448, NULL, false, true, 224},
    {0x0809, {"rsa_pss_pss_sha256"}, PYS_KEY_RSA_PSS, "SHA256", true, true,
        128},
    {0x080a, {"rsa_pss_pss_sha384"}, PYS_KEY_RSA_PSS, "SHA384", true, true,
        192},
    {0x080b, {"rsa_pss_pss_sha512"}, PYS_KEY_RSA_PSS, "SHA512", true, true,
        256},
    {0x0804, {"rsa_pss_rsae_sha256", "RSA-PSS+SHA256", "PSS+SHA256"},
        PYS_KEY_RSA, "SHA256", true, true, 128},
    {0x0805, {"rsa_pss_rsae_sha384", "RSA-PSS+SHA384", "PSS+SHA384"},
        PYS_KEY_RSA, "SHA384", true, true, 192},
    {0x0806, {"rsa_pss_rsae_sha512", "RSA-PSS+SHA512", "PSS+SHA512"},
        PYS_KEY_RSA, "SHA512", true, true, 256},
    {0x0401, {"rsa_pkcs1_sha256", "RSA+SHA256"}, PYS_KEY_RSA, "SHA256", false,
        false, 128},
    {0x0501, {"rsa_pkcs1_sha384", "RSA+SHA384"}, PYS_KEY_RSA, "SHA384", false,
        false, 192},
    {0x0601, {"rsa_pkcs1_sha512", "RSA+SHA512"}, PYS_KEY_RSA, "SHA512", false,
        false, 256},
};

const pys_suite *
pys_suite_find(uint16_t id)
{
    for (size_t i = 0; i < PYS_COUNT(suites); i++) {
        if (suites[i].id == id)
            return &suites[i];
    }
    return NULL;
}

const pys_group *
pys_group_find(uint16_t id)
{
    for (size_t i = 0; i < PYS_COUNT(groups); i++) {
        if (groups[i].id == id)
            return &groups[i];
    }
    return NULL;
}

const pys_scheme *
pys_scheme_find(uint16_t id)
{
    for (size_t i = 0; i < PYS_COUNT(schemes); i++) {
        if (schemes[i].id == id)
            return &schemes[i];
    }
    return NULL;
}

/*
 * RFC 8017 9.1.1: hash, salt as long as the hash and two bytes more must fit
 * into one bit less than the modulus has, rounded up to bytes.
 */
static bool
pss_fits(const pys_scheme *s, const pys_key *k)
{
    int hash_bits = 2 * s->strength;

    return !s->pss || pys_key_bits(k) - 1 > 2 * hash_bits + 8;
}

bool
pys_scheme_fits(const pys_scheme *s, const pys_key *k)
{
    return s->tls13 && pys_key_type(k) == s->key && pss_fits(s, k);
}

static bool
is_curve(enum pys_key_type type)
{
    return type == PYS_KEY_P256 || type == PYS_KEY_P384 ||
        type == PYS_KEY_P521;
}

bool
pys_scheme_fits12(const pys_scheme *s, const pys_key *k)
{
    enum pys_key_type type = pys_key_type(k);

    if (is_curve(s->key))
        return is_curve(type);
    return type == s->key && pss_fits(s, k);
}

enum pys_auth
pys_key_auth(const pys_key *k)
{
    switch (pys_key_type(k)) {
    case PYS_KEY_RSA:
    case PYS_KEY_RSA_PSS:
        return PYS_AUTH_RSA;
    case PYS_KEY_OTHER:
        return PYS_AUTH_ANY;
    default:
        /* RFC 8422 5.1: EdDSA certificates go with ECDSA suites. */
        return PYS_AUTH_ECDSA;
    }
}

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Whatever the locale, names are ASCII. */
static bool
same_word(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

static bool
named(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n && names[i] != NULL; i++) {
        if (same_word(names[i], name))
            return true;
    }
    return false;
}

static unsigned
suite_of(const char *name)
{
    for (size_t i = 0; i < PYS_COUNT(suites); i++) {
        /* Names of suites, and they alone, are compared exactly (CIPH-3). */
        if (strcmp(suites[i].name, name) == 0 ||
            strcmp(suites[i].standard, name) == 0)
            return suites[i].id;
    }
    return 0;
}

static unsigned
group_of(const char *name)
{
    for (size_t i = 0; i < PYS_COUNT(groups); i++) {
        if (named(groups[i].names, PYS_COUNT(groups[i].names), name))
            return pys_share_has(groups[i].id) ? groups[i].id : 0;
    }
    return 0;
}

static unsigned
scheme_of(const char *name)
{
    for (size_t i = 0; i < PYS_COUNT(schemes); i++) {
        if (named(schemes[i].names, PYS_COUNT(schemes[i].names), name))
            return schemes[i].id;
    }
    return 0;
}

unsigned
pys_id_of(enum pys_kind kind, const char *name)
{
    switch (kind) {
    case PYS_KIND_SUITE:
        return suite_of(name);
    case PYS_KIND_GROUP:
        return group_of(name);
    case PYS_KIND_SCHEME:
        return scheme_of(name);
    default:
        return 0;
    }
}

const char *
pys_name_of(enum pys_kind kind, unsigned id)
{
    const pys_suite *suite;
    const pys_group *group;
    const pys_scheme *scheme;

    if (id > UINT16_MAX)
        return NULL;
    switch (kind) {
    case PYS_KIND_SUITE:
        suite = pys_suite_find((uint16_t)id);
        return suite != NULL ? suite->name : NULL;
    case PYS_KIND_GROUP:
        group = pys_group_find((uint16_t)id);
        return group != NULL ? group->names[0] : NULL;
    case PYS_KIND_SCHEME:
        scheme = pys_scheme_find((uint16_t)id);
        return scheme != NULL ? scheme->names[0] : NULL;
    default:
        return NULL;
    }
}

/* The i-th group of the table, not counting what libcrypto lacks. */
static unsigned
group_at(size_t i)
{
    for (size_t at = 0; at < PYS_COUNT(groups); at++) {
        if (pys_share_has(groups[at].id) && i-- == 0)
            return groups[at].id;
    }
    return 0;
}

unsigned
pys_id_at(enum pys_kind kind, size_t i)
{
    switch (kind) {
    case PYS_KIND_SUITE:
        return i < PYS_COUNT(suites) ? suites[i].id : 0;
    case PYS_KIND_GROUP:
        return group_at(i);
    case PYS_KIND_SCHEME:
        return i < PYS_COUNT(schemes) ? schemes[i].id : 0;
    default:
        return 0;
    }
}

size_t
pys_default_list(enum pys_kind kind, uint16_t out[PYS_LIST_MAX])
{
    size_t n = 0;
    unsigned id;

    while (n < PYS_LIST_MAX && (id = pys_id_at(kind, n)) != 0)
        out[n++] = (uint16_t)id;
    return n;
}

static const pys_suite *
suite_at(unsigned id)
{
    return id <= UINT16_MAX ? pys_suite_find((uint16_t)id) : NULL;
}

int
pys_suite_bits(unsigned id)
{
    const pys_suite *s = suite_at(id);

    return s != NULL ? s->bits : 0;
}

const char *
pys_suite_standard_name(unsigned id)
{
    const pys_suite *s = suite_at(id);

    return s != NULL ? s->standard : NULL;
}

const char *
pys_suite_description(unsigned id)
{
    const pys_suite *s = suite_at(id);

    return s != NULL ? s->description : NULL;
}
