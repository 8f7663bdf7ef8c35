#include "crypto/awslc/crypt_fork.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

/*
 * The longest that a fork waits, in turns given to other threads: a draw
 * takes some hundred microseconds at most. After that it forks nonetheless,
 * as it must where the thread that forks was interrupted while it drew.
 */
enum { TURNS_MAX = 20000 };

static atomic_int drawing;
static atomic_int forking;

void
pys_draw_begin(void)
{
    for (;;) {
        atomic_fetch_add(&drawing, 1);
        if (atomic_load(&forking) == 0)
            return;
        atomic_fetch_sub(&drawing, 1);
        while (atomic_load(&forking) != 0)
            sched_yield();
    }
}

void
pys_draw_end(void)
{
    atomic_fetch_sub(&drawing, 1);
}

static void
before_fork(void)
{
    atomic_fetch_add(&forking, 1);
    for (int i = 0; i < TURNS_MAX && atomic_load(&drawing) != 0; i++)
        sched_yield();
}

static void
after_fork(void)
{
    atomic_fetch_sub(&forking, 1);
}

/* The other threads are gone, and with them their draws and forks. */
static void
in_child(void)
{
    atomic_store(&drawing, 0);
    atomic_store(&forking, 0);
}

bool
pys_fork_start(void)
{
    return pthread_atfork(before_fork, after_fork, in_child) == 0;
}
