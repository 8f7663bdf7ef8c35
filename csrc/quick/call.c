/*
 * What the types here share: arguments of calls, calls of what stands in
 * Python, making and dropping objects.
 */
#include "quick/quick.h"

/*
 * By interned names: an interpreter remembers where in a type those are found,
 * and SSL is made of many types.
 */
PyObject *
pys_quick_attribute(PyObject *op, const char *name)
{
    PyObject *key = PyUnicode_InternFromString(name), *found;

    if (key == NULL)
        return NULL;
    found = PyObject_GetAttr(op, key);
    Py_DECREF(key);
    return found;
}

PyObject *
pys_quick_call(PyObject *op, const char *name, const char *format, ...)
{
    PyObject *call = pys_quick_attribute(op, name), *args, *result = NULL;
    va_list values;

    if (call == NULL)
        return NULL;
    va_start(values, format);
    args = Py_VaBuildValue(format, values);
    va_end(values);
    if (args != NULL)
        result = PyObject_Call(call, args, NULL);
    Py_XDECREF(args);
    Py_DECREF(call);
    return result;
}

bool
pys_quick_is_made_by(PyObject *op, newfunc maker)
{
    PyTypeObject *type = Py_TYPE(op);

    /* Python 3.9 asks no slot of a type that is not on the heap. */
    return (PyType_GetFlags(type) & Py_TPFLAGS_HEAPTYPE) != 0 &&
        PyType_GetSlot(type, Py_tp_new) == (void *)maker;
}

/* ---- arguments --------------------------------------------------------- */

/* As if a function in Python were called. */
static bool
parse(PyObject *const *args, Py_ssize_t n, PyObject *names,
    const pys_quick_form *form, PyObject *found[2])
{
    PyObject *all = PyTuple_New(n);
    PyObject *named = PyDict_New();
    Py_ssize_t n_names = names == NULL ? 0 : PyTuple_Size(names);
    bool ok = all != NULL && named != NULL;

    for (Py_ssize_t i = 0; ok && i < n; i++) {
        Py_INCREF(args[i]);
        ok = PyTuple_SetItem(all, i, args[i]) == 0;
    }
    for (Py_ssize_t i = 0; ok && i < n_names; i++)
        ok = PyDict_SetItem(named, PyTuple_GetItem(names, i), args[n + i]) ==
            0;
    /* What is found is borrowed from the caller, who has it all. */
    ok = ok &&
        PyArg_ParseTupleAndKeywords(all, named, form->format,
            (char **)form->keys, &found[0], &found[1]);
    Py_XDECREF(all);
    Py_XDECREF(named);
    return ok;
}

bool
pys_quick_arguments(PyObject *const *args, Py_ssize_t n, PyObject *names,
    const pys_quick_form *form, PyObject *found[2])
{
    found[0] = found[1] = Py_None;
    if (names != NULL || n != form->usual)
        return parse(args, n, names, form, found);
    for (Py_ssize_t i = 0; i < n; i++)
        found[i] = args[i];
    return true;
}

/* ---- objects ----------------------------------------------------------- */

PyObject *
pys_quick_alloc(PyTypeObject *type)
{
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);

    return alloc(type, 0);
}

void
pys_quick_drop(PyObject *op, inquiry clear)
{
    PyTypeObject *type = Py_TYPE(op);
    freefunc give_back = (freefunc)PyType_GetSlot(type, Py_tp_free);

    PyObject_GC_UnTrack(op);
    (void)clear(op);
    give_back(op);
    Py_DECREF(type);
}
