/*
 * Extensions (RFC 8446 4.2): rows in a table, and the loops that build and
 * take an extension block. The loops alone refuse duplicates, wrong places,
 * answers to what was not asked, and bytes left over.
 */
#ifndef PYS_EXT_H
#define PYS_EXT_H

#include "conn/own.h"

/* Messages an extension may stand in: RFC 8446 4.2, the table. */
typedef enum pys_where {
    PYS_IN_CH = 1,
    PYS_IN_SH = 2,
    PYS_IN_HRR = 4,
    PYS_IN_EE = 8,
    PYS_IN_CT = 16,
    PYS_IN_CR = 32,
    PYS_IN_NST = 64,
    PYS_IN_SH12 = 128 /* ServerHello of TLS 1.2 */
} pys_where;

enum {
    PYS_EXT_SERVER_NAME = 0,
    PYS_EXT_MAX_FRAGMENT_LENGTH = 1,
    PYS_EXT_STATUS_REQUEST = 5,
    PYS_EXT_SUPPORTED_GROUPS = 10,
    PYS_EXT_POINT_FORMATS = 11,
    PYS_EXT_SIGNATURE_ALGORITHMS = 13,
    PYS_EXT_USE_SRTP = 14,
    PYS_EXT_HEARTBEAT = 15,
    PYS_EXT_ALPN = 16,
    PYS_EXT_SCT = 18,
    PYS_EXT_CLIENT_CERT_TYPE = 19,
    PYS_EXT_SERVER_CERT_TYPE = 20,
    PYS_EXT_PADDING = 21,
    PYS_EXT_EXTENDED_MASTER_SECRET = 23,
    PYS_EXT_RECORD_SIZE_LIMIT = 28,
    PYS_EXT_SESSION_TICKET = 35,
    PYS_EXT_PRE_SHARED_KEY = 41,
    PYS_EXT_EARLY_DATA = 42,
    PYS_EXT_SUPPORTED_VERSIONS = 43,
    PYS_EXT_COOKIE = 44,
    PYS_EXT_PSK_MODES = 45,
    PYS_EXT_CERTIFICATE_AUTHORITIES = 47,
    PYS_EXT_OID_FILTERS = 48,
    PYS_EXT_POST_HANDSHAKE_AUTH = 49,
    PYS_EXT_SIGNATURE_ALGORITHMS_CERT = 50,
    PYS_EXT_KEY_SHARE = 51,
    PYS_EXT_RENEGOTIATION_INFO = 0xff01
};

typedef struct pys_ext_side {
    /* Is it to be sent in this message? NULL: never. */
    bool (*offer)(pys_hs *hs, pys_where where);
    /* Writes the content. */
    bool (*build)(pys_hs *hs, pys_where where, pys_wr *w);
    /* Takes the content; must read to its end. NULL: passed over. */
    bool (*process)(pys_hs *hs, pys_where where, pys_rd *in);
} pys_ext_side;

typedef struct pys_ext {
    uint16_t type;
    unsigned where;  /* PYS_IN_ bits */
    pys_ext_side client;
    pys_ext_side server;
} pys_ext;

/* Writes the whole block with its 16-bit length. */
PYS_MUST bool pys_exts_build(pys_hs *hs, pys_where where, pys_wr *w);

/*
 * Takes a block (its content, without the length) from the peer: checks all,
 * then calls process in the order of the table. hs->ext_got says what came.
 */
PYS_MUST bool pys_exts_process(pys_hs *hs, pys_where where, pys_rd block);

/* The same for a NewSessionTicket: its max_early_data_size, or 0. */
PYS_MUST bool pys_exts_ticket(pys_conn *c, pys_rd block, uint32_t *early);

/* Was this extension in the last block taken? */
bool pys_ext_seen(const pys_hs *hs, uint16_t type);

/* Does a block hold this type? Judges nothing. */
bool pys_exts_find(pys_rd block, uint16_t type);

/* A set of code points; keeps checks on long lists linear. Starts as zeros. */
typedef struct pys_ids {
    uint64_t bits[65536 / 64];
} pys_ids;

/* False if it was in the set already. */
PYS_MUST bool pys_ids_add(pys_ids *set, uint16_t id);
bool pys_ids_has(const pys_ids *set, uint16_t id);

/*
 * Keeps a raw list for the handlers and for the report on a failure: put
 * what we offer (at most PYS_LIST_MAX), take what the peer does. False:
 * recorded.
 */
PYS_MUST bool pys_offer_put(pys_hs *hs, enum pys_offer_list which,
    const uint16_t *ids, size_t n);
PYS_MUST bool pys_offer_take(pys_hs *hs, enum pys_offer_list which,
    pys_rd list);

/*
 * Versions that may be used, best first (ext_13.c); the answer is how many.
 */
enum { PYS_VERSIONS_MAX = 4 };
size_t pys_versions(const pys_conn *c, uint16_t out[PYS_VERSIONS_MAX]);

/* Groups that a client names: of its versions (ext_hello.c). */
size_t pys_groups_offered(const pys_conn *c, uint16_t out[PYS_LIST_MAX]);

/* Our suites of all versions that may be used, the newest version first. */
size_t pys_suites_offered(const pys_conn *c, uint16_t out[PYS_LIST_MAX]);

/* Rows, by the file that holds them. */
extern const pys_ext pys_ext_point_formats; /* ext_12.c */
extern const pys_ext pys_ext_extended;      /* ext_12.c */
extern const pys_ext pys_ext_renegotiation; /* ext_12.c */
extern const pys_ext pys_ext_session_ticket; /* session12.c */
extern const pys_ext pys_ext_record_limit; /* ext_limit.c */
extern const pys_ext pys_ext_status; /* ext_cert.c */
extern const pys_ext pys_ext_scts;   /* ext_cert.c */
extern const pys_ext pys_ext_server_name;          /* ext_hello.c */
extern const pys_ext pys_ext_alpn;                 /* ext_hello.c */
extern const pys_ext pys_ext_groups;               /* ext_hello.c */
extern const pys_ext pys_ext_schemes;              /* ext_hello.c */
extern const pys_ext pys_ext_schemes_cert;         /* ext_hello.c */
extern const pys_ext pys_ext_authorities;          /* ext_13.c */
extern const pys_ext pys_ext_versions;             /* ext_13.c */
extern const pys_ext pys_ext_cookie;               /* ext_13.c */
extern const pys_ext pys_ext_key_share;            /* ext_13.c */
extern const pys_ext pys_ext_psk_modes;            /* ext_13.c */
extern const pys_ext pys_ext_early_data;           /* early.c */
extern const pys_ext pys_ext_post;                 /* ext_13.c */
extern const pys_ext pys_ext_psk;                  /* ext_13.c */

#endif
