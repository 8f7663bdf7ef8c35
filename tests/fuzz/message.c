/*
 * One message of the peer's is what the fuzzer says; all else is in order.
 * Input: flags (fuzz.h), type of the message, body.
 */
#include "fuzz.h"

#include <string.h>

#include "base/base.h"
#include "pys_test.h"

enum { STREAM_MAX = 1 << 17, BODY_MAX = 1 << 15, TURNS = 14 };

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static uint8_t message[BODY_MAX + 4];
    static uint8_t bytes[STREAM_MAX];
    fuzz_pair pair;
    bool alive = true;
    size_t len;

    if (n < 2 || n - 2 > BODY_MAX)
        return 0;
    len = n - 2;
    if (!fuzz_pair_new(&pair, p[0] & 127))
        return 0;
    message[0] = p[1];
    message[1] = 0;
    message[2] = (uint8_t)(len >> 8);
    message[3] = (uint8_t)len;
    if (len != 0)
        memcpy(message + 4, p + 2, len);
    pys_test_put_message(p[1], message, len + 4);
    for (int turn = 0; turn < TURNS && alive; turn++) {
        int side = turn & 1;

        alive = fuzz_turn(&pair, side);
        fuzz_give(&pair, 1 - side, bytes,
            fuzz_take(&pair, side, bytes, sizeof(bytes)));
    }
    fuzz_pair_free(&pair);
    /* If nobody sent it, it must not wait for the next run. */
    pys_free(pys_injected(p[1], &len));
    return 0;
}
