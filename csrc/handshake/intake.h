/*
 * What comes in: judges record headers, opens records, and hands content to
 * where it belongs (RFC 8446 5, 6, D.4).
 */
#ifndef PYS_INTAKE_H
#define PYS_INTAKE_H

#include "conn/conn.h"

typedef enum pys_took {
    PYS_TOOK_FAULT,
    PYS_TOOK_NOTHING, /* a record that says nothing: go on */
    PYS_TOOK_MESSAGES, /* handshake bytes were added to conn->msgs */
    PYS_TOOK_DATA,    /* application data: where they lie is in *content */
    PYS_TOOK_CLOSED   /* close_notify */
} pys_took;

/* Judges a header before its body is read. */
PYS_MUST bool pys_intake_head(pys_conn *c, const uint8_t *bytes,
    pys_head *head);

/*
 * Takes a whole record. Its content is decrypted to out, which has n bytes,
 * enough for it (pys_record_room), or, if out is NULL, in place. *content
 * points to application data.
 */
pys_took pys_intake(pys_conn *c, pys_rd record, uint8_t *out, size_t n,
    pys_rd *content);

/* Queues a sealed alert behind whatever waits to be sent. */
PYS_MUST bool pys_alert_send(pys_conn *c, int level, int alert);

#endif
