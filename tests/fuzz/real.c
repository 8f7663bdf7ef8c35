/*
 * The targets that work with the real primitives have no counter to reset.
 */
#include "fuzz.h"

void
fuzz_reset(void)
{
}
