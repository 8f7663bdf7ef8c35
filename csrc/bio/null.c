/* A sink that takes everything and a source that is at its end; NULLB-1. */
#include "bio/bio.h"

static long
null_read(pys_bio *b, uint8_t *out, size_t n)
{
    (void)b;
    (void)out;
    (void)n;
    return 0;
}

static long
null_write(pys_bio *b, const uint8_t *p, size_t n)
{
    (void)b;
    (void)p;
    return pys_bio_long(n);
}

static long
null_ctrl(pys_bio *b, int cmd, long larg)
{
    (void)b;
    (void)larg;
    return cmd == PYS_CTRL_RESET || cmd == PYS_CTRL_EOF ||
        cmd == PYS_CTRL_FLUSH;
}

const pys_bio_method pys_bio_method_null = {
    .read = null_read,
    .write = null_write,
    .gets = null_read,
    .ctrl = null_ctrl,
};
