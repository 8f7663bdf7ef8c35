/* The module pyssl._quick, in the same file as cffi's part. */
#include "quick/quick.h"

#include <structmember.h>

#define AT(field) (Py_ssize_t) offsetof(pys_quick_conn, field)

/*
 * As Python knows them. A call is slow or quick, so only what both have to
 * know is here; the owner is exchanged by _keep alone.
 */
static PyMemberDef members[] = {
    {"_conn", T_OBJECT, AT(owner), READONLY, NULL},
    {"_quick_read", T_INT, AT(turn[0]), 0, NULL},
    {"_quick_write", T_INT, AT(turn[1]), 0, NULL},
    {"_read_want", T_INT, AT(want[0]), 0, NULL},
    {"_write_want", T_INT, AT(want[1]), 0, NULL},
    {"_last", T_INT, AT(last), 0, NULL},
    {"_reader", T_ULONG, AT(inside[0]), 0, NULL},
    {"_writer", T_ULONG, AT(inside[1]), 0, NULL},
    {"_reading_thread", T_ULONG, AT(caller[0]), 0, NULL},
    {"_writing_thread", T_ULONG, AT(caller[1]), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

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

static int
conn_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pys_quick_conn *)op)->owner);
    return 0;
}

static int
conn_clear(PyObject *op)
{
    pys_quick_conn *self = (pys_quick_conn *)op;

    self->core = NULL;
    Py_CLEAR(self->owner);
    return 0;
}

static void
conn_dealloc(PyObject *op)
{
    PyTypeObject *type = Py_TYPE(op);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(op);
    (void)conn_clear(op);
    give_back(op);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"read", (PyCFunction)(void (*)(void))pys_quick_conn_read,
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_read},
    {"write", (PyCFunction)(void (*)(void))pys_quick_conn_write,
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_write},
    {"_keep", conn_keep, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "The part of an SSL that its most frequent calls need."},
    {Py_tp_members, members},
    {Py_tp_methods, methods},
    {Py_tp_traverse, (void *)conn_traverse},
    {Py_tp_clear, (void *)conn_clear},
    {Py_tp_dealloc, (void *)conn_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "pyssl._quick.Conn",
    .basicsize = sizeof(pys_quick_conn),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static int
module_exec(PyObject *module)
{
    PyObject *type = PyType_FromSpec(&spec);

    if (type == NULL)
        return -1;
    if (PyModule_AddObject(module, "Conn", type) != 0) {
        Py_DECREF(type);
        return -1;
    }
    return PyModule_AddIntConstant(module, "AT_FIRST", PYS_UNTRIED);
}

/* So that Python can tell whether its threads are the system's. */
static PyObject *
module_thread(PyObject *module, PyObject *none)
{
    (void)module;
    (void)none;
    return PyLong_FromUnsignedLong(PyThread_get_thread_ident());
}

static PyMethodDef functions[] = {
    {"thread", module_thread, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
    {0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "pyssl._quick",
    .m_methods = functions,
    .m_slots = module_slots,
};

PyMODINIT_FUNC PyInit__quick(void);

PyMODINIT_FUNC
PyInit__quick(void)
{
    return PyModuleDef_Init(&definition);
}
