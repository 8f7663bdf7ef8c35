/*
 * Early data: what early.c gives to the rest of the handshake.
 */
#ifndef PYS_EARLY_H
#define PYS_EARLY_H

#include "conn/conn.h"

/* Client: may the session that is set carry early data? */
bool pys_early_possible(const pys_conn *c);

/*
 * Server, stages of choose.c: is early data to be taken as far as session,
 * hello and application say; then, is this ticket used for the first time?
 */
pys_go pys_early_choose(pys_hs *hs);
pys_go pys_early_once(pys_hs *hs);

/*
 * Server: content of this many bytes came as early data, or n bytes of a
 * record that is passed over. False, with the fault, if that is too much.
 */
PYS_MUST bool pys_early_count(pys_conn *c, size_t n);

/* Are records that do not open to be passed over (RFC 8446 4.2.10)? */
static inline bool
pys_early_skipping(const pys_conn *c)
{
    return c->early != NULL && c->early->skipping && c->hs != NULL &&
        !pys_is_12(c);
}

/* Is what comes in early data that was accepted? */
static inline bool
pys_early_coming(const pys_conn *c)
{
    return c->early != NULL && c->early->theirs;
}

/* Client: is what goes out early data still? */
static inline bool
pys_early_going(const pys_conn *c)
{
    return c->early != NULL && c->early->ours;
}

#endif
