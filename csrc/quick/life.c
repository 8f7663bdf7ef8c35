/*
 * How an SSL begins and ends (SSL_new(3), SSL_free(3)). What is out of the
 * ordinary is left to _make and _end of conn_base.py: callbacks to be told,
 * BIOs that hear of it, a context that was freed.
 */
#include "quick/quick.h"

void *
pys_quick_pair(PyObject *args, const char *format, PyObject **owner)
{
    PyObject *address;
    void *core;

    if (!PyArg_ParseTuple(args, format, owner, &address))
        return NULL;
    core = PyLong_AsVoidPtr(address);
    if (PyErr_Occurred() == NULL && (*owner == Py_None) != (core == NULL))
        PyErr_SetString(PyExc_RuntimeError, "an owner and an address, or no");
    return core;
}

/* ---- what owns the connection ------------------------------------------ */

/* An owner for cffi: a reference of its own to the core's connection. */
static PyObject *
owner_new(PyObject *op, pys_conn *core)
{
    PyObject *pointer, *owner = NULL;

    (void)pys_conn_up_ref(core);
    pointer = pys_quick_call(op, "_pointer", "(K)",
        (unsigned long long)(uintptr_t)core);
    if (pointer != NULL) {
        owner = pys_quick_call(op, "_owned", "(O)", pointer);
        Py_DECREF(pointer);
    }
    if (owner == NULL)
        pys_conn_free(core);
    return owner;
}

PyObject *
pys_quick_owner(pys_quick_conn *self)
{
    PyObject *owner;

    if (self->owner == NULL && self->core != NULL) {
        owner = owner_new((PyObject *)self, self->core);
        if (owner == NULL)
            return NULL;
        if (self->owner == NULL && self->core != NULL)
            self->owner = owner; /* and no other thread was faster */
        else
            Py_DECREF(owner);
    }
    owner = self->owner == NULL ? Py_None : self->owner;
    Py_INCREF(owner);
    return owner;
}

void
pys_quick_let_go(pys_quick_conn *self)
{
    pys_conn *core = self->core;

    self->core = NULL;
    pys_conn_free(core);
    Py_CLEAR(self->owner);
}

/* ---- begin ------------------------------------------------------------- */

static void
put(pys_quick_conn *self, enum pys_quick_part i, PyObject *object)
{
    Py_XINCREF(object);
    self->part[i] = object;
}

/* A connection of its settings; false: memory is short. */
static bool
take_from(pys_quick_conn *self, pys_quick_ctx *ctx)
{
    self->core = pys_conn_new(ctx->core);
    if (self->core == NULL) {
        (void)PyErr_NoMemory();
        return false;
    }
    put(self, PYS_PART_CTX, (PyObject *)ctx);
    put(self, PYS_PART_SESSION_CTX, (PyObject *)ctx);
    put(self, PYS_PART_SETTINGS, ctx->part[PYS_OF_CTX_SETTINGS]);
    put(self, PYS_PART_CA_NAMES, ctx->part[PYS_OF_CTX_CA_NAMES]);
    put(self, PYS_PART_COPIED, ctx->part[PYS_OF_CTX_COPIED]);
    self->live = ctx->live;
    self->wanted = ctx->live | ctx->asks;
    self->refs = 1;
    return true;
}

/* As `method` of the object does it; the result is None. */
static int
leave_to(PyObject *op, const char *method, PyObject *args, PyObject *named)
{
    PyObject *call = pys_quick_attribute(op, method), *did = NULL;

    if (call != NULL)
        did = PyObject_Call(call, args, named);
    Py_XDECREF(call);
    Py_XDECREF(did);
    return did == NULL ? -1 : 0;
}

int
pys_quick_conn_init(PyObject *op, PyObject *args, PyObject *named)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    pys_quick_ctx *ctx = NULL;

    if (named == NULL && PyTuple_Size(args) == 1)
        ctx = pys_quick_ctx_of(PyTuple_GetItem(args, 0));
    if (ctx == NULL || ctx->core == NULL || ctx->tells || pys_quick_watched ||
        self->part[PYS_PART_CTX] != NULL)
        return leave_to(op, "_make", args, named);
    return take_from(self, ctx) ? 0 : -1;
}

/* ---- end --------------------------------------------------------------- */

/* Does somebody want to hear of sessions that are given up? */
static bool
hears_of_sessions(const pys_quick_conn *self)
{
    PyObject *ctx = self->part[PYS_PART_SESSION_CTX], *hearer;

    if (ctx == NULL || pys_quick_ctx_of(ctx) == NULL)
        return true;
    hearer = pys_quick_ctx_of(ctx)->part[PYS_OF_CTX_REMOVE_SESSION];
    return hearer != NULL && hearer != Py_None;
}

/* Does nobody, and nothing, hear of the end? */
static bool
ends_alone(pys_quick_conn *self)
{
    if (pys_quick_watched ||
        (pys_conn_retire(self->core, false) && hears_of_sessions(self)))
        return false;
    return pys_quick_bio_release(self->part[PYS_PART_RBIO],
        self->part[PYS_PART_WBIO]);
}

void
pys_quick_conn_finalize(PyObject *op)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *type, *value, *traceback, *did;

    if (self->core == NULL) /* it was freed, or never made */
        return;
    PyErr_Fetch(&type, &value, &traceback);
    if (ends_alone(self)) {
        pys_quick_let_go(self);
        Py_CLEAR(self->part[PYS_PART_SETTINGS]);
        Py_CLEAR(self->part[PYS_PART_RBIO]);
        Py_CLEAR(self->part[PYS_PART_WBIO]);
    } else {
        did = pys_quick_call(op, "_end", "()");
        if (did == NULL)
            PyErr_WriteUnraisable(op);
        Py_XDECREF(did);
    }
    PyErr_Restore(type, value, traceback);
}
