/*
 * The room that knows Python: the usual case of the calls that every program
 * makes all the time, as methods in C. All else is left to the Python methods
 * of the same object. CPython with the GIL only, and the limited API of 3.9
 * only: under the GIL, what a method checks and what it then does is one step.
 * pyssl/_quick.py is what takes the room's place elsewhere.
 */
#ifndef PYS_QUICK_QUICK_H
#define PYS_QUICK_QUICK_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>

#include "base/base.h"
#include "pys_bio.h"
#include "pys_conn.h"

/*
 * METH_FASTCALL. The limited API names it from 3.10 on; 3.9 calls in the same
 * way, and neither is ever going to change.
 */
enum { PYS_FASTCALL = 0x80 };

/*
 * Where the bytes of a view are, until Python runs again. In the stable ABI for
 * good, though headers of 3.13 and later do not name them.
 */
PyAPI_FUNC(int) PyObject_AsReadBuffer(PyObject *, const void **, Py_ssize_t *);
PyAPI_FUNC(int) PyObject_AsWriteBuffer(PyObject *, void **, Py_ssize_t *);

/* May reads or writes leave the lock alone? As conn_base.py has them. */
enum { PYS_USELESS, PYS_UNTRIED, PYS_QUICK };

/* A lock, looked at and changed under the GIL only; see lock.c. */
typedef struct pys_quick_lock {
    bool taken;
    bool told;     /* somebody who waits is told that it was released */
    int n_waiting; /* threads */
    void *gate;    /* the system's lock, NULL until somebody has waited */
} pys_quick_lock;

/* Waits; false: an exception, raised by the handler of a signal. */
PYS_MUST bool pys_quick_lock_take(pys_quick_lock *lock);
void pys_quick_lock_give(pys_quick_lock *lock);
void pys_quick_lock_wipe(pys_quick_lock *lock);

/* What an SSL_CTX has of Python's; NULL is None. */
enum pys_quick_of_ctx {
    PYS_OF_CTX_SETTINGS, /* cffi's object that owns them */
    PYS_OF_CTX_CA_NAMES,
    PYS_OF_CTX_COPIED,
    PYS_OF_CTX_HOOKS,
    PYS_OF_CTX_REMOVE_SESSION,
    PYS_N_OF_CTX
};

/* What a new SSL takes from its SSL_CTX; Python sees all of it. */
typedef struct pys_quick_ctx {
    PyObject ob_base;
    PyObject *part[PYS_N_OF_CTX];
    pys_settings *core; /* with a reference; NULL: not made yet, or freed */
    long live;          /* what is asked of the context, as PYS_ASKS bits */
    long asks;          /* what is asked of the copied callbacks */
    int role;           /* of its method */
    char tells;         /* somebody is to be told of events */
} pys_quick_ctx;

extern PyType_Spec pys_quick_ctx_spec;

/* What an SSL has of Python's; NULL is None. */
enum pys_quick_part {
    PYS_PART_CTX,
    PYS_PART_SESSION_CTX,
    PYS_PART_SETTINGS,
    PYS_PART_CA_NAMES,
    PYS_PART_COPIED,
    PYS_PART_RBIO,
    PYS_PART_WBIO,
    PYS_PART_SESSION,
    PYS_PART_EX,
    PYS_PART_TOLD,
    PYS_PART_UNSENT,
    PYS_PART_PARKED,
    PYS_N_PARTS
};

/* What an SSL is made of; Python sees all of it. */
typedef struct pys_quick_conn {
    PyObject ob_base;
    PyObject *part[PYS_N_PARTS];
    pys_conn *core;  /* NULL: never made, or freed */
    PyObject *owner; /* cffi's object for it, once Python has asked */
    long refs;       /* the user's */
    long live;       /* what is asked of the context, as PYS_ASKS bits */
    long wanted;     /* what is asked at all */
    long epoch[2];   /* of the BIOs, as they were attached */
    int role;        /* enum pys_role */
    pys_quick_lock lock[2];
    unsigned long inside[2]; /* the thread that has the lock, or 0 */
    unsigned long caller[2]; /* the thread of the last call, or 0 */
    unsigned long asks; /* what pys_quick_asks said when all was heard */
    int turn[2]; /* USELESS, UNTRIED, QUICK */
    int want[2]; /* SSL_want(3) after the last call of a direction */
    int last; /* the direction of the last call */
    char fits; /* there is a role, and the context's method has it */
    char rest; /* reading left something that is to be sent */
} pys_quick_conn;

extern PyType_Spec pys_quick_conn_spec;
extern PyType_Spec pys_quick_part_spec;
extern PyType_Spec pys_quick_session_spec;

/*
 * Does somebody want to hear that an object was made, or that it goes
 * (CRYPTO_get_ex_new_index(3))? Then that is done in Python, for good.
 */
extern bool pys_quick_watched;

/* How often some context began to ask something else than before. */
unsigned long pys_quick_asks(void);

/* ---- arguments, objects (call.c) ---------------------------------------- */

/* Arguments as a call may give them: by place, by name. */
typedef struct pys_quick_form {
    const char *format; /* of PyArg_ParseTupleAndKeywords */
    const char *keys[3];
    Py_ssize_t usual; /* so many, by place */
} pys_quick_form;

/* Finds two at most, borrowed from the caller, None for what is left out;
 * false: an exception. */
PYS_MUST bool pys_quick_arguments(PyObject *const *args, Py_ssize_t n,
    PyObject *names, const pys_quick_form *form, PyObject *found[2]);

/* For tables of methods: what takes its arguments as they lie there. */
#define PYS_QUICK_FAST(function) (PyCFunction)(void (*)(void)) function

/* As type.tp_alloc and the end of tp_dealloc; clear is the type's tp_clear. */
PyObject *pys_quick_alloc(PyTypeObject *type);
void pys_quick_drop(PyObject *op, inquiry clear);

/* ---- calls of Python (call.c) ------------------------------------------- */

PyObject *pys_quick_attribute(PyObject *op, const char *name);
/* Arguments as of Py_BuildValue, in parentheses. */
PyObject *pys_quick_call(PyObject *op, const char *name, const char *format,
    ...);

/*
 * Is it of the type whose tp_new that is, or of one made on it? Each
 * interpreter has such a type of its own.
 */
bool pys_quick_is_made_by(PyObject *op, newfunc maker);

/* ---- life (life.c) ------------------------------------------------------ */

/* NULL: it is none. */
pys_quick_ctx *pys_quick_ctx_of(PyObject *op);

/* Parses an owner and the address of what it owns, which are both none or
 * not; sets an exception. */
void *pys_quick_pair(PyObject *args, const char *format, PyObject **owner);

/* Cffi's object for the connection, or None; NULL: an exception. */
PyObject *pys_quick_owner(pys_quick_conn *self);
/* Gives up the connection. */
void pys_quick_let_go(pys_quick_conn *self);
int pys_quick_conn_init(PyObject *op, PyObject *args, PyObject *named);
void pys_quick_conn_finalize(PyObject *op);

/* ---- getting in (enter.c) ---------------------------------------------- */

/* Is this thread inside, in a callback or an operation of a BIO? */
static inline bool
pys_quick_is_inside(const pys_quick_conn *self, unsigned long me)
{
    return self->inside[0] == me || self->inside[1] == me;
}

/* Are both locks there for the taking? */
bool pys_quick_is_idle(const pys_quick_conn *self);

/* Takes both; false: an exception. Keeps quick calls out, too. */
PYS_MUST bool pys_quick_take(pys_quick_conn *self, unsigned long me);

/*
 * Gives both back and sends what reading has left. Hands on the result of
 * what was done meanwhile, NULL for an exception.
 */
PyObject *pys_quick_give(pys_quick_conn *self, PyObject *result);

/* Sends what reading has left, whatever else comes of the call. */
PyObject *pys_quick_send_rest(pys_quick_conn *self, PyObject *result);

PyObject *pys_quick_take_one(PyObject *self, PyObject *writing);
PyObject *pys_quick_try_one(PyObject *self, PyObject *writing);
PyObject *pys_quick_give_one(PyObject *self, PyObject *writing);
PyObject *pys_quick_alive(PyObject *self, PyObject *none);
PyObject *pys_quick_enter(PyObject *self, PyObject *none);
PyObject *pys_quick_alone(PyObject *self, PyObject *const *args, Py_ssize_t n);
PyObject *pys_quick_exclusive(PyObject *self, PyObject *const *args,
    Py_ssize_t n);
PyObject *pys_quick_facts(PyObject *self, PyObject *get);

/* ---- the methods of SSL ------------------------------------------------ */

/* Where bytes are, until Python runs again. */
typedef struct pys_quick_span {
    uint8_t *p;
    size_t n;
} pys_quick_span;

/* A buffer to read into, or to write; false: it is none of the usual. */
PYS_MUST bool pys_quick_span_of(PyObject *buf, int writing, pys_quick_span *s);

PyObject *pys_quick_read_call(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_write_call(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_handshake(PyObject *self, PyObject *none);
PyObject *pys_quick_get_error(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_heard(PyObject *self, PyObject *none);
PyObject *pys_quick_get_session(PyObject *self, PyObject *none);
PyObject *pys_quick_set_session(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_be_client(PyObject *self, PyObject *none);
PyObject *pys_quick_be_server(PyObject *self, PyObject *none);
PyObject *pys_quick_set_bio(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_set_name(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_set_host(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
PyObject *pys_quick_set_shutdown(PyObject *self, PyObject *const *args,
    Py_ssize_t n, PyObject *names);
extern const char pys_quick_doc_be_client[];
extern const char pys_quick_doc_be_server[];
extern const char pys_quick_doc_set_bio[];
extern const char pys_quick_doc_set_name[];
extern const char pys_quick_doc_set_host[];
extern const char pys_quick_doc_set_shutdown[];
extern const char pys_quick_doc_read[];
extern const char pys_quick_doc_write[];
extern const char pys_quick_doc_handshake[];
extern const char pys_quick_doc_get_error[];
extern const char pys_quick_doc_get_session[];
extern const char pys_quick_doc_get1_session[];
extern const char pys_quick_doc_set_session[];

/* ---- BIOs (bio.c) ------------------------------------------------------- */

extern PyType_Spec pys_quick_method_spec;
extern PyType_Spec pys_quick_bio_spec;

/*
 * Holds two BIOs at once, which keeps what the core has of them; false, and
 * nothing done, if one is not plain: of the core, without a callback, and in
 * use by the user. Nor is what is no BIO at all.
 */
PYS_MUST bool pys_quick_bio_hold(PyObject *first, PyObject *second,
    pys_bio **a, pys_bio **b, long epochs[2]);

/*
 * Ends that, or nothing if both are NULL or None; false, and nothing done, if
 * more goes with it.
 */
PYS_MUST bool pys_quick_bio_release(PyObject *first, PyObject *second);

PyObject *pys_quick_hold_plain(PyObject *module, PyObject *args);
PyObject *pys_quick_release_plain(PyObject *module, PyObject *args);

/* ---- the module's functions (shake.c, session.c) ----------------------- */

PyObject *pys_quick_asks_changed(PyObject *module, PyObject *none);
PyObject *pys_quick_queued(PyObject *module, PyObject *full);
PyObject *pys_quick_watch(PyObject *module, PyObject *none);
PyObject *pys_quick_wrapped(PyObject *module, PyObject *args);

#endif
