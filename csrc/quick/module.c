/* The module pyssl._quick, in the same file as cffi's part. */
#include "quick/quick.h"

static bool
add_type(PyObject *module, const char *name, PyType_Spec *spec)
{
    PyObject *type = PyType_FromSpec(spec);

    if (type != NULL && PyModule_AddObject(module, name, type) == 0)
        return true;
    Py_XDECREF(type);
    return false;
}

static int
module_exec(PyObject *module)
{
    if (!add_type(module, "Conn", &pys_quick_conn_spec) ||
        !add_type(module, "Ctx", &pys_quick_ctx_spec) ||
        !add_type(module, "Method", &pys_quick_method_spec) ||
        !add_type(module, "Bio", &pys_quick_bio_spec) ||
        !add_type(module, "Part", &pys_quick_part_spec) ||
        !add_type(module, "Session", &pys_quick_session_spec))
        return -1;
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

bool pys_quick_watched;

PyObject *
pys_quick_watch(PyObject *module, PyObject *none)
{
    (void)module;
    (void)none;
    pys_quick_watched = true;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"thread", module_thread, METH_NOARGS, NULL},
    {"asks_changed", pys_quick_asks_changed, METH_NOARGS, NULL},
    {"queued", pys_quick_queued, METH_O, NULL},
    {"watch", pys_quick_watch, METH_NOARGS, NULL},
    {"hold_plain", pys_quick_hold_plain, METH_VARARGS, NULL},
    {"release_plain", pys_quick_release_plain, METH_VARARGS, NULL},
    {"wrapped", pys_quick_wrapped, METH_VARARGS, NULL},
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
