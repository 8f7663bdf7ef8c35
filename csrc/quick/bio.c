/*
 * The type that BIO is made on: making one of a type of the core, counting,
 * the end. All else, and all that somebody is to hear of, is Python's
 * (bio_life.py). The core's object is freed with the BIO, not before the
 * collector has let everybody who points to it hear of the end.
 */
#include "quick/bio.h"

#include <structmember.h>

#define AT(field) (Py_ssize_t) offsetof(pys_quick_bio, field)

static PyMemberDef members[] = {
    {"_method", T_OBJECT, AT(part[PYS_OF_BIO_METHOD]), 0, NULL},
    {"_mirror", T_OBJECT, AT(part[PYS_OF_BIO_MIRROR]), 0, NULL},
    {"_next", T_OBJECT, AT(part[PYS_OF_BIO_NEXT]), 0, NULL},
    {"_prev", T_OBJECT, AT(part[PYS_OF_BIO_PREV]), 0, NULL},
    {"_views", T_OBJECT, AT(part[PYS_OF_BIO_VIEWS]), 0, NULL},
    {"_inside", T_OBJECT, AT(part[PYS_OF_BIO_INSIDE]), 0, NULL},
    {"_callback", T_OBJECT, AT(part[PYS_OF_BIO_CALLBACK]), 0, NULL},
    {"_callback_ex", T_OBJECT, AT(part[PYS_OF_BIO_CALLBACK_EX]), 0, NULL},
    {"_callback_arg", T_OBJECT, AT(part[PYS_OF_BIO_CALLBACK_ARG]), 0, NULL},
    {"_data", T_OBJECT, AT(part[PYS_OF_BIO_DATA]), 0, NULL},
    {"_ex", T_OBJECT, AT(part[PYS_OF_BIO_EX]), 0, NULL},
    {"_keep", T_OBJECT, AT(part[PYS_OF_BIO_KEEP]), 0, NULL},
    {"_parked", T_OBJECT, AT(part[PYS_OF_BIO_PARKED]), 0, NULL},
    {"_refs", T_PYSSIZET, AT(refs), 0, NULL},
    {"_holds", T_PYSSIZET, AT(holds), 0, NULL},
    {"_epoch", T_INT, AT(epoch), 0, NULL},
    {"_init", T_LONG, AT(init), 0, NULL},
    {"_shutdown", T_LONG, AT(shutdown), 0, NULL},
    {"_native_kind", T_BOOL, AT(native), 0, NULL},
    {"_plain", T_BOOL, AT(plain), 0, NULL},
    {"_duplex", T_BOOL, AT(duplex), 0, NULL},
    {"_dying", T_BOOL, AT(dying), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

/* ---- types ------------------------------------------------------------- */

typedef struct quick_method {
    PyObject ob_base;
    int kind; /* enum pys_bio_kind, -1: it is written in Python */
} quick_method;

static PyMemberDef method_members[] = {
    {"_kind", T_INT, (Py_ssize_t)offsetof(quick_method, kind), 0, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyObject *
method_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    PyObject *op = pys_quick_alloc(type);

    (void)args;
    (void)named;
    if (op != NULL)
        ((quick_method *)op)->kind = -1;
    return op;
}

static PyType_Slot method_slots[] = {
    {Py_tp_doc, "What BIO() looks at in a BIO_METHOD."},
    {Py_tp_members, method_members},
    {Py_tp_new, (void *)method_new},
    {0, NULL},
};

PyType_Spec pys_quick_method_spec = {
    .name = "pyssl._quick.Method",
    .basicsize = sizeof(quick_method),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = method_slots,
};

/* ---- the C object ------------------------------------------------------ */

static void
let_core_go(pys_quick_bio *self)
{
    PyObject *owner = self->owner;
    pys_bio *core = self->core;

    self->owner = NULL;
    self->core = NULL;
    if (owner == NULL && self->duplex) {
        PyThreadState *state = PyEval_SaveThread();

        pys_bio_free(core); /* closing may wait */
        PyEval_RestoreThread(state);
    } else if (owner == NULL) {
        pys_bio_free(core);
    }
    Py_XDECREF(owner);
}

/*
 * A new owner of core, which whoever calls Python meanwhile may have
 * exchanged: then the object that is given owns nothing.
 */
static PyObject *
owned(PyObject *op)
{
    pys_quick_bio *self = (pys_quick_bio *)op;
    PyObject *bare, *owner, *none;
    pys_bio *core = self->core;

    bare = pys_quick_call(op, "_pointer", "(N)", PyLong_FromVoidPtr(core));
    if (bare == NULL || self->owner != NULL || self->core != core)
        return bare;
    owner = pys_quick_call(op, "_owned", "(N)", bare);
    if (owner == NULL)
        return NULL;
    if (self->owner == NULL && self->core == core) {
        Py_INCREF(owner);
        self->owner = owner;
        return owner;
    }
    none = pys_quick_call(op, "_disowned", "(O)", owner);
    if (none == NULL)
        return NULL; /* and nobody lets go of what would free it twice */
    Py_DECREF(none);
    return owner;
}

/* _c: cffi's object, made when it is first asked for. */
static PyObject *
bio_get_c(PyObject *op, void *closure)
{
    pys_quick_bio *self = (pys_quick_bio *)op;

    (void)closure;
    if (self->owner == NULL && self->core != NULL) {
        PyObject *made = owned(op);

        if (made == NULL)
            return NULL;
        Py_DECREF(made);
    }
    if (self->owner == NULL)
        Py_RETURN_NONE;
    Py_INCREF(self->owner);
    return self->owner;
}

/* Set to None, it lets go; nothing else can be set. */
static int
bio_set_c(PyObject *op, PyObject *value, void *closure)
{
    (void)closure;
    if (value != Py_None) {
        PyErr_SetString(PyExc_TypeError, "None is what lets go of it");
        return -1;
    }
    let_core_go((pys_quick_bio *)op);
    return 0;
}

static PyObject *
refuse_freed(void)
{
    PyErr_SetString(PyExc_ValueError, "this BIO was freed");
    return NULL;
}

static PyObject *
bio_source(PyObject *op, PyObject *none)
{
    PyObject *c = bio_get_c(op, NULL);

    (void)none;
    if (c != Py_None)
        return c;
    Py_DECREF(c);
    return refuse_freed();
}

static PyGetSetDef computed[] = {
    {"_c", bio_get_c, bio_set_c, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

/* _adopt(owner, address): the core's object that a BIO begins with. */
static PyObject *
bio_adopt(PyObject *op, PyObject *args)
{
    pys_quick_bio *self = (pys_quick_bio *)op;
    PyObject *owner, *address;
    void *core;

    if (!PyArg_ParseTuple(args, "OO:_adopt", &owner, &address))
        return NULL;
    core = PyLong_AsVoidPtr(address);
    if (PyErr_Occurred() != NULL)
        return NULL;
    if (core == NULL || self->core != NULL) {
        PyErr_SetString(PyExc_RuntimeError, "it is there already");
        return NULL;
    }
    Py_INCREF(owner);
    self->owner = owner;
    self->core = core;
    Py_RETURN_NONE;
}

/* The arguments are for __init__. */
static PyObject *
bio_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    (void)args;
    (void)named;
    return pys_quick_alloc(type);
}

pys_quick_bio *
pys_quick_plain_bio(PyObject *op)
{
    pys_quick_bio *self = (pys_quick_bio *)op;

    if (!pys_quick_is_made_by(op, bio_new))
        return NULL;
    return self->plain && self->refs > 0 && self->core != NULL ? self : NULL;
}

/* Refuses a BIO that the user gave up, but for who is inside. */
static PyObject *
bio_usable(PyObject *op, PyObject *none)
{
    (void)none;
    if (((pys_quick_bio *)op)->refs <= 0)
        return pys_quick_call(op, "_usable_inside", "()");
    Py_RETURN_NONE;
}

/* ---- counting ---------------------------------------------------------- */

/* What is held keeps its C object; it is too late where there is none. */
static PyObject *
bio_hold(PyObject *op, PyObject *none)
{
    pys_quick_bio *self = (pys_quick_bio *)op;

    (void)none;
    if (self->core == NULL)
        return refuse_freed();
    self->holds++;
    Py_RETURN_NONE;
}

/* Lets the C object go unless it is held; says whether it did. */
static PyObject *
bio_drop_core(PyObject *op, PyObject *none)
{
    pys_quick_bio *self = (pys_quick_bio *)op;
    bool held = self->holds > 0;

    (void)none;
    if (!held)
        let_core_go(self);
    return PyBool_FromLong(!held);
}

/* Was that the last one who has it, and is the end not begun yet? */
static PyObject *
begin_end(pys_quick_bio *self)
{
    bool last = self->holds <= 0 && self->refs <= 0 && !self->dying;

    self->dying = self->dying || last;
    return PyBool_FromLong(last);
}

static PyObject *
bio_drop_hold(PyObject *op, PyObject *none)
{
    (void)none;
    ((pys_quick_bio *)op)->holds--;
    return begin_end((pys_quick_bio *)op);
}

/* false: an exception */
static bool
has_user(const pys_quick_bio *self)
{
    if (self->refs > 0)
        return true;
    (void)refuse_freed();
    return false;
}

static PyObject *
bio_add_user(PyObject *op, PyObject *none)
{
    (void)none;
    if (!has_user((pys_quick_bio *)op))
        return NULL;
    ((pys_quick_bio *)op)->refs++;
    Py_RETURN_NONE;
}

static PyObject *
bio_end_user(PyObject *op, PyObject *none)
{
    (void)none;
    if (!has_user((pys_quick_bio *)op))
        return NULL;
    ((pys_quick_bio *)op)->refs--;
    return begin_end((pys_quick_bio *)op);
}

static PyObject *
bio_count(PyObject *op, PyObject *none)
{
    const pys_quick_bio *self = (pys_quick_bio *)op;

    (void)none;
    return PyLong_FromSsize_t(self->refs + self->holds);
}

bool
pys_quick_bio_hold(PyObject *first, PyObject *second, pys_bio **a, pys_bio **b,
    long epochs[2])
{
    pys_quick_bio *one = pys_quick_plain_bio(first),
                  *two = pys_quick_plain_bio(second);

    if (one == NULL || two == NULL)
        return false;
    one->holds++;
    two->holds++;
    *a = one->core;
    *b = two->core;
    epochs[0] = one->epoch;
    epochs[1] = two->epoch;
    return true;
}

bool
pys_quick_bio_release(PyObject *first, PyObject *second)
{
    pys_quick_bio *one, *two;

    if (first == NULL || second == NULL || first == Py_None ||
        second == Py_None)
        return (first == NULL || first == Py_None) &&
            (second == NULL || second == Py_None);
    one = pys_quick_plain_bio(first);
    two = pys_quick_plain_bio(second);
    if (one == NULL || two == NULL)
        return false;
    one->holds--;
    two->holds--;
    return true;
}

PyObject *
pys_quick_hold_plain(PyObject *module, PyObject *args)
{
    PyObject *first, *second;
    pys_bio *a, *b;
    long epochs[2];

    (void)module;
    if (!PyArg_ParseTuple(args, "OO:hold_plain", &first, &second))
        return NULL;
    return PyBool_FromLong(pys_quick_bio_hold(first, second, &a, &b, epochs));
}

PyObject *
pys_quick_release_plain(PyObject *module, PyObject *args)
{
    PyObject *first, *second;

    (void)module;
    if (!PyArg_ParseTuple(args, "OO:release_plain", &first, &second))
        return NULL;
    return PyBool_FromLong(pys_quick_bio_release(first, second));
}

/* ---- life -------------------------------------------------------------- */

/* The kind of a type of the core; -1: it is another, or no type. */
static int
kind_of(PyObject *method)
{
    int kind = -1;

    if (pys_quick_is_made_by(method, method_new))
        kind = ((quick_method *)method)->kind;
    return kind < PYS_BIO_FOREIGN ? kind : -1;
}

/* Makes what needs nobody but the core; false: an exception. */
static bool
begin_native(pys_quick_bio *self, PyObject *method, int kind)
{
    PyObject *views = kind == PYS_BIO_PAIR ? PyList_New(0) : NULL;
    pys_bio *core;

    if (kind == PYS_BIO_PAIR && views == NULL)
        return false;
    core = pys_bio_new((enum pys_bio_kind)kind);
    if (core == NULL) {
        Py_XDECREF(views);
        (void)PyErr_NoMemory();
        return false;
    }
    Py_INCREF(method);
    self->part[PYS_OF_BIO_METHOD] = method;
    self->part[PYS_OF_BIO_VIEWS] = views;
    self->core = core;
    self->native = self->plain = true;
    self->duplex = kind == PYS_BIO_SOCKET || kind == PYS_BIO_FD;
    self->refs = self->init = self->shutdown = 1;
    return true;
}

static int
bio_init(PyObject *op, PyObject *args, PyObject *named)
{
    static const char *const keys[] = {"method", NULL};
    pys_quick_bio *self = (pys_quick_bio *)op;
    PyObject *method, *made;
    int kind;

    if (named == NULL && PyTuple_Size(args) == 1)
        method = PyTuple_GetItem(args, 0);
    else if (!PyArg_ParseTupleAndKeywords(args, named, "O:BIO", (char **)keys,
                 &method))
        return -1;
    kind = kind_of(method);
    if (kind >= 0 && !pys_quick_watched && self->core == NULL && !self->dying)
        return begin_native(self, method, kind) ? 0 : -1;
    made = pys_quick_call(op, "_make", "(O)", method);
    Py_XDECREF(made);
    return made == NULL ? -1 : 0;
}

/* Does nobody hear of the end of a plain BIO, and is nothing cut by it? */
static bool
is_quiet(const pys_quick_bio *self)
{
    return !pys_quick_has(self, PYS_OF_BIO_NEXT) &&
        !pys_quick_has_views(self) && !pys_quick_watched;
}

/*
 * The last object that mentions it goes, or the collector found it: maybe
 * together with an SSL, which hears of it now or has heard.
 */
static void
bio_finalize(PyObject *op)
{
    pys_quick_bio *self = (pys_quick_bio *)op;
    PyObject *type, *value, *trace, *done;

    if (!pys_quick_has(self, PYS_OF_BIO_METHOD) || self->dying)
        return;
    self->dying = true;
    self->refs = 0;
    if (self->plain && is_quiet(self))
        return;
    PyErr_Fetch(&type, &value, &trace);
    done = pys_quick_call(op, "_collected", "()");
    if (done == NULL)
        PyErr_WriteUnraisable(op);
    Py_XDECREF(done);
    PyErr_Restore(type, value, trace);
}

static const char doc_free[] =
    "free($self, /)\n--\n\n"
    "Give up one reference; at the last one, destroy the BIO.\n"
    "\n"
    "An SSL or a chain that keeps the BIO goes on using it.\n"
    "\n"
    "Returns:\n"
    "    1, or what the BIO's callback answered if that was <= 0: then\n"
    "    the BIO stays, with its reference.\n"
    "\n"
    "Errors:\n"
    "    ValueError: no reference is left.\n"
    "\n"
    "Source: BIO_free(3) RETURN VALUES.";

static PyObject *
bio_free(PyObject *op, PyObject *none)
{
    pys_quick_bio *self = (pys_quick_bio *)op;

    (void)none;
    if (self->refs > 1) {
        self->refs--;
    } else if (pys_quick_plain_bio(op) != NULL && self->holds <= 0 &&
        !self->dying && is_quiet(self)) {
        self->dying = true;
        self->refs = 0;
        let_core_go(self);
        Py_CLEAR(self->part[PYS_OF_BIO_KEEP]);
        Py_CLEAR(self->part[PYS_OF_BIO_EX]);
    } else {
        return pys_quick_call(op, "_free", "()");
    }
    return PyLong_FromLong(1);
}

/*
 * What frees objects of the core is not shown to the collector, which would
 * let it do so before the others in the same garbage have had their end.
 */
static bool
is_shown(int which)
{
    return which != PYS_OF_BIO_MIRROR;
}

static int
bio_traverse(PyObject *op, visitproc visit, void *arg)
{
    const pys_quick_bio *self = (pys_quick_bio *)op;

    Py_VISIT(Py_TYPE(op));
    for (int i = 0; i < PYS_N_OF_BIO; i++) {
        if (is_shown(i))
            Py_VISIT(self->part[i]);
    }
    return 0;
}

static int
bio_clear(PyObject *op)
{
    pys_quick_bio *self = (pys_quick_bio *)op;

    for (int i = 0; i < PYS_N_OF_BIO; i++) {
        if (is_shown(i))
            Py_CLEAR(self->part[i]);
    }
    return 0;
}

/* What the last one who has it gives up. */
static int
bio_end(PyObject *op)
{
    let_core_go((pys_quick_bio *)op);
    Py_CLEAR(((pys_quick_bio *)op)->part[PYS_OF_BIO_MIRROR]);
    return bio_clear(op);
}

static void
bio_dealloc(PyObject *op)
{
    pys_quick_drop(op, bio_end);
}

static PyMethodDef methods[] = {
    {"read", PYS_QUICK_FAST(pys_quick_bio_read), PYS_FASTCALL | METH_KEYWORDS,
        pys_quick_doc_bio_read},
    {"write", PYS_QUICK_FAST(pys_quick_bio_write),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_bio_write},
    {"pending", pys_quick_bio_pending, METH_NOARGS,
        "pending($self, /)\n--\n\nGive the bytes that can be read."},
    {"make_bio_pair", PYS_QUICK_FAST(pys_quick_bio_tie),
        PYS_FASTCALL | METH_KEYWORDS, pys_quick_doc_bio_tie},
    {"free", bio_free, METH_NOARGS, doc_free},
    {"_usable", bio_usable, METH_NOARGS, NULL},
    {"_source", bio_source, METH_NOARGS, NULL},
    {"_adopt", bio_adopt, METH_VARARGS, NULL},
    {"_hold", bio_hold, METH_NOARGS, NULL},
    {"_drop_core", bio_drop_core, METH_NOARGS, NULL},
    {"_drop_hold", bio_drop_hold, METH_NOARGS, NULL},
    {"_add_user", bio_add_user, METH_NOARGS, NULL},
    {"_end_user", bio_end_user, METH_NOARGS, NULL},
    {"_count", bio_count, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "Bio(method)\n--\n\nWhat BIO is made on."},
    {Py_tp_members, members},
    {Py_tp_getset, computed},
    {Py_tp_methods, methods},
    {Py_tp_new, (void *)bio_new},
    {Py_tp_init, (void *)bio_init},
    {Py_tp_finalize, (void *)bio_finalize},
    {Py_tp_traverse, (void *)bio_traverse},
    {Py_tp_clear, (void *)bio_clear},
    {Py_tp_dealloc, (void *)bio_dealloc},
    {0, NULL},
};

PyType_Spec pys_quick_bio_spec = {
    .name = "pyssl._quick.Bio",
    .basicsize = sizeof(pys_quick_bio),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};
