/* The type that SSL is made on: its parts, its life, its methods. */
#include "quick/quick.h"

#include <structmember.h>

#define AT(field) (Py_ssize_t) offsetof(pys_quick_conn, field)

/*
 * As Python knows them: what the methods here look at. The owner is exchanged
 * by _keep alone.
 */
static PyMemberDef members[] = {
    {"_conn", T_OBJECT, AT(owner), READONLY, NULL},
    {"_session_part", T_OBJECT, AT(session_part), 0, NULL},
    {"_quick_read", T_INT, AT(turn[0]), 0, NULL},
    {"_quick_write", T_INT, AT(turn[1]), 0, NULL},
    {"_read_want", T_INT, AT(want[0]), 0, NULL},
    {"_write_want", T_INT, AT(want[1]), 0, NULL},
    {"_last", T_INT, AT(last), 0, NULL},
    {"_reader", T_ULONG, AT(inside[0]), 0, NULL},
    {"_writer", T_ULONG, AT(inside[1]), 0, NULL},
    {"_reading_thread", T_ULONG, AT(caller[0]), 0, NULL},
    {"_writing_thread", T_ULONG, AT(caller[1]), 0, NULL},
    {"_fits", T_BOOL, AT(fits), 0, NULL},
    {"_rest", T_BOOL, AT(rest), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* ---- life -------------------------------------------------------------- */

/* _keep(owner, address), and _keep(None, 0) to let go. */
static PyObject *
conn_keep(PyObject *op, PyObject *args)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *owner, *address, *before = self->owner;
    void *core;

    if (!PyArg_ParseTuple(args, "OO:_keep", &owner, &address))
        return NULL;
    core = PyLong_AsVoidPtr(address);
    if (PyErr_Occurred() != NULL)
        return NULL;
    if ((owner == Py_None) != (core == NULL) ||
        (core != NULL && self->core != NULL)) {
        PyErr_SetString(PyExc_RuntimeError, "it has a connection, or none");
        return NULL;
    }
    Py_INCREF(owner);
    self->core = core;
    self->owner = owner;
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

/* The arguments are for __init__. */
static PyObject *
conn_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    PyObject *op = alloc(type, 0);
    pys_quick_conn *self = (pys_quick_conn *)op;

    (void)args;
    (void)named;
    if (op == NULL)
        return NULL;
    self->turn[0] = self->turn[1] = PYS_UNTRIED;
    self->want[0] = self->want[1] = PYS_NOTHING;
    self->asks = pys_quick_asks();
    return op;
}

static int
conn_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pys_quick_conn *)op)->owner);
    Py_VISIT(((pys_quick_conn *)op)->session_part);
    return 0;
}

static int
conn_clear(PyObject *op)
{
    pys_quick_conn *self = (pys_quick_conn *)op;

    self->core = NULL;
    Py_CLEAR(self->owner);
    Py_CLEAR(self->session_part);
    return 0;
}

static void
conn_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(op);
    (void)conn_clear(op);
    pys_quick_lock_wipe(&((pys_quick_conn *)op)->lock[0]);
    pys_quick_lock_wipe(&((pys_quick_conn *)op)->lock[1]);
    give_back(op);
    Py_DECREF(type);
}

/* What takes its arguments as they lie there. */
#define FAST(function) (PyCFunction)(void (*)(void)) function

static PyMethodDef methods[] = {
    {"read", FAST(pys_quick_read_call), PYS_FASTCALL | METH_KEYWORDS,
        pys_quick_doc_read},
    {"write", FAST(pys_quick_write_call), PYS_FASTCALL | METH_KEYWORDS,
        pys_quick_doc_write},
    {"do_handshake", pys_quick_handshake, METH_NOARGS,
        pys_quick_doc_handshake},
    {"get_error", FAST(pys_quick_get_error), PYS_FASTCALL | METH_KEYWORDS,
        pys_quick_doc_get_error},
    {"get_session", pys_quick_get_session, METH_NOARGS,
        pys_quick_doc_get_session},
    {"get1_session", pys_quick_get_session, METH_NOARGS,
        pys_quick_doc_get1_session},
    {"set_session", FAST(pys_quick_set_session), PYS_FASTCALL | METH_KEYWORDS,
        pys_quick_doc_set_session},
    {"_keep", conn_keep, METH_VARARGS, NULL},
    {"_heard", pys_quick_heard, METH_NOARGS, NULL},
    {"_take", pys_quick_take_one, METH_O, NULL},
    {"_try_take", pys_quick_try_one, METH_O, NULL},
    {"_give", pys_quick_give_one, METH_O, NULL},
    {"_alive", pys_quick_alive, METH_NOARGS, NULL},
    {"_enter", pys_quick_enter, METH_NOARGS, NULL},
    {"_alone", FAST(pys_quick_alone), PYS_FASTCALL, NULL},
    {"_exclusive", FAST(pys_quick_exclusive), PYS_FASTCALL, NULL},
    {"_facts", pys_quick_facts, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The part of an SSL that its most frequent calls need."},
    {Py_tp_members, members},
    {Py_tp_methods, methods},
    {Py_tp_new, (void *)conn_new},
    {Py_tp_traverse, (void *)conn_traverse},
    {Py_tp_clear, (void *)conn_clear},
    {Py_tp_dealloc, (void *)conn_dealloc},
    {0, NULL},
};

PyType_Spec pys_quick_conn_spec = {
    .name = "pyssl._quick.Conn",
    .basicsize = sizeof(pys_quick_conn),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
