/*
 * The pump between the engine and the BIOs: the only place that turns an
 * outcome into what the man pages promise. Public functions are in pys.h.
 */
#ifndef PYS_IO_H
#define PYS_IO_H

#include "conn/conn.h"

/*
 * Hands over everything that is sealed, then flushes. PYS_IO_DONE when
 * nothing is left.
 */
enum pys_io pys_io_drain(pys_conn *c);

/*
 * Reads and takes one record. PYS_IO_DONE: *took says what it was; data are
 * in *content. out may be NULL, or has room for n bytes, and is used if the
 * record surely fits.
 */
typedef struct pys_record_got {
    int took; /* pys_took */
    pys_rd content;
    size_t raw; /* bytes of the record, to eat when content is used up */
} pys_record_got;

enum pys_io pys_io_record(pys_conn *c, uint8_t *out, size_t n,
    pys_record_got *got);

/* The connection is dead; its alert gets one try. PYS_IO_FAULT or _BIO. */
enum pys_io pys_io_fail(pys_conn *c);

/*
 * Before a handshake goes on, or begins: PYS_IO_MOVED, or why it cannot.
 */
enum pys_io pys_io_ready(pys_conn *c);

/*
 * Lets the engine go on and hands over what it wrote. PYS_IO_MOVED: another
 * record is needed, for pys_io_take. PYS_IO_DONE: the handshake is over.
 */
enum pys_io pys_io_turn(pys_conn *c);

/* One record for the handshake. PYS_IO_MOVED: go on; got tells. */
enum pys_io pys_io_take(pys_conn *c, pys_record_got *got);

/* SSL_want(3) while the application is asked. */
enum pys_io pys_io_asked(pys_conn *c);

/* Hands out what was read and not yet fetched: c->plain. */
void pys_io_hand_out(pys_conn *c, uint8_t *out, size_t *n, bool peek);

/* Seals and hands over; partial: part of it will do (RW-23). */
enum pys_io pys_io_write(pys_conn *c, const uint8_t *p, size_t n, bool partial,
    size_t *done);

/* Runs the handshake on; see pys_conn_handshake. */
enum pys_io pys_io_handshake(pys_conn *c);

/* Seals a refusal of renegotiation, if one is due. */
PYS_MUST bool pys_io_refuse(pys_conn *c);

/* A call that does nothing but say why. */
enum pys_io pys_io_misuse(pys_conn *c, int reason);

#endif
