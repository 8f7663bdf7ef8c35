/*
 * Padding that the application chooses (RFC 8446 5.4,
 * SSL_set_record_padding_callback(3)). The core calls nobody: a protected
 * record of TLS 1.3 waits, in the clear and with the keys it is for, until
 * its padding is known, and what is sealed after it waits behind it. The
 * pump seals them before it writes; nothing waits once a call is over.
 */
#ifndef PYS_CONN_PAD_H
#define PYS_CONN_PAD_H

#include "conn/conn.h"

/* Does a record under this protection have to wait? */
bool pys_pad_due(const pys_conn *c, const pys_protect *p);

/* Lets a record wait. False if memory is short. */
PYS_MUST bool pys_pad_put(pys_conn *c, const pys_protect *p,
    enum pys_record_type type, pys_rd in);

/* Before the keys of what goes out change: keeps them for what waits. */
void pys_pad_keep_keys(pys_conn *c);

/*
 * Seals what waits: PYS_IO_DONE. PYS_IO_BIO: the application has to say
 * something first. PYS_IO_FAULT, recorded: nothing waits any more, and nobody
 * is asked any more.
 */
PYS_MUST enum pys_io pys_pad_seal(pys_conn *c);

/* Forgets what waits. */
void pys_pad_free(pys_conn *c);

#endif
