/*
 * The lock of a direction. It is looked at and changed under the GIL only,
 * so taking one that is free is no more than a store; the system's lock
 * behind it is made when a thread first has to wait, and says "look again".
 */
#include "quick/quick.h"

#include <pythread.h>

/*
 * Waits for the word that the lock was released. False: an exception, of a
 * signal handler or because memory is short.
 */
static bool
wait_for(pys_quick_lock *lock)
{
    PyLockStatus status;
    PyThreadState *state;

    if (lock->gate == NULL) {
        lock->gate = PyThread_allocate_lock();
        if (lock->gate == NULL) {
            (void)PyErr_NoMemory();
            return false;
        }
        (void)PyThread_acquire_lock(lock->gate, NOWAIT_LOCK);
    }
    lock->n_waiting++;
    state = PyEval_SaveThread();
    status = PyThread_acquire_lock_timed(lock->gate, -1, 1);
    PyEval_RestoreThread(state);
    lock->n_waiting--;
    if (status == PY_LOCK_ACQUIRED)
        lock->told = false;
    return status == PY_LOCK_ACQUIRED || PyErr_CheckSignals() == 0;
}

bool
pys_quick_lock_take(pys_quick_lock *lock)
{
    while (lock->taken) {
        if (!wait_for(lock))
            return false;
    }
    lock->taken = true;
    return true;
}

void
pys_quick_lock_give(pys_quick_lock *lock)
{
    lock->taken = false;
    /* One word at a time: who hears it passes it on when it releases. */
    if (lock->n_waiting != 0 && !lock->told) {
        lock->told = true;
        PyThread_release_lock(lock->gate);
    }
}

void
pys_quick_lock_wipe(pys_quick_lock *lock)
{
    if (lock->gate != NULL)
        PyThread_free_lock(lock->gate);
    lock->gate = NULL;
}

/* ---- as Python sees them: _take(writing), _try_take, _give ------------- */

/* 0 or 1; -1: an exception. */
static int
direction_of(PyObject *writing)
{
    long i = PyLong_AsLong(writing);

    if (i == 0 || i == 1)
        return (int)i;
    if (PyErr_Occurred() == NULL)
        PyErr_SetString(PyExc_ValueError, "a direction is 0 or 1");
    return -1;
}

PyObject *
pys_quick_take_one(PyObject *op, PyObject *writing)
{
    int i = direction_of(writing);

    if (i < 0 || !pys_quick_lock_take(&((pys_quick_conn *)op)->lock[i]))
        return NULL;
    Py_RETURN_NONE;
}

PyObject *
pys_quick_try_one(PyObject *op, PyObject *writing)
{
    int i = direction_of(writing);
    pys_quick_lock *lock;

    if (i < 0)
        return NULL;
    lock = &((pys_quick_conn *)op)->lock[i];
    if (lock->taken)
        Py_RETURN_FALSE;
    lock->taken = true;
    Py_RETURN_TRUE;
}

PyObject *
pys_quick_give_one(PyObject *op, PyObject *writing)
{
    int i = direction_of(writing);
    pys_quick_lock *lock;

    if (i < 0)
        return NULL;
    lock = &((pys_quick_conn *)op)->lock[i];
    if (!lock->taken) {
        PyErr_SetString(PyExc_RuntimeError, "this lock is free");
        return NULL;
    }
    pys_quick_lock_give(lock);
    Py_RETURN_NONE;
}
