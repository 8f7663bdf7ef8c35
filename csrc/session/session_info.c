/*
 * What applications may ask of a session, and the little that they may set:
 * SSL_SESSION_*(3).
 */
#include "session/session.h"

size_t
pys_session_der(const pys_session *s, uint8_t *out, size_t max)
{
    pys_buf der;
    size_t n = 0;

    pys_buf_init(&der, SIZE_MAX / 2);
    if (pys_session_to_der(s, &der)) {
        n = pys_buf_size(&der);
        if (n <= max)
            memcpy(out, pys_buf_head(&der), n);
    }
    pys_buf_wipe(&der);
    return n;
}

pys_session *
pys_session_from_der_bytes(const uint8_t *p, size_t n, size_t *used,
    pys_fault *f)
{
    pys_rd in = pys_rd_of(p, n);
    pys_session *s = pys_session_from_der(&in, f);

    if (s != NULL)
        *used = n - in.n;
    return s;
}

int64_t
pys_session_number(const pys_session *s, enum pys_session_number k)
{
    switch (k) {
    case PYS_SESSION_VERSION:
        return s->version;
    case PYS_SESSION_SUITE:
        return s->suite;
    case PYS_SESSION_MAX_EARLY_DATA:
        return s->max_early_data;
    case PYS_SESSION_VERIFY_RESULT:
        return s->verify_result;
    case PYS_SESSION_TIME:
        return atomic_load(&s->made);
    case PYS_SESSION_LIFE:
        return atomic_load(&s->timeout);
    case PYS_SESSION_GROUP:
        return s->group;
    case PYS_SESSION_EXTENDED:
        return s->extended;
    case PYS_SESSION_LIFETIME_HINT:
        return s->lifetime;
    case PYS_SESSION_AGE_ADD:
        return s->age_add;
    default:
        return 0;
    }
}

/*
 * A ticket's age (made_ms) stays as it is when the time is moved: the server
 * that made the ticket knows better.
 */
static bool
set_seconds(_Atomic int64_t *to, int64_t v)
{
    if (v < 0)
        v = 0;
    atomic_store(to, v > PYS_SECONDS_MAX ? PYS_SECONDS_MAX : v);
    return true;
}

static bool
set_u16(uint16_t *to, int64_t v)
{
    if (v < 0 || v > UINT16_MAX)
        return false;
    *to = (uint16_t)v;
    return true;
}

bool
pys_session_set_number(pys_session *s, enum pys_session_number k, int64_t v)
{
    switch (k) {
    case PYS_SESSION_VERSION:
        return (v == PYS_TLS1_2 || v == PYS_TLS1_3) && set_u16(&s->version, v);
    case PYS_SESSION_SUITE:
        return set_u16(&s->suite, v);
    case PYS_SESSION_MAX_EARLY_DATA:
        if (v < 0 || v > UINT32_MAX)
            return false;
        s->max_early_data = (uint32_t)v;
        return true;
    case PYS_SESSION_VERIFY_RESULT:
        if (v < 0 || v > INT32_MAX)
            return false;
        s->verify_result = (long)v;
        return true;
    case PYS_SESSION_TIME:
        return set_seconds(&s->made, v);
    case PYS_SESSION_LIFE:
        return set_seconds(&s->timeout, v);
    default:
        return false;
    }
}

static pys_rd
bytes_at(const pys_session *s, enum pys_session_bytes k)
{
    switch (k) {
    case PYS_SESSION_ID:
        return pys_rd_of(s->id, s->n_id);
    case PYS_SESSION_ID_CONTEXT:
        return pys_rd_of(s->id_context, s->n_id_context);
    case PYS_SESSION_SECRET:
        return pys_session_secret(s);
    case PYS_SESSION_NAME:
        return pys_rd_buf(&s->name);
    case PYS_SESSION_ALPN:
        return pys_rd_buf(&s->alpn);
    case PYS_SESSION_TICKET:
        return pys_rd_buf(&s->ticket);
    case PYS_SESSION_PSK_IDENTITY:
        return pys_rd_of(s->psk_identity, s->n_psk_identity);
    default:
        return pys_rd_of(NULL, 0);
    }
}

const uint8_t *
pys_session_bytes(const pys_session *s, enum pys_session_bytes k, size_t *n)
{
    pys_rd bytes = bytes_at(s, k);

    *n = bytes.n;
    return bytes.p;
}

static bool
set_array(uint8_t *to, size_t max, size_t *n_to, pys_rd bytes)
{
    if (bytes.n > max)
        return false;
    pys_wipe(to, max);
    *n_to = bytes.n;
    return pys_rd_copy(&bytes, to, bytes.n);
}

static bool
set_buf(pys_buf *to, pys_rd bytes)
{
    if (bytes.n > to->limit)
        return false;
    pys_buf_wipe(to);
    return pys_buf_keep(to, bytes.p, bytes.n);
}

bool
pys_session_set_bytes(pys_session *s, enum pys_session_bytes k,
    const uint8_t *p, size_t n)
{
    pys_rd bytes = pys_rd_of(p, n);

    switch (k) {
    case PYS_SESSION_ID:
        return set_array(s->id, sizeof(s->id), &s->n_id, bytes);
    case PYS_SESSION_ID_CONTEXT:
        return set_array(s->id_context, sizeof(s->id_context),
            &s->n_id_context, bytes);
    case PYS_SESSION_SECRET:
        return pys_session_set_secret(s, bytes);
    case PYS_SESSION_NAME:
        return set_buf(&s->name, bytes);
    case PYS_SESSION_ALPN:
        return set_buf(&s->alpn, bytes);
    case PYS_SESSION_TICKET:
        return set_buf(&s->ticket, bytes);
    case PYS_SESSION_PSK_IDENTITY:
        return bytes.n <= PYS_PSK_IDENTITY_MAX &&
            pys_session_set_identity(s, bytes);
    default:
        return false;
    }
}

/*
 * RFC 5246 7.3: by id, or RFC 5077: by ticket. A server of TLS 1.3 keeps
 * neither: the ticket is the session.
 */
bool
pys_session_resumable(const pys_session *s)
{
    return !atomic_load(&s->not_resumable) && s->n_secret != 0 &&
        (s->version == PYS_TLS1_3 || s->n_id != 0 ||
            pys_buf_size(&s->ticket) != 0);
}

pys_cert *
pys_session_peer_cert(const pys_session *s, size_t i)
{
    return i < s->n_chain ? pys_cert_up_ref(s->chain[i]) : NULL;
}
