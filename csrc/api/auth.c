/*
 * Authentication of the client after the handshake (RFC 8446 4.6.2):
 * SSL_verify_client_post_handshake(3).
 */
#include "api/io.h"

/* Does what is set ask for a certificate, after the handshake too? */
static bool
may_ask(const pys_conn *c)
{
    return pys_setting(c->set, PYS_VERIFY_MODE, PYS_VERIFY_PEER) &&
        !(c->post->asked &&
            pys_setting(c->set, PYS_VERIFY_MODE, PYS_VERIFY_ONCE));
}

enum pys_io
pys_conn_ask_auth(pys_conn *c)
{
    if (c->version != PYS_TLS1_3)
        return pys_io_misuse(c, PYS_R_WRONG_SSL_VERSION);
    if (c->role != PYS_SERVER)
        return pys_io_misuse(c, PYS_R_NOT_SERVER);
    /* Also while a request is to be sent, or its answer is being read. */
    if (atomic_load(&c->phase) != PYS_OPEN)
        return pys_io_misuse(c, PYS_R_STILL_IN_INIT);
    /* RFC 8446 6.1: no request goes out any more, or no answer comes. */
    if (atomic_load(&c->closing) != 0)
        return pys_io_misuse(c, PYS_R_PROTOCOL_IS_SHUTDOWN);
    if (c->post == NULL)
        return pys_io_misuse(c, PYS_R_EXTENSION_NOT_RECEIVED);
    if (c->post->waiting != NULL)
        return pys_io_misuse(c, PYS_R_REQUEST_SENT);
    if (!may_ask(c))
        return pys_io_misuse(c, PYS_R_INVALID_CONFIG);
    atomic_store(&c->phase, PYS_RUNNING);
    return PYS_IO_DONE;
}
