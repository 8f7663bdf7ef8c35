/*
 * The steps of flight.c as the tests see them.
 */
#include "handshake/flight.h"

#include "pys_test.h"

#ifdef PYS_TEST

void
pys_test_set_seq(pys_conn *c, int writing, uint64_t seq)
{
    c->flow[writing].protect.seq = seq;
}

bool
pys_test_step_at(int version, size_t i, pys_test_step *out)
{
    const pys_step *list = version == PYS_TLS1_2 ? pys_flight12 :
        version == PYS_TLS1_3                    ? pys_flight13 :
                                                   pys_flight_post;
    const pys_step *step = &list[i];

    for (size_t k = 0; k <= i; k++) {
        if (list[k].name == NULL)
            return false;
    }
    *out = (pys_test_step){
        .name = step->name,
        .type = step->msg != NULL ? step->msg->type : -1,
        .from = step->from,
        .when = step->when,
        .unless = step->unless,
        .optional = step->optional,
    };
    return true;
}

#endif
