/*
 * Drawing random bytes from AWS-LC beside fork().
 *
 * AWS-LC draws under locks of the whole process. A child of a fork() that
 * met another thread in one of them would wait for ever at its first draw,
 * so a fork waits until nobody draws, and whoever wants to waits for it.
 */
#ifndef PYS_CRYPT_FORK_H
#define PYS_CRYPT_FORK_H

#include "base/base.h"

/* Once, before anything is drawn. */
PYS_MUST bool pys_fork_start(void);

/* Around each call of AWS-LC that draws, by itself or within; no nesting. */
void pys_draw_begin(void);
void pys_draw_end(void);

#endif
