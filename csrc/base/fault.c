#include "base/fault.h"

#include <openssl/err.h>

void
pys_fault_init(pys_fault *f)
{
    *f = (pys_fault){.alert = PYS_NO_ALERT, .alert_received = PYS_NO_ALERT};
}

static void
fault_add(pys_fault *f, unsigned long code)
{
    if (f->n_codes < PYS_FAULT_CODES)
        f->codes[f->n_codes++] = code;
}

void
pys_fault_code(pys_fault *f, unsigned lib, unsigned reason)
{
    fault_add(f, ERR_PACK(lib, 0, reason));
}

void
pys_fault_drain(pys_fault *f)
{
    unsigned long code;

    /* Room is kept for the reason that says what it means for TLS. */
    while ((code = ERR_get_error()) != 0) {
        if (f->n_codes < PYS_FAULT_CODES - 1)
            fault_add(f, code);
    }
}

void
pys_fault_forget(void)
{
    ERR_clear_error();
}

bool
pys_fault_set(pys_fault *f, int alert, unsigned reason)
{
    if (pys_fault_any(f))
        return false;
    pys_fault_drain(f);
    pys_fault_code(f, PYS_LIB_SSL, reason);
    f->alert = alert;
    return false;
}

bool
pys_fault_internal(pys_fault *f)
{
    return pys_fault_set(f, PYS_AD_INTERNAL_ERROR, PYS_ERR_INTERNAL);
}
