/*
 * The counters of a context (SSL_CTX_sess_number(3)): what its connections
 * did. Counted references; every copy of a context's settings has the same.
 */
#ifndef PYS_COUNTS_H
#define PYS_COUNTS_H

#include <stdatomic.h>

#include "base/base.h"
#include "pys.h"

typedef struct pys_counts {
    atomic_int refs;
    atomic_ullong n[PYS_N_COUNTS];
} pys_counts;

pys_counts *pys_counts_new(void); /* NULL: memory is short */
pys_counts *pys_counts_up_ref(pys_counts *c);
void pys_counts_free(pys_counts *c);

/* Adds one; gives the sum. */
static inline unsigned long long
pys_counts_add(pys_counts *c, enum pys_count which)
{
    return atomic_fetch_add_explicit(&c->n[which], 1, memory_order_relaxed) +
        1;
}

#endif
