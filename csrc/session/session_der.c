/*
 * The DER form of a session that OpenSSL 3 reads and writes (SESS-10):
 *
 *   SEQUENCE {
 *     INTEGER 1, INTEGER protocol version, OCTET STRING cipher suite,
 *     OCTET STRING session id, OCTET STRING secret,
 *     [0] IMPLICIT OCTET STRING, and [1] to [19] EXPLICIT, all optional,
 *     in this order: see enum
 *   }
 *
 * What we have no use for is passed over, and an item that OpenSSL 3.0 does
 * not know is refused as it is there. Where DER has one form, that form alone
 * is read.
 */
#include "base/der.h"
#include "crypto/keys12.h"
#include "session/session.h"

enum {
    KEY_ARG = 0, /* of SSL 2 */
    TIME = 1,
    TIMEOUT = 2,
    PEER = 3,
    ID_CONTEXT = 4,
    VERIFY_RESULT = 5,
    HOST_NAME = 6,
    PSK_HINT = 7,
    PSK_IDENTITY = 8,
    LIFETIME = 9,
    TICKET = 10,
    COMPRESSION = 11,
    SRP_NAME = 12,
    FLAGS = 13,
    AGE_ADD = 14,
    MAX_EARLY_DATA = 15,
    ALPN = 16,
    FRAGMENT_LEN = 17,
    TICKET_DATA = 18,
    GROUP = 19
};

enum {
    FORM = 1,
    FLAG_EXTENDED = 1,
    TIMEOUT_WITHOUT = 3, /* seconds, as in OpenSSL */
    VERIFY_UNSPECIFIED = 1,
    DER_MAX = 1 << 25 /* a certificate has at most 2^24 bytes */
};

/* Of the library SSL, as d2i_SSL_SESSION records them. */
enum {
    CIPHER_CODE_WRONG_LENGTH = 137,
    UNKNOWN_CIPHER_TYPE = 249,
    UNKNOWN_SSL_VERSION = 254,
    UNSUPPORTED_SSL_VERSION = 259
};

/* ---- writing ----------------------------------------------------------- */

/* By this id the client of a ticket knows a resumption (RFC 5077 3.4). */
static bool
id_of_ticket(const pys_session *s, uint8_t id[PYS_SESSION_ID_LEN])
{
    pys_hash *h = pys_hash_new();
    bool ok = h != NULL && pys_hash_begin(h, PYS_SHA256) &&
        pys_hash_add(h, pys_rd_buf(&s->ticket)) && pys_hash_end(h, id);

    pys_hash_free(h);
    return ok;
}

static bool
put_required(const pys_session *s, pys_wr *w)
{
    uint8_t made[PYS_SESSION_ID_LEN];
    pys_rd id = pys_rd_of(s->id, s->n_id);
    uint8_t suite[2];

    if (id.n == 0 && pys_buf_size(&s->ticket) != 0) {
        if (!id_of_ticket(s, made))
            return false;
        id = pys_rd_of(made, sizeof(made));
    }
    pys_put_u16(suite, s->suite);
    pys_der_put_int(w, FORM);
    pys_der_put_int(w, s->version);
    pys_der_put(w, PYS_DER_OCTETS, pys_rd_of(suite, sizeof(suite)));
    pys_der_put(w, PYS_DER_OCTETS, id);
    pys_der_put(w, PYS_DER_OCTETS, pys_session_secret(s));
    return pys_wr_ok(w);
}

static void
put_peer(const pys_session *s, pys_wr *w)
{
    if (s->n_chain == 0)
        return;
    /* [3] EXPLICIT holds the certificate as it is: one item. */
    pys_der_put(w, PYS_DER_EXPLICIT + PEER, pys_cert_bytes(s->chain[0]));
}

static void
put_bytes(pys_wr *w, unsigned n, pys_rd bytes)
{
    if (bytes.n != 0)
        pys_der_put_in(w, n, PYS_DER_OCTETS, bytes);
}

static void
put_number(pys_wr *w, unsigned n, uint64_t v)
{
    if (v != 0)
        pys_der_put_int_in(w, n, v);
}

/* What the reader takes; out of it are only what applications set. */
static uint64_t
within(int64_t v, int64_t max, int64_t otherwise)
{
    return (uint64_t)(v >= 0 && v <= max ? v : otherwise);
}

static uint64_t
seconds(int64_t v)
{
    return within(v, PYS_SECONDS_MAX, v < 0 ? 0 : PYS_SECONDS_MAX);
}

static void
put_optional(const pys_session *s, pys_wr *w)
{
    /* RFC 8446 D: in TLS 1.3 the flag has no meaning. */
    bool extended = s->version == PYS_TLS1_2 && s->extended;

    /* A time of 0 is written, too: without one the reader takes its own. */
    pys_der_put_int_in(w, TIME, seconds(atomic_load(&s->made)));
    pys_der_put_int_in(w, TIMEOUT, seconds(atomic_load(&s->timeout)));
    put_peer(s, w);
    /* OpenSSL writes this one and the group even if they are empty. */
    pys_der_put_in(w, ID_CONTEXT, PYS_DER_OCTETS,
        pys_rd_of(s->id_context, s->n_id_context));
    put_number(w, VERIFY_RESULT,
        within(s->verify_result, INT32_MAX, VERIFY_UNSPECIFIED));
    put_bytes(w, HOST_NAME, pys_rd_buf(&s->name));
    put_bytes(w, PSK_IDENTITY, pys_rd_of(s->psk_identity, s->n_psk_identity));
    put_number(w, LIFETIME, s->lifetime);
    put_bytes(w, TICKET, pys_rd_buf(&s->ticket));
    put_number(w, FLAGS, extended ? FLAG_EXTENDED : 0);
    put_number(w, AGE_ADD, s->age_add);
    put_number(w, MAX_EARLY_DATA, s->max_early_data);
    put_bytes(w, ALPN, pys_rd_buf(&s->alpn));
    pys_der_put_int_in(w, GROUP, s->group);
}

bool
pys_session_to_der(const pys_session *s, pys_buf *out)
{
    pys_wr w = pys_wr_to(out);
    pys_buf body;
    pys_wr inner;
    bool ok;

    pys_buf_init(&body, DER_MAX);
    inner = pys_wr_to(&body);
    ok = s->suite != 0 && put_required(s, &inner);
    if (ok) {
        put_optional(s, &inner);
        ok = pys_wr_ok(&inner);
    }
    if (ok)
        pys_der_put(&w, PYS_DER_SEQUENCE, pys_rd_buf(&body));
    pys_buf_wipe(&body);
    return ok && pys_wr_ok(&w);
}

/* ---- reading ----------------------------------------------------------- */

/* Our own bound, or OpenSSL's rule, is broken. */
static bool
refuse(pys_fault *f, unsigned lib, unsigned reason)
{
    if (!pys_fault_any(f))
        pys_fault_code(f, lib, reason);
    return false;
}

/* An item that must be there. */
static bool
take_octets(pys_rd *in, pys_rd *out, pys_fault *f)
{
    if (pys_rd_end(in))
        return pys_der_refuse(f, PYS_ASN1_FIELD_MISSING);
    return pys_der_take(in, PYS_DER_OCTETS, out, f);
}

static bool
take_int(pys_rd *in, int64_t max, int64_t *v, pys_fault *f)
{
    if (pys_rd_end(in))
        return pys_der_refuse(f, PYS_ASN1_FIELD_MISSING);
    return pys_der_take_int(in, max, v, f);
}

static bool
fill(pys_rd from, uint8_t *to, size_t max, size_t *n, pys_fault *f)
{
    if (from.n > max)
        return pys_der_refuse(f, PYS_ASN1_STRING_TOO_LONG);
    *n = from.n;
    return pys_rd_copy(&from, to, from.n);
}

/*
 * RFC 5246 8.1: a master secret has one length. A PSK of ours has any; none
 * at all is found in sessions that had no ticket yet, and serves nobody.
 */
static bool
take_secret(pys_rd secret, pys_session *s, pys_fault *f)
{
    if (secret.n > PYS_PSK_MAX)
        return pys_der_refuse(f, PYS_ASN1_STRING_TOO_LONG);
    if (!pys_session_set_secret(s, secret))
        return false;
    if (s->version == PYS_TLS1_2 && s->n_secret != PYS_MASTER_LEN)
        return pys_der_refuse(f, PYS_ASN1_STRING_TOO_SHORT);
    atomic_store(&s->not_resumable, s->n_secret == 0);
    return true;
}

static bool
take_required(pys_rd *in, pys_session *s, pys_fault *f)
{
    int64_t form;
    int64_t version;
    const pys_suite *known;
    pys_rd suite;
    pys_rd id;
    pys_rd secret;

    if (!take_int(in, UINT32_MAX, &form, f) ||
        !take_int(in, INT32_MAX, &version, f) || !take_octets(in, &suite, f) ||
        !take_octets(in, &id, f) || !take_octets(in, &secret, f))
        return false;
    if (form != FORM)
        return refuse(f, PYS_LIB_SSL, UNKNOWN_SSL_VERSION);
    if (version != PYS_TLS1_2 && version != PYS_TLS1_3)
        return refuse(f, PYS_LIB_SSL, UNSUPPORTED_SSL_VERSION);
    s->version = (uint16_t)version;
    if (suite.n != 2 || !pys_rd_u16(&suite, &s->suite))
        return refuse(f, PYS_LIB_SSL, CIPHER_CODE_WRONG_LENGTH);
    known = pys_suite_find(s->suite);
    if (known == NULL || known->version != s->version)
        return refuse(f, PYS_LIB_SSL, UNKNOWN_CIPHER_TYPE);
    return fill(id, s->id, sizeof(s->id), &s->n_id, f) &&
        take_secret(secret, s, f);
}

/*
 * [n] EXPLICIT, or nothing. *there says which; content then is what must be
 * read to its end.
 */
static bool
enter(pys_rd *in, unsigned n, pys_rd *content, bool *there, pys_fault *f)
{
    *there = pys_der_is(in, PYS_DER_EXPLICIT + n);
    /* The same number, but primitive. */
    if (!*there && !pys_der_is(in, PYS_DER_IMPLICIT + n))
        return true;
    return pys_der_take(in, PYS_DER_EXPLICIT + n, content, f);
}

static bool
leave(const pys_rd *content, pys_fault *f)
{
    return pys_rd_end(content) ||
        pys_der_refuse(f, PYS_ASN1_EXPLICIT_LENGTH_MISMATCH);
}

/* [n] INTEGER of 0 to max; *v stays if it is not there. */
static bool
take_number(pys_rd *in, unsigned n, int64_t max, int64_t *v, pys_fault *f)
{
    pys_rd content;
    bool there;

    if (!enter(in, n, &content, &there, f))
        return false;
    return !there ||
        (pys_der_take_int(&content, max, v, f) && leave(&content, f));
}

static bool
take_u32(pys_rd *in, unsigned n, uint32_t *out, pys_fault *f)
{
    int64_t v = 0;

    if (!take_number(in, n, UINT32_MAX, &v, f))
        return false;
    *out = (uint32_t)v;
    return true;
}

/* [n] OCTET STRING; empty if it is not there. */
static bool
take_bytes(pys_rd *in, unsigned n, pys_rd *out, pys_fault *f)
{
    pys_rd content;
    bool there;

    *out = pys_rd_of(NULL, 0);
    if (!enter(in, n, &content, &there, f))
        return false;
    return !there ||
        (pys_der_take(&content, PYS_DER_OCTETS, out, f) && leave(&content, f));
}

static bool
take_buf(pys_rd *in, unsigned n, pys_buf *out, pys_fault *f)
{
    pys_rd bytes;

    if (!take_bytes(in, n, &bytes, f))
        return false;
    if (bytes.n > out->limit)
        return pys_der_refuse(f, PYS_ASN1_STRING_TOO_LONG);
    return pys_buf_keep(out, bytes.p, bytes.n);
}

/* Both are bounded so that sums with a time of today cannot overflow. */
static bool
take_times(pys_rd *in, pys_session *s, pys_fault *f)
{
    int64_t made = pys_now_ms() / 1000;
    int64_t timeout = TIMEOUT_WITHOUT;

    if (!take_number(in, TIME, PYS_SECONDS_MAX, &made, f) ||
        !take_number(in, TIMEOUT, PYS_SECONDS_MAX, &timeout, f))
        return false;
    atomic_store(&s->made, made);
    atomic_store(&s->timeout, timeout);
    s->made_ms = made * 1000;
    return true;
}

static bool
take_peer(pys_rd *in, pys_session *s, pys_fault *f)
{
    pys_rd content;
    pys_rd der;
    pys_cert *c;
    bool there;
    bool ok;

    if (!enter(in, PEER, &content, &there, f))
        return false;
    if (!there)
        return true;
    if (!pys_der_take_whole(&content, PYS_DER_SEQUENCE, &der, f) ||
        !leave(&content, f))
        return false;
    c = pys_cert_from_der(der.p, der.n, f);
    ok = c != NULL && pys_session_set_chain(s, &c, 1);
    pys_cert_free(c);
    return ok;
}

static bool
take_id_context(pys_rd *in, pys_session *s, pys_fault *f)
{
    pys_rd bytes;

    return take_bytes(in, ID_CONTEXT, &bytes, f) &&
        fill(bytes, s->id_context, sizeof(s->id_context), &s->n_id_context, f);
}

/* RFC 6066 3: a name holds no NUL. */
static bool
take_name(pys_rd *in, pys_session *s, pys_fault *f)
{
    if (!take_buf(in, HOST_NAME, &s->name, f))
        return false;
    return pys_buf_size(&s->name) == 0 ||
        memchr(pys_buf_head(&s->name), 0, pys_buf_size(&s->name)) == NULL ||
        pys_der_refuse(f, PYS_ASN1_ILLEGAL_CHARACTERS);
}

/* One byte, if it is there. */
static bool
take_compression(pys_rd *in, pys_fault *f)
{
    bool there = pys_der_is(in, PYS_DER_EXPLICIT + COMPRESSION);
    pys_rd method;

    return take_bytes(in, COMPRESSION, &method, f) &&
        (!there || method.n == 1 || refuse(f, PYS_LIB_SSL, PYS_R_BAD_LENGTH));
}

/* What follows the peer's certificate, up to the ticket's age. */
static bool
take_middle(pys_rd *in, pys_session *s, pys_fault *f)
{
    int64_t verify = 0;
    int64_t flags = 0;
    pys_rd identity;
    pys_rd unused;

    if (!take_id_context(in, s, f) ||
        !take_number(in, VERIFY_RESULT, INT32_MAX, &verify, f) ||
        !take_name(in, s, f) || !take_bytes(in, PSK_HINT, &unused, f) ||
        !take_bytes(in, PSK_IDENTITY, &identity, f) ||
        !pys_session_set_identity(s, identity) ||
        !take_u32(in, LIFETIME, &s->lifetime, f) ||
        !take_buf(in, TICKET, &s->ticket, f) || !take_compression(in, f) ||
        !take_bytes(in, SRP_NAME, &unused, f) ||
        !take_number(in, FLAGS, INT64_MAX, &flags, f))
        return false;
    s->verify_result = (long)verify;
    s->extended = (flags & FLAG_EXTENDED) != 0;
    return true;
}

static bool
take_last(pys_rd *in, pys_session *s, pys_fault *f)
{
    int64_t group = 0;
    int64_t unused;
    pys_rd data;

    if (!take_u32(in, AGE_ADD, &s->age_add, f) ||
        !take_u32(in, MAX_EARLY_DATA, &s->max_early_data, f) ||
        !take_buf(in, ALPN, &s->alpn, f) ||
        !take_number(in, FRAGMENT_LEN, UINT32_MAX, &unused, f) ||
        !take_bytes(in, TICKET_DATA, &data, f) ||
        !take_number(in, GROUP, UINT16_MAX, &group, f))
        return false;
    s->group = (uint16_t)group;
    return pys_rd_end(in) || pys_der_refuse(f, PYS_ASN1_WRONG_TAG);
}

static bool
take_all(pys_rd in, pys_session *s, pys_fault *f)
{
    pys_rd unused;

    if (!take_required(&in, s, f))
        return false;
    if (pys_der_is(&in, PYS_DER_IMPLICIT + KEY_ARG) &&
        !pys_der_take(&in, PYS_DER_IMPLICIT + KEY_ARG, &unused, f))
        return false;
    return take_times(&in, s, f) && take_peer(&in, s, f) &&
        take_middle(&in, s, f) && take_last(&in, s, f);
}

pys_session *
pys_session_from_der(pys_rd *in, pys_fault *f)
{
    pys_rd at = *in;
    pys_session *s;
    pys_rd body;

    if (!pys_der_take(&at, PYS_DER_SEQUENCE, &body, f))
        return NULL;
    s = pys_session_new();
    if (s == NULL || !take_all(body, s, f)) {
        pys_session_free(s);
        /* Nothing said why: memory was short. */
        refuse(f, PYS_LIB_ASN1, PYS_ERR_MALLOC);
        return NULL;
    }
    *in = at;
    return s;
}
