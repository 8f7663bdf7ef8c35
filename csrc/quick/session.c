/*
 * Sessions: the part that all objects of one session of the core share, those
 * objects, and how an SSL gives and takes them in the usual case. The core's
 * session knows its part, and forgets it before the part gives it up: both
 * happens under the GIL, so a part that is found is there.
 */
#include "quick/quick.h"

#include <structmember.h>

#include "session/session.h"

const char pys_quick_doc_set_session[] =
    "set_session($self, /, session)\n--\n\n"
    "Set the session that the next handshake, as client, offers.\n"
    "\n"
    "Args:\n"
    "    session: None for none. One that cannot be resumed is not\n"
    "        offered.\n"
    "\n"
    "Returns:\n"
    "    1.\n"
    "\n"
    "Source: SSL_set_session(3); contract SESS-2.";

const char pys_quick_doc_get_session[] =
    "get_session($self, /)\n--\n\n"
    "Give the session in use or to be offered, or None.\n"
    "\n"
    "Source: SSL_get_session(3); contract SESS-4.";

const char pys_quick_doc_get1_session[] =
    "get1_session($self, /)\n--\n\n"
    "As `get_session`: every object has a reference of its own.";

/* It lives as long as an object of the session, or an SSL that uses it. */
typedef struct part {
    PyObject ob_base;
    pys_session *core; /* a reference of its own; NULL: never begun */
    PyObject *owner; /* cffi's object with a reference of its own, or NULL */
    PyObject *ex; /* application data, a dict, None or NULL */
    char alone; /* nobody else has it, so that all of it may be set */
    char known; /* the core's session has known it */
} part;

typedef struct session {
    PyObject ob_base;
    PyObject *shared; /* a part; None or NULL once it was freed */
    long refs;
} session;

/* ---- the part ---------------------------------------------------------- */

#define AT(field) (Py_ssize_t) offsetof(part, field)

static PyMemberDef part_members[] = {
    {"ex", T_OBJECT, AT(ex), 0, NULL},
    {"alone", T_BOOL, AT(alone), 0, NULL},
    {"known", T_BOOL, AT(known), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

#undef AT

/* The arguments are for __init__; there is none to be told what it is. */
static PyObject *
part_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    (void)args;
    (void)named;
    return pys_quick_alloc(type);
}

/* An owner for cffi: a reference of its own to the core's session. */
static PyObject *
owner_new(PyObject *op, pys_session *core)
{
    PyObject *pointer, *owner = NULL;

    (void)pys_session_up_ref(core);
    pointer = pys_quick_call(op, "_pointer", "(N)", PyLong_FromVoidPtr(core));
    if (pointer != NULL)
        owner = pys_quick_call(op, "_owned", "(N)", pointer);
    if (owner == NULL)
        pys_session_free(core);
    return owner;
}

/* cffi's view of the session, made when Python first asks for it. */
static PyObject *
part_handle(PyObject *op, void *none)
{
    part *self = (part *)op;
    PyObject *owner;

    (void)none;
    if (self->core == NULL) {
        PyErr_SetString(PyExc_AttributeError, "it stands for no session");
        return NULL;
    }
    if (self->owner == NULL) {
        owner = owner_new(op, self->core);
        if (owner == NULL)
            return NULL;
        if (self->owner == NULL)
            self->owner = owner;
        else /* another thread was here, and each has its reference */
            Py_DECREF(owner);
    }
    Py_INCREF(self->owner);
    return self->owner;
}

static PyGetSetDef part_getset[] = {
    {"handle", part_handle, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* From now on the session is without a part. */
static void
part_hide(part *self)
{
    if (self->core != NULL && self->core->part == self)
        self->core->part = NULL;
}

static int
part_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((part *)op)->ex);
    return 0;
}

/* The collector breaks it: nobody shall find what is left of it. */
static int
part_clear(PyObject *op)
{
    part_hide((part *)op);
    Py_CLEAR(((part *)op)->ex);
    return 0;
}

/* Runs the callbacks of application data, which may keep the part alive. */
static void
part_finalize(PyObject *op)
{
    PyObject *type, *value, *traceback, *did;

    if (!pys_quick_watched || !((part *)op)->known)
        return;
    PyErr_Fetch(&type, &value, &traceback);
    did = pys_quick_call(op, "_gone", "()");
    if (did == NULL)
        PyErr_WriteUnraisable(op);
    Py_XDECREF(did);
    PyErr_Restore(type, value, traceback);
}

/* What the last one who has it gives up. */
static int
part_end(PyObject *op)
{
    part *self = (part *)op;

    (void)part_clear(op);
    Py_CLEAR(self->owner);
    pys_session_free(self->core);
    return 0;
}

static void
part_dealloc(PyObject *op)
{
    pys_quick_drop(op, part_end);
}

static PyType_Slot part_slots[] = {
    {Py_tp_doc, "What all objects of one session have in common."},
    {Py_tp_members, part_members},
    {Py_tp_getset, part_getset},
    {Py_tp_new, (void *)part_new},
    {Py_tp_traverse, (void *)part_traverse},
    {Py_tp_clear, (void *)part_clear},
    {Py_tp_finalize, (void *)part_finalize},
    {Py_tp_dealloc, (void *)part_dealloc},
    {0, NULL},
};

PyType_Spec pys_quick_part_spec = {
    .name = "pyssl._quick.Part",
    .basicsize = sizeof(part),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = part_slots,
};

/* ---- its objects ------------------------------------------------------- */

#define AT(field) (Py_ssize_t) offsetof(session, field)

static PyMemberDef session_members[] = {
    {"_shared", T_OBJECT, AT(shared), 0, NULL},
    {"_refs", T_LONG, AT(refs), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

#undef AT

/* With the one reference that every object begins with. */
static PyObject *
session_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *op = pys_quick_alloc(type);

    (void)args;
    (void)named;
    if (op != NULL)
        ((session *)op)->refs = 1;
    return op;
}

static int
session_traverse(PyObject *op, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(op));
    Py_VISIT(((session *)op)->shared);
    return 0;
}

static int
session_clear(PyObject *op)
{
    Py_CLEAR(((session *)op)->shared);
    return 0;
}

static void
session_dealloc(PyObject *op)
{
    pys_quick_drop(op, session_clear);
}

static PyType_Slot session_slots[] = {
    {Py_tp_doc, "An object that stands for a session."},
    {Py_tp_members, session_members},
    {Py_tp_new, (void *)session_new},
    {Py_tp_traverse, (void *)session_traverse},
    {Py_tp_clear, (void *)session_clear},
    {Py_tp_dealloc, (void *)session_dealloc},
    {0, NULL},
};

PyType_Spec pys_quick_session_spec = {
    .name = "pyssl._quick.Session",
    .basicsize = sizeof(session),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = session_slots,
};

/* ---- from the core's session to its object ----------------------------- */

/* Is it a type that has its objects made so? */
static bool
makes_by(PyObject *type, newfunc make)
{
    return PyType_Check(type) &&
        (PyType_GetFlags((PyTypeObject *)type) & Py_TPFLAGS_HEAPTYPE) != 0 &&
        PyType_GetSlot((PyTypeObject *)type, Py_tp_new) == (void *)make;
}

/*
 * Does it wait for its end? What lies deep in others that go is put aside
 * without a reference. From Python 3.14 on flags stand above the count.
 */
static bool
is_ending(PyObject *op)
{
    return (uint32_t)Py_REFCNT(op) == 0;
}

/*
 * The part of a session, as a new reference; NULL if there is none. One that
 * ends is none: as with weak references, nobody gets it back.
 */
static PyObject *
part_known(const pys_session *s)
{
    PyObject *op = s->part;

    if (op == NULL || is_ending(op))
        return NULL;
    Py_INCREF(op);
    return op;
}

/* Takes the reference to s over; NULL: an exception. */
static PyObject *
part_of(PyTypeObject *type, pys_session *s, bool alone, bool *fresh)
{
    PyObject *op = part_known(s), *mine = NULL;
    part *self;

    if (op == NULL) {
        mine = part_new(type, NULL, NULL);
        op = part_known(s); /* the collector may have run */
    }
    if (mine == NULL || op != NULL) {
        Py_XDECREF(mine);
        pys_session_free(s);
        return op;
    }
    self = (part *)mine;
    self->core = s;
    self->alone = alone;
    self->known = true;
    s->part = self;
    *fresh = true;
    return mine;
}

/*
 * Makes the object of a session, whose reference is handed over. Python hears
 * of the first one if it wants to.
 */
static PyObject *
wrap(PyObject *types, pys_session *s, bool alone)
{
    PyObject *type = PyTuple_GetItem(types, 0), *op, *did;
    PyObject *of_part = PyTuple_GetItem(types, 1), *shared;
    bool fresh = false;

    if (type == NULL || of_part == NULL || !makes_by(type, session_new) ||
        !makes_by(of_part, part_new)) {
        pys_session_free(s);
        if (PyErr_Occurred() == NULL)
            PyErr_SetString(PyExc_TypeError, "the types of sessions");
        return NULL;
    }
    shared = part_of((PyTypeObject *)of_part, s, alone, &fresh);
    if (shared == NULL)
        return NULL;
    op = session_new((PyTypeObject *)type, NULL, NULL);
    if (op == NULL) {
        Py_DECREF(shared);
        return NULL;
    }
    ((session *)op)->shared = shared;
    if (fresh && pys_quick_watched) {
        did = pys_quick_call(op, "_made", "()");
        if (did == NULL)
            Py_CLEAR(op);
        Py_XDECREF(did);
    }
    return op;
}

PyObject *
pys_quick_wrapped(PyObject *module, PyObject *args)
{
    PyObject *types, *address;
    pys_session *s;
    int alone;

    (void)module;
    if (!PyArg_ParseTuple(args, "OOp:wrapped", &types, &address, &alone))
        return NULL;
    s = PyLong_AsVoidPtr(address);
    if (s != NULL)
        return wrap(types, s, alone != 0);
    if (PyErr_Occurred() != NULL)
        return NULL;
    Py_RETURN_NONE;
}

/* ---- the methods of SSL ------------------------------------------------ */

/* Can the session not change now? It does so under both locks. */
static bool
is_settled(const pys_quick_conn *self)
{
    return !self->lock[0].taken || !self->lock[1].taken ||
        pys_quick_is_inside(self, PyThread_get_thread_ident());
}

PyObject *
pys_quick_get_session(PyObject *op, PyObject *none)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *types = pys_quick_attribute(op, "_session_types"), *found,
             *before;
    pys_session *s;

    (void)none;
    if (types == NULL)
        return NULL;
    if (self->core == NULL || !is_settled(self)) {
        Py_DECREF(types);
        return pys_quick_call(op, "_get_session", "()");
    }
    s = pys_conn_session(self->core);
    if (s == NULL) {
        Py_DECREF(types);
        Py_RETURN_NONE;
    }
    found = wrap(types, s, false);
    Py_DECREF(types);
    if (found == NULL)
        return NULL;
    before = self->part[PYS_PART_SESSION];
    self->part[PYS_PART_SESSION] = ((session *)found)->shared;
    Py_XINCREF(self->part[PYS_PART_SESSION]);
    Py_XDECREF(before);
    return found;
}

/* The part of what was given, borrowed; NULL: that is for Python to say. */
static PyObject *
part_in(PyObject *given)
{
    PyObject *shared;

    if (!pys_quick_is_made_by(given, session_new))
        return NULL;
    shared = ((session *)given)->shared;
    if (shared == NULL || !pys_quick_is_made_by(shared, part_new))
        return NULL;
    return ((part *)shared)->core == NULL ? NULL : shared;
}

static const pys_quick_form form = {
    "O:set_session", {"session", NULL, NULL}, 1};

PyObject *
pys_quick_set_session(PyObject *op, PyObject *const *args, Py_ssize_t n,
    PyObject *names)
{
    pys_quick_conn *self = (pys_quick_conn *)op;
    PyObject *given[2], *shared = Py_None, *before, *ret;

    if (!pys_quick_arguments(args, n, names, &form, given))
        return NULL;
    if (given[0] != Py_None)
        shared = part_in(given[0]);
    if (shared == NULL || self->core == NULL || !pys_quick_is_idle(self))
        return pys_quick_call(op, "_set_session", "(O)", given[0]);
    if (!pys_quick_take(self, PyThread_get_thread_ident()))
        return NULL;
    if (shared != Py_None)
        ((part *)shared)->alone = false;
    pys_conn_set_session(self->core,
        shared == Py_None ? NULL : ((part *)shared)->core);
    Py_INCREF(shared);
    before = self->part[PYS_PART_SESSION];
    self->part[PYS_PART_SESSION] = shared;
    ret = pys_quick_give(self, PyLong_FromLong(1));
    Py_XDECREF(before);
    return ret;
}
