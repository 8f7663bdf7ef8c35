/* The type that SSL_CTX is made on: what a new SSL takes from it. */
#include "quick/quick.h"

#include <structmember.h>

#define AT(field) (Py_ssize_t) offsetof(pys_quick_ctx, field)

/* The settings are exchanged by _publish alone. */
static PyMemberDef members[] = {
    {"_settings", T_OBJECT, AT(part[PYS_OF_CTX_SETTINGS]), READONLY, NULL},
    {"_ca_names", T_OBJECT, AT(part[PYS_OF_CTX_CA_NAMES]), 0, NULL},
    {"_hooks", T_OBJECT, AT(part[PYS_OF_CTX_HOOKS]), 0, NULL},
    {"_remove_session", T_OBJECT, AT(part[PYS_OF_CTX_REMOVE_SESSION]), 0,
        NULL},
    {"live_asks", T_LONG, AT(live), 0, NULL},
    {"_tells", T_BOOL, AT(tells), 0, NULL},
    {"_for_role", T_INT, AT(role), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *
copied_get(PyObject *op, void *none)
{
    PyObject *copied = ((pys_quick_ctx *)op)->part[PYS_OF_CTX_COPIED];

    (void)none;
    if (copied == NULL)
        Py_RETURN_NONE;
    Py_INCREF(copied);
    return copied;
}

static int
copied_set(PyObject *op, PyObject *copied, void *none)
{
    pys_quick_ctx *self = (pys_quick_ctx *)op;
    PyObject *asks, *before;
    long n;

    (void)none;
    if (copied == NULL) {
        PyErr_SetString(PyExc_AttributeError, "it is exchanged only");
        return -1;
    }
    asks = pys_quick_attribute(copied, "asks");
    n = asks == NULL ? -1 : PyLong_AsLong(asks);
    Py_XDECREF(asks);
    if (PyErr_Occurred() != NULL)
        return -1;
    before = self->part[PYS_OF_CTX_COPIED];
    Py_INCREF(copied);
    self->part[PYS_OF_CTX_COPIED] = copied;
    self->asks = n;
    Py_XDECREF(before);
    return 0;
}

static PyGetSetDef getset[] = {
    {"_copied", copied_get, copied_set, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* _publish(owner, address) of settings, and _publish(None, 0) for none. */
static PyObject *
ctx_publish(PyObject *op, PyObject *args)
{
    pys_quick_ctx *self = (pys_quick_ctx *)op;
    PyObject *owner, *before = self->part[PYS_OF_CTX_SETTINGS];
    pys_settings *core, *last = self->core;

    core = pys_quick_pair(args, "OO:_publish", &owner);
    if (PyErr_Occurred() != NULL)
        return NULL;
    Py_INCREF(owner);
    self->core = core == NULL ? NULL : pys_settings_up_ref(core);
    self->part[PYS_OF_CTX_SETTINGS] = owner;
    pys_settings_free(last);
    Py_XDECREF(before);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"_publish", ctx_publish, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

/* ---- life -------------------------------------------------------------- */

static PyObject *
ctx_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *op = pys_quick_alloc(type);

    (void)args;
    (void)named;
    if (op != NULL)
        ((pys_quick_ctx *)op)->role = PYS_NO_ROLE;
    return op;
}

pys_quick_ctx *
pys_quick_ctx_of(PyObject *op)
{
    return pys_quick_is_made_by(op, ctx_new) ? (pys_quick_ctx *)op : NULL;
}

static int
ctx_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    for (size_t i = 0; i < PYS_N_OF_CTX; i++)
        Py_VISIT(((pys_quick_ctx *)op)->part[i]);
    return 0;
}

static int
ctx_clear(PyObject *op)
{
    pys_quick_ctx *self = (pys_quick_ctx *)op;

    pys_settings_free(self->core);
    self->core = NULL;
    for (size_t i = 0; i < PYS_N_OF_CTX; i++)
        Py_CLEAR(self->part[i]);
    return 0;
}

static void
ctx_dealloc(PyObject *op)
{
    pys_quick_drop(op, ctx_clear);
}

static PyType_Slot slots[] = {
    {Py_tp_doc, "The part of an SSL_CTX that a new SSL looks at."},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {Py_tp_new, (void *)ctx_new},
    {Py_tp_traverse, (void *)ctx_traverse},
    {Py_tp_clear, (void *)ctx_clear},
    {Py_tp_dealloc, (void *)ctx_dealloc},
    {0, NULL},
};

PyType_Spec pys_quick_ctx_spec = {
    .name = "pyssl._quick.Ctx",
    .basicsize = sizeof(pys_quick_ctx),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
