/*
 * A server's sessions by id, bounded in count and time (SESS-6, SESS-13,
 * SESS-14), and the tickets already used (RFC 8446 8.1). Safe for many
 * threads; no call waits for anything but a short lock.
 */
#ifndef PYS_CACHE_H
#define PYS_CACHE_H

#include "session/session.h"

/* What applications may do with a cache is declared in pys.h. */
PYS_MUST pys_cache *pys_cache_new(void);
/* A new reference, or NULL. Expired ones are found, too: see `made`. */
PYS_MUST pys_session *pys_cache_find(pys_cache *c, pys_rd id);

/*
 * Anti-replay: true the first time these 32 bytes are seen. They are
 * remembered for window_ms milliseconds, and on for as long as life_ms if the
 * place is not needed. Bounded: some 40000 at a time fit in for sure, more
 * than 65536 never; for one that does not, or if memory is short, the answer
 * is false. A clock that is set back frees nothing.
 */
PYS_MUST bool pys_cache_first_use(pys_cache *c, const uint8_t id[32],
    int64_t now_ms, int64_t window_ms, int64_t life_ms);

/*
 * Can nothing made at made_ms have been used within the last window_ms
 * milliseconds but before this cache began (RFC 8446 8.2)?
 */
bool pys_cache_covers(const pys_cache *c, int64_t made_ms, int64_t now_ms,
    int64_t window_ms);

#endif
