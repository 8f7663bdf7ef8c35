#include "session/counts.h"

pys_counts *
pys_counts_new(void)
{
    pys_counts *c = pys_alloc(sizeof(*c));

    if (c != NULL)
        atomic_init(&c->refs, 1);
    return c;
}

pys_counts *
pys_counts_up_ref(pys_counts *c)
{
    if (c != NULL)
        atomic_fetch_add(&c->refs, 1);
    return c;
}

void
pys_counts_free(pys_counts *c)
{
    if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1)
        pys_free(c);
}
