/*
 * Getting into a connection. There are two locks, one for each direction; a
 * call takes what it needs, reading before writing: an established connection
 * is read under the one and written under the other, and everything else
 * takes both (contract CV-8).
 */
#include "quick/quick.h"

#include "api/quick.h"

/* Most arguments that a function gets besides the connection. */
enum { MOST = 4 };

PyObject *
pys_quick_alive(PyObject *op, PyObject *none)
{
    PyObject *owner = pys_quick_owner((pys_quick_conn *)op);

    (void)none;
    if (owner != Py_None)
        return owner;
    Py_DECREF(owner);
    PyErr_SetString(PyExc_ValueError, "this SSL was freed");
    return NULL;
}

static PyObject *
refuse_inside(void)
{
    PyErr_SetString(PyExc_RuntimeError,
        "a callback or BIO operation may not use its own SSL for I/O");
    return NULL;
}

PyObject *
pys_quick_enter(PyObject *op, PyObject *none)
{
    if (pys_quick_is_inside((pys_quick_conn *)op, PyThread_get_thread_ident()))
        return refuse_inside();
    return pys_quick_alive(op, none);
}

/* ---- both locks -------------------------------------------------------- */

bool
pys_quick_is_idle(const pys_quick_conn *self)
{
    return !self->lock[0].taken && !self->lock[1].taken;
}

/* Quick calls end within moments, and need no GIL for it. */
static void
shut_turns(pys_quick_conn *self)
{
    for (int i = 0; i < 2; i++) {
        if (self->turn[i] == PYS_QUICK) {
            pys_conn_shut_quick(self->core, i);
            self->turn[i] = PYS_UNTRIED;
        }
    }
}

bool
pys_quick_take(pys_quick_conn *self, unsigned long me)
{
    if (!pys_quick_lock_take(&self->lock[0]))
        return false;
    if (!pys_quick_lock_take(&self->lock[1])) {
        pys_quick_lock_give(&self->lock[0]);
        return false;
    }
    self->inside[0] = self->inside[1] = me;
    if (self->core != NULL)
        shut_turns(self);
    return true;
}

PyObject *
pys_quick_send_rest(pys_quick_conn *self, PyObject *result)
{
    PyObject *type, *value, *traceback, *did;

    if (!self->rest)
        return result;
    PyErr_Fetch(&type, &value, &traceback);
    did = pys_quick_call((PyObject *)self, "_send_rest", "()");
    if (did != NULL) {
        Py_DECREF(did);
        PyErr_Restore(type, value, traceback);
        return result;
    }
    Py_XDECREF(type);
    Py_XDECREF(value);
    Py_XDECREF(traceback);
    Py_XDECREF(result);
    return NULL;
}

PyObject *
pys_quick_give(pys_quick_conn *self, PyObject *result)
{
    self->inside[0] = self->inside[1] = 0;
    pys_quick_lock_give(&self->lock[1]);
    pys_quick_lock_give(&self->lock[0]);
    return pys_quick_send_rest(self, result);
}

/* ---- what the methods of SSL get in by --------------------------------- */

static PyObject *
call(PyObject *owner, PyObject *const *args, Py_ssize_t n)
{
    PyObject *a[MOST] = {NULL, NULL, NULL, NULL};

    for (Py_ssize_t i = 1; i < n; i++)
        a[i - 1] = args[i];
    return PyObject_CallFunctionObjArgs(args[0], owner, a[0], a[1], a[2], a[3],
        NULL);
}

static bool
can_call(Py_ssize_t n)
{
    if (n >= 1 && n <= 1 + MOST)
        return true;
    PyErr_SetString(PyExc_TypeError, "a function and 0 to 4 arguments");
    return false;
}

PyObject *
pys_quick_alone(PyObject *op, PyObject *const *args, Py_ssize_t n)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    unsigned long me = PyThread_get_thread_ident();
    PyObject *owner, *result = NULL;

    if (!can_call(n))
        return NULL;
    if (pys_quick_is_inside(self, me))
        return refuse_inside();
    if (!pys_quick_take(self, me))
        return NULL;
    owner = pys_quick_alive(op, NULL);
    if (owner != NULL) {
        result = call(owner, args, n);
        Py_DECREF(owner);
    }
    return pys_quick_give(self, result);
}

PyObject *
pys_quick_exclusive(PyObject *op, PyObject *const *args, Py_ssize_t n)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    unsigned long me = PyThread_get_thread_ident();
    PyObject *owner, *result;

    if (self->inside[0] != me || self->inside[1] != me)
        return pys_quick_alone(op, args, n);
    if (!can_call(n))
        return NULL;
    owner = pys_quick_alive(op, NULL);
    if (owner == NULL)
        return NULL;
    result = call(owner, args, n);
    Py_DECREF(owner);
    return result;
}

/*
 * Facts change under both locks, so whichever is free will do: a reader that
 * waits for its peer keeps nobody from asking.
 */
PyObject *
pys_quick_facts(PyObject *op, PyObject *get)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *owner = pys_quick_alive(op, NULL), *result;
    pys_quick_lock *lock = &self->lock[1];

    if (owner == NULL)
        return NULL;
    if (pys_quick_is_inside(self, PyThread_get_thread_ident())) {
        result = PyObject_CallFunctionObjArgs(get, owner, NULL);
        Py_DECREF(owner);
        return result;
    }
    if (lock->taken && !self->lock[0].taken)
        lock = &self->lock[0];
    if (!pys_quick_lock_take(lock)) {
        Py_DECREF(owner);
        return NULL;
    }
    result = PyObject_CallFunctionObjArgs(get, owner, NULL);
    Py_DECREF(owner);
    pys_quick_lock_give(lock);
    return pys_quick_send_rest(self, result);
}
