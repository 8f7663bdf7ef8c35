/*
 * Reads and writes without the caller's lock, one thread at a time, through a
 * memory BIO or a pair: calls that never wait. For the turns that they take
 * see pys_conn_open_quick.
 */
#ifndef PYS_API_QUICK_H
#define PYS_API_QUICK_H

#include "pys_conn.h"

/* It is a lot to do: call again where that keeps nobody waiting. */
static const long PYS_QUICK_LATER = -1000;

/*
 * As pys_conn_read and pys_conn_write; 0: nothing was done, use those. A read
 * that might have to open more than most bytes (0: no limit) does nothing.
 */
long pys_quick_read(pys_conn *c, uint8_t *out, size_t n, size_t most);
long pys_quick_write(pys_conn *c, const uint8_t *p, size_t n);

/*
 * For who has both locks, or while nobody has: are there BIOs for a handshake
 * to go on with, and did the one that is read ask for another try?
 */
bool pys_quick_may_shake(const pys_conn *c);
bool pys_quick_waits(const pys_conn *c);

/*
 * For who has the lock of a direction, or while nobody has: is it an open
 * connection on a descriptor, and does nobody want to be told of events?
 */
bool pys_quick_on_descriptor(const pys_conn *c, int writing);

#endif
