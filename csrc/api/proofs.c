/*
 * What the two sides say in their first words, for the application: the
 * ClientHello, and what a server shows beside its certificate.
 */
#include "conn/conn.h"

bool
pys_settings_set_scts(pys_settings *s, const uint8_t *p, size_t n)
{
    pys_rd list = pys_rd_of(p, n);

    return n <= PYS_SCTS_MAX && (n == 0 || pys_scts_check(list)) &&
        pys_keep(&s->scts, list);
}

bool
pys_conn_set_status(pys_conn *c, const uint8_t *p, size_t n)
{
    pys_proofs *proofs = n <= PYS_RESPONSE_MAX ? pys_conn_proofs(c) : NULL;

    return proofs != NULL && pys_keep(&proofs->status, pys_rd_of(p, n));
}

static const uint8_t *
bytes_or_null(const pys_buf *b, size_t *n)
{
    *n = b == NULL ? 0 : pys_buf_size(b);
    return *n == 0 ? NULL : pys_buf_head(b);
}

const uint8_t *
pys_conn_status(const pys_conn *c, size_t *n)
{
    return bytes_or_null(c->proofs == NULL ? NULL : &c->proofs->status, n);
}

bool
pys_conn_status_asked(const pys_conn *c)
{
    return c->status_asked;
}

const uint8_t *
pys_conn_scts(const pys_conn *c, size_t *n)
{
    return bytes_or_null(c->proofs == NULL ? NULL : &c->proofs->scts, n);
}

const uint8_t *
pys_conn_client_hello(const pys_conn *c, size_t *n)
{
    bool there = c->hs != NULL && c->role == PYS_SERVER;

    return bytes_or_null(there ? &c->hs->hello : NULL, n);
}
