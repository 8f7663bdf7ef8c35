/*
 * The compact form of a session, for tickets: our own, read by nobody else,
 * and only after it was found authentic. The chain is kept as long as it
 * fits (a ticket travels in every ClientHello).
 */
#include "session/session.h"

enum { FORM = 2, CHAIN_BYTES_MAX = 16384, FLAG_EXTENDED = 1 };

static size_t
chain_bytes(const pys_session *s)
{
    size_t sum = 0;

    for (size_t i = 0; i < s->n_chain; i++)
        sum += pys_cert_bytes(s->chain[i]).n;
    return sum;
}

static void
put_chain(const pys_session *s, pys_wr *w)
{
    size_t n = chain_bytes(s) <= CHAIN_BYTES_MAX ? s->n_chain : 0;

    pys_wr_u8(w, (unsigned)n);
    for (size_t i = 0; i < n; i++) {
        pys_rd der = pys_cert_bytes(s->chain[i]);

        pys_wr_u24(w, der.n);
        pys_wr_rd(w, der);
    }
}

bool
pys_session_put(const pys_session *s, pys_buf *out)
{
    pys_wr w = pys_wr_to(out);

    pys_wr_u8(&w, FORM);
    pys_wr_u16(&w, s->version);
    pys_wr_u16(&w, s->suite);
    pys_wr_u16(&w, s->group);
    pys_wr_u8(&w, s->extended ? FLAG_EXTENDED : 0);
    pys_wr_vec16(&w, pys_session_secret(s));
    pys_wr_vec8(&w, pys_rd_of(s->id_context, s->n_id_context));
    pys_wr_u64(&w, (uint64_t)atomic_load(&s->made));
    pys_wr_u64(&w, (uint64_t)s->made_ms);
    pys_wr_u64(&w, (uint64_t)atomic_load(&s->timeout));
    pys_wr_u32(&w, s->lifetime);
    pys_wr_u32(&w, s->age_add);
    pys_wr_u32(&w, s->max_early_data);
    pys_wr_u32(&w, (uint32_t)s->verify_result);
    pys_wr_vec8(&w, pys_rd_buf(&s->name));
    pys_wr_vec8(&w, pys_rd_buf(&s->alpn));
    pys_wr_vec16(&w, pys_rd_of(s->psk_identity, s->n_psk_identity));
    put_chain(s, &w);
    return pys_wr_ok(&w);
}

static bool
rd_u64(pys_rd *in, int64_t *v)
{
    uint32_t high;
    uint32_t low;

    if (!pys_rd_u32(in, &high) || !pys_rd_u32(in, &low))
        return false;
    *v = (int64_t)((uint64_t)high << 32 | low);
    return true;
}

static bool
rd_buf(pys_rd *in, pys_buf *out)
{
    pys_rd bytes;

    return pys_rd_vec8(in, &bytes) && pys_buf_keep(out, bytes.p, bytes.n);
}

static bool
rd_array(pys_rd *in, uint8_t *out, size_t max, size_t *n)
{
    pys_rd bytes;

    if (!pys_rd_vec8(in, &bytes) || bytes.n > max)
        return false;
    *n = bytes.n;
    return pys_rd_copy(&bytes, out, bytes.n);
}

static bool
rd_secret(pys_rd *in, pys_session *s)
{
    pys_rd bytes;

    return pys_rd_vec16(in, &bytes) && pys_session_set_secret(s, bytes);
}

static bool
rd_identity(pys_rd *in, pys_session *s)
{
    pys_rd bytes;

    return pys_rd_vec16(in, &bytes) && pys_session_set_identity(s, bytes);
}

static bool
take_chain(pys_rd *in, pys_session *s)
{
    pys_fault f;
    pys_rd der;
    uint8_t n;

    if (!pys_rd_u8(in, &n))
        return false;
    if (n == 0)
        return true;
    s->chain = pys_alloc(n * sizeof(*s->chain));
    if (s->chain == NULL)
        return false;
    pys_fault_init(&f);
    for (size_t i = 0; i < n; i++) {
        pys_cert *c;

        if (!pys_rd_vec24(in, &der) ||
            (c = pys_cert_from_der(der.p, der.n, &f)) == NULL)
            return false;
        s->chain[s->n_chain++] = c;
    }
    return true;
}

/* A time that no sum with a time of today overflows. */
static bool
rd_time(pys_rd *in, int64_t max, int64_t *v)
{
    return rd_u64(in, v) && *v >= 0 && *v <= max;
}

static bool
take_times(pys_rd *in, pys_session *s)
{
    int64_t made;
    int64_t timeout;

    if (!rd_time(in, PYS_SECONDS_MAX, &made) ||
        !rd_time(in, PYS_SECONDS_MAX * 1000, &s->made_ms) ||
        !rd_time(in, PYS_SECONDS_MAX, &timeout))
        return false;
    atomic_store(&s->made, made);
    atomic_store(&s->timeout, timeout);
    return pys_rd_u32(in, &s->lifetime) && pys_rd_u32(in, &s->age_add) &&
        pys_rd_u32(in, &s->max_early_data);
}

static bool
take_all(pys_rd *in, pys_session *s)
{
    uint32_t result;
    uint8_t form;
    uint8_t flags;

    if (!pys_rd_u8(in, &form) || form != FORM ||
        !pys_rd_u16(in, &s->version) || !pys_rd_u16(in, &s->suite) ||
        !pys_rd_u16(in, &s->group) || !pys_rd_u8(in, &flags) ||
        !rd_secret(in, s) ||
        !rd_array(in, s->id_context, sizeof(s->id_context),
            &s->n_id_context) ||
        !take_times(in, s) || !pys_rd_u32(in, &result))
        return false;
    s->extended = (flags & FLAG_EXTENDED) != 0;
    s->verify_result = (long)result;
    return rd_buf(in, &s->name) && rd_buf(in, &s->alpn) &&
        rd_identity(in, s) && take_chain(in, s) && pys_rd_end(in);
}

pys_session *
pys_session_take(pys_rd in)
{
    pys_session *s = pys_session_new();

    if (s != NULL && !take_all(&in, s)) {
        pys_session_free(s);
        return NULL;
    }
    return s;
}
