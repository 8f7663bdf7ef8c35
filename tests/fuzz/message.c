/*
 * One message of the peer's is what the fuzzer says; all else is in order.
 * Input: a head (fuzz.h), type of the message, body.
 */
#include "fuzz.h"

#include <string.h>

#include "base/base.h"
#include "pys_test.h"

enum { STREAM_MAX = 1 << 17, BODY_MAX = 1 << 15, TURNS = 18 };

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static uint8_t message[BODY_MAX + 4];
    static uint8_t bytes[STREAM_MAX];
    fuzz_pair pair;
    bool alive = true;
    uint8_t type;
    size_t len;

    if (n <= FUZZ_HEAD || n - FUZZ_HEAD - 1 > BODY_MAX)
        return 0;
    type = p[FUZZ_HEAD];
    len = n - FUZZ_HEAD - 1;
    fuzz_pair_new(&pair, p);
    message[0] = type;
    message[1] = 0;
    message[2] = (uint8_t)(len >> 8);
    message[3] = (uint8_t)len;
    if (len != 0)
        memcpy(message + 4, p + FUZZ_HEAD + 1, len);
    pys_test_put_message(type, message, len + 4);
    for (int turn = 0; turn < TURNS && alive; turn++) {
        int side = turn & 1;

        alive = fuzz_turn(&pair, side);
        fuzz_give(&pair, 1 - side, bytes,
            fuzz_take(&pair, side, bytes, sizeof(bytes)));
    }
    fuzz_pair_free(&pair);
    /* If nobody sent it, it must not wait for the next run. */
    pys_free(pys_injected(type, &len));
    return 0;
}
