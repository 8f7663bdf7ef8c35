/* The type that SSL is made on: its parts, its life, its methods. */
#include "quick/quick.h"

#include <structmember.h>

#define AT(field) (Py_ssize_t) offsetof(pys_quick_conn, field)

/* As Python knows them; the core's connection is exchanged by _keep alone. */
static PyMemberDef members[] = {
    {"_ctx", T_OBJECT, AT(part[PYS_PART_CTX]), 0, NULL},
    {"_session_ctx", T_OBJECT, AT(part[PYS_PART_SESSION_CTX]), 0, NULL},
    {"_settings", T_OBJECT, AT(part[PYS_PART_SETTINGS]), 0, NULL},
    {"_ca_names", T_OBJECT, AT(part[PYS_PART_CA_NAMES]), 0, NULL},
    {"_copied", T_OBJECT, AT(part[PYS_PART_COPIED]), 0, NULL},
    {"_rbio", T_OBJECT, AT(part[PYS_PART_RBIO]), 0, NULL},
    {"_wbio", T_OBJECT, AT(part[PYS_PART_WBIO]), 0, NULL},
    {"_session_part", T_OBJECT, AT(part[PYS_PART_SESSION]), 0, NULL},
    {"_ex", T_OBJECT, AT(part[PYS_PART_EX]), 0, NULL},
    {"_told", T_OBJECT, AT(part[PYS_PART_TOLD]), 0, NULL},
    {"_unsent", T_OBJECT, AT(part[PYS_PART_UNSENT]), 0, NULL},
    {"_parked", T_OBJECT, AT(part[PYS_PART_PARKED]), 0, NULL},
    {"_refs", T_LONG, AT(refs), 0, NULL},
    {"_live", T_LONG, AT(live), 0, NULL},
    {"_asks", T_LONG, AT(wanted), 0, NULL},
    {"_read_epoch", T_LONG, AT(epoch[0]), 0, NULL},
    {"_write_epoch", T_LONG, AT(epoch[1]), 0, NULL},
    {"_role", T_INT, AT(role), 0, NULL},
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

static PyObject *
conn_get(PyObject *op, void *none)
{
    (void)none;
    return pys_quick_owner((pys_quick_conn *)op);
}

static PyGetSetDef getset[] = {
    {"_conn", conn_get, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* ---- life -------------------------------------------------------------- */

/* _keep(owner, address), and _keep(None, 0) to let go. */
static PyObject *
conn_keep(PyObject *op, PyObject *args)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *owner;
    pys_conn *core = pys_quick_pair(args, "OO:_keep", &owner);

    if (core != NULL && self->core != NULL && PyErr_Occurred() == NULL)
        PyErr_SetString(PyExc_RuntimeError, "it has a connection");
    if (PyErr_Occurred() != NULL)
        return NULL;
    pys_quick_let_go(self);
    if (core != NULL) {
        Py_INCREF(owner);
        self->owner = owner;
        self->core = pys_conn_up_ref(core);
    }
    Py_RETURN_NONE;
}

/* The arguments are for __init__. */
static PyObject *
conn_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *op = pys_quick_alloc(type);
    pys_quick_conn *self = (pys_quick_conn *)op;

    (void)args;
    (void)named;
    if (op == NULL)
        return NULL;
    self->turn[0] = self->turn[1] = PYS_UNTRIED;
    self->want[0] = self->want[1] = PYS_NOTHING;
    self->asks = pys_quick_asks();
    self->role = PYS_NO_ROLE;
    return op;
}

static int
conn_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((pys_quick_conn *)op)->owner);
    for (size_t i = 0; i < PYS_N_PARTS; i++)
        Py_VISIT(((pys_quick_conn *)op)->part[i]);
    return 0;
}

static int
conn_clear(PyObject *op)
{
    pys_quick_conn *self = (pys_quick_conn *)op;

    pys_quick_let_go(self);
    for (size_t i = 0; i < PYS_N_PARTS; i++)
        Py_CLEAR(self->part[i]);
    return 0;
}

/* What the last one who has it gives up. */
static int
conn_end(PyObject *op)
{
    (void)conn_clear(op);
    pys_quick_lock_wipe(&((pys_quick_conn *)op)->lock[0]);
    pys_quick_lock_wipe(&((pys_quick_conn *)op)->lock[1]);
    return 0;
}

static void
conn_dealloc(PyObject *op)
{
    pys_quick_drop(op, conn_end);
}

static PyMethodDef methods[] = {
    {"read", PYS_QUICK_FAST(pys_quick_read_call), PYS_FASTCALL | METH_KEYWORDS,
        pys_quick_doc_read},
    {"write", PYS_QUICK_FAST(pys_quick_write_call),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_write},
    {"do_handshake", pys_quick_handshake, METH_NOARGS,
        pys_quick_doc_handshake},
    {"get_error", PYS_QUICK_FAST(pys_quick_get_error),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_get_error},
    {"get_session", pys_quick_get_session, METH_NOARGS,
        pys_quick_doc_get_session},
    {"get1_session", pys_quick_get_session, METH_NOARGS,
        pys_quick_doc_get1_session},
    {"set_session", PYS_QUICK_FAST(pys_quick_set_session),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_set_session},
    {"set_connect_state", pys_quick_be_client, METH_NOARGS,
        pys_quick_doc_be_client},
    {"set_accept_state", pys_quick_be_server, METH_NOARGS,
        pys_quick_doc_be_server},
    {"set_bio", PYS_QUICK_FAST(pys_quick_set_bio),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_set_bio},
    {"set_tlsext_host_name", PYS_QUICK_FAST(pys_quick_set_name),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_set_name},
    {"set1_host", PYS_QUICK_FAST(pys_quick_set_host),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_set_host},
    {"set_shutdown", PYS_QUICK_FAST(pys_quick_set_shutdown),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_set_shutdown},
    {"_keep", conn_keep, METH_VARARGS, NULL},
    {"_heard", pys_quick_heard, METH_NOARGS, NULL},
    {"_take", pys_quick_take_one, METH_O, NULL},
    {"_try_take", pys_quick_try_one, METH_O, NULL},
    {"_give", pys_quick_give_one, METH_O, NULL},
    {"_alive", pys_quick_alive, METH_NOARGS, NULL},
    {"_enter", pys_quick_enter, METH_NOARGS, NULL},
    {"_alone", PYS_QUICK_FAST(pys_quick_alone), PYS_FASTCALL, NULL},
    {"_exclusive", PYS_QUICK_FAST(pys_quick_exclusive), PYS_FASTCALL, NULL},
    {"_facts", pys_quick_facts, METH_O, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc,
        "Conn(ctx)\n--\n\n"
        "The part of an SSL that its most frequent calls need."},
    {Py_tp_members, members},
    {Py_tp_getset, getset},
    {Py_tp_methods, methods},
    {Py_tp_new, (void *)conn_new},
    {Py_tp_init, (void *)pys_quick_conn_init},
    {Py_tp_finalize, (void *)pys_quick_conn_finalize},
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
